//! A command of this machine: the notification comes on its standard input.

use std::collections::BTreeMap;
use std::process::Stdio;

use futures_util::future::BoxFuture;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use crate::model::Timestamp;
use crate::notify::Outgoing;
use crate::notify::render::Message;
use crate::notify::render::alertmanager::webhook_json;
use crate::notify::render::template::Template;
use crate::notify::retry::Failure;
use crate::trust::Secret;

use super::exchange::secret_text;
use super::{Parts, Sender, Taken, own_text, settings};

/// How much of what a command says is read, in bytes.
const SAID_BYTES_MAX: u64 = 4 << 10;
/// `EX_TEMPFAIL` of sysexits.h: try again.
const TEMPORARY: i32 = 75;
/// The other codes of sysexits.h say what is wrong with the command or its input.
const LASTING: std::ops::RangeInclusive<i32> = 64..=78;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    command: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, Secret>,
    directory: Option<std::path::PathBuf>,
}

pub(super) struct Exec {
    settings: Settings,
    template: Option<Template>,
}

impl Exec {
    pub(super) fn new(parts: Parts<'_>) -> Result<Self, String> {
        let read: Settings = settings::read(parts.kind, parts.settings)?;
        if read.command.first().is_none_or(String::is_empty) {
            return Err("settings.command: is empty; write [\"/path/to/program\", \"argument\"]; \
                        no shell is involved"
                .to_owned());
        }
        Ok(Exec { settings: read, template: parts.template })
    }
}

/// Ends the command with all that it started, unless it ended by itself.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // It may have ended meanwhile.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

async fn beginning(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let mut bytes = Vec::new();
    // A pipe that breaks has said what it had to say.
    let _ = (&mut stream).take(SAID_BYTES_MAX).read_to_end(&mut bytes).await;
    // Whoever says more must not wait for a reader.
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

impl Sender for Exec {
    fn send<'a>(
        &'a self,
        outgoing: &'a Outgoing,
        _now: Timestamp,
    ) -> BoxFuture<'a, Result<Taken, Failure>> {
        Box::pin(async move {
            let input = match own_text(self.template.as_ref(), outgoing)? {
                Some(own) => own,
                None => webhook_json(outgoing).to_string(),
            };
            let Some((program, arguments)) = self.settings.command.split_first() else {
                return Err(Failure::permanent("settings.command: is empty"));
            };
            let message = Message::of(outgoing);
            let mut command = tokio::process::Command::new(program);
            command
                .args(arguments)
                .env("VEDETTE_STATUS", if message.firing { "firing" } else { "resolved" })
                .env("VEDETTE_SEVERITY", message.severity.as_str())
                .env("VEDETTE_TITLE", &message.title)
                .env("VEDETTE_CHANNEL", outgoing.channel.as_str())
                .env("VEDETTE_IDEMPOTENCY_KEY", &outgoing.idempotency_key)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .process_group(0)
                .kill_on_drop(true);
            for (name, value) in &self.settings.env {
                command.env(name, secret_text(value).await?);
            }
            if let Some(directory) = &self.settings.directory {
                command.current_dir(directory);
            }
            let mut child = command.spawn().map_err(|error| {
                Failure::permanent(format!("settings.command: cannot start {program}: {error}"))
            })?;
            let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
            let mut group = Group(pid);
            let stdin = child.stdin.take();
            let give = async {
                if let Some(mut stdin) = stdin {
                    // A command need not read what it does not want.
                    let _ = stdin.write_all(input.as_bytes()).await;
                }
            };
            let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
            let ((), said, complained, ended) =
                tokio::join!(give, beginning(stdout), beginning(stderr), child.wait());
            group.0 = None;
            let status = ended.map_err(|error| {
                Failure::transient(format!("cannot wait for {program}: {error}"))
            })?;
            let words = if complained.is_empty() { &said } else { &complained };
            let words = match words.is_empty() {
                true => String::new(),
                false => format!(": {}", crate::notify::render::cut_chars(words, 300)),
            };
            match status.code() {
                Some(0) => Ok(Taken(format!("{program} ended with 0{words}"))),
                Some(code) if LASTING.contains(&code) && code != TEMPORARY => {
                    Err(Failure::permanent(format!("{program} ended with {code}{words}")))
                }
                Some(code) => {
                    Err(Failure::transient(format!("{program} ended with {code}{words}")))
                }
                None => Err(Failure::transient(format!("{program} was ended: {status}{words}"))),
            }
        })
    }
}
