//! Runs checks, holds how each one is, and tells the watch.
//!
//! Owns: when checks are asked (`timetable`), what follows from what happened (`ledger`), the
//! task that does it (`actor`), heartbeats, what each check shows as series. Never: protocols
//! (`probes`), what an answer means (`checks`), incidents (`engine/watch`). Start reading at
//! [`Checker`], then `ledger/mod.rs`.

mod actor;
mod alerts;
mod defaults;
mod examine;
mod jump;
mod ledger;
mod metrics;
mod restore;
mod run;
mod series;
mod state;
mod target;
#[cfg(test)]
mod testing;
mod timetable;
mod told;
mod upkeep;
mod verdict;
mod views;

pub use crate::checks::Beat;
pub use alerts::{DEGRADED, UNHEALTHY, check_labels};
pub use defaults::default_checks;
pub use examine::{examine, examine_file};
pub use ledger::heartbeat::Ping;
pub use views::CheckView;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::checks::{INTERVAL_DEFAULT_MS, Schedule};
use crate::clock::Clock;
use crate::config::Settings;
use crate::engine::Pipeline;
use crate::engine::history::History;
use crate::engine::watch::{Catalog, Watch, WatchError};
use crate::model::{CheckDefinition, CheckKind, CheckResult, Name};
use crate::telemetry::Telemetry;

use ledger::Event;
use run::{Question, excerpt_of};
use timetable::Plan;
use views::Views;

/// Commands that may wait; senders wait beyond that.
const COMMANDS_MAX: usize = 1024;
/// Bytes of what comes with a ping.
pub const PING_BYTES_MAX: usize = 10 * 1024;

/// What the checker works with.
#[derive(Clone)]
pub struct CheckerParts {
    /// Where series go, and whose database holds states.
    pub pipeline: Pipeline,
    /// Who decides on alerts and commits.
    pub watch: Watch,
    /// The definitions.
    pub catalog: Arc<Catalog>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub telemetry: Arc<Telemetry>,
}

/// [`CheckerParts`] and what the task shows.
#[derive(Clone)]
struct Parts {
    pipeline: Pipeline,
    watch: Watch,
    catalog: Arc<Catalog>,
    clock: Arc<dyn Clock>,
    telemetry: Arc<Telemetry>,
    history: Arc<History>,
    views: Arc<Views>,
    /// When the task last said in the file that it runs: Unix milliseconds.
    seen_ms: Arc<AtomicI64>,
}

enum Command {
    Run { name: Name, reply: oneshot::Sender<Result<CheckResult, RunError>> },
    RunAll { reply: oneshot::Sender<usize> },
    Happened { event: Event, reply: oneshot::Sender<Result<(), WatchError>> },
    Stop(oneshot::Sender<()>),
}

/// Why a check gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// It is paused.
    #[error("the check is paused; resume it first")]
    Paused,
    /// It is a heartbeat, gone, or cannot be asked.
    #[error("the check cannot be asked: it is a heartbeat, or gone, or its settings are not valid")]
    NotAsked,
    /// A fault of ours.
    #[error("the run failed; the daemon's log names the cause")]
    Failed,
    /// It was asked, and the result is not stored.
    #[error(transparent)]
    Watch(#[from] WatchError),
}

/// The way to whoever runs checks.
pub struct Checker {
    commands: mpsc::Sender<Command>,
    views: Arc<Views>,
    seen_ms: Arc<AtomicI64>,
    clock: Arc<dyn Clock>,
    task: Mutex<Option<tokio::task::JoinHandle<()>>>,
    upkeep: tokio::task::AbortHandle,
}

