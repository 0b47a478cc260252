//! Checks of the kind `tcp`: a `host:port` that takes connections, and what is said on them.

use std::time::Instant;

use futures_util::future::BoxFuture;
use regex::{Captures, Regex};
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Probe;
use super::attempt::{Attempt, Question, add, micros};
use super::connect::{IpVersion, Stream, connect};
use super::line::read_line;
use super::settings::read;
use super::target::HostPort;
use super::tls::handshake;
use crate::model::CheckDefinition;
use crate::trust::TlsClient;

/// So much of what comes is kept, in bytes.
const RECEIVED_BYTES_MAX: usize = 64 << 10;
/// A conversation may have so many steps.
const STEPS_MAX: usize = 64;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Sent as it is.
    send: Option<String>,
    /// What must come, as a regular expression over all that came.
    expect: Option<String>,
    /// A conversation of lines, as blackbox_exporter's `query_response` (`prober/tcp.go`).
    query_response: Vec<StepSettings>,
    /// Encrypted from the start, if it is there.
    tls: Option<TlsClient>,
    ip_version: IpVersion,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct StepSettings {
    /// A line that must come; others before it are passed over.
    expect: Option<String>,
    /// Sent with a line break; `${1}` is a group of the last `expect`.
    send: Option<String>,
    /// Whether encryption begins after this step.
    starttls: bool,
}

struct Step {
    expect: Option<Regex>,
    send: Option<String>,
    starttls: bool,
}

struct TcpQuestion {
    target: HostPort,
    send: Option<String>,
    expect: Option<Regex>,
    steps: Vec<Step>,
    tls: Option<TlsClient>,
    ip_version: IpVersion,
}

pub(super) fn prepare(check: &CheckDefinition) -> Result<Box<dyn Probe>, String> {
    let target = HostPort::parse(check.target.trim_start_matches("tcp://"), None)?;
    let settings: Settings = read(check)?;
    if !settings.query_response.is_empty() && (settings.send.is_some() || settings.expect.is_some())
    {
        return Err("settings: send and expect are steps too: put them into query_response".into());
    }
    if settings.query_response.len() > STEPS_MAX {
        return Err(format!("settings: query_response has more than {STEPS_MAX} steps"));
    }
    if let Some(tls) = &settings.tls {
        tls.name().map_err(|error| format!("settings: {error}"))?;
    }
    let pattern = |text: &Option<String>, place: &str| match text {
        Some(text) => Regex::new(text)
            .map(Some)
            .map_err(|error| format!("settings: {place} is no regular expression: {error}")),
        None => Ok(None),
    };
    let mut steps = Vec::new();
    for (number, step) in settings.query_response.into_iter().enumerate() {
        let place = format!("query_response[{number}].expect");
        let expect = pattern(&step.expect, &place)?;
        steps.push(Step { expect, send: step.send, starttls: step.starttls });
    }
    Ok(Box::new(TcpQuestion {
        target,
        expect: pattern(&settings.expect, "expect")?,
        send: settings.send,
        steps,
        tls: settings.tls,
        ip_version: settings.ip_version,
    }))
}

impl Question for TcpQuestion {
    fn put<'a>(&'a self, attempt: &'a mut Attempt) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let stream = connect(attempt, &self.target, self.ip_version).await?;
            let stream: Box<dyn Stream> = match &self.tls {
                Some(tls) => Box::new(handshake(attempt, stream, &self.target, tls, &[]).await?),
                None => Box::new(stream),
            };
            if self.steps.is_empty() {
                self.say_and_hear(attempt, stream).await
            } else {
                self.converse(attempt, stream).await
            }
        })
    }
}

