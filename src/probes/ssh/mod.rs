//! Checks of the kind `ssh`: the server's name, what it can, and the key it shows.

mod wire;

use std::time::Instant;

use futures_util::future::BoxFuture;
use serde::Deserialize;

use self::wire::{HostKey, Offer};
use super::Probe;
use super::attempt::{Attempt, Question, micros};
use super::connect::{IpVersion, connect};
use super::cursor::readable;
use super::settings;
use super::target::HostPort;
use super::transport::Transport;
use crate::model::CheckDefinition;

/// Packets that are read while one is awaited: servers may send what says nothing.
const PACKETS_MAX: usize = 32;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    host_key_sha256: Option<String>,
    host_key_algorithms: Option<Vec<String>>,
    ip_version: IpVersion,
}

struct Ssh {
    target: HostPort,
    /// Without `SHA256:` and without the padding of base64.
    expected_key: Option<String>,
    algorithms: Vec<String>,
    ip_version: IpVersion,
}

pub(super) fn prepare(check: &CheckDefinition) -> Result<Box<dyn Probe>, String> {
    let settings: Settings = settings::read(check)?;
    let target = HostPort::parse(&check.target, Some(22))?;
    let expected_key = settings
        .host_key_sha256
        .map(|text| text.strip_prefix("SHA256:").unwrap_or(&text).trim_end_matches('=').to_owned());
    if let Some(key) = expected_key.as_ref().filter(|key| key.len() != 43) {
        return Err(format!(
            "host_key_sha256: {key:?} is not 43 characters of base64; write what \
             `ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub` prints after SHA256:"
        ));
    }
    let algorithms = settings
        .host_key_algorithms
        .unwrap_or_else(|| wire::HOST_KEYS.iter().map(|name| (*name).to_owned()).collect());
    let odd =
        |name: &String| name.is_empty() || !name.bytes().all(|b| b.is_ascii_graphic() && b != b',');
    if algorithms.is_empty() || algorithms.len() > 32 || algorithms.iter().any(odd) {
        return Err("host_key_algorithms: write a list of names such as [\"ssh-ed25519\"]".into());
    }
    Ok(Box::new(Ssh { target, expected_key, algorithms, ip_version: settings.ip_version }))
}

impl Question for Ssh {
    fn put<'a>(&'a self, attempt: &'a mut Attempt) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let stream = connect(attempt, &self.target, self.ip_version).await?;
            let mut transport = Transport::new(stream, &self.target);
            let outcome = self.converse(attempt, &mut transport).await;
            outcome.map_err(|error| transport.blame(error))
        })
    }
}

impl Ssh {
    async fn converse(
        &self,
        attempt: &mut Attempt,
        transport: &mut Transport,
    ) -> Result<(), String> {
        let target = &self.target;
        attempt.wait_for(format!("{target} to identify itself"));
        let start = Instant::now();
        transport.send(wire::IDENTIFICATION).await?;
        let name = identification(transport).await?;
        attempt.phases().first_byte_us = Some(micros(start));
        attempt.seen.body = name.clone().into_bytes();
        attempt.note("server_version", name);

        attempt.wait_for(format!("what {target} offers"));
        let mut random = [0; 48];
        getrandom::fill(&mut random)
            .map_err(|error| format!("this machine gives no randomness: {error}"))?;
        let mut cookie = [0; 16];
        let mut public_key = [0; 32];
        cookie.copy_from_slice(&random[..16]);
        public_key.copy_from_slice(&random[16..]);
        transport.send(&wire::packet(&wire::own_offer(cookie, &self.algorithms.join(",")))).await?;
        let offer = wire::offer(&awaited(transport, wire::KEXINIT).await?)?;
        attempt.note("key_exchanges", offer.key_exchanges.clone());
        attempt.note("host_key_algorithms", offer.host_keys.clone());
        attempt.note("ciphers", offer.ciphers.clone());
        attempt.note("macs", offer.macs.clone());

        if let Err(missing) = self.common(&offer) {
            attempt.note("host_key", missing.clone());
            return match self.expected_key {
                Some(_) => Err(format!("its host key cannot be compared: {missing}")),
                // It answers, and says what it can; that is what was asked.
                None => Ok(()),
            };
        }
        attempt.wait_for(format!("the host key of {target}"));
        transport.send(&wire::packet(&wire::exchange(public_key))).await?;
        let guessed_wrong = offer.guesses && !self.guess_fits(&offer);
        if guessed_wrong {
            // RFC 4253, 7: the packet of a wrong guess is ignored, whatever is in it.
            packet(transport).await?;
        }
        let key = wire::host_key(&awaited(transport, wire::ECDH_REPLY).await?)?;
        attempt.note("host_key_type", key.kind.clone());
        attempt.note("host_key_sha256", format!("SHA256:{}", key.fingerprint));
        // Politeness, and a clean line in its log.
        let _ = transport.send(&wire::packet(&wire::goodbye())).await;
        self.compare(&key)
    }

