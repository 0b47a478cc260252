//! Checks of the kind `dns`: what a server says about a name.

use std::net::SocketAddr;
use std::time::Instant;

use futures_util::future::BoxFuture;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UdpSocket;

use super::Probe;
use super::attempt::{Attempt, Question, add, micros};
use super::connect::{IpVersion, connect, refusal, resolve};
use super::settings::read;
use super::target::HostPort;
use crate::model::CheckDefinition;

/// Where the system's servers are named.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// A query is sent again after so much silence, as a datagram may be lost (`resolv.conf(5)`
/// waits 5 seconds, which is half of a check's time).
const RESEND_AFTER: std::time::Duration = std::time::Duration::from_secs(2);
/// Foreign or broken datagrams that are passed over before giving up.
const STRAYS_MAX: usize = 64;
/// Answers beyond these are left out of the body.
const ANSWERS_MAX: usize = 256;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// What is asked for.
    name: String,
    /// Its type; A if it is not set.
    #[serde(default)]
    record_type: RecordKind,
    #[serde(default)]
    transport: Transport,
    /// Whether the server may ask others.
    #[serde(default = "yes")]
    recursion: bool,
    #[serde(default)]
    ip_version: IpVersion,
}

fn yes() -> bool {
    true
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum RecordKind {
    #[default]
    A,
    Aaaa,
    Cname,
    Mx,
    Ns,
    Txt,
    Soa,
    Srv,
    Ptr,
    Caa,
}

impl RecordKind {
    fn record_type(self) -> RecordType {
        match self {
            RecordKind::A => RecordType::A,
            RecordKind::Aaaa => RecordType::AAAA,
            RecordKind::Cname => RecordType::CNAME,
            RecordKind::Mx => RecordType::MX,
            RecordKind::Ns => RecordType::NS,
            RecordKind::Txt => RecordType::TXT,
            RecordKind::Soa => RecordType::SOA,
            RecordKind::Srv => RecordType::SRV,
            RecordKind::Ptr => RecordType::PTR,
            RecordKind::Caa => RecordType::CAA,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Transport {
    /// And TCP when an answer does not fit.
    #[default]
    Udp,
    Tcp,
}

struct DnsQuestion {
    /// The system's server if it is not set.
    server: Option<HostPort>,
    name: Name,
    settings: Settings,
}

pub(super) fn prepare(check: &CheckDefinition) -> Result<Box<dyn Probe>, String> {
    let settings: Settings = read(check)?;
    let server = match check.target.as_str() {
        "" => None,
        target => Some(HostPort::parse(target.trim_start_matches("dns://"), Some(53))?),
    };
    let name = match (settings.record_type, settings.name.parse::<std::net::IpAddr>()) {
        (RecordKind::Ptr, Ok(address)) => Name::from(address),
        _ => Name::from_utf8(&settings.name)
            .map_err(|error| format!("settings: name {:?}: {error}", settings.name))?,
    };
    let mut name = name;
    name.set_fqdn(true);
    Ok(Box::new(DnsQuestion { server, name, settings }))
}

impl Question for DnsQuestion {
    fn put<'a>(&'a self, attempt: &'a mut Attempt) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let server = match &self.server {
                Some(server) => server.clone(),
                None => systems_server().await?,
            };
            let query = self.query()?;
            let (answer, transport) = match self.settings.transport {
                Transport::Udp => {
                    let answer = self.over_udp(attempt, &server, &query).await?;
                    if answer.metadata.truncation {
                        attempt.note("truncated", true);
                        (self.over_tcp(attempt, &server, &query).await?, "tcp")
                    } else {
                        (answer, "udp")
                    }
                }
                Transport::Tcp => (self.over_tcp(attempt, &server, &query).await?, "tcp"),
            };
            attempt.note("server", server.to_string());
            attempt.note("transport", transport);
            self.tell(attempt, &answer);
            Ok(())
        })
    }
}

impl DnsQuestion {
    fn query(&self) -> Result<Message, String> {
        let mut id = [0; 2];
        getrandom::fill(&mut id).map_err(|error| format!("no random number: {error}"))?;
        let mut query = Message::new(u16::from_ne_bytes(id), MessageType::Query, OpCode::Query);
        query.metadata.recursion_desired = self.settings.recursion;
        let record_type = self.settings.record_type.record_type();
        query.add_query(Query::query(self.name.clone(), record_type));
        Ok(query)
    }