impl TcpQuestion {
    /// `send` and `expect`. Without an `expect`, what comes first is the answer to a `send`.
    async fn say_and_hear(
        &self,
        attempt: &mut Attempt,
        mut stream: Box<dyn Stream>,
    ) -> Result<(), String> {
        let target = &self.target;
        let broken = |error: std::io::Error| format!("the connection to {target} broke: {error}");
        if let Some(text) = &self.send {
            attempt.wait_for(format!("sending to {target}"));
            stream.write_all(text.as_bytes()).await.map_err(broken)?;
            stream.flush().await.map_err(broken)?;
        } else if self.expect.is_none() {
            return Ok(());
        }
        attempt.wait_for(format!("waiting for what {target} says"));
        let start = Instant::now();
        let mut piece = [0; 4096];
        loop {
            let count = stream.read(&mut piece).await.map_err(broken)?;
            if count > 0 && attempt.phases().first_byte_us.is_none() {
                attempt.phases().first_byte_us = Some(micros(start));
            }
            let received = &mut attempt.seen.body;
            let room = RECEIVED_BYTES_MAX - received.len();
            received.extend_from_slice(&piece[..count.min(room)]);
            let Some(expect) = &self.expect else {
                return match count {
                    0 => Err(format!("{target} closed the connection without an answer")),
                    _ => Ok(()),
                };
            };
            if expect.is_match(&String::from_utf8_lossy(received)) {
                return Ok(());
            }
            if count == 0 || room <= count {
                let came = excerpt(&String::from_utf8_lossy(received));
                let end = if count == 0 { "closed the connection" } else { "said too much" };
                return Err(format!("{target} {end} without a match of {expect}: {came}"));
            }
        }
    }

    async fn converse(
        &self,
        attempt: &mut Attempt,
        mut stream: Box<dyn Stream>,
    ) -> Result<(), String> {
        let target = &self.target;
        let broken = |error: std::io::Error| format!("the connection to {target} broke: {error}");
        let mut groups: Vec<String> = Vec::new();
        for (number, step) in self.steps.iter().enumerate() {
            if let Some(expect) = &step.expect {
                attempt.wait_for(format!("waiting for a line of {target} like {expect}"));
                let start = Instant::now();
                let mut last = String::new();
                loop {
                    let line = read_line(&mut stream).await.map_err(|error| {
                        let last = excerpt(&last);
                        format!("{target}, step {number}: {error}, without a match of {expect} (last line: {last})")
                    })?;
                    if attempt.phases().first_byte_us.is_none() {
                        add(&mut attempt.phases().first_byte_us, micros(start));
                    }
                    let received = &mut attempt.seen.body;
                    if received.len() + line.len() < RECEIVED_BYTES_MAX {
                        received.extend_from_slice(line.as_bytes());
                        received.push(b'\n');
                    }
                    if let Some(captures) = expect.captures(&line) {
                        groups = texts(&captures);
                        break;
                    }
                    last = line;
                }
            }
            if let Some(text) = &step.send {
                attempt.wait_for(format!("sending to {target}"));
                let text = format!("{}\n", expand(text, &groups));
                stream.write_all(text.as_bytes()).await.map_err(broken)?;
                stream.flush().await.map_err(broken)?;
            }
            if step.starttls {
                let options = TlsClient::default();
                let tls = self.tls.as_ref().unwrap_or(&options);
                stream = Box::new(handshake(attempt, stream, target, tls, &[]).await?);
            }
        }
        Ok(())
    }
}

fn texts(captures: &Captures<'_>) -> Vec<String> {
    captures.iter().map(|group| group.map_or(String::new(), |m| m.as_str().to_owned())).collect()
}

/// Puts groups in the places of `${1}`.
fn expand(text: &str, groups: &[String]) -> String {
    let mut text = text.to_owned();
    for (number, group) in groups.iter().enumerate() {
        text = text.replace(&format!("${{{number}}}"), group);
    }
    text
}

/// The beginning of what came, in quotes.
fn excerpt(text: &str) -> String {
    const CHARS_MAX: usize = 200;
    if text.chars().count() <= CHARS_MAX {
        return format!("{text:?}");
    }
    format!("{:?}…", text.chars().take(CHARS_MAX).collect::<String>())
}
