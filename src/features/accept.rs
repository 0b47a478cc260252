//! What an outcome may be.

use crate::model::{Outcome, Timestamp, VALUE_ABS_MAX};

/// Bytes of an id, a unit, a trace.
const TEXT_BYTES_MAX: usize = 256;
/// Bytes of a model: it is a label.
const MODEL_BYTES_MAX: usize = 128;
/// Metrics of one outcome.
const METRICS_MAX: usize = 32;
/// The longest call: a year, in milliseconds.
const LATENCY_MS_MAX: f64 = 366.0 * 86_400_000.0;
/// The dearest call.
const COST_MAX: f64 = 1e12;
/// Tokens of one call: sums of as many calls stay whole numbers.
const TOKENS_MAX: u64 = 1_000_000_000_000;

/// The times that outcomes may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutcomeBounds {
    /// Not before this.
    pub oldest: Timestamp,
    /// Not after this: clocks differ a little.
    pub newest: Timestamp,
}

/// What is wrong with an outcome.
///
/// # Errors
///
/// The field, and what it may be.
pub fn check_outcome(outcome: &Outcome, bounds: OutcomeBounds) -> Result<(), String> {
    text("id", outcome.id.as_deref(), TEXT_BYTES_MAX)?;
    text("unit", outcome.unit.as_deref(), TEXT_BYTES_MAX)?;
    text("trace_id", outcome.trace_id.as_deref(), TEXT_BYTES_MAX)?;
    text("model", outcome.model.as_deref(), MODEL_BYTES_MAX)?;
    if outcome.feature.is_none() && outcome.provider.is_none() && outcome.experiment.is_none() {
        return Err("feature: names what this is an outcome of; it or a provider or an \
             experiment must be given"
            .to_owned());
    }
    if outcome.variant.is_some() && outcome.experiment.is_none() {
        return Err("variant: is of an experiment; name that as experiment".to_owned());
    }
    number("latency_ms", outcome.latency_ms, 0.0, LATENCY_MS_MAX)?;
    number("cost", outcome.cost, 0.0, COST_MAX)?;
    number("confidence", outcome.confidence, 0.0, 1.0)?;
    for (field, tokens) in [
        ("input_tokens", outcome.input_tokens),
        ("output_tokens", outcome.output_tokens),
        ("tokens", outcome.tokens),
    ] {
        if tokens.is_some_and(|tokens| tokens > TOKENS_MAX) {
            return Err(format!("{field}: at most {TOKENS_MAX}"));
        }
    }
    if outcome.metrics.len() > METRICS_MAX {
        return Err(format!("metrics: at most {METRICS_MAX}"));
    }
    for (name, value) in &outcome.metrics {
        text("metrics", Some(name), TEXT_BYTES_MAX)?;
        number(&format!("metrics.{name}"), Some(*value), -VALUE_ABS_MAX, VALUE_ABS_MAX)?;
    }
    match outcome.time {
        Some(time) if time < bounds.oldest || time > bounds.newest => {
            Err(format!("time: {time} is not between {} and {}", bounds.oldest, bounds.newest))
        }
        _ => Ok(()),
    }
}

fn text(field: &str, text: Option<&str>, bytes_max: usize) -> Result<(), String> {
    match text {
        Some(text) if text.is_empty() || text.len() > bytes_max => {
            Err(format!("{field}: 1 to {bytes_max} bytes; leave it out where there is none"))
        }
        _ => Ok(()),
    }
}

fn number(field: &str, value: Option<f64>, min: f64, max: f64) -> Result<(), String> {
    match value {
        Some(value) if !(value >= min && value <= max) => {
            Err(format!("{field}: is {value}; from {min} to {max}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_with_an_outcome_is_said_by_its_field() {
        let at = Timestamp::from_millis;
        let bounds = OutcomeBounds { oldest: at(1_000), newest: at(2_000) };
        for (value, field) in [
            (json!({"feature": "a"}), None),
            (json!({"provider": "a", "latency_ms": 0, "cost": 0, "confidence": 1}), None),
            (json!({"ok": true}), Some("feature")),
            (json!({"feature": "a", "latency_ms": -1}), Some("latency_ms")),
            (json!({"feature": "a", "latency_ms": 1e300}), Some("latency_ms")),
            (json!({"feature": "a", "cost": -0.1}), Some("cost")),
            (json!({"feature": "a", "confidence": 1.1}), Some("confidence")),
            (json!({"feature": "a", "tokens": 1_000_000_000_001_u64}), Some("tokens")),
            (json!({"feature": "a", "model": ""}), Some("model")),
            (json!({"feature": "a", "model": "m".repeat(129)}), Some("model")),
            (json!({"feature": "a", "unit": "u".repeat(257)}), Some("unit")),
            (json!({"feature": "a", "variant": "b"}), Some("variant")),
            (json!({"feature": "a", "metrics": {"score": 1e101}}), Some("metrics.score")),
            (json!({"feature": "a", "time": 2_001}), Some("time")),
            (json!({"feature": "a", "time": 999}), Some("time")),
        ] {
            let outcome: Outcome = serde_json::from_value(value.clone()).expect("an outcome");
            let found = check_outcome(&outcome, bounds).err();
            let said = found.as_deref().and_then(|found| found.split(": ").next());
            assert_eq!(said, field, "{value}");
        }
    }
}
