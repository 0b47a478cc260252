//! Keeps targets scraped: who they are, when each is due, and how the last scrape went.
//!
//! Owns: one task per group, which discovers its targets, and one per target. Never: storing; a
//! [`Batch`] goes to the channel that the daemon provides, and its answer is waited for, so that a
//! slow store slows scraping down and nothing piles up. Start reading at [`Targets::reload`].

mod discover;
mod pool;
mod run;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::scrape::{Plan, Pool, Target};
use crate::clock::Clock;
use crate::model::{Exemplar, Labels, Metadata, Row, Timestamp};
use crate::telemetry::Telemetry;

/// Targets that one group may have; further ones are left out and told in the log.
pub const TARGETS_MAX: usize = 10_000;
/// Dropped targets that a group remembers for the list.
const DROPPED_MAX: usize = 1_000;

/// What one scrape hands to the store.
#[derive(Debug)]
pub struct Batch {
    /// Samples and staleness markers.
    pub rows: Vec<Row>,
    /// Exemplars, with the series that they belong to.
    pub exemplars: Vec<(Labels, Exemplar)>,
    /// What is new about metric families.
    pub metadata: Vec<(String, Metadata)>,
    /// To be answered once the rows are durable or refused; the error is shown in the list of
    /// targets. Dropping it counts as an error.
    pub done: oneshot::Sender<Result<(), String>>,
}

/// Whether a target works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It was not scraped yet.
    #[default]
    Unknown,
    /// The last scrape succeeded.
    Up,
    /// The last scrape failed.
    Down,
}

impl Health {
    /// As `/api/v1/targets` writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Health::Unknown => "unknown",
            Health::Up => "up",
            Health::Down => "down",
        }
    }
}

/// One target as `/api/v1/targets` shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetStatus {
    /// The name of its group (`scrapePool`).
    pub pool: String,
    /// Its labels, its URL, its interval and timeout.
    pub target: Target,
    /// Its URL with this machine's name in place of `localhost` (`globalUrl`).
    pub global_url: String,
    /// Whether it works.
    pub health: Health,
    /// Why the last scrape failed; empty if it did not.
    pub last_error: String,
    /// When it was last scraped.
    pub last_scrape: Option<Timestamp>,
    /// How long that took.
    pub last_duration: Duration,
}

/// All targets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TargetList {
    /// Those that are scraped, by group and then by labels.
    pub active: Vec<TargetStatus>,
    /// The discovered labels of those that relabelling dropped, with their group.
    pub dropped: Vec<(String, Labels)>,
}

/// What all tasks share.
struct Context {
    sink: mpsc::Sender<Batch>,
    clock: Arc<dyn Clock>,
    telemetry: Arc<Telemetry>,
}

/// The running groups.
pub struct Targets {
    context: Arc<Context>,
    pools: tokio::sync::Mutex<BTreeMap<String, RunningPool>>,
    shown: Mutex<BTreeMap<String, Arc<Mutex<pool::Shown>>>>,
}

struct RunningPool {
    pool: Arc<Pool>,
    commands: mpsc::Sender<pool::Command>,
    task: JoinHandle<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is a list to look at: half a change does no harm.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Targets {
    /// No targets yet. Batches go to `sink`.
    pub fn new(
        sink: mpsc::Sender<Batch>,
        clock: Arc<dyn Clock>,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        let context = Arc::new(Context { sink, clock, telemetry });
        Targets { context, pools: Default::default(), shown: Default::default() }
    }

    /// Scrapes by this plan from now on. Groups that did not change run on undisturbed; targets
    /// that stay in a changed group keep their series; targets that go are ended by staleness
    /// markers. Must be called within a Tokio runtime.
    pub async fn reload(&self, plan: Plan) {
        let mut pools = self.pools.lock().await;
        let gone: Vec<String> = pools
            .keys()
            .filter(|name| !plan.pools.iter().any(|pool| pool.config.job_name == **name))
            .cloned()
            .collect();
        for name in gone {
            if let Some(running) = pools.remove(&name) {
                running.stop(true).await;
            }
            lock(&self.shown).remove(&name);
        }
        for pool in plan.pools {
            let name = pool.config.job_name.clone();
            match pools.get_mut(&name) {
                Some(running) if running.pool.same_as(&pool) => {}
                Some(running) => {
                    running.pool = Arc::clone(&pool);
                    // The task lives as long as its sender; it cannot be gone.
                    let _ = running.commands.send(pool::Command::Replace(pool)).await;
                }
                None => {
                    let shown = Arc::default();
                    lock(&self.shown).insert(name.clone(), Arc::clone(&shown));
                    let (commands, receiver) = mpsc::channel(1);
                    let context = Arc::clone(&self.context);
                    let task = pool::PoolTask::new(Arc::clone(&pool), context, shown);
                    let task = tokio::spawn(task.run(receiver));
                    pools.insert(name, RunningPool { pool, commands, task });
                }
            }
        }
    }

    /// Stops scraping. Scrapes under way are given up; nothing is written any more, not even
    /// staleness markers, for it is not the targets that go.
    pub async fn stop(&self) {
        let pools = std::mem::take(&mut *self.pools.lock().await);
        for running in pools.values() {
            let _ = running.commands.send(pool::Command::Stop { end: false }).await;
        }
        for running in pools.into_values() {
            let _ = running.task.await;
        }
    }

    /// All targets as they are now.
    pub fn list(&self) -> TargetList {
        let mut list = TargetList::default();
        for (name, shown) in lock(&self.shown).iter() {
            let shown = lock(shown);
            list.active.extend(shown.active.values().map(|status| lock(status).clone()));
            list.dropped.extend(shown.dropped.iter().map(|labels| (name.clone(), labels.clone())));
        }
        list
    }
}

impl RunningPool {
    async fn stop(self, end: bool) {
        let _ = self.commands.send(pool::Command::Stop { end }).await;
        let _ = self.task.await;
    }
}

/// The URL as others reach it: this machine's name in place of `localhost`.
fn global_url(url: &str) -> String {
    let Ok(mut parsed) = reqwest::Url::parse(url) else { return url.to_owned() };
    if matches!(parsed.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")) {
        let uname = rustix::system::uname();
        let name = uname.nodename().to_string_lossy();
        // A machine whose name is no host name keeps localhost.
        let _ = parsed.set_host(Some(&name));
    }
    parsed.into()
}
