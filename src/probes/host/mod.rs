//! Checks of the kind `host`: this machine itself.

mod clock;
mod disk;
mod ntp;
mod proc;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use serde::Deserialize;

use super::Probe;
use super::attempt::{Attempt, Question};
use super::settings;
use super::target::HostPort;
use crate::model::CheckDefinition;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    server: Option<String>,
}

/// What of the machine is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Disk(String),
    Clock(Option<HostPort>),
    Load,
    Memory,
}

struct Host {
    part: Part,
    /// Whether an earlier question still hangs: a dead NFS server holds whoever asks.
    hangs: Arc<AtomicBool>,
}

pub(super) fn prepare(check: &CheckDefinition) -> Result<Box<dyn Probe>, String> {
    let settings: Settings = settings::read(check)?;
    let part = match check.target.split_once(':').unwrap_or((&check.target, "")) {
        ("disk", path) if path.starts_with('/') => Part::Disk(path.to_owned()),
        ("disk", path) => {
            return Err(format!("target: {path:?} is no absolute path; write disk:/ or disk:/var"));
        }
        ("clock", "") => {
            let server = settings.server.as_deref();
            Part::Clock(
                server
                    .map(|server| HostPort::parse(server, Some(123)))
                    .transpose()
                    .map_err(|error| error.replacen("target", "server", 1))?,
            )
        }
        ("load", "") => Part::Load,
        ("memory", "") => Part::Memory,
        _ => {
            return Err(format!(
                "target: {:?} is no part of this machine; write disk:/path, clock, load or memory",
                check.target
            ));
        }
    };
    if settings.server.is_some() && !matches!(part, Part::Clock(_)) {
        return Err("server: only the target clock has one".to_owned());
    }
    Ok(Box::new(Host { part, hangs: Arc::new(AtomicBool::new(false)) }))
}

impl Question for Host {
    fn put<'a>(&'a self, attempt: &'a mut Attempt) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            // The machine is here; whether its parts answer is another question.
            attempt.seen.connected = true;
            match &self.part {
                Part::Disk(path) => {
                    attempt.wait_for(format!("the file system of {path}"));
                    let path = path.clone();
                    let found = self.beside(move || disk::space(&path)).await?;
                    attempt.seen.values.extend(found.values());
                }
                Part::Clock(server) => clock::ask(attempt, server.as_ref()).await?,
                Part::Load => {
                    let found = self.beside(proc::load).await?;
                    attempt.seen.values.extend(found);
                }
                Part::Memory => {
                    let found = self.beside(proc::memory).await?;
                    attempt.seen.values.extend(found);
                }
            }
            Ok(())
        })
    }
}

impl Host {
    /// Asks what may block, beside the runtime, and never twice at once.
    async fn beside<T: Send + 'static>(
        &self,
        ask: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        if self.hangs.swap(true, Ordering::AcqRel) {
            return Err("an earlier question still waits for an answer: is it on a network that \
                        is gone?"
                .to_owned());
        }
        let hangs = Arc::clone(&self.hangs);
        let asked = tokio::task::spawn_blocking(move || {
            let answer = ask();
            hangs.store(false, Ordering::Release);
            answer
        });
        asked.await.map_err(|error| format!("cannot ask this machine: {error}"))?
    }
}