    /// Whether there is an exchange that both can; else what is missing.
    fn common(&self, offer: &Offer) -> Result<(), String> {
        if !offer.key_exchanges.iter().any(|name| wire::KEY_EXCHANGES.contains(&name.as_str())) {
            return Err(
                "it does not offer curve25519-sha256, the key exchange that is spoken".into()
            );
        }
        if !self.algorithms.iter().any(|name| offer.host_keys.contains(name)) {
            return Err(format!("it has no host key of {}", self.algorithms.join(", ")));
        }
        Ok(())
    }

    /// Whether the server's guess is what is agreed on: both list the same first.
    fn guess_fits(&self, offer: &Offer) -> bool {
        offer.key_exchanges.first().is_some_and(|name| name == wire::KEY_EXCHANGES[0])
            && offer.host_keys.first() == self.algorithms.first()
    }

    fn compare(&self, key: &HostKey) -> Result<(), String> {
        match &self.expected_key {
            Some(expected) if *expected != key.fingerprint => Err(format!(
                "it shows another host key than expected: {} SHA256:{}; somebody is in between, \
                 or the key is new or of another algorithm (see host_key_algorithms)",
                key.kind, key.fingerprint
            )),
            _ => Ok(()),
        }
    }
}

/// Reads lines until the server's identification.
async fn identification(transport: &mut Transport) -> Result<String, String> {
    for _ in 0..wire::LINES_MAX {
        let mut line = Vec::new();
        loop {
            match transport.array::<1>().await {
                Ok([b'\n']) => break,
                Ok([byte]) if line.len() < wire::LINE_BYTES_MAX => line.push(byte),
                Ok(_) => {
                    return Err(format!(
                        "it sent a line of more than {} bytes before it identified itself; is \
                         this an SSH server?",
                        wire::LINE_BYTES_MAX
                    ));
                }
                Err(error) if line.is_empty() => return Err(error),
                Err(error) => return Err(format!("{error}, after {:?}", readable(&line))),
            }
        }
        let text = line.strip_suffix(b"\r").unwrap_or(&line);
        if let Some(name) = wire::identification(text)? {
            return Ok(name);
        }
    }
    Err(format!("it sent {} lines and no identification; is this an SSH server?", wire::LINES_MAX))
}

async fn packet(transport: &mut Transport) -> Result<Vec<u8>, String> {
    let length = wire::packet_length(transport.array().await?)?;
    let packet = transport.bytes(length).await?;
    wire::payload(&packet).map(<[u8]>::to_vec)
}

/// The next message of a kind; others are passed over.
async fn awaited(transport: &mut Transport, number: u8) -> Result<Vec<u8>, String> {
    for _ in 0..PACKETS_MAX {
        let payload = packet(transport).await?;
        match payload.first() {
            Some(&found) if found == number => return Ok(payload),
            Some(&wire::DISCONNECT) => return Err(wire::disconnect_reason(&payload)),
            _ => {}
        }
    }
    Err(format!("it sent {PACKETS_MAX} messages, and not the one of number {number}"))
}
