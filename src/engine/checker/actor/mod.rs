//! The one task that owns timetable and ledger: it starts runs, takes what happens, commits, and
//! tells. Everything that it decides is decided in those two, which know no clock.

mod commit;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::checks::UnknownReason;
use crate::config::Settings;
use crate::engine::watch::WatchError;
use crate::model::{CheckDefinition, CheckKind, CheckResult, Name, Timestamp};

use commit::Commit;

use super::jump::JumpWatch;
use super::ledger::{Event, Ledger};
use super::run::{Answer, Question};
use super::series::SeriesWriter;
use super::target::host_of;
use super::timetable::{Caps, Due, Timetable};
use super::{Command, Parts, RunError, new_token, plan_of};

/// Events in one transaction: bounds how long it takes.
const EVENTS_PER_COMMIT: usize = 256;
/// Events that wait for a commit. While the database takes nothing, newer results are dropped and
/// counted beyond this; states stay what they were.
pub(super) const EVENTS_MAX: usize = 20_000;
/// Results that wait for what may explain them wait no longer than this.
const HELD_MAX: Duration = Duration::from_secs(20);
/// The longest sleep: a clock that jumps is noticed within it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the file is told that we still run.
const SEEN_EVERY_MS: i64 = 15_000;
/// A jump ahead by more than this (ms) counts as a time in which we were down.
const ABSENT_MS: i64 = 60_000;
/// Between attempts of a commit that failed: from the first to the second.
const COMMIT_PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));
/// The figure that says when checks were last run.
pub(super) const LAST_RAN: &str = "checks_last_ran";

/// An event and who waits for what becomes of it.
struct Waiting {
    event: Event,
    reply: Option<oneshot::Sender<Result<(), WatchError>>>,
}

/// A result that waits for other checks, which may explain it.
struct Held {
    event: Event,
    until: Instant,
}

type Committing = BoxFuture<'static, Result<(), WatchError>>;
type RunReply = oneshot::Sender<Result<CheckResult, RunError>>;

/// All that the task owns.
pub(super) struct Actor {
    parts: Parts,
    settings: Arc<Settings>,
    /// Counts changes of definitions.
    defined: watch::Receiver<u64>,
    timetable: Timetable,
    ledger: Ledger,
    definitions: BTreeMap<Name, Arc<CheckDefinition>>,
    questions: BTreeMap<Name, Arc<Question>>,
    runs: JoinSet<(Name, u64, Answer)>,
    /// Which run each task is.
    tasks: BTreeMap<tokio::task::Id, (Name, u64)>,
    /// Runs during which the clock jumped: their failures say nothing.
    tainted: BTreeSet<u64>,
    asked: BTreeMap<Name, Vec<RunReply>>,
    /// Those whose result is on its way into the file.
    answered: Vec<(Name, Timestamp, RunReply)>,
    waiting: VecDeque<Waiting>,
    held: Vec<Held>,
    series: SeriesWriter,
    jump: JumpWatch,
    monotonic: Instant,
    last_look: Timestamp,
    seen_at: Timestamp,
    pause: Duration,
    commit_after: Option<Instant>,
    /// After a batch that could not be encoded, events go one by one, so that only one is lost.
    one_by_one: usize,
}

impl Actor {
    pub(super) fn new(parts: Parts, settings: Arc<Settings>, ledger: Ledger) -> Self {
        let now = parts.clock.now();
        let monotonic = Instant::now();
        Actor {
            timetable: Timetable::new(caps(&settings)),
            ledger,
            definitions: BTreeMap::new(),
            questions: BTreeMap::new(),
            runs: JoinSet::new(),
            tasks: BTreeMap::new(),
            tainted: BTreeSet::new(),
            asked: BTreeMap::new(),
            answered: Vec::new(),
            waiting: VecDeque::new(),
            held: Vec::new(),
            series: SeriesWriter::start(parts.pipeline.clone()),
            jump: JumpWatch::new(now, 0),
            monotonic,
            last_look: now,
            seen_at: Timestamp::MIN,
            pause: COMMIT_PAUSES.0,
            commit_after: None,
            one_by_one: 0,
            settings,
            defined: parts.catalog.checks.changes(),
            parts,
        }
    }

