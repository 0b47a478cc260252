//! Evaluates rule groups, each on a task of its own, and writes what they give.
//!
//! What rules mean is decided in `rules`; here is when, with which bounds, and through which
//! door.

mod alerting;
mod asking;
mod backtest;
mod files;
mod group;
mod judging;
mod live;
mod plan;
mod restore;
mod trying;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::config::Settings;
use crate::decode::admit::Refusals;
use crate::model::{Name, ObjectiveDefinition, Row, RuleDefinition, RuleMode, Timestamp};
use crate::rules::{AlertRule, AlertStates, GroupState, RuleFile};
use crate::telemetry::Way;

use super::Pipeline;
use super::watch::{Catalog, Defined, Watch};

use plan::{Planned, plan};
use restore::{Gone, Stored};

pub use backtest::{Backtest, EVALUATIONS_MAX, PastAlert, Period};
pub use files::{matching, read_rule_file, read_rule_files, read_text};
pub use live::{Current, LiveAlerting, LiveGroup};
pub use trying::Trial;

/// A group's task.
struct Task {
    live: Arc<LiveGroup>,
    stop: watch::Sender<bool>,
    /// `None` where somebody else keeps the time.
    handle: Option<JoinHandle<()>>,
}

impl Task {
    /// Ends the task; an evaluation under way is broken off between its rules or in a query.
    async fn end(self) -> Arc<LiveGroup> {
        let _ = self.stop.send(true);
        // A task that panicked has ended as well.
        if let Some(handle) = self.handle {
            let _ = handle.await;
        }
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
    /// Where decisions go.
    watch: Watch,
}

/// Evaluates rule groups.
pub struct Ruler {
    shared: Shared,
    catalog: Arc<Catalog>,
    /// Whether groups are evaluated when they are due.
    keeps_time: bool,
    plan: tokio::sync::Mutex<Running>,
    /// In the order of files and groups.
    list: ArcSwap<Vec<Arc<LiveGroup>>>,
}

/// What is evaluated, and what is yet to be ended.
#[derive(Default)]
struct Running {
    files: Vec<RuleFile>,
    tasks: BTreeMap<(String, String), Task>,
    /// When the first groups were started; `None` before.
    started_at: Option<Timestamp>,
    /// The end has begun: nothing is started any more.
    stopped: bool,
    /// Rules that are gone and whose end is not committed yet.
    gone: Vec<Gone>,
    /// Definitions of ours that were taken up last.
    seen: Option<Ours>,
}

/// Definitions of ours at a moment.
struct Ours {
    rules: Arc<BTreeMap<Name, Arc<Defined<RuleDefinition>>>>,
    objectives: Arc<BTreeMap<Name, Arc<Defined<ObjectiveDefinition>>>>,
}

impl Ours {
    fn of(catalog: &Catalog) -> Ours {
        Ours { rules: catalog.rules.list(), objectives: catalog.objectives.list() }
    }

    fn is(&self, other: &Ours) -> bool {
        Arc::ptr_eq(&self.rules, &other.rules) && Arc::ptr_eq(&self.objectives, &other.objectives)
    }
}

/// What alerting rules were before a change: the rule, and how it fared.
type Before = BTreeMap<String, (Arc<AlertRule>, Current)>;

/// How long until the end of rules that are gone is tried again after it failed.
const RETRY: Duration = Duration::from_secs(5);

impl Ruler {
    /// A ruler without groups. `places` bounds how many queries run at once, those of requests
    /// included; `settings` says how long they may take. What it decides goes to `watch`;
    /// definitions of ours are in `catalog`.
    pub fn new(
        pipeline: Pipeline,
        clock: Arc<dyn Clock>,
        settings: watch::Receiver<Arc<Settings>>,
        places: Arc<ArcSwap<Semaphore>>,
        watch: Watch,
        catalog: Arc<Catalog>,
    ) -> Self {
        let shared = Shared { pipeline, clock, settings, places, watch };
        let plan = tokio::sync::Mutex::default();
        Ruler { shared, catalog, keeps_time: true, plan, list: ArcSwap::default() }
    }

    /// Leaves it to [`Ruler::evaluate`] when groups are evaluated: for simulations, which keep
    /// time themselves.
    #[must_use]
    pub fn driven(self) -> Self {
        Ruler { keeps_time: false, ..self }
    }

    /// Evaluates all groups once, for the time `at`, one after the other.
    pub async fn evaluate(&self, at: Timestamp) {
        let (_running, mut stopped) = watch::channel(false);
        for live in self.list().iter() {
            group::evaluate(&self.shared, live, at, &mut stopped).await;
        }
    }

    /// The groups that are evaluated, in the order of their files; definitions of ours follow, by
    /// name.
    pub fn list(&self) -> Arc<Vec<Arc<LiveGroup>>> {
        self.list.load_full()
    }

