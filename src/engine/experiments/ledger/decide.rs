//! What follows from what is asked, on a draft: nothing of it is known to anybody before it is
//! committed.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::experiments::{Exposure, InForce, check_unit, fold};
use crate::features::Tallies;
use crate::model::{MetricDefinition, ResultEntry, Timestamp};
use crate::store::{StoreError, TableReader};

use super::journal::{Fact, Nameless};
use super::keys::{Hasher, Scope};
use super::unit::Unit;
use super::units::{self, UnitKey};
use super::window::{Window, epoch_at, window};
use super::{Taken, core::Memory};

/// The most units that one result without a unit may stand for.
pub const COUNT_MAX: u64 = 1_000_000_000;
/// Bytes of an id, at most.
pub const ID_BYTES_MAX: usize = 256;

/// What became of a result or an outcome that is not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Accepted,
    /// Its id was seen before.
    Repeated,
    /// Its unit is in no analysis: it was seen in two variants, or is forced.
    LeftOut,
}

/// Why something is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The experiment does not take it as it stands.
    Standing(String),
    /// It is wrong in itself.
    Wrong(String),
}

impl Refusal {
    pub(super) fn said(self) -> String {
        match self {
            Refusal::Standing(said) | Refusal::Wrong(said) => said,
        }
    }
}

/// A unit as it was before the group and as it is now.
#[derive(Debug)]
struct Touched {
    before: Option<Unit>,
    after: Option<Unit>,
}

/// What follows from values of one unit, or of nobody in particular.
#[derive(Debug)]
pub(super) enum Step {
    Nothing,
    Unit(UnitKey, Unit, Fate),
    Nameless(Vec<Nameless>),
}

/// Who values are of.
pub(super) struct Whose<'a> {
    pub(super) unit: Option<&'a str>,
    pub(super) variant: Option<u16>,
    pub(super) at: Timestamp,
    pub(super) count: u64,
}

