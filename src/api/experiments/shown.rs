//! What answers add to an experiment's definition.

use serde_json::{Map, Value, json};

use crate::engine::watch::Defined;
use crate::experiments::machine::possible;
use crate::model::{ExperimentDefinition, Name};

use crate::api::json::seconds;
use crate::api::state::App;

/// The fields that are added.
pub(super) const FIELDS: &[&str] = &[
    "number",
    "status",
    "started_at",
    "ended_at",
    "changed_at",
    "epochs",
    "step",
    "step_at",
    "held_at",
    "held_because",
    "live",
    "rolled_back",
    "shipped",
    "breaches",
    "possible",
    "not_in_force",
    "units",
    "results",
    "excluded_units",
];

pub(super) fn complete(
    app: &App,
    defined: &Defined<ExperimentDefinition>,
    shown: &mut Map<String, Value>,
) {
    spell_durations(&defined.definition, shown);
    let Ok(engine) = app.engine() else { return };
    let experiments = &engine.experiments;
    let Some(known) = experiments.get(defined.definition.name.as_str()) else {
        shown.insert("status".to_owned(), json!("draft"));
        return;
    };
    let (definition, state) = (&*known.definition, &*known.state);
    if defined.definition.variants.is_empty() {
        shown.insert("variants".to_owned(), json!(definition.variants));
    }
    let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    let name = |place: Option<usize>| -> Option<&Name> {
        definition.variants.get(place?).map(|variant| &variant.name)
    };
    put("number", json!(state.number));
    put("status", json!(state.status));
    put("started_at", json!(state.started_at));
    put("ended_at", json!(state.ended_at));
    put("changed_at", json!(state.changed_at));
    put("epochs", json!(state.epochs));
    put("rolled_back", json!(state.rolled_back));
    put("shipped", json!(name(state.shipped)));
    put("breaches", json!(state.breaches));
    put("possible", json!(possible(definition, state)));
    let besides = experiments.known(state.number);
    if !definition.steps.is_empty() {
        put("step", json!(state.step));
        put("step_at", json!(state.step_at));
        put("held_at", json!(state.held_at));
        put("held_because", json!(besides.doubt.filter(|_| state.held_at.is_some())));
    }
    if let Some(live) = name(state.live) {
        put("live", json!(live));
    }
    if let Some(reason) = besides.not_in_force {
        put("not_in_force", json!(reason));
    }
    let sums = experiments.sums(state.number);
    put("units", json!(sums.units.values().sum::<u64>()));
    put("excluded_units", json!(sums.excluded.values().sum::<u64>()));
    put("results", json!(sums.results));
}

/// Answers give durations in seconds, also those within.
fn spell_durations(definition: &ExperimentDefinition, shown: &mut Map<String, Value>) {
    if let Some(late) = shown.get_mut("analysis").and_then(|a| a.get_mut("late_results")) {
        *late = seconds(definition.analysis.late_results.millis());
    }
    let steps = shown.get_mut("steps").and_then(Value::as_array_mut);
    for (shown, step) in steps.into_iter().flatten().zip(&definition.steps) {
        shown["hold"] = seconds(step.hold.millis());
    }
}