    /// Notes that nobody looked since `last_ran`: how checks are is unknown from then on.
    pub(super) fn was_absent(&mut self, last_ran: Timestamp, why: UnknownReason, reason: &str) {
        let now = self.parts.clock.now();
        let names: Vec<Name> = self.ledger.iter().map(|(name, _)| name.clone()).collect();
        for name in names {
            let event = Event::Lost { name, at: last_ran, now, why, reason: reason.to_owned() };
            self.waiting.push_back(Waiting { event, reply: None });
        }
    }

    /// Works until told to stop, or until nobody can tell any more.
    pub(super) async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        mut changed: watch::Receiver<Arc<Settings>>,
    ) {
        self.take_definitions(true);
        let mut commit: Option<(Commit, Committing)> = None;
        let stopped = loop {
            self.look();
            self.release_held();
            self.begin_due();
            if commit.is_none() {
                commit = self.next_commit();
            }
            let pause = self.until_next();
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Stop(reply)) => break Some(reply),
                    Some(command) => self.command(command),
                    None => break None,
                },
                Some(ended) = self.runs.join_next_with_id() => self.ended(ended),
                outcome = committed(&mut commit) => {
                    if let Some((done, _)) = commit.take()
                        && self.settled(done, outcome).is_err()
                    {
                        break None;
                    }
                }
                Ok(()) = self.defined.changed() => self.take_definitions(false),
                Ok(()) = changed.changed() => {
                    self.settings = Arc::clone(&changed.borrow_and_update());
                    self.timetable.set_caps(caps(&self.settings));
                    self.questions.clear();
                    self.take_definitions(false);
                }
                () = tokio::time::sleep(pause) => {}
            }
        };
        self.end(commit).await;
        if let Some(reply) = stopped {
            // Whoever asked may be gone.
            let _ = reply.send(());
        }
    }

    /// What is under way is given up, what has happened is committed, and when we were last here.
    async fn end(mut self, commit: Option<(Commit, Committing)>) {
        self.runs.abort_all();
        if let Some((done, committing)) = commit {
            let outcome = committing.await;
            let _ = self.settled(done, outcome);
        }
        self.commit_after = None;
        self.seen_at = Timestamp::MIN;
        for held in std::mem::take(&mut self.held) {
            self.waiting.push_back(Waiting { event: held.event, reply: None });
        }
        while let Some((done, committing)) = self.next_commit() {
            let outcome = committing.await;
            if outcome.is_err() || self.settled(done, outcome).is_err() {
                break;
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// Compares the clocks.
    fn look(&mut self) {
        let now = self.now();
        let before = std::mem::replace(&mut self.last_look, now);
        let monotonic_ms = i64::try_from(self.monotonic.elapsed().as_millis()).unwrap_or(i64::MAX);
        let Some(by_ms) = self.jump.look(now, monotonic_ms) else { return };
        tracing::warn!(
            jump.seconds = by_ms as f64 / 1000.0,
            "the clock was set or the machine slept; checks are planned anew"
        );
        self.timetable.jumped(by_ms, now);
        self.tainted.extend(self.tasks.values().map(|(_, run)| *run));
        if by_ms > ABSENT_MS {
            self.was_absent(
                before,
                UnknownReason::ClockJump,
                "the machine slept, or its clock was set",
            );
        }
    }

    fn begin_due(&mut self) {
        let now = self.now();
        for due in self.timetable.due(now) {
            match due {
                Due::Deadline { name, at } => {
                    self.enqueue(Event::Missed { name, at }, None);
                }
                Due::Run { name, run } => {
                    let Some(question) = self.question(&name) else {
                        self.timetable.finished(&name, run, now);
                        for reply in self.asked.remove(&name).unwrap_or_default() {
                            let _ = reply.send(Err(RunError::NotAsked));
                        }
                        continue;
                    };
                    let clock = Arc::clone(&self.parts.clock);
                    let task_name = name.clone();
                    let task = self.runs.spawn(async move {
                        let answer = question.ask(clock.as_ref()).await;
                        (task_name, run, answer)
                    });
                    self.tasks.insert(task.id(), (name, run));
                }
            }
        }
        let counts = self.timetable.take_counts();
        let telemetry = &self.parts.telemetry;
        telemetry.check_runs.add(counts.runs);
        telemetry.check_runs_late.add(counts.late);
        telemetry.check_runs_skipped.add(counts.skipped);
        telemetry.checks_running.set(i64::try_from(self.timetable.running()).unwrap_or(i64::MAX));
    }

    fn question(&mut self, name: &Name) -> Option<Arc<Question>> {
        if let Some(question) = self.questions.get(name) {
            return Some(Arc::clone(question));
        }
        let definition = Arc::clone(self.definitions.get(name)?);
        match Question::new(definition, self.settings.checks.timeout.duration()) {
            Ok(question) => {
                let question = Arc::new(question);
                self.questions.insert(name.clone(), Arc::clone(&question));
                Some(question)
            }
            Err(reason) => {
                tracing::error!(check = %name, %reason, "a check cannot be asked");
                None
            }
        }
    }

    fn ended(
        &mut self,
        ended: Result<(tokio::task::Id, (Name, u64, Answer)), tokio::task::JoinError>,
    ) {
        let now = self.now();
        let (id, answer) = match ended {
            Ok((id, (_, _, answer))) => (id, Some(answer)),
            Err(error) => (error.id(), None),
        };
        let Some((name, run)) = self.tasks.remove(&id) else { return };
        let tainted = self.tainted.remove(&run);
        let known = self.timetable.finished(&name, run, now);
        let replies = self.asked.remove(&name).unwrap_or_default();
        let Some(answer) = answer else {
            // A fault of ours says nothing about the other side.
            tracing::error!(check = %name, "a check's run panicked");
            for reply in replies {
                let _ = reply.send(Err(RunError::Failed));
            }
            return;
        };
        let result = &answer.measured.result;
        if !known {
            return;
        }
        if tainted && result.status == crate::model::CheckStatus::Unhealthy {
            self.timetable.run_now(&name, false, now);
            self.asked.insert(name, replies);
            return;
        }
        let began = result.at;
        self.answered.extend(replies.into_iter().map(|reply| (name.clone(), began, reply)));
        let witnesses = self.ledger.witnesses(&name, result.status, began);
        let event = Event::Ran { measured: answer.measured, excerpt: answer.excerpt };
        let mut awaited = false;
        for witness in &witnesses {
            awaited |= self.timetable.run_now(witness, true, now);
        }
        if awaited {
            self.held.push(Held { event, until: Instant::now() + HELD_MAX });
        } else {
            self.enqueue(event, None);
        }
    }

    /// Results whose witnesses have answered go on.
    fn release_held(&mut self) {
        let now = Instant::now();
        let ledger = &self.ledger;
        let (ready, held) = std::mem::take(&mut self.held).into_iter().partition(|held: &Held| {
            let Event::Ran { measured, .. } = &held.event else { return true };
            let result = &measured.result;
            held.until <= now
                || ledger.witnesses(&result.check, result.status, result.at).is_empty()
        });
        self.held = held;
        for held in ready {
            self.enqueue(held.event, None);
        }
    }

    fn enqueue(&mut self, event: Event, reply: Option<oneshot::Sender<Result<(), WatchError>>>) {
        if self.waiting.len() >= EVENTS_MAX && matches!(event, Event::Ran { .. }) {
            self.parts.telemetry.check_results_dropped.add(1);
            return;
        }
        self.waiting.push_back(Waiting { event, reply });
    }

    fn command(&mut self, command: Command) {
        let now = self.now();
        // Who has just defined a check may speak of it before we were told.
        if self.defined.has_changed().unwrap_or(false) {
            self.defined.mark_unchanged();
            self.take_definitions(false);
        }
        match command {
            Command::Run { name, reply } => {
                let paused = self.ledger.get(name.as_str()).is_some_and(|known| known.is_paused());
                if paused {
                    let _ = reply.send(Err(RunError::Paused));
                } else if self.timetable.run_now(&name, false, now) {
                    self.asked.entry(name).or_default().push(reply);
                } else {
                    let _ = reply.send(Err(RunError::NotAsked));
                }
            }
            Command::RunAll { reply } => {
                let names: Vec<Name> = self.definitions.keys().cloned().collect();
                let asked = names.iter().filter(|name| {
                    let known = self.ledger.get(name.as_str());
                    !known.is_some_and(|known| known.is_paused())
                        && self.timetable.run_now(name, false, now)
                });
                let _ = reply.send(asked.count());
            }
            Command::Happened { event, reply } => self.enqueue(event, Some(reply)),
            // Handled where commands are received.
            Command::Stop(_) => {}
        }
    }

    /// Takes up definitions as they are now. What did not change is not disturbed.
    fn take_definitions(&mut self, starting: bool) {
        let now = self.now();
        self.ledger.set_uplink(self.settings.checks.uplink.iter().cloned());
        let all: BTreeMap<Name, Arc<CheckDefinition>> = self
            .parts
            .catalog
            .checks
            .list()
            .iter()
            .map(|(name, defined)| {
                let known =
                    self.definitions.get(name).filter(|known| ***known == defined.definition);
                let definition = known.cloned();
                let clone = || Arc::new(defined.definition.clone());
                (name.clone(), definition.unwrap_or_else(clone))
            })
            .collect();
        let gone = self.definitions.keys().filter(|name| !all.contains_key(*name));
        let mut gone: Vec<Name> = gone.cloned().collect();
        if starting {
            let left = self.ledger.iter().map(|(name, _)| name);
            gone.extend(left.filter(|name| !all.contains_key(*name)).cloned());
        }
        for name in gone {
            self.timetable.remove(&name);
            self.questions.remove(&name);
            for reply in self.asked.remove(&name).unwrap_or_default() {
                let _ = reply.send(Err(RunError::NotAsked));
            }
            self.enqueue(Event::Removed { name, at: now }, None);
        }
        for (name, definition) in &all {
            let before = self.definitions.get(name).cloned();
            if before.as_ref() == Some(definition) {
                let plan = plan_of(definition, &self.settings);
                self.timetable.put(name, plan, host_of(definition), false, now);
                continue;
            }
            self.questions.remove(name);
            let restored = self.ledger.get(name.as_str()).is_some();
            let plan = plan_of(definition, &self.settings);
            self.timetable.put(name, plan, host_of(definition), restored, now);
            let event =
                Event::Defined { definition: Arc::clone(definition), token: new_token(), at: now };
            self.enqueue(event, None);
            if before.is_some_and(|before| before.kind != CheckKind::Heartbeat) {
                self.timetable.run_now(name, true, now);
            }
        }
        self.definitions = all;
        let count = i64::try_from(self.definitions.len()).unwrap_or(i64::MAX);
        self.parts.telemetry.checks.set(count);
    }

    fn until_next(&mut self) -> Duration {
        let now = self.now();
        self.series.repeat(&self.ledger, now);
        let next = self.timetable.next_at().map(|at| at.since(now).max(0).unsigned_abs());
        let mut pause = next.map_or(LOOK_EVERY, Duration::from_millis).min(LOOK_EVERY);
        if let Some(after) = self.commit_after {
            pause = pause.min(after.saturating_duration_since(Instant::now()));
        } else if !self.waiting.is_empty() {
            // A commit may be under way; its end wakes us.
            pause = pause.min(LOOK_EVERY);
        }
        pause
    }
}

fn caps(settings: &Settings) -> Caps {
    Caps { total: settings.checks.concurrency.max(1), per_host: settings.checks.per_host.max(1) }
}

/// Waits for the commit under way; for ever when there is none.
async fn committed(commit: &mut Option<(Commit, Committing)>) -> Result<(), WatchError> {
    match commit {
        Some((_, committing)) => committing.await,
        None => std::future::pending().await,
    }
}
