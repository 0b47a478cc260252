//! Which changes of a definition are allowed, by how the experiment stands.

use serde_json::{Map, Value, json};

use super::{Draft, EPOCHS_MAX, Refused, Step};
use crate::experiments::shares;
use crate::model::{AuditKind, ExperimentDefinition, ExperimentState, Timestamp};

/// Bytes of what the audit keeps of a change; beyond it, only which fields changed.
const DETAILS_BYTES_MAX: usize = 16 << 10;

/// Whether a definition may take the place of another. Both have their variants already. A draft
/// may change in every way. While it runs, what units were told and what is measured must stay as
/// it is: a change of those is another experiment. Once it is over, only texts may change.
///
/// # Errors
///
/// [`Refused::Conflict`] with the fields that may not change.
pub fn may_change(
    before: &ExperimentDefinition,
    after: &ExperimentDefinition,
    state: &ExperimentState,
) -> Result<(), Refused> {
    let (allowed, may): (fn(&mut ExperimentDefinition, &ExperimentDefinition), &str) =
        if state.status.is_active() {
            (
                take_running,
                "texts, labels, weights, traffic_allocation, end_at, forced and guardrails may \
                 change; for another change, complete this one and make another experiment",
            )
        } else if state.status.is_over() {
            (take_texts, "texts and labels may change")
        } else {
            return Ok(());
        };
    let mut rest = after.clone();
    allowed(&mut rest, before);
    if rest != *before {
        let fields: Vec<String> = differences(before, &rest).into_iter().map(|d| d.0).collect();
        return Err(Refused::Conflict(format!(
            "{} is {}: {} may not change any more; {may}",
            before.name,
            state.status.as_str(),
            fields.join(", "),
        )));
    }
    let due = shares(after, state);
    let same = state.epochs.last().is_none_or(|epoch| due.fit(epoch));
    if state.status.is_active() && !same && state.epochs.len() >= EPOCHS_MAX {
        return Err(Refused::Conflict(format!(
            "{} has had {EPOCHS_MAX} epochs, and no more are kept; complete it and make another",
            before.name
        )));
    }
    Ok(())
}

/// Takes a changed definition up. `None` when it is the same.
///
/// # Errors
///
/// As [`may_change`].
pub fn change(
    before: &ExperimentDefinition,
    after: &ExperimentDefinition,
    state: &ExperimentState,
    by: &str,
    now: Timestamp,
) -> Result<Option<Step>, Refused> {
    if before == after {
        return Ok(None);
    }
    may_change(before, after, state)?;
    let mut draft = Draft::new(after, state, by, now);
    draft.say(AuditKind::Changed, "", details(before, after));
    if state.status.is_active() {
        draft.share_out();
    }
    Ok(Some(draft.finish()))
}

fn take_texts(rest: &mut ExperimentDefinition, before: &ExperimentDefinition) {
    rest.description.clone_from(&before.description);
    rest.hypothesis.clone_from(&before.hypothesis);
    rest.created_by.clone_from(&before.created_by);
    rest.labels.clone_from(&before.labels);
    for (variant, before) in rest.variants.iter_mut().zip(&before.variants) {
        variant.description.clone_from(&before.description);
    }
    for (metric, before) in rest.metrics.iter_mut().zip(&before.metrics) {
        metric.description.clone_from(&before.description);
        metric.target = before.target;
    }
}

fn take_running(rest: &mut ExperimentDefinition, before: &ExperimentDefinition) {
    take_texts(rest, before);
    rest.traffic_allocation = before.traffic_allocation;
    rest.end_at = before.end_at;
    rest.forced.clone_from(&before.forced);
    rest.guardrails.clone_from(&before.guardrails);
    for (variant, before) in rest.variants.iter_mut().zip(&before.variants) {
        variant.traffic_weight = before.traffic_weight;
    }
}

/// The fields that differ, with what was there before and after.
fn differences(
    before: &ExperimentDefinition,
    after: &ExperimentDefinition,
) -> Vec<(String, Value, Value)> {
    let fields = |definition: &ExperimentDefinition| match serde_json::to_value(definition) {
        Ok(Value::Object(object)) => object,
        // A struct with names for keys, always.
        _ => Map::new(),
    };
    let (before, after) = (fields(before), fields(after));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let value = |of: &Map<String, Value>, name: &str| of.get(name).cloned().unwrap_or_default();
    let differs = |name: &&String| before.get(*name) != after.get(*name);
    let pair = |name: &String| (name.clone(), value(&before, name), value(&after, name));
    names.into_iter().filter(differs).map(pair).collect()
}

fn details(before: &ExperimentDefinition, after: &ExperimentDefinition) -> Value {
    let all = differences(before, after);
    let names: Vec<&String> = all.iter().map(|(name, ..)| name).collect();
    let short = json!({ "changed": names });
    let one = |(name, before, after): &(String, Value, Value)| {
        (name.clone(), json!({ "before": before, "after": after }))
    };
    let whole = Value::Object(all.iter().map(one).collect());
    if whole.to_string().len() > DETAILS_BYTES_MAX { short } else { whole }
}
