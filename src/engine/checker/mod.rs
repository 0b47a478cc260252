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
mod upkeep;
mod verdict;
mod views;

pub use crate::checks::Beat;
pub use alerts::{DEGRADED, UNHEALTHY, check_labels};
pub use defaults::default_checks;
pub use examine::{examine, examine_file};
pub use ledger::heartbeat::Ping;
pub use views::CheckView;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::config::Settings;
use crate::engine::Pipeline;
use crate::engine::history::History;
use crate::engine::watch::{Catalog, Watch, WatchError};
use crate::model::{CheckDefinition, CheckKind, CheckResult, CronSchedule, Name};
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
            clock,
            task: Mutex::new(Some(task)),
            upkeep: upkeep.abort_handle(),
        })
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

/// When a check has its slots.
fn plan_of(definition: &CheckDefinition, settings: &Settings) -> Plan {
    if definition.kind == CheckKind::Heartbeat {
        return Plan::Told;
    }
    let every = definition.every.unwrap_or(settings.checks.every).millis().max(EVERY_MS_MIN);
    match &definition.cron {
        Some(cron) => match CronSchedule::parse(cron, &definition.zone) {
            Ok(schedule) => Plan::Cron(schedule),
            // Refused when it was defined; a file's is refused at load.
            Err(error) => {
                tracing::error!(check = %definition.name, %error, "asked at the default interval");
                Plan::Every(every)
            }
        },
        None => Plan::Every(every),
    }
}

/// No check is asked more often than this (ms).
const EVERY_MS_MIN: i64 = 1000;

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
