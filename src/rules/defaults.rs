//! The rules that are there without anybody defining them. Each waits until a metric that it
//! reads exists.

use std::collections::BTreeMap;

use crate::model::{Name, OnFailure, Period, RuleDefinition, Severity};

/// One built-in rule: name, what it is about, condition, how long it must hold, severity, and the
/// line for people.
type Built = (&'static str, &'static str, &'static str, i64, Severity, &'static str);

const BUILT: [Built; 4] = [
    (
        "default-error-rate",
        "More than 5 % of what was done failed within 5 minutes: outcomes by feature, or HTTP \
         requests by job.",
        "sum by (feature) (rate(vedette_outcomes_total{ok=\"false\"}[5m])) \
         / sum by (feature) (rate(vedette_outcomes_total[5m])) > 0.05 \
         or sum by (job) (rate(http_requests_total{code=~\"5..\"}[5m])) \
         / sum by (job) (rate(http_requests_total[5m])) > 0.05",
        300,
        Severity::Critical,
        "{{ or $labels.feature $labels.job }} fails {{ $value | humanizePercentage }} of the time",
    ),
    (
        "default-latency",
        "The 95th percentile of 5 minutes is above a second.",
        "histogram_quantile(0.95, \
         sum by (job, le) (rate(http_request_duration_seconds_bucket[5m]))) > 1 \
         or quantile_over_time(0.95, vedette_outcome_latency_ms[5m]) / 1000 > 1",
        300,
        Severity::Warning,
        "{{ or $labels.feature $labels.job }} takes {{ $value | humanizeDuration }} (p95)",
    ),
    (
        "default-availability",
        "A check was up less than 99 % of the last hour.",
        "avg_over_time(vedette_check_up[1h]) < 0.99",
        300,
        Severity::Warning,
        "{{ $labels.check }} was up {{ $value | humanizePercentage }} of the last hour",
    ),
    (
        "default-cost",
        "The last hour cost more than twice the mean hour of the last day.",
        "sum by (feature) (increase(vedette_outcome_cost_total[1h])) \
         > 2 * sum by (feature) (increase(vedette_outcome_cost_total[1d])) / 24",
        900,
        Severity::Warning,
        "{{ $labels.feature }} cost {{ $value | humanize }} within an hour, twice as much as usual",
    ),
];

/// The built-in rules.
pub fn default_rules() -> Vec<RuleDefinition> {
    BUILT.iter().filter_map(definition).collect()
}

fn definition(
    (name, description, expr, hold, severity, summary): &Built,
) -> Option<RuleDefinition> {
    Some(RuleDefinition {
        name: Name::new(*name).ok()?,
        description: (*description).to_owned(),
        expr: Some((*expr).to_owned()),
        metric: None,
        labels: BTreeMap::new(),
        aggregate: crate::model::Aggregate::Avg,
        operator: None,
        threshold: None,
        exit_threshold: None,
        window: None,
        hold: Period::from_secs(*hold),
        keep_firing_for: Period::from_secs(0),
        interval: None,
        severity: *severity,
        cooldown: None,
        channels: Vec::new(),
        alert_labels: BTreeMap::new(),
        annotations: BTreeMap::from([("summary".to_owned(), (*summary).to_owned())]),
        // What stops reporting is for checks to find; a rate that is gone is no breach.
        on_no_data: OnFailure::Ok,
        on_error: OnFailure::Hold,
        mode: crate::model::RuleMode::Active,
        limit: None,
        runbook: String::new(),
        feature: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Origin;
    use crate::rules::compile;

    #[test]
    fn every_built_in_rule_compiles() {
        assert_eq!(default_rules().len(), BUILT.len());
        for definition in default_rules() {
            let compiled = compile(&definition, Origin::Default).expect("valid");
            assert!(compiled.rule.waits_for_data);
        }
    }
}
