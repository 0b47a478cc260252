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
        "sum by (feature) (increase(vedette_outcomes_total{feature!=\"\",ok=\"false\"}[5m] anchored)) \
         / sum by (feature) (increase(vedette_outcomes_total{feature!=\"\"}[5m] anchored)) > 0.05 \
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
         or histogram_quantile(0.95, sum by (feature) \
         (increase(vedette_outcome_duration_seconds{feature!=\"\"}[5m] anchored))) > 1",
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
        "The last hour cost more than twice the mean hour of the last day, of features that had \
         a cost a day ago.",
        "sum by (feature) (increase(vedette_outcome_cost_total{feature!=\"\"}[1h] anchored)) \
         > 2 * sum by (feature) (increase(vedette_outcome_cost_total{feature!=\"\"}[1d] anchored)) / 24 \
         and sum by (feature) (vedette_outcome_cost_total{feature!=\"\"} offset 1d)",
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
    use crate::rules::unit_test::TestFile;
    use crate::rules::{RuleFile, compile};

    /// A test of promtool's form over one of the rules.
    fn holds(rule: &str, test: &str) {
        let definitions = default_rules();
        let definition =
            definitions.iter().find(|one| one.name.as_str() == rule).expect("built in");
        let group = compile(definition, Origin::Default).expect("valid").group;
        let text = format!("evaluation_interval: 1m\ntests:\n- interval: 1m\n{test}");
        let file = TestFile::parse("defaults", &text).expect("a test");
        let results =
            file.run(&[RuleFile { name: "defaults".to_owned(), groups: vec![group] }], &|_| true);
        assert_eq!(results.len(), 1);
        assert!(results[0].failures.is_empty(), "{:?}", results[0].failures);
    }

    #[test]
    fn every_built_in_rule_compiles() {
        assert_eq!(default_rules().len(), BUILT.len());
        for definition in default_rules() {
            let compiled = compile(&definition, Origin::Default).expect("valid");
            assert!(compiled.rule.waits_for_data);
        }
    }

    #[test]
    fn a_feature_whose_outcomes_fail_breaches_and_another_does_not() {
        // 1 of 10 fails for a while, of the other feature 1 of 100; five minutes of it are asked
        // for.
        holds(
            "default-error-rate",
            "  input_series:
  - {series: 'vedette_outcomes_total{feature=\"search\",ok=\"true\"}', values: '0+9x30'}
  - {series: 'vedette_outcomes_total{feature=\"search\",ok=\"false\"}', values: '0+1x30'}
  - {series: 'vedette_outcomes_total{feature=\"cart\",ok=\"true\"}', values: '0+99x30'}
  - {series: 'vedette_outcomes_total{feature=\"cart\",ok=\"false\"}', values: '0+1x30'}
  promql_expr_test:
  - expr: count(ALERTS{alertname=\"default-error-rate\",alertstate=\"firing\"})
    eval_time: 4m
  - expr: count by (feature) (ALERTS{alertname=\"default-error-rate\",alertstate=\"firing\"})
    eval_time: 10m
    exp_samples: [{labels: '{feature=\"search\"}', value: 1}]
",
        );
    }

    #[test]
    fn a_feature_that_is_slow_breaches() {
        // Index 0 of schema 0 is (0.5 s, 1 s], index 2 (2 s, 4 s].
        holds(
            "default-latency",
            "  input_series:
  - {series: 'vedette_outcome_duration_seconds{feature=\"cart\"}', values: '{{schema:0 count:0 sum:0 buckets:[0 0 0]}}+{{schema:0 count:10 sum:9 buckets:[10 0 0]}}x30'}
  - {series: 'vedette_outcome_duration_seconds{feature=\"search\"}', values: '{{schema:0 count:0 sum:0 buckets:[0 0 0]}}+{{schema:0 count:10 sum:30 buckets:[5 0 5]}}x30'}
  promql_expr_test:
  - expr: count(ALERTS{alertname=\"default-latency\",feature=\"search\",alertstate=\"firing\"})
    eval_time: 10m
    exp_samples: [{labels: '{}', value: 1}]
  - expr: count(ALERTS{alertname=\"default-latency\",feature=\"cart\"})
    eval_time: 10m
",
        );
    }

    #[test]
    fn a_dear_hour_breaches_after_a_day_and_a_new_feature_does_not() {
        // Search costs 1 a minute for 25 hours and 10 a minute then; cart only begins then.
        holds(
            "default-cost",
            "  input_series:
  - {series: 'vedette_outcome_cost_total{feature=\"search\"}', values: '0+1x1500 1510+10x120'}
  - {series: 'vedette_outcome_cost_total{feature=\"cart\"}', values: '_x1500 0+10x120'}
  promql_expr_test:
  - expr: count(ALERTS{alertname=\"default-cost\"})
    eval_time: 1500m
  - expr: count by (feature) (ALERTS{alertname=\"default-cost\",alertstate=\"firing\"})
    eval_time: 1560m
    exp_samples: [{labels: '{feature=\"search\"}', value: 1}]
",
        );
    }
}
