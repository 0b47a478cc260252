//! Checks of the kind `exec`: a command of this machine, and how it ends.

mod perfdata;
mod run;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use futures_util::future::BoxFuture;
use serde::Deserialize;

use self::perfdata::perfdata;
use self::run::{Ended, Running};
use super::Probe;
use super::attempt::{Attempt, Question, micros};
use super::cursor::readable;
use super::settings;
use super::transport::conceal;
use crate::model::{CheckDefinition, CheckKind, CheckStatus};
use crate::trust::Secret;

/// Words of a command, and variables.
const WORDS_MAX: usize = 256;

/// Whether checks of a kind may come from the configuration file only, as they do on this machine
/// what they like: whoever may change them would be whoever runs vedette.
pub fn needs_file_origin(kind: CheckKind) -> bool {
    match kind {
        CheckKind::Exec => true,
        CheckKind::Http
        | CheckKind::Tcp
        | CheckKind::Icmp
        | CheckKind::Dns
        | CheckKind::Tls
        | CheckKind::Grpc
        | CheckKind::WebSocket
        | CheckKind::Heartbeat
        | CheckKind::Postgres
        | CheckKind::Mysql
        | CheckKind::Redis
        | CheckKind::Ssh
        | CheckKind::Model
        | CheckKind::Host => false,
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    command: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, Secret>,
    #[serde(default)]
    directory: Option<PathBuf>,
    #[serde(default)]
    nagios: bool,
}

struct Exec {
    settings: Settings,
}

pub(super) fn prepare(check: &CheckDefinition) -> Result<Box<dyn Probe>, String> {
    if !check.settings.contains_key("command") {
        return Err(
            "settings: command is missing; write command = [\"/path/to/it\", \"word\"]".to_owned()
        );
    }
    if !check.target.is_empty() {
        return Err("target: a command has none; all is in settings.command".to_owned());
    }
    let settings: Settings = settings::read(check)?;
    match settings.command.first() {
        Some(program) if !program.is_empty() => {}
        _ => return Err("command: it is empty; write [\"/path/to/it\", \"word\"]".to_owned()),
    }
    if settings.command.len() > WORDS_MAX || settings.env.len() > WORDS_MAX {
        return Err(format!("command: up to {WORDS_MAX} words and variables are taken"));
    }
    if settings.command.iter().any(|word| word.contains('\0')) {
        return Err("command: a word has a zero byte, which no command can take".to_owned());
    }
    if let Some(name) =
        settings.env.keys().find(|name| name.is_empty() || name.contains(['=', '\0']))
    {
        return Err(format!("env: {name:?} is no name of a variable"));
    }
    Ok(Box::new(Exec { settings }))
}

impl Question for Exec {
    fn put<'a>(&'a self, attempt: &'a mut Attempt) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let mut env = Vec::new();
            let mut secrets = Vec::new();
            for (name, secret) in &self.settings.env {
                let value = settings::secret(secret).await?;
                // What is written down in plain sight is none.
                if !matches!(secret, Secret::Text(_)) {
                    secrets.push(value.clone());
                }
                env.push((name.as_str(), value));
            }
            let outcome = self.run(attempt, &env).await;
            let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
            conceal(attempt, outcome, &secrets)
        })
    }
}

impl Exec {
    async fn run(&self, attempt: &mut Attempt, env: &[(&str, String)]) -> Result<(), String> {
        let Settings { command, directory, nagios, .. } = &self.settings;
        let program = command[0].as_str();
        attempt.wait_for(format!("{program} to end; it and all it started are killed"));
        let start = Instant::now();
        let mut running = Running::start(command, env, directory.as_deref())?;
        attempt.seen.connected = true;
        // The body is filled as it comes, so that a command that hangs still shows what it said.
        let ended = running.finish(&mut attempt.seen.body, || micros(start)).await;
        let Ended { code, signal, errors, first_byte_us, cut } = ended?;
        attempt.phases().first_byte_us = first_byte_us;
        if cut {
            attempt.note("output", format!("cut at {} bytes", run::OUTPUT_BYTES_MAX));
        }
        if !errors.is_empty() {
            attempt.note("stderr", String::from_utf8_lossy(&errors).into_owned());
        }
        let text = String::from_utf8_lossy(&attempt.seen.body).into_owned();
        if let Some(first) = text.lines().next().filter(|line| !line.is_empty()) {
            attempt.note("output_first_line", readable(first.as_bytes()));
        }
        for measured in perfdata(&text) {
            if !measured.unit.is_empty() {
                attempt.note(&format!("unit_{}", measured.place.to_lowercase()), measured.unit);
            }
            attempt.seen.values.insert(measured.place, measured.value);
        }
        attempt.seen.status = code.map(i64::from);
        if let Some(code) = code.filter(|_| *nagios) {
            let status = nagios_status(code);
            attempt.note("nagios", status.as_str());
        }
        match (code, signal) {
            (None, Some(signal)) => {
                Err(format!("{program} was killed by signal {signal}, and not by us"))
            }
            _ => Ok(()),
        }
    }
}

/// What an exit code means to Nagios: Monitoring Plugins development guidelines, "Plugin return
/// codes". Anything beyond is unknown.
pub fn nagios_status(code: i32) -> CheckStatus {
    match code {
        0 => CheckStatus::Healthy,
        1 => CheckStatus::Degraded,
        2 => CheckStatus::Unhealthy,
        _ => CheckStatus::Unknown,
    }
}
