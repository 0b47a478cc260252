//! Checks of the kind `icmp`: a host that answers echo requests.
//!
//! Datagram sockets of ICMP need no right, only a group within `net.ipv4.ping_group_range` (which
//! counts for IPv6 too); raw sockets are tried where those are forbidden.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use serde::Deserialize;
use surge_ping::{Client, Config, ICMP, IcmpPacket, PingIdentifier, PingSequence, SurgeError};

use super::Probe;
use super::attempt::{Attempt, Question};
use super::connect::{IpVersion, resolve};
use super::settings::read;
use super::target::{HostPort, check_host};
use crate::model::CheckDefinition;

/// A check sends at most so many requests.
const COUNT_MAX: u16 = 100;
/// What fits into a frame of Ethernet beside the headers, in bytes.
const SIZE_MAX: usize = 1452;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// How many requests.
    count: u16,
    /// Through how many routers; the system's number if it is not set.
    ttl: Option<u8>,
    /// The payload, in bytes.
    size: usize,
    ip_version: IpVersion,
}

impl Default for Settings {
    fn default() -> Self {
        // As `ping` sends.
        Settings { count: 1, ttl: None, size: 56, ip_version: IpVersion::Auto }
    }
}

struct IcmpQuestion {
    target: HostPort,
    settings: Settings,
}

pub(super) fn prepare(check: &CheckDefinition) -> Result<Box<dyn Probe>, String> {
    let host = check.target.trim_start_matches("icmp://");
    let host = host.trim_start_matches('[').trim_end_matches(']');
    check_host(host)
        .map_err(|what| format!("target: {:?} {what}; write a name or an address", check.target))?;
    if host.contains(':') && host.parse::<IpAddr>().is_err() {
        return Err(format!("target: {:?} has a port, and ICMP has none", check.target));
    }
    let settings: Settings = read(check)?;
    if !(1..=COUNT_MAX).contains(&settings.count) {
        return Err(format!("settings: count is from 1 to {COUNT_MAX}"));
    }
    if settings.size > SIZE_MAX {
        return Err(format!("settings: size is at most {SIZE_MAX} bytes"));
    }
    if settings.ttl == Some(0) {
        return Err("settings: a ttl of 0 goes nowhere".to_owned());
    }
    let target = HostPort { host: host.to_owned(), port: 0 };
    Ok(Box::new(IcmpQuestion { target, settings }))
}

impl Question for IcmpQuestion {
    fn put<'a>(&'a self, attempt: &'a mut Attempt) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let host = &self.target.host;
            let Settings { count, ttl, size, ip_version } = &self.settings;
            let addresses = resolve(attempt, &self.target, *ip_version).await?;
            let address = addresses.first().map(SocketAddr::ip);
            let address = address.ok_or_else(|| format!("{host} has no address"))?;
            attempt.seen.ip = Some(address.to_string());
            attempt.wait_for(format!("waiting for an echo from {address}"));

            let kind = if address.is_ipv4() { ICMP::V4 } else { ICMP::V6 };
            let mut config = Config::builder().kind(kind);
            if let Some(ttl) = ttl {
                config = config.ttl(u32::from(*ttl));
            }
            let client = Client::new(&config.build()).map_err(|error| forbidden(&error))?;
            let mut random = [0; 2];
            getrandom::fill(&mut random).map_err(|error| format!("no random number: {error}"))?;
            let identifier = PingIdentifier(u16::from_ne_bytes(random));
            let mut pinger = client.pinger(address, identifier).await;
            if let (Some(SocketAddr::V6(full)), true) = (addresses.first(), address.is_ipv6()) {
                pinger.scope_id(full.scope_id());
            }

            let payload = vec![b'v'; *size];
            let mut round_trips: Vec<Duration> = Vec::new();
            let mut first_error = None;
            for sequence in 0..*count {
                // Those to come need their part of the time too.
                let left = attempt.deadline.saturating_duration_since(Instant::now());
                pinger.timeout(left.mul_f64(0.95) / u32::from(count - sequence));
                match pinger.ping(PingSequence(sequence), &payload).await {
                    Ok((packet, round_trip)) => match echo_ttl(&packet) {
                        Ok(ttl) => {
                            round_trips.push(round_trip);
                            if let Some(ttl) = ttl {
                                attempt.note("ttl", ttl);
                            }
                        }
                        Err(error) => first_error = first_error.or(Some(error)),
                    },
                    Err(error) => first_error = first_error.or(Some(failure(address, &error))),
                }
            }
            let received = round_trips.len();
            attempt.note("sent", *count);
            attempt.note("received", received);
            let lost = f64::from(*count) - received as f64;
            attempt.seen.values.insert("PACKET_LOSS".to_owned(), 100.0 * lost / f64::from(*count));
            let Some(longest) = round_trips.iter().max() else {
                return Err(first_error.unwrap_or_else(|| format!("{address} does not answer")));
            };
            attempt.seen.connected = true;
            let sum: Duration = round_trips.iter().sum();
            let mean = sum / u32::try_from(received).unwrap_or(1);
            let mean = u64::try_from(mean.as_micros()).unwrap_or(u64::MAX);
            attempt.note("longest_us", u64::try_from(longest.as_micros()).unwrap_or(u64::MAX));
            attempt.phases().first_byte_us = Some(mean);
            attempt.total_us = Some(mean);
            Ok(())
        })
    }
}

/// The time to live of a reply to our request; an error for a message that is none.
fn echo_ttl(packet: &IcmpPacket) -> Result<Option<u8>, String> {
    let (kind, from, whom) = match packet {
        IcmpPacket::V4(packet) => {
            let kind = match packet.get_icmp_type().0 {
                // RFC 792.
                0 => return Ok(packet.get_ttl()),
                3 => "is unreachable",
                11 => "is too far away for the ttl",
                _ => "is answered for oddly",
            };
            (kind, IpAddr::V4(packet.get_source()), packet.get_real_dest().to_string())
        }
        IcmpPacket::V6(packet) => {
            let kind = match packet.get_icmpv6_type().0 {
                // RFC 4443.
                129 => return Ok(None),
                1 => "is unreachable",
                3 => "is too far away for the ttl",
                _ => "is answered for oddly",
            };
            (kind, IpAddr::V6(packet.get_source()), "the target".to_owned())
        }
    };
    Err(format!("{whom} {kind}, says {from}"))
}

fn failure(address: IpAddr, error: &SurgeError) -> String {
    match error {
        SurgeError::Timeout { .. } => format!(
            "no echo from {address}: the host may be down, or it or a firewall ignores ICMP"
        ),
        SurgeError::IOError(error) => match error.kind() {
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
                format!("there is no way to {address} ({error}): is the network up?")
            }
            io::ErrorKind::PermissionDenied => {
                format!("a firewall of this machine forbids to send ICMP to {address}")
            }
            _ => format!("cannot send ICMP to {address}: {error}"),
        },
        other => format!("cannot ask {address} for an echo: {other}"),
    }
}

fn forbidden(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::PermissionDenied {
        return "this process may not send ICMP: let its group into net.ipv4.ping_group_range \
                (sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"; it counts for IPv6 too), \
                or give it CAP_NET_RAW"
            .to_owned();
    }
    format!("cannot open a socket of ICMP: {error}")
}
