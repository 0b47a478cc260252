//! The task: takes up definitions, lets people act, looks at results and alerts, and commits what
//! follows before anybody sees it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::entry::Entry;
use super::judge::{Look, judge};
use super::stored::{
    Read, Stored, no_point, points, put_audit, put_last_number, put_point, put_remembered,
    put_state, remove_all,
};
use super::{Command, ExperimentError, KnownByNumber, Parts, alerts, rules, told};
use crate::engine::watch::{Batch, Defined, Signal, WatchError};
use crate::experiments::machine::{self, Act, Step, firing};
use crate::experiments::{InForce, Progress};
use crate::model::{ExperimentDefinition, ExperimentState, Name, Origin, Timestamp};
use crate::store::{StoreError, Write};

/// How often dates and canaries are looked at.
const TICK: Duration = Duration::from_secs(1);
/// Results are looked at with every so many ticks, where there are new ones.
const TICKS_PER_LOOK: u32 = 5;

type List = BTreeMap<Name, Arc<Defined<ExperimentDefinition>>>;

pub(super) struct Actor {
    parts: Parts,
    known: Arc<KnownByNumber>,
    entries: BTreeMap<u32, Entry>,
    /// Experiments that are gone, until the file and the ledger let all of them go.
    leaving: BTreeMap<u32, Entry>,
    last_number: u32,
    /// The definitions that were taken up last.
    seen: Option<Arc<List>>,
}

fn store_error(error: StoreError) -> WatchError {
    WatchError::Store(error.to_string())
}

/// Who changed a definition; the file and the API do not say more.
fn author(origin: Origin) -> &'static str {
    match origin {
        Origin::File => "settings file",
        Origin::Api => "api",
        Origin::Default => machine::OURSELVES,
    }
}

impl Actor {
    pub(super) fn new(parts: Parts, known: Arc<KnownByNumber>, mut read: Read) -> Self {
        let list = parts.catalog.experiments.list();
        let mut actor = Actor {
            parts,
            known,
            entries: BTreeMap::new(),
            leaving: BTreeMap::new(),
            last_number: read.last_number,
            seen: None,
        };
        for (number, stored) in std::mem::take(&mut read.states) {
            let name = stored.definition.name.clone();
            match Entry::restore(stored, &mut read) {
                Ok(mut entry) => {
                    entry.defined = list.contains_key(&name);
                    actor.entries.insert(number, entry);
                }
                // It was in force once: only another version of vedette can refuse it.
                Err(error) => tracing::error!(experiment = %name, %error, "not in force"),
            }
        }
        actor.publish();
        actor
    }

    pub(super) async fn run(mut self, mut waiting: mpsc::Receiver<Command>) {
        let mut defined = self.parts.catalog.experiments.changes();
        let mut followed = self.parts.watch.follow();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut count = 0u32;
        self.settle().await;
        self.look().await;
        loop {
            tokio::select! {
                command = waiting.recv() => match command {
                    Some(Command::Act { name, act, by, note, reply }) => {
                        let result = self.act(&name, &act, &by, &note).await;
                        // Whoever went away meanwhile does not need the answer.
                        let _ = reply.send(result);
                    }
                    Some(Command::Settle(done)) => {
                        self.settle().await;
                        let _ = done.send(());
                    }
                    Some(Command::Stop(done)) => {
                        let _ = done.send(());
                        return;
                    }
                    None => return,
                },
                changed = defined.changed() => match changed {
                    Ok(()) => self.settle().await,
                    Err(_) => return,
                },
                change = followed.recv() => {
                    if matches!(change, Err(RecvError::Closed)) {
                        return;
                    }
                    // What else waits is of the same moment; one look sees it all.
                    while followed.try_recv().is_ok() {}
                    self.guard().await;
                }
                _ = ticks.tick() => {
                    self.settle().await;
                    count = count.wrapping_add(1);
                    if count.is_multiple_of(TICKS_PER_LOOK) || self.has_unseen() {
                        self.look().await;
                    }
                    self.guard().await;
                    self.time().await;
                }
            }
        }
    }

    /// Whether an experiment goes on whose results nobody has looked at since the start.
    fn has_unseen(&self) -> bool {
        let mut all = self.entries.values();
        all.any(|entry| entry.defined && entry.in_force.is_active() && entry.judged.is_none())
    }

    fn number_of(&self, name: &str) -> Option<u32> {
        let mut all = self.entries.iter();
        all.find(|(_, entry)| entry.stored.definition.name.as_str() == name).map(|(n, _)| *n)
    }

