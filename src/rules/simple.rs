//! The simple form of a rule: a metric, how its samples are joined over a window, and what the
//! outcome is compared with.

use crate::model::{Aggregate, Operator, Period, RuleDefinition};
use crate::promql::quote;

/// How far back the simple form looks unless it says.
const WINDOW: Period = Period::from_secs(300);

/// The PromQL of what is measured: one value per series of the metric.
pub(super) fn measured(definition: &RuleDefinition, metric: &str) -> String {
    let mut matchers = Vec::new();
    let is_classic = crate::model::is_classic_metric_name(metric);
    if !is_classic {
        matchers.push(quote(metric));
    }
    for (name, value) in &definition.labels {
        let name = match crate::model::is_classic_label_name(name) {
            true => name.clone(),
            false => quote(name),
        };
        matchers.push(format!("{name}={}", quote(value)));
    }
    let name = if is_classic { metric } else { "" };
    let braces = match matchers.is_empty() {
        true => String::new(),
        false => format!("{{{}}}", matchers.join(",")),
    };
    let series = format!("{name}{braces}[{}]", window(definition));
    match definition.aggregate {
        Aggregate::Avg => format!("avg_over_time({series})"),
        Aggregate::Min => format!("min_over_time({series})"),
        Aggregate::Max => format!("max_over_time({series})"),
        Aggregate::Sum => format!("sum_over_time({series})"),
        Aggregate::Count => format!("count_over_time({series})"),
        Aggregate::Last => format!("last_over_time({series})"),
        Aggregate::P50 => format!("quantile_over_time(0.5, {series})"),
        Aggregate::P90 => format!("quantile_over_time(0.9, {series})"),
        Aggregate::P95 => format!("quantile_over_time(0.95, {series})"),
        Aggregate::P99 => format!("quantile_over_time(0.99, {series})"),
    }
}

/// How far back it looks.
pub(super) fn window(definition: &RuleDefinition) -> Period {
    definition.window.unwrap_or(WINDOW)
}

/// The operator in PromQL.
pub(super) const fn sign(operator: Operator) -> &'static str {
    match operator {
        Operator::Above => ">",
        Operator::Below => "<",
        Operator::AtLeast => ">=",
        Operator::AtMost => "<=",
        Operator::Equal => "==",
        Operator::NotEqual => "!=",
    }
}

/// The word in JSON.
pub(super) const fn word(aggregate: Aggregate) -> &'static str {
    match aggregate {
        Aggregate::Avg => "avg",
        Aggregate::Min => "min",
        Aggregate::Max => "max",
        Aggregate::Sum => "sum",
        Aggregate::Count => "count",
        Aggregate::Last => "last",
        Aggregate::P50 => "p50",
        Aggregate::P90 => "p90",
        Aggregate::P95 => "p95",
        Aggregate::P99 => "p99",
    }
}