    /// The group of a definition of ours.
    pub fn defined(&self, name: &str) -> Option<Arc<LiveGroup>> {
        let list = self.list();
        list.iter().find(|live| live.defined.is_some() && live.group.name == name).cloned()
    }

    /// An alerting rule by its name, and its group's interval in milliseconds: of ours, else the
    /// first of a file.
    pub fn alerting_rule(&self, name: &str) -> Option<(Arc<AlertRule>, i64)> {
        let list = self.list();
        let mut found: Vec<(bool, Arc<AlertRule>, i64)> = list
            .iter()
            .flat_map(|live| {
                let rules = live.alerting.iter().flatten();
                rules.map(move |a| (live.defined.is_none(), Arc::clone(&a.rule), live.interval_ms))
            })
            .filter(|(_, rule, _)| rule.name == name)
            .collect();
        found.sort_by_key(|(of_file, _, _)| *of_file);
        found.into_iter().next().map(|(_, rule, interval_ms)| (rule, interval_ms))
    }

    /// Evaluates the groups of these files from now on, and the definitions of ours as they are
    /// now. Groups that say the same go on undisturbed; of those that changed, rules that stay
    /// keep their state; series of what is gone are ended, and who was told of its alerts is told
    /// of their end.
    pub async fn reload(&self, files: Vec<RuleFile>) {
        let mut running = self.plan.lock().await;
        running.files = files;
        self.apply(&mut running).await;
    }

    /// Takes up definitions that have changed and were not seen yet: whoever has just made one and
    /// asks for it must find it.
    pub async fn settle(&self) {
        let mut running = self.plan.lock().await;
        let seen = running.seen.as_ref();
        let is_new = seen.is_some_and(|seen| !seen.is(&Ours::of(&self.catalog)));
        if is_new && !running.stopped {
            self.apply(&mut running).await;
        }
    }

    /// Takes up changes of definitions as they happen, until all that could change them is gone.
    pub async fn follow(self: Arc<Self>) {
        let mut changes = self.catalog.rules.changes();
        let mut objectives = self.catalog.objectives.changes();
        // Whatever changed since the last reload was not seen yet.
        changes.mark_changed();
        loop {
            let fails = !self.plan.lock().await.gone.is_empty();
            let either = async {
                tokio::select! {
                    changed = changes.changed() => changed,
                    changed = objectives.changed() => changed,
                }
            };
            let changed = match fails {
                false => either.await,
                true => match tokio::time::timeout(RETRY, either).await {
                    Ok(changed) => changed,
                    Err(_) => Ok(()),
                },
            };
            let mut running = self.plan.lock().await;
            if running.stopped {
                return;
            }
            // Before the first start nothing is known of the states in the file.
            if running.started_at.is_some() {
                self.apply(&mut running).await;
            }
            if changed.is_err() {
                return;
            }
        }
    }

    async fn apply(&self, running: &mut Running) {
        let now = self.shared.clock.now();
        // Before the plan reads them: what changes meanwhile is new.
        running.seen = Some(Ours::of(&self.catalog));
        let mut stored = match running.started_at {
            Some(_) => Stored::default(),
            None => self.stored().await,
        };
        let started_at = *running.started_at.get_or_insert(now);
        let mut before = std::mem::take(&mut running.tasks);
        let mut kept = BTreeMap::new();
        let mut fresh = Vec::new();
        for planned in plan(&running.files, &self.catalog) {
            let live = self.live(planned);
            match before.remove(&live.key()) {
                Some(task) if task.live.says_the_same(&live) => {
                    fresh.push((live.key(), None));
                    kept.insert(live.key(), task);
                }
                Some(task) => fresh.push((live.key(), Some((live, Some(task.end().await))))),
                None => fresh.push((live.key(), Some((live, None)))),
            }
        }
        let mut removed = Vec::new();
        for task in before.into_values() {
            removed.push(task.end().await);
        }
        let replaced = fresh.iter().filter_map(|(_, new)| new.as_ref()?.1.as_ref());
        let mut states = states_of(removed.iter().chain(replaced));
        let mut list = Vec::new();
        for (key, new) in fresh {
            let task = match (new, kept.remove(&key)) {
                (Some((live, old)), _) => {
                    let live = carried_over(live, old, &mut states, &mut stored, started_at);
                    self.start(live)
                }
                (None, Some(task)) => task,
                (None, None) => continue,
            };
            list.push(Arc::clone(&task.live));
            running.tasks.insert(key, task);
        }
        let ended = states.into_iter().filter_map(|(identity, (rule, current))| {
            let tellings = AlertStates::clone(&current.states).end(&rule, now);
            Gone::of(&identity, &current.saved, tellings)
        });
        running.gone.extend(ended);
        running.gone.extend(stored.into_gone(now));
        for live in removed {
            let rows = live.state().all_ended(now);
            if let Err(error) = self.shared.write(&rows).await {
                let group = &live.group.name;
                tracing::warn!(%error, group, "series of a removed rule group were not ended");
            }
        }
        self.end_gone(running).await;
        let groups = i64::try_from(list.len()).unwrap_or(i64::MAX);
        self.shared.pipeline.telemetry().rule_groups.set(groups);
        self.list.store(Arc::new(list));
    }

