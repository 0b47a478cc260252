//! The task of one group: finds its targets, starts and stops theirs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::discover::Files;
use super::run::{Stop, TargetTask};
use super::{Context, DROPPED_MAX, Health, TARGETS_MAX, TargetStatus, global_url, lock};
use crate::collect::scrape::{Client, Pool, ScrapeState, Target};
use crate::model::Labels;

/// What a group's task is told.
pub(super) enum Command {
    /// The settings changed.
    Replace(Arc<Pool>),
    /// Stop, with staleness markers or without.
    Stop { end: bool },
}

/// Labels, URL, interval and timeout: what makes a target the same target.
type Key = (Labels, String, i64, i64);

/// What the list of targets shows of a group.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) active: BTreeMap<Key, Arc<Mutex<TargetStatus>>>,
    pub(super) dropped: Vec<Labels>,
}

struct Running {
    stop: watch::Sender<Stop>,
    task: JoinHandle<ScrapeState>,
}

pub(super) struct PoolTask {
    pool: Arc<Pool>,
    context: Arc<Context>,
    shown: Arc<Mutex<Shown>>,
    files: Files,
    running: BTreeMap<Key, Running>,
    /// The series of targets from before the settings changed.
    carried: BTreeMap<Labels, ScrapeState>,
    /// Rebuilt with the settings and when the first target with https appears.
    client: Option<(bool, Result<Client, String>)>,
}

impl PoolTask {
    pub(super) fn new(pool: Arc<Pool>, context: Arc<Context>, shown: Arc<Mutex<Shown>>) -> Self {
        PoolTask {
            pool,
            context,
            shown,
            files: Files::default(),
            running: BTreeMap::new(),
            carried: BTreeMap::new(),
            client: None,
        }
    }

    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            self.sync().await;
            let files = &self.pool.config.file_sd_configs;
            let refresh = files.iter().map(|files| files.refresh_interval.duration()).min();
            let due = async {
                match refresh {
                    Some(refresh) => tokio::time::sleep(refresh.max(Duration::from_secs(1))).await,
                    None => std::future::pending().await,
                }
            };
            let command = tokio::select! {
                command = commands.recv() => command.unwrap_or(Command::Stop { end: false }),
                () = due => continue,
            };
            match command {
                Command::Replace(pool) => {
                    let running = std::mem::take(&mut self.running);
                    let states = stop(running, Stop::Keep).await;
                    self.carried = states
                        .into_iter()
                        .map(|((labels, ..), state)| (labels, state.with_pool(Arc::clone(&pool))))
                        .collect();
                    *lock(&self.shown) = Shown::default();
                    self.pool = pool;
                    self.client = None;
                }
                Command::Stop { end } => {
                    stop(self.running, if end { Stop::End } else { Stop::Keep }).await;
                    *lock(&self.shown) = Shown::default();
                    return;
                }
            }
        }
    }

    /// Finds the targets, stops those that went and starts those that came.
    async fn sync(&mut self) {
        let pool = Arc::clone(&self.pool);
        let mut files = std::mem::take(&mut self.files);
        let read = tokio::task::spawn_blocking(move || {
            let found = files.targets(&pool.config);
            (files, found)
        });
        // Only a panic ends a blocking task early; then the targets stay as they are.
        let Ok((files, found)) = read.await else { return };
        self.files = files;
        let name = &self.pool.config.job_name;
        if found.len() > TARGETS_MAX {
            tracing::warn!(pool = %name, found = found.len(), max = TARGETS_MAX, "too many targets");
        }
        let mut wanted: BTreeMap<Key, Target> = BTreeMap::new();
        let mut dropped = Vec::new();
        for (address, labels) in found.into_iter().take(TARGETS_MAX) {
            match Target::new(&self.pool, &address, &labels) {
                Ok(Some(target)) => {
                    wanted.insert(key_of(&target), target);
                }
                Ok(None) if dropped.len() < DROPPED_MAX => {
                    let pairs = labels.iter().map(|(n, v)| (n.as_str(), v.as_str()));
                    let all = pairs.chain([("__address__", address.as_str())]);
                    dropped.extend(Labels::from_pairs(all).ok());
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(pool = %name, target = %address, "cannot scrape: {error}");
                }
            }
        }
        let gone: Vec<Key> =
            self.running.keys().filter(|key| !wanted.contains_key(*key)).cloned().collect();
        let gone: BTreeMap<Key, Running> =
            gone.into_iter().filter_map(|key| self.running.remove_entry(&key)).collect();
        {
            let mut shown = lock(&self.shown);
            shown.active.retain(|key, _| !gone.contains_key(key));
            shown.dropped = dropped;
        }
        stop(gone, Stop::End).await;
        let https = wanted.values().any(|target| target.url.starts_with("https"));
        for (key, target) in wanted {
            if !self.running.contains_key(&key) {
                self.start(key, target, https);
            }
        }
        // What no target took over belonged to targets that went with the old settings.
        for (_, mut state) in std::mem::take(&mut self.carried) {
            let rows = state.end(self.context.clock.now());
            // An error here is the store's and is told there: there is no target to show it at.
            let _ = super::run::hand_over(&self.context, rows, Vec::new(), Vec::new()).await;
        }
    }

    fn start(&mut self, key: Key, target: Target, https: bool) {
        let pool = &self.pool;
        let usable = matches!(&self.client, Some((for_https, _)) if *for_https || !https);
        if !usable {
            let client = Client::new(pool, https);
            if let Err(error) = &client {
                tracing::warn!(pool = %pool.config.job_name, "cannot scrape: {error}");
            }
            self.client = Some((https, client));
        }
        let client = match &self.client {
            Some((_, client)) => client.clone(),
            None => return,
        };
        let status = Arc::new(Mutex::new(TargetStatus {
            pool: pool.config.job_name.clone(),
            global_url: global_url(&target.url),
            target: target.clone(),
            health: Health::Unknown,
            last_error: String::new(),
            last_scrape: None,
            last_duration: Duration::ZERO,
        }));
        lock(&self.shown).active.insert(key.clone(), Arc::clone(&status));
        let state = self
            .carried
            .remove(&target.labels)
            .unwrap_or_else(|| ScrapeState::new(Arc::clone(pool), &target));
        let (stop, stopped) = watch::channel(Stop::No);
        let context = Arc::clone(&self.context);
        let task = TargetTask { target, client, state, context, status, stopped };
        self.running.insert(key, Running { stop, task: tokio::spawn(task.run()) });
    }
}

fn key_of(target: &Target) -> Key {
    let (interval, timeout) = (target.interval.millis(), target.timeout.millis());
    (target.labels.clone(), target.url.clone(), interval, timeout)
}

/// Stops all of them at once, and waits.
async fn stop(running: BTreeMap<Key, Running>, how: Stop) -> Vec<(Key, ScrapeState)> {
    for target in running.values() {
        // Nobody listens if the task has ended already.
        let _ = target.stop.send(how);
    }
    let mut states = Vec::with_capacity(running.len());
    for (key, target) in running {
        if let Ok(state) = target.task.await {
            states.push((key, state));
        }
    }
    states
}
