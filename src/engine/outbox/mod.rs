//! The outbox: carries what was decided to the channels.
//!
//! Owns: a worker per channel with its queue, pace and circuit; renewing what another
//! Alertmanager would forget; the ping that says that the watch still stands. Never: deciding
//! that somebody is to be told, or what; the keeper does and remembers. Start reading at
//! [`Outbox`], then `worker.rs`.

mod bucket;
mod deadman;
mod ledger;
mod supervisor;
#[cfg(test)]
mod tests;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, broadcast, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::Settings;
use crate::engine::watch::{ActError, Catalog, Channels, Watch};
use crate::model::{ChannelDefinition, Name};
use crate::notify::retry::Failure;
use crate::senders::{Clients, Prepared};
use crate::telemetry::Telemetry;

pub use ledger::Ledger;

/// Attempts that are under way at once, over all channels: far more than channels that hang.
const ATTEMPTS_MAX: usize = 256;
/// Reports that a slow listener may be behind.
const REPORTS_MAX: usize = 256;
/// How long the button waits for what the other side says.
pub const TEST_WAIT: Duration = Duration::from_secs(15);
/// How long the end waits for attempts under way.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// The end of one attempt, as those hear it who wait for it.
#[derive(Clone, Debug)]
pub struct Report {
    /// Which delivery.
    pub delivery: Uuid,
    /// What the other side said, or why it failed.
    pub outcome: Result<String, Failure>,
}

/// What became of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// The delivery that was made for it.
    pub delivery: Uuid,
    /// What the other side said, or why it failed; `None`: nothing within [`TEST_WAIT`].
    pub outcome: Option<Result<String, String>>,
}

/// Makes a channel ready; [`crate::senders::prepare`] but for tests.
pub type Prepare = dyn Fn(&ChannelDefinition, &Clients) -> Result<Prepared, String> + Send + Sync;

/// What all workers share.
struct Tools {
    ledger: Arc<dyn Ledger>,
    channels: Arc<dyn Channels>,
    clock: Arc<dyn Clock>,
    telemetry: Arc<Telemetry>,
    clients: Clients,
    prepare: Box<Prepare>,
    places: Semaphore,
    reports: broadcast::Sender<Report>,
    settings: watch::Receiver<Arc<Settings>>,
}

/// The running outbox.
pub struct Outbox {
    watch: Watch,
    reports: broadcast::Sender<Report>,
    stop: watch::Sender<bool>,
    tasks: tokio::sync::Mutex<Vec<JoinHandle<()>>>,
}

impl Outbox {
    /// Starts a worker per channel and goes on with what waits. `alive` says whether the rest of
    /// the watch runs; see `[notify.deadman]`.
    pub fn start(
        watch: &Watch,
        catalog: &Arc<Catalog>,
        settings: watch::Receiver<Arc<Settings>>,
        clock: Arc<dyn Clock>,
        telemetry: Arc<Telemetry>,
        alive: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        let changes = catalog.channels.changes();
        let (reports, _) = broadcast::channel(REPORTS_MAX);
        let (stop, stopped) = watch::channel(false);
        let clients = Clients::default();
        let tools = Arc::new(Tools {
            ledger: Arc::new(watch.clone()),
            channels: Arc::clone(catalog) as Arc<dyn Channels>,
            clock: Arc::clone(&clock),
            telemetry,
            clients: clients.clone(),
            prepare: Box::new(crate::senders::prepare),
            places: Semaphore::new(ATTEMPTS_MAX),
            reports: reports.clone(),
            settings: settings.clone(),
        });
        let supervisor = tokio::spawn(supervisor::run(tools, changes, stopped.clone()));
        let deadman = tokio::spawn(deadman::run(
            watch.clone(),
            clients,
            settings,
            clock,
            Box::new(alive),
            stopped,
        ));
        let tasks = tokio::sync::Mutex::new(vec![supervisor, deadman]);
        Outbox { watch: watch.clone(), reports, stop, tasks }
    }

    /// Sends a test message the way that all take, and waits for the end of its first attempt.
    ///
    /// # Errors
    ///
    /// [`ActError`]: there is no such channel, or this was not committed.
    pub async fn test(&self, channel: &Name) -> Result<Tested, ActError> {
        let mut reports = self.reports.subscribe();
        let delivery = self.watch.enqueue_test(channel).await?.id;
        let heard = async {
            loop {
                match reports.recv().await {
                    Ok(report) if report.delivery == delivery => return Some(report.outcome),
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        };
        let outcome = tokio::time::timeout(TEST_WAIT, heard).await.ok().flatten();
        let outcome = outcome.map(|said| said.map_err(|failure| failure.reason));
        Ok(Tested { delivery, outcome })
    }

    /// Ends the workers. What they had under way is sent again after the next start, under the
    /// same key.
    pub async fn stop(&self) {
        // Nobody may be left to hear it.
        let _ = self.stop.send(true);
        for mut task in std::mem::take(&mut *self.tasks.lock().await) {
            if tokio::time::timeout(STOP_WAIT, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}

/// Checks the channels of a settings file.
///
/// # Errors
///
/// Which channel, which field, why, and what to write instead.
pub fn check_channels(settings: &Settings) -> Result<(), String> {
    settings.channel.iter().try_for_each(|channel| {
        crate::senders::check(channel)
            .map_err(|error| format!("[[channel]] {:?}: {error}", channel.name.as_str()))
    })
}
