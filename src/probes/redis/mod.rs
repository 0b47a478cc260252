//! Checks of the kind `redis`: log in, ping or ask, leave.

mod resp;

use std::time::Instant;

use futures_util::future::BoxFuture;
use serde::Deserialize;

use self::resp::Answer;
use super::Probe;
use super::attempt::{Attempt, Question, micros};
use super::connect::{IpVersion, connect};
use super::server::Server;
use super::settings;
use super::tls::handshake;
use super::transport::{Transport, conceal};
use crate::model::CheckDefinition;
use crate::trust::{Secret, TlsClient};

/// Numbers that are taken out of an answer of `INFO`.
const INFO_VALUES_MAX: usize = 256;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    user: Option<String>,
    password: Option<Secret>,
    database: Option<u32>,
    command: Option<Vec<String>>,
    tls: TlsClient,
    ip_version: IpVersion,
}

struct Redis {
    server: Server,
    database: u32,
    command: Vec<String>,
    encrypted: bool,
    tls: TlsClient,
    ip_version: IpVersion,
}

pub(super) fn prepare(check: &CheckDefinition) -> Result<Box<dyn Probe>, String> {
    let settings: Settings = settings::read(check)?;
    let mut server = Server::parse(&check.target, &["redis", "rediss"], 6379)?;
    if let Some(user) = settings.user {
        server.user = user;
    }
    server.password = settings.password.or(server.password);
    if !server.user.is_empty() && server.password.is_none() {
        return Err(
            "password: a user without a password cannot log in; set settings.password".to_owned()
        );
    }
    let database = match (settings.database, server.path.as_str()) {
        (Some(number), _) => number,
        (None, "") => 0,
        (None, path) => path.parse().map_err(|_| {
            format!("target: the database {path:?} is no number; write redis://host:6379/0")
        })?,
    };
    let command = settings.command.unwrap_or_else(|| vec!["PING".to_owned()]);
    if command.is_empty() {
        return Err("command: it is empty; write [\"PING\"] or [\"GET\", \"key\"]".to_owned());
    }
    if let Some(word) = command.first().filter(|word| is_endless(word)) {
        return Err(format!("command: {word} has no end of its answers; use another one"));
    }
    settings.tls.name().map_err(|error| format!("settings: {error}"))?;
    Ok(Box::new(Redis {
        encrypted: server.scheme == "rediss",
        server,
        database,
        command,
        tls: settings.tls,
        ip_version: settings.ip_version,
    }))
}

fn is_endless(word: &str) -> bool {
    ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "MONITOR", "SYNC", "PSYNC"]
        .iter()
        .any(|endless| word.eq_ignore_ascii_case(endless))
}

impl Question for Redis {
    fn put<'a>(&'a self, attempt: &'a mut Attempt) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let password = self.server.password().await?;
            let outcome = self.converse(attempt, &password).await;
            conceal(attempt, outcome, &[&password])
        })
    }
}

impl Redis {
    async fn converse(&self, attempt: &mut Attempt, password: &str) -> Result<(), String> {
        let target = &self.server.target;
        let stream = connect(attempt, target, self.ip_version).await?;
        let mut transport = if self.encrypted {
            let stream = handshake(attempt, stream, target, &self.tls, &[]).await?;
            Transport::new(stream, target)
        } else {
            Transport::new(stream, target)
        };
        attempt.note("encrypted", self.encrypted);
        let mut rest = Vec::new();
        if self.server.password.is_some() {
            attempt.wait_for(format!("logging in to {target}"));
            let user = self.server.user.as_str();
            let words: &[&str] =
                if user.is_empty() { &["AUTH", password] } else { &["AUTH", user, password] };
            self.step(&mut transport, &mut rest, words, "the login").await?;
        }
        if self.database != 0 {
            attempt.wait_for(format!("{target} to choose the database {}", self.database));
            let words = ["SELECT", &self.database.to_string()];
            self.step(&mut transport, &mut rest, &words, "the choice of a database").await?;
        }
        attempt.wait_for(format!("the answer of {target}"));
        let start = Instant::now();
        let answer = self.step(&mut transport, &mut rest, &self.command, "the command").await?;
        attempt.phases().first_byte_us = Some(micros(start));
        if let Some(number) = answer.number() {
            attempt.seen.values.insert("VALUE".to_owned(), number);
        }
        attempt.seen.body = answer.body();
        if self.command[0].eq_ignore_ascii_case("INFO") {
            info_values(attempt);
        }
        Ok(())
    }

    /// Sends a command and reads one answer.
    async fn step<T: AsRef<[u8]>>(
        &self,
        transport: &mut Transport,
        rest: &mut Vec<u8>,
        words: &[T],
        what: &str,
    ) -> Result<Answer, String> {
        let outcome = async {
            transport.send(&resp::command(words)).await?;
            loop {
                if let Some((answer, length)) = resp::answer(rest)? {
                    rest.drain(..length);
                    return Ok(answer);
                }
                if rest.len() > resp::ANSWER_BYTES_MAX {
                    return Err(format!(
                        "its answer to {what} is longer than {} bytes",
                        resp::ANSWER_BYTES_MAX
                    ));
                }
                transport.some(rest).await?;
            }
        };
        let outcome: Result<Answer, String> = outcome.await;
        match outcome {
            Ok(Answer::Error(error)) => Err(transport.blame(explain(&error, what))),
            Ok(answer) => Ok(answer),
            Err(error) => Err(transport.blame(error)),
        }
    }
}

/// `INFO` has lines of `key:value`; numbers become places: `[USED_MEMORY] < 1000000000`.
fn info_values(attempt: &mut Attempt) {
    let body = String::from_utf8_lossy(&attempt.seen.body).into_owned();
    let numbers = body.lines().filter_map(|line| {
        let (key, value) = line.split_once(':')?;
        let number: f64 = value.trim().parse().ok()?;
        let plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        (plain && number.is_finite()).then(|| (key.to_ascii_uppercase(), number))
    });
    attempt.seen.values.extend(numbers.take(INFO_VALUES_MAX));
}

/// Redis's errors begin with a word that says their kind.
fn explain(error: &str, what: &str) -> String {
    let (kind, _) = error.split_once(' ').unwrap_or((error, ""));
    let meaning = match kind {
        "NOAUTH" => "it wants a password first: set settings.password",
        "WRONGPASS" => "the user or password is wrong",
        "NOPERM" => "the user may not do that",
        "LOADING" => "it is still reading its data after a start",
        "BUSY" => "a script keeps it busy",
        "MASTERDOWN" => "it is a replica whose master is away",
        "MISCONF" => "it cannot write to its disk",
        "READONLY" => "it is a replica, which takes no writes",
        "OOM" => "it has used up its memory",
        "DENIED" => "it is in protected mode: it has no password and takes nobody from outside",
        "WRONGTYPE" => "the key holds another kind of value",
        "ERR" if error.contains("without any password configured") => {
            "it has no password; take settings.password out"
        }
        "ERR" if error.contains("invalid password") => "the password is wrong",
        _ => return format!("it refuses {what}: {error}"),
    };
    format!("it refuses {what}: {meaning} ({error})")
}