    async fn over_udp(
        &self,
        attempt: &mut Attempt,
        server: &HostPort,
        query: &Message,
    ) -> Result<Message, String> {
        let addresses = resolve(attempt, server, self.settings.ip_version).await?;
        let address = *addresses.first().ok_or_else(|| format!("{server} has no address"))?;
        attempt.seen.ip = Some(address.ip().to_string());
        attempt.wait_for(format!("waiting for the answer of the DNS server {address}"));
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => ([0; 4], 0).into(),
            SocketAddr::V6(_) => ([0; 16], 0).into(),
        };
        let broken = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::ConnectionRefused => {
                format!("{address} refuses datagrams: no DNS server listens there")
            }
            _ => refusal(address, &error),
        };
        let socket = UdpSocket::bind(any).await.map_err(broken)?;
        // Connected, so that only this server's datagrams come through.
        socket.connect(address).await.map_err(broken)?;
        let bytes = query.to_vec().map_err(|error| format!("cannot ask that: {error}"))?;
        let start = Instant::now();
        socket.send(&bytes).await.map_err(broken)?;
        let mut buffer = vec![0; 64 << 10];
        for _ in 0..STRAYS_MAX {
            let received = loop {
                match tokio::time::timeout(RESEND_AFTER, socket.recv(&mut buffer)).await {
                    Ok(received) => break received.map_err(broken)?,
                    Err(_) => drop(socket.send(&bytes).await.map_err(broken)?),
                }
            };
            // Anyone can send a datagram in the server's name: what is no answer is passed over.
            if let Ok(answer) = Message::from_vec(&buffer[..received])
                && answers(&answer, query)
            {
                add(&mut attempt.phases().first_byte_us, micros(start));
                attempt.seen.connected = true;
                return Ok(answer);
            }
        }
        Err(format!("{address} sends datagrams that do not answer the query: is it a DNS server?"))
    }

    async fn over_tcp(
        &self,
        attempt: &mut Attempt,
        server: &HostPort,
        query: &Message,
    ) -> Result<Message, String> {
        let mut stream = connect(attempt, server, self.settings.ip_version).await?;
        attempt.wait_for(format!("waiting for the answer of the DNS server {server} over TCP"));
        let broken =
            |error: std::io::Error| format!("the TCP connection to {server} broke: {error}");
        let bytes = query.to_vec().map_err(|error| format!("cannot ask that: {error}"))?;
        // RFC 1035, section 4.2.2: two bytes of length before each message.
        let mut framed = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
        framed.extend_from_slice(&bytes);
        let start = Instant::now();
        stream.write_all(&framed).await.map_err(broken)?;
        let length = stream.read_u16().await.map_err(broken)?;
        add(&mut attempt.phases().first_byte_us, micros(start));
        let mut buffer = vec![0; usize::from(length)];
        stream.read_exact(&mut buffer).await.map_err(broken)?;
        let answer = Message::from_vec(&buffer)
            .map_err(|error| format!("{server} answers what is no DNS message: {error}"))?;
        if !answers(&answer, query) {
            return Err(format!("{server} answers another query than ours"));
        }
        Ok(answer)
    }

    /// `[BODY]` is a JSON array of the answers' data, as zone files write it; names without their
    /// last dot, so that `has` and `==` read well. `[BODY][0]` is the first of the type asked for.
    fn tell(&self, attempt: &mut Attempt, answer: &Message) {
        let code = answer.metadata.response_code;
        attempt.seen.dns_rcode = Some(rcode(code));
        attempt.seen.status = Some(i64::from(u16::from(code)));
        let wanted = self.settings.record_type.record_type();
        let of_type = answer.answers.iter().filter(|record| record.record_type() == wanted);
        let texts: Vec<String> =
            of_type.take(ANSWERS_MAX).map(|record| written(&record.data)).collect();
        attempt.note("answers", answer.answers.len());
        if let Some(ttl) = answer.answers.iter().map(|record| record.ttl).min() {
            attempt.note("ttl", ttl);
        }
        attempt.note("authoritative", answer.metadata.authoritative);
        attempt.note("name", self.name.to_utf8());
        attempt.note("record_type", wanted.to_string());
        attempt.seen.body = serde_json::to_vec(&texts).unwrap_or_default();
    }
}

/// The first server of `resolv.conf(5)`; this machine if it names none.
async fn systems_server() -> Result<HostPort, String> {
    let text = tokio::fs::read_to_string(RESOLV_CONF)
        .await
        .map_err(|error| format!("cannot read {RESOLV_CONF}: {error}; name a server as target"))?;
    Ok(HostPort { host: first_server(&text), port: 53 })
}

fn first_server(resolv_conf: &str) -> String {
    let mut servers = resolv_conf.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next()).flatten()
    });
    servers.next().unwrap_or("127.0.0.1").to_owned()
}

fn answers(answer: &Message, query: &Message) -> bool {
    answer.metadata.message_type == MessageType::Response
        && answer.metadata.id == query.metadata.id
        // A server that could make nothing of the query need not repeat it.
        && (answer.queries.is_empty() || same(&answer.queries, &query.queries))
}

fn same(left: &[Query], right: &[Query]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).all(|(left, right)| {
            left.query_type() == right.query_type() && left.name() == right.name()
        })
}

/// The mnemonic of RFC 1035 and its successors, as `dig` and Gatus print it.
fn rcode(code: ResponseCode) -> String {
    match code {
        ResponseCode::NoError => "NOERROR".to_owned(),
        ResponseCode::FormErr => "FORMERR".to_owned(),
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::NXDomain => "NXDOMAIN".to_owned(),
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        ResponseCode::YXDomain => "YXDOMAIN".to_owned(),
        ResponseCode::YXRRSet => "YXRRSET".to_owned(),
        ResponseCode::NXRRSet => "NXRRSET".to_owned(),
        ResponseCode::NotAuth => "NOTAUTH".to_owned(),
        ResponseCode::NotZone => "NOTZONE".to_owned(),
        other => format!("RCODE{}", u16::from(other)),
    }
}

fn written(data: &RData) -> String {
    let plain = |name: &Name| {
        let text = name.to_utf8();
        if text == "." { text } else { text.trim_end_matches('.').to_owned() }
    };
    match data {
        RData::CNAME(name) => plain(name),
        RData::NS(name) => plain(name),
        RData::PTR(name) => plain(name),
        RData::MX(mx) => format!("{} {}", mx.preference, plain(&mx.exchange)),
        RData::SRV(srv) => {
            format!("{} {} {} {}", srv.priority, srv.weight, srv.port, plain(&srv.target))
        }
        RData::TXT(txt) => {
            // The strings of one record are one text (RFC 7208, section 3.3).
            txt.txt_data.iter().map(|part| String::from_utf8_lossy(part)).collect()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_server_of_the_system_is_asked() {
        let text = "# a\nsearch b\nnameserver 10.0.0.1\nnameserver ::1\n";
        assert_eq!(first_server(text), "10.0.0.1");
        assert_eq!(first_server("options ndots:1\n"), "127.0.0.1");
    }
}
