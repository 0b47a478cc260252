//! What follows from outcomes: tallies, and results of the experiments that their units are in.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::experiments::{InForce, check_unit, results_of};
use crate::features::TallyKey;
use crate::model::{Name, Outcome};

use super::Taken;
use super::decide::{Draft, Fate, Refusal, Step, Whose, unreadable, variant_of};
use super::keys::Scope;
use super::window::window;

impl Draft<'_> {
    /// Takes a request's outcomes.
    pub(super) fn outcomes(
        &mut self,
        board: &BTreeMap<Name, Arc<InForce>>,
        outcomes: &[Outcome],
        key: Option<&str>,
    ) -> Taken {
        let key = key.map(|key| self.hasher.hash(Scope::OutcomesRequest, 0, key));
        self.request(key, outcomes.len(), |draft, taken| {
            for (place, outcome) in outcomes.iter().enumerate() {
                let fate = draft.outcome(board, outcome);
                taken.note(place, fate.map_err(Refusal::said));
            }
        })
    }

    fn outcome(
        &mut self,
        board: &BTreeMap<Name, Arc<InForce>>,
        outcome: &Outcome,
    ) -> Result<Fate, Refusal> {
        let id = self.id(Scope::Outcome, 0, outcome.id.as_deref()).map_err(Refusal::Wrong)?;
        if id.is_some_and(|id| self.has_seen(id)) {
            return Ok(Fate::Repeated);
        }
        let at = outcome.time.unwrap_or(self.now).min(self.now);
        let mut steps = Vec::new();
        let mut arm = None;
        for (experiment, variant) in self.experiments_of(board, outcome)? {
            let whose = Whose { unit: outcome.unit.as_deref(), variant, at, count: 1 };
            let entries = results_of(&experiment.definition, outcome);
            let values: Vec<_> = entries.iter().map(|(place, entry)| (*place, entry)).collect();
            match self.step(experiment, &whose, &values) {
                Ok(step) => {
                    let seen = variant.or(match &step {
                        Step::Unit(_, unit, _) => Some(unit.variant),
                        Step::Nothing | Step::Nameless(_) => None,
                    });
                    arm = arm.or_else(|| arm_of(experiment, seen));
                    steps.push((experiment, step, values.len()));
                }
                // An application goes on to name an experiment that is over: its outcomes count
                // all the same, but not for that.
                Err(Refusal::Standing(_)) => arm = arm.or_else(|| arm_of(experiment, variant)),
                Err(wrong) => return Err(wrong),
            }
        }
        let key = TallyKey::of(outcome, arm);
        self.live_tallies.check_room(&self.tallies, &key).map_err(Refusal::Wrong)?;
        for (experiment, step, values) in steps {
            let fate = self.take_step(experiment, step).map_err(unreadable)?;
            if fate == Fate::Accepted && values > 0 {
                *self.results.entry(experiment.state.number).or_default() += values as u64;
            }
        }
        self.tallies.add(key, outcome);
        self.remember(id);
        Ok(Fate::Accepted)
    }

    /// The experiments that an outcome is about, with the variant that it names: the one that it
    /// names, or those of its feature that its unit was exposed in.
    fn experiments_of<'b>(
        &self,
        board: &'b BTreeMap<Name, Arc<InForce>>,
        outcome: &Outcome,
    ) -> Result<Vec<(&'b InForce, Option<u16>)>, Refusal> {
        if let Some(name) = &outcome.experiment {
            let Some(experiment) = board.get(name) else {
                return Err(Refusal::Wrong(format!("experiment: there is none named {name}")));
            };
            let variant = match &outcome.variant {
                Some(variant) => Some(variant_of(experiment, variant.as_str())?),
                None => None,
            };
            if variant.is_none() && outcome.unit.is_none() {
                let said = "variant: name it, or the unit, of an outcome of an experiment";
                return Err(Refusal::Wrong(said.to_owned()));
            }
            if variant.is_none() && !self.is_exposed(experiment, outcome.unit.as_deref())? {
                return Ok(Vec::new());
            }
            return Ok(vec![(experiment, variant)]);
        }
        let (Some(unit), Some(feature)) = (&outcome.unit, &outcome.feature) else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for experiment in board.values() {
            if experiment.definition.feature.as_ref() == Some(feature)
                && self.is_exposed(experiment, Some(unit))?
            {
                found.push((&**experiment, None));
            }
        }
        Ok(found)
    }

    fn is_exposed(&self, experiment: &InForce, unit: Option<&str>) -> Result<bool, Refusal> {
        let (state, Some(unit)) = (&experiment.state, unit) else { return Ok(false) };
        if window(&experiment.definition, state, self.now).is_err() {
            return Ok(false);
        }
        check_unit(unit).map_err(Refusal::Wrong)?;
        let key = (state.number, self.hasher.hash(Scope::Unit, state.number, unit));
        Ok(self.current(key).map_err(unreadable)?.is_some())
    }
}

fn arm_of(experiment: &InForce, variant: Option<u16>) -> Option<(&str, &str)> {
    let variant = experiment.definition.variants.get(usize::from(variant?))?;
    Some((experiment.definition.name.as_str(), variant.name.as_str()))
}