    /// Shows everybody what is committed.
    fn publish(&self) {
        let defined = self.entries.values().filter(|entry| entry.defined);
        let one =
            |entry: &Entry| (entry.in_force.definition.name.clone(), Arc::clone(&entry.in_force));
        self.parts.board.store(Arc::new(defined.map(one).collect()));
        let known = self.entries.iter().map(|(number, entry)| (*number, entry.known()));
        self.known.store(Arc::new(known.collect()));
    }

    /// Takes up what people have defined since.
    async fn settle(&mut self) {
        self.let_go().await;
        let list = self.parts.catalog.experiments.list();
        if self.seen.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, &list)) {
            return;
        }
        let mut whole = true;
        let numbers: Vec<u32> = self.entries.keys().copied().collect();
        for number in numbers {
            let Some(entry) = self.entries.get_mut(&number) else { continue };
            let name = &entry.stored.definition.name;
            let gone = match list.get(name) {
                Some(defined) => entry.is_another(defined.origin, defined.created_at),
                None => entry.stored.origin == Origin::Api,
            };
            let defined = list.contains_key(name);
            if !gone && entry.defined && !defined {
                tracing::warn!(experiment = %name, "gone from the settings file; its results stay");
            }
            entry.defined = defined;
            if gone && let Some(entry) = self.entries.remove(&number) {
                self.leaving.insert(number, entry);
            }
        }
        self.publish();
        self.let_go().await;
        for (name, defined) in list.iter() {
            let result = match self.number_of(name.as_str()) {
                None => self.create(defined).await,
                Some(number) => self.change(number, defined).await,
            };
            if let Err(error) = result {
                tracing::warn!(experiment = %name, %error, "its definition is taken up later");
                whole = false;
            }
        }
        self.publish();
        self.seen = whole.then_some(list);
    }

    async fn create(&mut self, defined: &Defined<ExperimentDefinition>) -> Result<(), WatchError> {
        let number = self.last_number + 1;
        let definition = defined.definition.clone();
        let by = match definition.created_by.as_str() {
            "" => author(defined.origin).to_owned(),
            by => by.to_owned(),
        };
        let step = machine::create(&definition, number, &by, self.parts.clock.now());
        let (origin, created_at) = (defined.origin, defined.created_at);
        let stored = Stored { definition, origin, created_at, state: step.state.clone() };
        let entry = match Entry::new(stored) {
            Ok(entry) => entry,
            Err(error) => {
                // It was examined when it was given: only a settings file can have it.
                let name = &defined.definition.name;
                tracing::error!(experiment = %name, %error, "not in force");
                return Ok(());
            }
        };
        let mut writes = vec![put_state(&entry.stored).map_err(store_error)?];
        writes.push(put_last_number(number).map_err(store_error)?);
        let audit = put_audit(number, step.state.version, &step.entries);
        writes.extend(audit.map_err(store_error)?);
        let facts = told::changed(&entry.stored, &step.entries);
        self.parts.watch.commit(Batch { writes, facts, ..Batch::default() }).await?;
        self.last_number = number;
        self.entries.insert(number, entry);
        Ok(())
    }

    async fn change(
        &mut self,
        number: u32,
        defined: &Defined<ExperimentDefinition>,
    ) -> Result<(), WatchError> {
        let now = self.parts.clock.now();
        let Some(entry) = self.entries.get_mut(&number) else { return Ok(()) };
        if entry.stored.definition == defined.definition && entry.stored.origin == defined.origin {
            entry.not_in_force = None;
            return Ok(());
        }
        let state = entry.stored.state.clone();
        let changed = InForce::new(&defined.definition, state.clone())
            .map_err(machine::Refused::Conflict)
            .and_then(|after| {
                let (before, by) = (&entry.in_force.definition, author(defined.origin));
                machine::change(before, &after.definition, &state, by, now)
            });
        match changed {
            Ok(step) => {
                let step = step.unwrap_or(Step { state, entries: Vec::new() });
                let (definition, origin) = (defined.definition.clone(), defined.origin);
                let created_at = match origin {
                    Origin::Api => defined.created_at,
                    _ => entry.stored.created_at,
                };
                entry.not_in_force = None;
                let stored = Stored { definition, origin, created_at, state: step.state.clone() };
                self.adopt(number, stored, step).await
            }
            Err(refused) => {
                let text = refused.to_string();
                if entry.not_in_force.as_ref() != Some(&text) {
                    let name = &entry.stored.definition.name;
                    tracing::warn!(experiment = %name, reason = %text, "a change is not in force");
                    entry.not_in_force = Some(text);
                }
                Ok(())
            }
        }
    }

    async fn act(
        &mut self,
        name: &str,
        act: &Act,
        by: &str,
        note: &str,
    ) -> Result<Arc<InForce>, ExperimentError> {
        self.settle().await;
        let absent = || ExperimentError::Absent(name.to_owned());
        let number = self.number_of(name).ok_or_else(absent)?;
        let entry = self.entries.get(&number).filter(|entry| entry.defined).ok_or_else(absent)?;
        let (definition, now) = (&entry.in_force.definition, self.parts.clock.now());
        let step = machine::act(definition, &entry.stored.state, act, by, note, now)?;
        self.take(number, step).await?;
        self.entries.get(&number).map(|entry| Arc::clone(&entry.in_force)).ok_or_else(absent)
    }

    /// Commits a step of an experiment whose definition stays.
    async fn take(&mut self, number: u32, step: Step) -> Result<(), WatchError> {
        let Some(entry) = self.entries.get(&number) else { return Ok(()) };
        let stored = Stored { state: step.state.clone(), ..entry.stored.clone() };
        self.adopt(number, stored, step).await
    }

    /// Commits how an experiment stands, what the audit says and what the watch is to hear, and
    /// only then takes it for so.
    async fn adopt(&mut self, number: u32, stored: Stored, step: Step) -> Result<(), WatchError> {
        let Some(entry) = self.entries.get(&number) else { return Ok(()) };
        let in_force = if stored.definition == entry.stored.definition {
            entry.in_force.with_state(stored.state.clone())
        } else {
            InForce::new(&stored.definition, stored.state.clone()).map_err(WatchError::Store)?
        };
        let mut writes = vec![put_state(&stored).map_err(store_error)?];
        let audit = put_audit(number, stored.state.version, &step.entries);
        writes.extend(audit.map_err(store_error)?);
        let before = (&*entry.in_force.definition, &entry.stored.state);
        let signals = self.signals(number, before, (&in_force.definition, &stored.state));
        let facts = told::changed(&stored, &step.entries);
        self.parts.watch.commit(Batch { writes, signals, facts }).await?;
        for said in &step.entries {
            let name = &stored.definition.name;
            tracing::info!(experiment = %name, kind = ?said.kind, by = %said.by, "{}", said.note);
        }
        if let Some(entry) = self.entries.get_mut(&number) {
            entry.stored = stored;
            entry.in_force = Arc::new(in_force);
        }
        self.publish();
        Ok(())
    }

    fn signals(
        &self,
        number: u32,
        before: (&ExperimentDefinition, &ExperimentState),
        after: (&ExperimentDefinition, &ExperimentState),
    ) -> Vec<Signal> {
        if firing(before.1).chain(firing(after.1)).next().is_none() {
            return Vec::new();
        }
        let view = self.parts.watch.view();
        let timeline = points(&self.parts.store, number).unwrap_or_else(|error| {
            tracing::warn!(%error, "the timeline of an experiment cannot be read");
            Vec::new()
        });
        alerts::signals(before, after, |breach| alerts::evidence(&view, breach, &timeline))
    }

    /// Stops what a guardrail says is to be stopped.
    async fn guard(&mut self) {
        let now = self.parts.clock.now();
        let view = self.parts.watch.view();
        let mut steps = Vec::new();
        for (number, entry) in &self.entries {
            let unknown = entry.judged.is_none() && !entry.stored.state.breaches.is_empty();
            if !entry.defined || !entry.in_force.is_active() || unknown {
                continue;
            }
            let definition = &entry.in_force.definition;
            let mut present = entry.breaches.clone();
            present.extend(rules::breaches(definition, &view));
            if present.is_empty() && entry.stored.state.breaches.is_empty() {
                continue;
            }
            if let Some(step) = machine::breach(definition, &entry.stored.state, &present, now) {
                steps.push((*number, step));
            }
        }
        self.take_all(steps).await;
    }

    /// Does what time brings.
    async fn time(&mut self) {
        let now = self.parts.clock.now();
        let view = self.parts.watch.view();
        let mut steps = Vec::new();
        for (number, entry) in &self.entries {
            let (definition, state) = (&*entry.in_force.definition, &entry.stored.state);
            let due = machine::next_due(definition, state).is_some_and(|at| at <= now);
            let seen = state.status.is_over() && firing(state).next().is_some();
            if !entry.defined || !(due || seen) {
                continue;
            }
            let rule = rules::breaches(definition, &view).into_iter().next();
            let rule = rule.map(|breach| format!("{}: {}", breach.guardrail, breach.reason));
            // What was not looked at is no reason to go on.
            let unseen = entry.judged.is_none().then(|| "nobody has looked at it yet".to_owned());
            let doubt = unseen.or_else(|| entry.doubt.clone()).or(rule);
            if let Some(step) = machine::tick(definition, state, doubt.as_deref(), now) {
                steps.push((*number, step));
            }
        }
        self.take_all(steps).await;
    }

    async fn take_all(&mut self, steps: Vec<(u32, Step)>) {
        for (number, step) in steps {
            if let Err(error) = self.take(number, step).await {
                // Nothing was adopted: the next look comes to the same and tries again.
                tracing::warn!(%error, number, "a step of an experiment waits");
            }
        }
    }

    /// Looks at results that are new.
    async fn look(&mut self) {
        let now = self.parts.clock.now();
        let mut looks = Vec::new();
        for (number, entry) in &self.entries {
            if !entry.defined || entry.stored.state.epochs.is_empty() {
                continue;
            }
            let sums = self.parts.ledger.sums(*number).unwrap_or_default();
            if entry.judged.as_ref().is_some_and(|judged| Arc::ptr_eq(judged, &sums)) {
                continue;
            }
            looks.push(Look {
                number: *number,
                experiment: Arc::clone(&entry.in_force),
                sums,
                progress: Arc::clone(&entry.progress),
            });
        }
        if looks.is_empty() {
            return;
        }
        let work = move || looks.into_iter().map(|look| judge(look, now)).collect::<Vec<_>>();
        let Ok(judgements) = tokio::task::spawn_blocking(work).await else {
            tracing::error!("looking at the results of experiments panicked");
            return;
        };
        for judgement in judgements {
            if let Err(error) = self.remember(judgement, now).await {
                tracing::warn!(%error, "a look at an experiment is not remembered yet");
            }
        }
        self.publish();
    }

    async fn remember(
        &mut self,
        judgement: super::judge::Judgement,
        now: Timestamp,
    ) -> Result<(), WatchError> {
        let number = judgement.number;
        let Some(entry) = self.entries.get_mut(&number) else { return Ok(()) };
        let mut writes: Vec<Write> = Vec::new();
        let mut timeline = entry.timeline.clone();
        let spaced = timeline.spacing_ms();
        if timeline.is_due(now) && judgement.point.total_samples > 0 {
            writes.push(put_point(number, &judgement.point).map_err(store_error)?);
            writes.extend(timeline.add(now).into_iter().map(|at| no_point(number, at)));
        }
        let progress = judgement.progress.unwrap_or_else(|| Arc::clone(&entry.progress));
        if !Arc::ptr_eq(&progress, &entry.progress) || timeline.spacing_ms() != spaced {
            let mut after = entry.remembered();
            after.progress = Progress::clone(&progress);
            after.spacing_ms = timeline.spacing_ms();
            writes.push(put_remembered(number, &after).map_err(store_error)?);
        }
        if !writes.is_empty() {
            self.parts.watch.commit(Batch::of_writes(writes)).await?;
        }
        if let Some(entry) = self.entries.get(&number) {
            self.parts.watch.feed().publish(told::results(&entry.stored, &judgement.sums));
        }
        if let Some(entry) = self.entries.get_mut(&number) {
            entry.progress = progress;
            entry.timeline = timeline;
            entry.judged = Some(judgement.sums);
            entry.breaches = judgement.breaches;
            entry.doubt = judgement.doubt;
        }
        Ok(())
    }

    /// Lets go of experiments that people have removed: the ledger first, so that whatever is
    /// interrupted is found and taken up again by what is left of it in the file.
    async fn let_go(&mut self) {
        let numbers: Vec<u32> = self.leaving.keys().copied().collect();
        for number in numbers {
            let Some(entry) = self.leaving.get(&number) else { continue };
            let done = async {
                let ledger = self.parts.ledger.drop_experiment(number).await;
                ledger.map_err(|error| error.to_string())?;
                let writes = remove_all(&self.parts.store, number).map_err(|e| e.to_string())?;
                let definition = &*entry.in_force.definition;
                let over = ExperimentState {
                    changed_at: Some(self.parts.clock.now()),
                    ..ExperimentState::default()
                };
                let before = (definition, &entry.stored.state);
                let signals = self.signals(number, before, (definition, &over));
                let batch = Batch { writes, signals, ..Batch::default() };
                self.parts.watch.commit(batch).await.map_err(|error| error.to_string())
            };
            match done.await {
                Ok(()) => {
                    self.leaving.remove(&number);
                }
                Err(error) => {
                    tracing::warn!(%error, number, "an experiment cannot be removed yet");
                }
            }
        }
    }
}