impl Checker {
    /// Restores how checks were and begins to run them. `settings` gives the settings in force.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub fn start(
        parts: CheckerParts,
        settings: watch::Receiver<Arc<Settings>>,
    ) -> Result<Checker, String> {
        let views = Arc::new(Views::default());
        let CheckerParts { pipeline, watch, catalog, clock, telemetry } = parts;
        let history = History::open(pipeline.tsdb().store())
            .map_err(|error| format!("cannot read the history of checks: {error}"))?;
        let history = Arc::new(history);
        let seen_ms = Arc::new(AtomicI64::new(clock.now().millis()));
        let restored = restore::restore(&pipeline, &catalog, &history)?;
        let upkeep = tokio::spawn(upkeep::keep_up(
            Arc::clone(&history),
            Arc::clone(pipeline.tsdb()),
            Arc::clone(&clock),
        ));
        let parts = Parts {
            pipeline,
            watch,
            catalog,
            clock: Arc::clone(&clock),
            telemetry,
            history,
            views: Arc::clone(&views),
            seen_ms: Arc::clone(&seen_ms),
        };
        let (commands, waiting) = mpsc::channel(COMMANDS_MAX);
        let now_settings = Arc::clone(&settings.borrow());
        let mut actor = actor::Actor::new(parts, now_settings, restored.ledger);
        if let Some(last_ran) = restored.last_ran {
            actor.was_absent(
                last_ran,
                crate::checks::UnknownReason::Downtime,
                "vedette did not run",
            );
        }
        let task = tokio::spawn(actor.run(waiting, settings));
        Ok(Checker {
            commands,
            views,
            seen_ms,
            clock,
            task: Mutex::new(Some(task)),
            upkeep: upkeep.abort_handle(),
        })
    }

    /// Asks, again and again, whether checks still run: the task says so in the file every 15 s.
    pub fn alive(&self) -> impl Fn() -> Result<(), String> + Send + Sync + 'static {
        let (seen_ms, clock) = (Arc::clone(&self.seen_ms), Arc::clone(&self.clock));
        move || is_alive(seen_ms.load(Ordering::Acquire), clock.now().millis())
    }

    /// How a check is; `None` for one that is not known yet, or not at all.
    pub fn view(&self, name: &str) -> Option<Arc<CheckView>> {
        self.views.get(name)
    }

    /// Asks a check as soon as there is room, and gives what it came to, after it is committed.
    ///
    /// # Errors
    ///
    /// [`RunError`].
    pub async fn run(&self, name: &Name) -> Result<CheckResult, RunError> {
        let (reply, answer) = oneshot::channel();
        let stopping = || RunError::Watch(WatchError::Stopping);
        let command = Command::Run { name: name.clone(), reply };
        self.commands.send(command).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?
    }

    /// Has all checks asked that are not paused, and gives how many.
    ///
    /// # Errors
    ///
    /// When the daemon is stopping.
    pub async fn run_all(&self) -> Result<usize, WatchError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::RunAll { reply };
        self.commands.send(command).await.map_err(|_| WatchError::Stopping)?;
        answer.await.map_err(|_| WatchError::Stopping)
    }

    /// Takes what a heartbeat tells; `None` when nobody has this token. It is durable when this
    /// returns.
    ///
    /// # Errors
    ///
    /// When it could not be committed; the sender repeats it.
    pub async fn ping(
        &self,
        token: &str,
        ping: Ping,
        body: &[u8],
    ) -> Result<Option<Name>, WatchError> {
        let Some(name) = self.views.of_token(token) else { return Ok(None) };
        let at = self.clock.now();
        let event = Event::Pinged { name: name.clone(), ping, at, excerpt: excerpt_of(body) };
        self.happened(event).await.map(|()| Some(name))
    }

    /// Leaves a check alone, or takes it up again.
    ///
    /// # Errors
    ///
    /// When it could not be committed.
    pub async fn pause(&self, name: &Name, paused: bool) -> Result<(), WatchError> {
        let at = self.clock.now();
        self.happened(Event::Paused { name: name.clone(), paused, at }).await
    }

    async fn happened(&self, event: Event) -> Result<(), WatchError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Happened { event, reply };
        self.commands.send(command).await.map_err(|_| WatchError::Stopping)?;
        answer.await.map_err(|_| WatchError::Stopping)?
    }

    /// Ends the task: what has happened is committed, what is under way is given up.
    pub async fn stop(&self) {
        self.upkeep.abort();
        let (reply, done) = oneshot::channel();
        if self.commands.send(Command::Stop(reply)).await.is_ok() {
            let _ = done.await;
        }
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let _ = task.await;
        }
    }
}

/// Asks a check once that nobody has defined, and judges it.
///
/// # Errors
///
/// Which field of the definition is wrong, and the mend.
pub async fn ask_once(
    definition: CheckDefinition,
    default_timeout: Duration,
    clock: &dyn Clock,
) -> Result<(CheckResult, String), String> {
    let question = Question::new(Arc::new(definition), default_timeout)?;
    let answer = question.ask(clock).await;
    Ok((answer.measured.result.clone(), answer.excerpt))
}

/// Checks that were not seen to run for so long (ms) do not.
const SILENT_MS_MAX: i64 = 60_000;

fn is_alive(seen_ms: i64, now_ms: i64) -> Result<(), String> {
    let silent_ms = now_ms.saturating_sub(seen_ms);
    if silent_ms <= SILENT_MS_MAX {
        return Ok(());
    }
    Err(format!("checks have not run for {} s", silent_ms / 1000))
}

/// When a check has its slots.
fn plan_of(definition: &CheckDefinition, settings: &Settings) -> Plan {
    if definition.kind == CheckKind::Heartbeat {
        return Plan::Told;
    }
    let schedule = match definition.cron {
        Some(_) => Schedule::of(definition),
        None => {
            let every = definition.every.unwrap_or(settings.checks.every);
            Schedule::every(&definition.name, Some(every))
        }
    };
    Plan::Asked(schedule.unwrap_or_else(|error| {
        // Refused when it was defined; a file's is refused at load.
        tracing::error!(check = %definition.name, %error, "asked at the usual interval");
        Schedule::Interval { every_ms: INTERVAL_DEFAULT_MS, phase_ms: 0 }
    }))
}

/// The secret part of a heartbeat's address: 128 random bits.
fn new_token() -> String {
    let mut bytes = [0u8; 16];
    if getrandom::fill(&mut bytes).is_err() {
        // No randomness: a UUIDv7 fails the same way, so there is no better source.
        tracing::error!("the system gives no random bytes; a heartbeat has no address");
        return String::new();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_that_were_silent_for_over_a_minute_do_not_run() {
        assert_eq!(is_alive(5_000, 65_000), Ok(()));
        let error = is_alive(5_000, 66_001).expect_err("silent");
        assert_eq!(error, "checks have not run for 61 s");
    }
}
