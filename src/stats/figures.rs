//! The figures of `tests/statistics/figures.json`, which `tests/statistics/figures.py` computes
//! with exact fractions, scipy and statsmodels.

use serde_json::Value;

/// The figures of one topic.
pub(super) fn topic(name: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../../tests/statistics/figures.json"))
        .expect("figures.json is JSON");
    all.get(name).unwrap_or_else(|| panic!("figures.json has no topic {name:?}")).clone()
}

/// The cases of one topic: an array.
pub(super) fn cases(name: &str) -> Vec<Value> {
    let cases = topic(name).as_array().expect("an array of cases").clone();
    assert!(!cases.is_empty(), "no case of {name}");
    cases
}

/// A number of a case.
pub(super) fn number(case: &Value, key: &str) -> f64 {
    case[key].as_f64().unwrap_or_else(|| panic!("no number {key:?} in {case}"))
}

/// A list of numbers of a case.
pub(super) fn numbers(case: &Value, key: &str) -> Vec<f64> {
    let list = case[key].as_array().unwrap_or_else(|| panic!("no list {key:?} in {case}"));
    list.iter().map(|value| value.as_f64().expect("a number")).collect()
}

/// Holds two numbers together, relative to the expected one.
#[track_caller]
pub(super) fn close(ours: f64, expected: f64, tolerance: f64, what: &dyn std::fmt::Display) {
    let error = if expected == 0.0 { ours.abs() } else { ((ours - expected) / expected).abs() };
    assert!(error <= tolerance, "{what}: {ours:e}, expected {expected:e}, off by {error:e}");
}
