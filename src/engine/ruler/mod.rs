//! Evaluates rule groups, each on a task of its own, and writes what they give.
//!
//! What rules mean is decided in `rules`; here is when, with which bounds, and through which
//! door.

mod files;
mod group;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::config::Settings;
use crate::decode::admit::Refusals;
use crate::model::Row;
use crate::rules::{Group, GroupState, RuleFile};
use crate::telemetry::Way;

use super::Pipeline;

pub use files::{matching, read_rule_file, read_rule_files, read_text};

/// One group that is evaluated, and how it fares.
#[derive(Debug)]
pub struct LiveGroup {
    /// The file's name.
    pub file: String,
    /// The group.
    pub group: Group,
    /// Milliseconds between evaluations.
    pub interval_ms: i64,
    /// How far back its queries look, in milliseconds.
    pub query_offset_ms: i64,
    state: Mutex<GroupState>,
}

impl LiveGroup {
    /// How it fares now.
    pub fn state(&self) -> GroupState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change<T>(&self, change: impl FnOnce(&mut GroupState) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether another definition says the same; where it stands in the file is no part of that.
    fn says_the_same(&self, other: &LiveGroup) -> bool {
        let rules = |live: &LiveGroup| {
            let rules = live.group.rules.iter();
            rules
                .map(|r| (r.name.clone(), r.query.clone(), r.labels.clone(), r.kind.clone()))
                .collect::<Vec<_>>()
        };
        self.interval_ms == other.interval_ms
            && self.query_offset_ms == other.query_offset_ms
            && self.group.limit == other.group.limit
            && rules(self) == rules(other)
    }

    /// File and name, which no two groups share.
    fn key(&self) -> (String, String) {
        (self.file.clone(), self.group.name.clone())
    }
}

/// A group's task.
struct Task {
    live: Arc<LiveGroup>,
    stop: watch::Sender<bool>,
    handle: JoinHandle<()>,
}

impl Task {
    /// Ends the task; an evaluation under way is broken off between its rules or in a query.
    async fn end(self) -> Arc<LiveGroup> {
        let _ = self.stop.send(true);
        // A task that panicked has ended as well.
        let _ = self.handle.await;
        self.live
    }
}

/// What group tasks share.
#[derive(Clone)]
struct Shared {
    pipeline: Pipeline,
    clock: Arc<dyn Clock>,
    settings: watch::Receiver<Arc<Settings>>,
    /// Places for queries, the same as those of requests.
    places: Arc<ArcSwap<Semaphore>>,
}

/// Evaluates rule groups.
pub struct Ruler {
    shared: Shared,
    tasks: tokio::sync::Mutex<BTreeMap<(String, String), Task>>,
    /// In the order of files and groups.
    list: ArcSwap<Vec<Arc<LiveGroup>>>,
}

impl Ruler {
    /// A ruler without groups. `places` bounds how many queries run at once, those of requests
    /// included; `settings` says how long they may take.
    pub fn new(
        pipeline: Pipeline,
        clock: Arc<dyn Clock>,
        settings: watch::Receiver<Arc<Settings>>,
        places: Arc<ArcSwap<Semaphore>>,
    ) -> Self {
        let shared = Shared { pipeline, clock, settings, places };
        Ruler { shared, tasks: tokio::sync::Mutex::default(), list: ArcSwap::default() }
    }

    /// The groups that are evaluated, in the order of their files.
    pub fn list(&self) -> Arc<Vec<Arc<LiveGroup>>> {
        self.list.load_full()
    }

    /// Evaluates these groups from now on. Groups that say the same go on undisturbed; of those
    /// that changed, rules that stay keep their state; series of what is gone are ended.
    pub async fn reload(&self, files: Vec<RuleFile>) {
        let settings = Arc::clone(&self.shared.settings.borrow());
        let default_ms = settings.rules.evaluation_interval.millis();
        let offset_ms = settings.rules.query_offset.millis();
        let mut tasks = self.tasks.lock().await;
        let mut before = std::mem::take(&mut *tasks);
        let mut list = Vec::new();
        for file in files {
            for group in file.groups {
                let live = LiveGroup {
                    file: file.name.clone(),
                    interval_ms: group.interval_ms.unwrap_or(default_ms),
                    query_offset_ms: group.query_offset_ms.unwrap_or(offset_ms),
                    state: Mutex::new(GroupState::new(&group)),
                    group,
                };
                let key = live.key();
                let task = match before.remove(&key) {
                    Some(task) if task.live.says_the_same(&live) => task,
                    Some(task) => {
                        let old = task.end().await;
                        let state = old.state().carried_over(&old.group, &live.group);
                        self.start(LiveGroup { state: Mutex::new(state), ..live })
                    }
                    None => self.start(live),
                };
                list.push(Arc::clone(&task.live));
                tasks.insert(key, task);
            }
        }
        for task in before.into_values() {
            let live = task.end().await;
            let rows = live.state().all_ended(self.shared.clock.now());
            if let Err(error) = self.shared.write(&rows).await {
                let group = &live.group.name;
                tracing::warn!(%error, group, "series of a removed rule group were not ended");
            }
        }
        let groups = i64::try_from(list.len()).unwrap_or(i64::MAX);
        self.shared.pipeline.telemetry().rule_groups.set(groups);
        self.list.store(Arc::new(list));
    }

    /// Ends all tasks. Series are not ended: whoever starts again goes on with them.
    pub async fn stop(&self) {
        let tasks = std::mem::take(&mut *self.tasks.lock().await);
        for task in tasks.values() {
            let _ = task.stop.send(true);
        }
        for task in tasks.into_values() {
            task.end().await;
        }
    }

    fn start(&self, live: LiveGroup) -> Task {
        let live = Arc::new(live);
        let (stop, stopped) = watch::channel(false);
        let run = group::run(self.shared.clone(), Arc::clone(&live), stopped);
        Task { live, stop, handle: tokio::spawn(run) }
    }
}

impl Shared {
    /// Writes rows; an error also if some were refused.
    async fn write(&self, rows: &[Row]) -> Result<(), String> {
        if rows.is_empty() {
            return Ok(());
        }
        let intake = self.pipeline.read_rows(rows, [], Refusals::new());
        match self.pipeline.write(Way::Rules, intake).await {
            Ok(written) if written.refusals.is_empty() => Ok(()),
            Ok(written) => Err(written.refusals.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }
}
