//! Whole analyses against figures that `tests/statistics/analysis.py` computed with numpy, scipy
//! and statsmodels, and states that try to make numbers that are none.

use serde_json::{Value, json};

use super::*;
use crate::experiments::accumulate::Cell;
use crate::model::UnitValue;

mod decisions;
mod nasty;

/// An experiment as the tests have it.
pub(super) struct Case {
    pub(super) definition: ExperimentDefinition,
    pub(super) state: ExperimentState,
    pub(super) sums: Sums,
    pub(super) progress: Progress,
}

/// 2023-11-24: ten days after the cases start.
pub(super) const NOW: Timestamp = Timestamp::from_millis(1_700_864_000_000);

impl Case {
    pub(super) fn new(definition: Value, state: Value) -> Self {
        Case {
            definition: serde_json::from_value(definition).expect("a definition"),
            state: serde_json::from_value(state).expect("a state"),
            sums: Sums::default(),
            progress: Progress::default(),
        }
    }

    /// Two variants, one mean metric, more of it as given, running in one epoch.
    pub(super) fn plain(metric: Value, more: Value) -> Self {
        let mut whole = json!({"name": "m", "better": "higher"});
        let mut definition = json!({
            "name": "case",
            "variants": [
                {"name": "control", "traffic_weight": 1, "is_control": true},
                {"name": "variant", "traffic_weight": 1},
            ],
        });
        merge(&mut whole, metric);
        definition["metrics"] = json!([whole]);
        merge(&mut definition, more);
        Case::new(definition, running(&json!([[1, 1]])))
    }

    pub(super) fn expose(&mut self, epoch: u16, variant: u16, units: u64) {
        *self.sums.units.entry((epoch, variant)).or_default() += units;
    }

    pub(super) fn add(&mut self, place: (u16, u16, u16), value: f64, count: u64) {
        self.add_unit(place, UnitValue { value, denominator: 1.0, covariate: None }, count);
    }

    pub(super) fn add_unit(&mut self, place: (u16, u16, u16), unit: UnitValue, count: u64) {
        let metric = &self.definition.metrics[usize::from(place.2)];
        let cell = self.sums.cells.entry(place).or_insert_with(|| Cell::new(metric));
        cell.add(&unit, count).expect("can be summed");
        self.sums.results += count;
    }

    pub(super) fn analysis(&self) -> Analysis {
        analyze(&self.definition, &self.state, &self.sums, &self.progress, NOW)
    }
}

/// A state with epochs of these weights.
pub(super) fn running(weights: &Value) -> Value {
    let epochs: Vec<Value> = weights
        .as_array()
        .expect("a list")
        .iter()
        .map(|weights| json!({"from": 1_700_000_000_000i64, "weights": weights, "traffic_allocation": 100.0}))
        .collect();
    json!({"number": 1, "status": "running", "started_at": 1_700_000_000_000i64, "epochs": epochs})
}

pub(super) fn merge(target: &mut Value, more: Value) {
    let Value::Object(more) = more else { return };
    for (name, value) in more {
        target[name] = value;
    }
}

/// As far apart as `tolerance` of the larger of both, or of the standard error where that is
/// given: a difference near 0 has no relative precision.
fn agree(found: &Value, expected: &Value, tolerance: f64) -> bool {
    match (found.as_f64(), expected.as_f64()) {
        (Some(found), Some(expected)) => {
            (found - expected).abs() <= tolerance * found.abs().max(expected.abs()) + 1e-15
        }
        _ => found == expected,
    }
}

#[test]
fn whole_analyses_agree_with_scipy_and_statsmodels() {
    let text = include_str!("../../../../tests/statistics/analysis.json");
    let cases: Vec<Value> = serde_json::from_str(text).expect("JSON");
    let mut wrong = Vec::new();
    for given in &cases {
        let mut case = Case::new(given["definition"].clone(), given["state"].clone());
        type Row = (u16, u16, u16, f64, f64, Option<f64>, u64);
        let rows: Vec<Row> = serde_json::from_value(given["units"].clone()).expect("units");
        for (epoch, variant, metric, value, denominator, covariate, count) in rows {
            let unit = UnitValue { value, denominator, covariate };
            case.add_unit((epoch, variant, metric), unit, count);
        }
        let rows: Vec<(u16, u16, u64)> =
            serde_json::from_value(given["exposed"].clone()).expect("exposed");
        for (epoch, variant, units) in rows {
            case.expose(epoch, variant, units);
        }
        let analysis = serde_json::to_value(case.analysis()).expect("writes");
        let tolerance = given["tolerance"].as_f64().unwrap_or(1e-9);
        let expected = given["expected"].as_object().expect("an object");
        assert!(!expected.is_empty());
        for (pointer, expected) in expected {
            let found = analysis.pointer(pointer).unwrap_or(&Value::Null);
            if !agree(found, expected, tolerance) {
                wrong.push(format!("{}: {pointer} is {found}, not {expected}", given["name"]));
            }
        }
    }
    assert_eq!(cases.len(), 10);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
