//! From a host to an open connection.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::attempt::{Attempt, add, micros};
use super::target::HostPort;

/// How long an address has for itself before the next one is tried beside it (RFC 8305,
/// section 8, "Connection Attempt Delay").
const HEAD_START: Duration = Duration::from_millis(250);
/// A name's addresses beyond these are left alone.
const ADDRESSES_MAX: usize = 16;

/// A connection, encrypted or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Which addresses may be used: the setting `ip_version`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum IpVersion {
    /// Whatever there is, in the order of the resolver.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    /// IPv4 only.
    #[serde(rename = "4")]
    V4,
    /// IPv6 only.
    #[serde(rename = "6")]
    V6,
}

impl IpVersion {
    fn allows(self, address: IpAddr) -> bool {
        match self {
            IpVersion::Auto => true,
            IpVersion::V4 => address.is_ipv4(),
            IpVersion::V6 => address.is_ipv6(),
        }
    }
}

/// The addresses of a host. An address needs no resolving, so its phase does not take place.
pub(super) async fn resolve(
    attempt: &mut Attempt,
    target: &HostPort,
    version: IpVersion,
) -> Result<Vec<SocketAddr>, String> {
    let HostPort { host, port } = target;
    let mut found: Vec<SocketAddr> = if let Ok(address) = host.parse::<IpAddr>() {
        vec![SocketAddr::new(address, *port)]
    } else {
        attempt.wait_for(format!("resolving {host}"));
        let start = Instant::now();
        let found = tokio::net::lookup_host((host.as_str(), *port)).await;
        add(&mut attempt.phases().dns_us, micros(start));
        found
            .map_err(|error| format!("cannot resolve {host}: {error}; is the name right?"))?
            .collect()
    };
    if found.is_empty() {
        return Err(format!("{host} has no address"));
    }
    found.retain(|address| version.allows(address.ip()));
    if found.is_empty() {
        let other = if version == IpVersion::V4 { "IPv4" } else { "IPv6" };
        return Err(format!("{host} has no address of {other}, which ip_version asks for"));
    }
    found.truncate(ADDRESSES_MAX);
    Ok(found)
}

/// Resolves and connects. Notes phases, the address that answered, and that it did.
pub(super) async fn connect(
    attempt: &mut Attempt,
    target: &HostPort,
    version: IpVersion,
) -> Result<TcpStream, String> {
    let addresses = resolve(attempt, target, version).await?;
    attempt.wait_for(format!("connecting to {target}"));
    if let [only] = addresses.as_slice() {
        attempt.seen.ip = Some(only.ip().to_string());
    }
    let start = Instant::now();
    let connected = race(&addresses).await;
    add(&mut attempt.phases().connect_us, micros(start));
    let stream = connected?;
    // What is asked is short; nobody gains by waiting for more.
    let _ = stream.set_nodelay(true);
    if let Ok(peer) = stream.peer_addr() {
        attempt.seen.ip = Some(peer.ip().to_string());
    }
    attempt.seen.connected = true;
    Ok(stream)
}

/// The first of the addresses that answers; families take turns, each with a head start
/// (RFC 8305). The error names the first failure, and how many there were.
async fn race(addresses: &[SocketAddr]) -> Result<TcpStream, String> {
    let mut waiting: VecDeque<SocketAddr> = in_turns(addresses).into();
    let mut under_way = JoinSet::new();
    let mut failures: Vec<String> = Vec::new();
    loop {
        let all = waiting.len() + under_way.len();
        if under_way.is_empty() && all == 0 {
            let more = failures.len().saturating_sub(1);
            let first = failures.into_iter().next().unwrap_or_else(|| "no address".to_owned());
            return Err(match more {
                0 => first,
                more => format!("{first}; {more} other addresses failed too"),
            });
        }
        if under_way.is_empty() {
            start_next(&mut waiting, &mut under_way);
        }
        let head_start = tokio::time::sleep(HEAD_START);
        tokio::select! {
            Some(done) = under_way.join_next() => match done {
                Ok((_, Ok(stream))) => return Ok(stream),
                Ok((address, Err(error))) => {
                    failures.push(refusal(address, &error));
                    start_next(&mut waiting, &mut under_way);
                }
                Err(error) => failures.push(format!("connecting was given up: {error}")),
            },
            () = head_start, if !waiting.is_empty() => start_next(&mut waiting, &mut under_way),
        }
    }
}

type Dial = (SocketAddr, io::Result<TcpStream>);

fn start_next(waiting: &mut VecDeque<SocketAddr>, under_way: &mut JoinSet<Dial>) {
    if let Some(address) = waiting.pop_front() {
        under_way.spawn(async move { (address, TcpStream::connect(address).await) });
    }
}

fn in_turns(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut ours, mut others): (VecDeque<_>, VecDeque<_>) =
        addresses.iter().copied().partition(|address| address.is_ipv6() == first_is_v6);
    let mut turns = Vec::with_capacity(addresses.len());
    while !ours.is_empty() || !others.is_empty() {
        turns.extend(ours.pop_front());
        turns.extend(others.pop_front());
    }
    turns
}

/// Why there is no connection, and what that may mean.
pub(super) fn refusal(address: SocketAddr, error: &io::Error) -> String {
    use io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => {
            format!("connection refused by {address}: nothing listens there, or a firewall says no")
        }
        ErrorKind::TimedOut => {
            format!("{address} does not answer: the host may be down, or a firewall drops packets")
        }
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            format!("there is no way to {address} ({error}): is the network up?")
        }
        ErrorKind::ConnectionReset => {
            format!("{address} reset the connection while it was opened")
        }
        ErrorKind::AddrNotAvailable => format!(
            "cannot connect to {address} ({error}): this machine has no address of that kind or \
             no free port"
        ),
        _ => format!("cannot connect to {address}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_the_resolvers_first_stays_first() {
        let of = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let (a, b, c) = (of("[::1]:1"), of("[::2]:1"), of("127.0.0.1:1"));
        assert_eq!(in_turns(&[a, b, c]), [a, c, b]);
        assert_eq!(in_turns(&[c, a, b]), [c, a, b]);
    }

    #[tokio::test]
    async fn a_dead_address_gives_way_to_a_living_one() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let alive = listener.local_addr().expect("bound");
        // Bound and not listening: refuses, and nobody else can take the port meanwhile.
        let closed = tokio::net::TcpSocket::new_v4().expect("a socket");
        closed.bind("127.0.0.1:0".parse().expect("an address")).expect("bound");
        let dead = closed.local_addr().expect("bound");
        let stream = race(&[dead, alive]).await.expect("the second answers");
        assert_eq!(stream.peer_addr().expect("connected"), alive);
        let error = race(&[dead, dead]).await.expect_err("nobody answers");
        assert!(error.contains("connection refused by 127.0.0.1:"), "{error}");
        assert!(error.contains("1 other addresses failed too"), "{error}");
    }
}