/// A group that is being decided on.
pub(super) struct Draft<'a> {
    pub(super) now: Timestamp,
    memory: &'a Memory,
    pub(super) hasher: &'a Hasher,
    table: TableReader<'a>,
    touched: BTreeMap<UnitKey, Touched>,
    nameless: Vec<(u32, Nameless)>,
    pub(super) results: BTreeMap<u32, u64>,
    ids: Vec<u64>,
    known_ids: HashSet<u64>,
    metrics: BTreeMap<u32, Option<Vec<MetricDefinition>>>,
    pub(super) tallies: Tallies,
    pub(super) live_tallies: Arc<Tallies>,
    dropped: Vec<u32>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        now: Timestamp,
        memory: &'a Memory,
        hasher: &'a Hasher,
        table: TableReader<'a>,
    ) -> Draft<'a> {
        Draft {
            now,
            memory,
            hasher,
            table,
            touched: BTreeMap::new(),
            nameless: Vec::new(),
            results: BTreeMap::new(),
            ids: Vec::new(),
            known_ids: HashSet::new(),
            metrics: BTreeMap::new(),
            tallies: Tallies::default(),
            live_tallies: memory.shared.tallies(),
            dropped: Vec::new(),
        }
    }

    /// What is to be committed, in the order in which it is replayed.
    pub(super) fn facts(self) -> Vec<Fact> {
        let gone = self.dropped;
        let stays = |experiment: &u32| !gone.contains(experiment);
        let mut facts = vec![Fact::At(self.now.millis())];
        for (experiment, metrics) in self.metrics {
            facts.extend(metrics.map(|metrics| Fact::Metrics(experiment, metrics)));
        }
        for ((experiment, hash), Touched { before, after }) in self.touched {
            if before != after && stays(&experiment) {
                facts.push(Fact::Unit { experiment, hash, before, after });
            }
        }
        let nameless = self.nameless.into_iter().filter(|(experiment, _)| stays(experiment));
        facts.extend(nameless.map(|(experiment, nameless)| Fact::Nameless(experiment, nameless)));
        let results = self.results.into_iter().filter(|(experiment, _)| stays(experiment));
        facts.extend(results.map(|(experiment, count)| Fact::Results(experiment, count)));
        if !self.ids.is_empty() {
            facts.push(Fact::Ids(self.ids));
        }
        if !self.tallies.is_empty() {
            facts.push(Fact::Tallies(self.tallies));
        }
        facts.extend(gone.into_iter().map(Fact::Dropped));
        // The time alone is nothing to keep.
        if facts.len() == 1 {
            facts.clear();
        }
        facts
    }

    pub(super) fn current(&self, key: UnitKey) -> Result<Option<Unit>, StoreError> {
        if let Some(touched) = self.touched.get(&key) {
            return Ok(touched.after.clone());
        }
        if let Some(known) = self.memory.shared.overlay().get(key) {
            return Ok(known.cloned());
        }
        units::unit(&self.table, key)
    }

    fn set(&mut self, key: UnitKey, after: Option<Unit>) -> Result<(), StoreError> {
        if let Some(touched) = self.touched.get_mut(&key) {
            touched.after = after;
            return Ok(());
        }
        let before = self.current(key)?;
        self.touched.insert(key, Touched { before, after });
        Ok(())
    }

    pub(super) fn has_seen(&self, id: u64) -> bool {
        self.known_ids.contains(&id) || self.memory.ids.contains(id)
    }

    pub(super) fn remember(&mut self, id: Option<u64>) {
        if let Some(id) = id
            && self.known_ids.insert(id)
        {
            self.ids.push(id);
        }
    }

    /// The hash of an id that may have been given.
    pub(super) fn id(
        &self,
        scope: Scope,
        number: u32,
        id: Option<&str>,
    ) -> Result<Option<u64>, String> {
        match id {
            Some(id) if id.is_empty() || id.len() > ID_BYTES_MAX => {
                Err(format!("id: 1 to {ID_BYTES_MAX} bytes"))
            }
            Some(id) => Ok(Some(self.hasher.hash(scope, number, id))),
            None => Ok(None),
        }
    }

    /// Takes a request's results.
    pub(super) fn results(
        &mut self,
        experiment: &InForce,
        entries: &[ResultEntry],
        key: Option<&str>,
    ) -> Taken {
        let number = experiment.state.number;
        let key = key.map(|key| self.hasher.hash(Scope::ResultsRequest, number, key));
        let results = |draft: &mut Self, taken: &mut Taken| {
            for (place, entry) in entries.iter().enumerate() {
                let fate = draft.result(experiment, entry);
                taken.note(place, fate.map_err(Refusal::said));
            }
        };
        self.request(key, entries.len(), results)
    }

    /// A request that was seen as a whole is not looked into again.
    pub(super) fn request(
        &mut self,
        key: Option<u64>,
        count: usize,
        take: impl FnOnce(&mut Self, &mut Taken),
    ) -> Taken {
        if key.is_some_and(|key| self.has_seen(key)) {
            return Taken { repeated: count as u64, ..Taken::default() };
        }
        let mut taken = Taken::default();
        take(self, &mut taken);
        if taken.accepted + taken.left_out > 0 {
            self.remember(key);
        }
        taken
    }

    fn result(&mut self, experiment: &InForce, entry: &ResultEntry) -> Result<Fate, Refusal> {
        let (definition, number) = (&experiment.definition, experiment.state.number);
        let id = self.id(Scope::Result, number, entry.id.as_deref()).map_err(Refusal::Wrong)?;
        if id.is_some_and(|id| self.has_seen(id)) {
            return Ok(Fate::Repeated);
        }
        let Some(metric) = definition.metric(&entry.metric) else {
            let name = &definition.name;
            let said = format!("metric: {name} has no metric {:?}", entry.metric);
            return Err(Refusal::Wrong(said));
        };
        let variant = match &entry.variant {
            Some(variant) => Some(variant_of(experiment, variant)?),
            None => None,
        };
        let count = match (entry.count, &entry.unit) {
            (None, _) => 1,
            (Some(count), None) if (1..=COUNT_MAX).contains(&count) => count,
            (Some(_), None) => {
                return Err(Refusal::Wrong(format!("count: from 1 to {COUNT_MAX}")));
            }
            (Some(_), Some(_)) => {
                let said = "count: stands for units without a name; leave it out beside unit";
                return Err(Refusal::Wrong(said.to_owned()));
            }
        };
        let at = entry.time.unwrap_or(self.now).min(self.now);
        let whose = Whose { unit: entry.unit.as_deref(), variant, at, count };
        let step = self.step(experiment, &whose, &[(metric, entry)])?;
        let fate = self.take_step(experiment, step).map_err(unreadable)?;
        if fate == Fate::Accepted {
            *self.results.entry(number).or_default() += 1;
        }
        self.remember(id);
        Ok(fate)
    }

    /// What values of a unit change; nothing is changed yet.
    pub(super) fn step(
        &self,
        experiment: &InForce,
        whose: &Whose<'_>,
        values: &[(usize, &ResultEntry)],
    ) -> Result<Step, Refusal> {
        let (definition, state) = (&experiment.definition, &experiment.state);
        let name = &definition.name;
        let window = window(definition, state, self.now).map_err(Refusal::Standing)?;
        let epoch = epoch_at(state, whose.at);
        let known = match whose.unit {
            None => None,
            Some(unit) => {
                check_unit(unit).map_err(Refusal::Wrong)?;
                if definition.forced.contains_key(unit) {
                    return Ok(Step::Nothing);
                }
                let key = (state.number, self.hasher.hash(Scope::Unit, state.number, unit));
                Some((key, self.current(key).map_err(unreadable)?))
            }
        };
        let enrol = || match (window, whose.variant) {
            (Window::Enrolled, _) => Err(Refusal::Standing(format!(
                "{name} enrols nobody as it stands, and this unit was not seen in it before"
            ))),
            (Window::Everybody, None) => Err(Refusal::Wrong(
                "variant: is missing, and the unit was not exposed to any".to_owned(),
            )),
            (Window::Everybody, Some(variant)) => Ok(variant),
        };
        let Some((key, current)) = known else {
            let variant = enrol()?;
            let mut all = Vec::with_capacity(values.len());
            for (metric, entry) in values {
                let value = fold(&definition.metrics[*metric], None, entry);
                let value = value.map_err(Refusal::Wrong)?;
                let metric = *metric as u16;
                all.push(Nameless { epoch, variant, metric, value, count: whose.count });
            }
            return Ok(Step::Nameless(all));
        };
        let mut unit = match current {
            Some(unit) => unit,
            None => {
                let variant = enrol()?;
                Unit::new(Exposure { variant, epoch, at: whose.at, excluded: false })
            }
        };
        if unit.excluded {
            return Ok(Step::Nothing);
        }
        for (metric, entry) in values {
            let place = *metric as u16;
            let value = fold(&definition.metrics[*metric], unit.value(place), entry);
            unit.set(place, value.map_err(Refusal::Wrong)?);
        }
        if whose.variant.is_some_and(|variant| variant != unit.variant) {
            unit.exclude();
            return Ok(Step::Unit(key, unit, Fate::LeftOut));
        }
        Ok(Step::Unit(key, unit, Fate::Accepted))
    }

    pub(super) fn take_step(
        &mut self,
        experiment: &InForce,
        step: Step,
    ) -> Result<Fate, StoreError> {
        self.know_metrics(experiment);
        match step {
            Step::Nothing => Ok(Fate::LeftOut),
            Step::Unit(key, unit, fate) => {
                self.set(key, Some(unit))?;
                Ok(fate)
            }
            Step::Nameless(all) => {
                let number = experiment.state.number;
                self.nameless.extend(all.into_iter().map(|nameless| (number, nameless)));
                Ok(Fate::Accepted)
            }
        }
    }

    /// Notes what the experiment measures, if that is not known yet.
    fn know_metrics(&mut self, experiment: &InForce) {
        let number = experiment.state.number;
        let metrics = &experiment.definition.metrics;
        let memory = self.memory;
        self.metrics.entry(number).or_insert_with(|| {
            let known = memory.shared.knows_metrics(number, metrics);
            (!known).then(|| metrics.clone())
        });
    }

    /// Notes that a unit was exposed: the first time counts, another variant takes it out.
    pub(super) fn expose(
        &mut self,
        experiment: Option<&InForce>,
        key: UnitKey,
        exposure: Exposure,
    ) -> Result<(), StoreError> {
        let Some(experiment) = experiment else {
            // It was deleted meanwhile.
            return Ok(());
        };
        match self.current(key)? {
            None => {
                if !experiment.is_active() {
                    return Ok(());
                }
                self.know_metrics(experiment);
                self.set(key, Some(Unit::new(exposure)))
            }
            Some(mut unit) if !unit.excluded && unit.variant != exposure.variant => {
                unit.exclude();
                self.set(key, Some(unit))
            }
            Some(_) => Ok(()),
        }
    }

    /// Takes a unit out of everything; whether it was known.
    pub(super) fn forget(&mut self, number: u32, unit: &str) -> Result<bool, StoreError> {
        let key = (number, self.hasher.hash(Scope::Unit, number, unit));
        let is_known = self.current(key)?.is_some();
        if is_known {
            self.set(key, None)?;
        }
        Ok(is_known)
    }

    /// Lets all of an experiment go.
    pub(super) fn drop_experiment(&mut self, number: u32) {
        if !self.dropped.contains(&number) {
            self.dropped.push(number);
        }
    }
}

pub(super) fn unreadable(error: StoreError) -> Refusal {
    Refusal::Wrong(format!("what is known of its unit cannot be read: {error}"))
}

pub(super) fn variant_of(experiment: &InForce, name: &str) -> Result<u16, Refusal> {
    let found = experiment.definition.variant(name).and_then(|place| u16::try_from(place).ok());
    found.ok_or_else(|| {
        let experiment = &experiment.definition.name;
        Refusal::Wrong(format!("variant: {experiment} has no variant {name:?}"))
    })
}

impl Taken {
    pub(super) fn note(&mut self, place: usize, fate: Result<Fate, String>) {
        match fate {
            Ok(Fate::Accepted) => self.accepted += 1,
            Ok(Fate::Repeated) => self.repeated += 1,
            Ok(Fate::LeftOut) => self.left_out += 1,
            Err(said) => self.refused.push((place, said)),
        }
    }
}
