//! Who gets which variant: a function of the experiment, the unit and its attributes, and of what
//! the unit was exposed to before.

mod condition;
mod hash;
mod ranges;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub use condition::Condition;
pub use hash::place;
pub use ranges::{Range, bucket_ranges, choose, in_namespace};

pub(super) use hash::Fnv;

use serde::Serialize;
use serde_json::Value;

use super::InForce;
use crate::model::{ExperimentKind, ExperimentStatus, Timestamp};

/// The longest id of a unit, in bytes.
pub const UNIT_BYTES_MAX: usize = 256;

/// What a unit was first exposed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// The variant, by its place.
    pub variant: u16,
    /// The epoch, by its place.
    pub epoch: u16,
    /// When.
    pub at: Timestamp,
    /// Whether it was seen in two variants and is in no analysis any more.
    pub excluded: bool,
}

/// What a unit gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The variant, by its place; none of a unit that is to be treated as if there were no
    /// experiment: it gets the control's configuration.
    pub variant: Option<usize>,
    /// Whether what happens to it counts in the analysis: then it is to be noted as exposed.
    pub in_experiment: bool,
    /// Why.
    pub reason: Reason,
}

/// Why a unit gets what it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// By its hash.
    Hash,
    /// It was exposed to this variant before.
    Sticky,
    /// The definition says so.
    Forced,
    /// It was exposed to a variant that has no traffic any more (blue-green, or a canary that has
    /// all of it).
    Switched,
    /// It was seen in two variants; it keeps its first.
    Excluded,
    /// The experiment has not started.
    Draft,
    /// The experiment is paused and enrols nobody.
    Paused,
    /// Its attributes do not fit.
    NotTargeted,
    /// Its part of the namespace belongs to others.
    OtherNamespace,
    /// It is held out of experiments.
    HeldOut,
    /// It is not among those who take part (`traffic_allocation`).
    NotAllocated,
    /// The experiment is over, and this variant was shipped.
    Shipped,
    /// A guardrail or a person sent everybody back to the control.
    RolledBack,
    /// The experiment is over, and nothing was shipped.
    Ended,
}

impl Assignment {
    fn none(reason: Reason) -> Self {
        Assignment { variant: None, in_experiment: false, reason }
    }

    fn beside(variant: usize, reason: Reason) -> Self {
        Assignment { variant: Some(variant), in_experiment: false, reason }
    }

    fn within(variant: usize, reason: Reason) -> Self {
        Assignment { variant: Some(variant), in_experiment: true, reason }
    }
}

/// What is wrong with a unit's id.
///
/// # Errors
///
/// A text for whoever sent it.
pub fn check_unit(unit: &str) -> Result<(), String> {
    if unit.is_empty() || unit.len() > UNIT_BYTES_MAX {
        return Err(format!("unit: 1 to {UNIT_BYTES_MAX} bytes; {} are there", unit.len()));
    }
    Ok(())
}

/// Decides what a unit gets. `attributes` is a JSON object, or null; `known` is what the unit was
/// exposed to before, if it was.
pub fn assign(
    experiment: &InForce,
    unit: &str,
    attributes: &Value,
    known: Option<Exposure>,
) -> Assignment {
    let (definition, state) = (&*experiment.definition, &*experiment.state);
    match state.status {
        ExperimentStatus::Completed | ExperimentStatus::Cancelled => return ended(experiment),
        ExperimentStatus::Draft | ExperimentStatus::Running | ExperimentStatus::Paused => {}
    }
    let forced = definition.forced.get(unit);
    if let Some(variant) = forced.and_then(|name| definition.variant(name.as_str())) {
        return Assignment::beside(variant, Reason::Forced);
    }
    let paused = match state.status {
        ExperimentStatus::Draft => return Assignment::none(Reason::Draft),
        status => status == ExperimentStatus::Paused,
    };
    if let Some(known) = known.filter(|known| usize::from(known.variant) < experiment.arms()) {
        let variant = usize::from(known.variant);
        if known.excluded {
            return Assignment::beside(variant, Reason::Excluded);
        }
        if let Some(now) = experiment.only_variant().filter(|now| *now != variant) {
            return Assignment::beside(now, Reason::Switched);
        }
        if definition.sticky || paused {
            return Assignment::within(variant, Reason::Sticky);
        }
    }
    if paused {
        return match experiment.only_variant() {
            Some(live) => Assignment::beside(live, Reason::Paused),
            None => Assignment::none(Reason::Paused),
        };
    }
    enrol(experiment, unit, attributes)
}

/// What a unit gets that nobody has seen.
fn enrol(experiment: &InForce, unit: &str, attributes: &Value) -> Assignment {
    let definition = &*experiment.definition;
    if let Some(space) = &definition.namespace
        && !in_namespace(unit, &space.name, space.from, space.to)
    {
        return Assignment::none(Reason::OtherNamespace);
    }
    if let Some(hold_out) = &definition.hold_out
        && place(&hold_out.name, unit, 2).is_some_and(|at| at < hold_out.percent / 100.0)
    {
        return Assignment::none(Reason::HeldOut);
    }
    if !experiment.targets(attributes) {
        return Assignment::none(Reason::NotTargeted);
    }
    match experiment.choose(unit) {
        Some(variant) => Assignment::within(variant, Reason::Hash),
        None => Assignment::none(Reason::NotAllocated),
    }
}

fn ended(experiment: &InForce) -> Assignment {
    let state = &experiment.state;
    if state.rolled_back {
        let control = experiment.definition.control();
        return Assignment { variant: control, in_experiment: false, reason: Reason::RolledBack };
    }
    match state.shipped {
        Some(shipped) => Assignment::beside(shipped, Reason::Shipped),
        None => Assignment::none(Reason::Ended),
    }
}

impl InForce {
    /// The variant that has all traffic, of kinds that switch traffic instead of sharing it out.
    fn only_variant(&self) -> Option<usize> {
        match self.definition.kind {
            ExperimentKind::AbTest | ExperimentKind::Multivariate => None,
            ExperimentKind::Canary | ExperimentKind::BlueGreen => {
                let weights = &self.state.epochs.last()?.weights;
                let mut with_traffic = (0..weights.len()).filter(|at| weights[*at] > 0.0);
                let only = with_traffic.next();
                only.filter(|_| with_traffic.next().is_none())
            }
        }
    }
}
