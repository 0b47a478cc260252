//! What an outcome says about an experiment's metrics.

use crate::model::{Estimator, ExperimentDefinition, Outcome, ResultEntry};

/// The results of an outcome for an experiment: one for each metric that it says something about,
/// with the metric's place. A metric takes its value from the outcome's field of the same name:
/// `ok` or `success` (1 or 0), `latency_ms`, `cost`, `tokens` (all of them, or those sent and
/// those that came back), `input_tokens`, `output_tokens`, `confidence`, or else from `metrics`.
/// What `metrics` says comes first. A ratio takes it as its numerator, with 1 as denominator: the
/// mean by outcome and not by unit.
pub fn results_of(
    definition: &ExperimentDefinition,
    outcome: &Outcome,
) -> Vec<(usize, ResultEntry)> {
    let mut found = Vec::new();
    for (place, metric) in definition.metrics.iter().enumerate() {
        let Some(value) = value_of(&metric.name, outcome) else { continue };
        let mut entry = ResultEntry {
            unit: None,
            variant: None,
            metric: metric.name.clone(),
            value: None,
            numerator: None,
            denominator: None,
            covariate: None,
            count: None,
            time: outcome.time,
            id: None,
        };
        match metric.estimator {
            Estimator::Ratio => entry.numerator = Some(value),
            Estimator::Mean | Estimator::Proportion | Estimator::Quantile => {
                entry.value = Some(value);
            }
        }
        found.push((place, entry));
    }
    found
}

fn value_of(metric: &str, outcome: &Outcome) -> Option<f64> {
    if let Some(value) = outcome.metrics.get(metric) {
        return Some(*value);
    }
    // Counts of tokens are far below 2⁵³.
    let number = |tokens: Option<u64>| tokens.map(|tokens| tokens as f64);
    match metric {
        "ok" | "success" => Some(if outcome.ok { 1.0 } else { 0.0 }),
        "latency_ms" => outcome.latency_ms,
        "cost" => outcome.cost,
        "confidence" => outcome.confidence,
        "input_tokens" => number(outcome.input_tokens),
        "output_tokens" => number(outcome.output_tokens),
        "tokens" => number(outcome.tokens.or_else(|| {
            let parts = [outcome.input_tokens, outcome.output_tokens];
            parts.iter().flatten().copied().reduce(u64::saturating_add)
        })),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_outcome_speaks_of_the_metrics_that_it_has_values_for() {
        let definition: ExperimentDefinition = serde_json::from_value(json!({
            "name": "rank",
            "metrics": [
                {"name": "success", "estimator": "proportion", "better": "higher"},
                {"name": "latency_ms", "estimator": "ratio", "better": "lower"},
                {"name": "tokens", "better": "lower"},
                {"name": "stars", "better": "higher"},
                {"name": "cost", "better": "lower"},
            ],
        }))
        .expect("a definition");
        let outcome: Outcome = serde_json::from_value(json!({
            "ok": false, "latency_ms": 20.5, "input_tokens": 7, "output_tokens": 2,
            "metrics": {"stars": 4, "nobody-asks": 1},
        }))
        .expect("an outcome");
        let found = results_of(&definition, &outcome);
        let values: Vec<_> =
            found.iter().map(|(place, entry)| (*place, entry.value, entry.numerator)).collect();
        assert_eq!(
            values,
            [
                (0, Some(0.0), None),
                (1, None, Some(20.5)),
                (2, Some(9.0), None),
                (3, Some(4.0), None),
            ]
        );
    }
}