    /// States in the file. When they cannot be read, rules begin anew, and the file is left as it
    /// is: what is in it may be read after the next start.
    async fn stored(&self) -> Stored {
        let tsdb = Arc::clone(self.shared.pipeline.tsdb());
        let read = tokio::task::spawn_blocking(move || Stored::read(&tsdb)).await;
        let read = read.unwrap_or_else(|_| Err("reading panicked".to_owned()));
        read.unwrap_or_else(|error| {
            tracing::error!(error, "the states of rules cannot be read; their clocks begin anew");
            Stored::default()
        })
    }

    /// Commits the end of rules that are gone; keeps those that were not committed.
    async fn end_gone(&self, running: &mut Running) {
        let mut left = Vec::new();
        for gone in std::mem::take(&mut running.gone) {
            if let Err(error) = self.shared.watch.commit(gone.batch.clone()).await {
                tracing::warn!(%error, "the end of a removed rule's alerts is tried again");
                left.push(gone);
            }
        }
        running.gone = left;
    }

    fn live(&self, planned: Planned) -> LiveGroup {
        let settings = Arc::clone(&self.shared.settings.borrow());
        let default_ms = settings.rules.evaluation_interval.millis();
        let offset_ms = settings.rules.query_offset.millis();
        let Planned { file, group, alerting, defined } = planned;
        let alerting = alerting.into_iter().map(|alerting| {
            let (rule, identity) = alerting?;
            Some(LiveAlerting { rule, identity, current: Mutex::default() })
        });
        LiveGroup {
            file,
            interval_ms: group.interval_ms.unwrap_or(default_ms),
            query_offset_ms: group.query_offset_ms.unwrap_or(offset_ms),
            defined,
            alerting: alerting.collect(),
            state: Mutex::new(GroupState::new(&group)),
            group,
        }
    }

    /// Ends all tasks. Series and alerts are not ended: whoever starts again goes on with them.
    pub async fn stop(&self) {
        let tasks = {
            let mut running = self.plan.lock().await;
            running.stopped = true;
            std::mem::take(&mut running.tasks)
        };
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
        let handle = self
            .keeps_time
            .then(|| tokio::spawn(group::run(self.shared.clone(), Arc::clone(&live), stopped)));
        Task { live, stop, handle }
    }
}

/// How the alerting rules of groups fared.
fn states_of<'l>(groups: impl Iterator<Item = &'l Arc<LiveGroup>>) -> Before {
    let mut states = Before::new();
    for live in groups {
        for alerting in live.alerting.iter().flatten() {
            let state = (Arc::clone(&alerting.rule), alerting.current());
            states.insert(alerting.identity.clone(), state);
        }
    }
    states
}

/// Gives a group the state of what it takes the place of, or of what the file has.
fn carried_over(
    mut live: LiveGroup,
    old: Option<Arc<LiveGroup>>,
    states: &mut Before,
    stored: &mut Stored,
    started_at: Timestamp,
) -> LiveGroup {
    if let Some(old) = old {
        let state = old.state().carried_over(&old.group, &live.group);
        live.state = Mutex::new(state);
    }
    let mut written = Vec::new();
    for (place, alerting) in live.alerting.iter_mut().enumerate() {
        let Some(LiveAlerting { rule, identity, current }) = alerting else { continue };
        if rule.mode == RuleMode::Paused {
            // Whoever was told of its alerts is told that they ended: see `Before`'s rest.
            continue;
        }
        if let Some((before, mut state)) = states.remove(identity) {
            if before.condition_hash() != rule.condition_hash() {
                let mut states = AlertStates::clone(&state.states);
                states.condition_changed();
                state.states = Arc::new(states);
            }
            *current = Mutex::new(state);
        } else if let Some((states, saved)) = stored.take(identity, rule, live.query_offset_ms) {
            written.push((place, states.rows(rule, started_at)));
            *current = Mutex::new(Current {
                states: Arc::new(states),
                saved: Arc::new(saved),
                settle_since: Some(started_at),
                ..Current::default()
            });
        }
    }
    for (place, rows) in written {
        live.change(|state| state.note_written(place, &rows));
    }
    live
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
