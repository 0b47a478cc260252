//! What an experiment is to change.

use serde::{Deserialize, Serialize};

/// What a metric is about; says how it is shown, and what is usual for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricKind {
    /// Whether a unit did something: 0 or 1.
    Conversion,
    /// How long something took, in milliseconds.
    Latency,
    /// How often something was right, or how right.
    Accuracy,
    /// What people say: stars, thumbs.
    Satisfaction,
    /// Money, in one currency throughout.
    Cost,
    /// Anything else.
    #[default]
    Custom,
}

/// What is estimated of a metric, over units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Estimator {
    /// The mean of units' values.
    #[default]
    Mean,
    /// The share of units with 1; values are 0 or 1.
    Proportion,
    /// The sum of numerators by the sum of denominators.
    Ratio,
    /// A quantile of units' values, none of them negative.
    Quantile,
}

/// Which way is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

/// What a metric decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricRole {
    /// The experiment is about it.
    #[default]
    Primary,
    /// Worth knowing.
    Secondary,
    /// It may not become worse by more than the margin.
    Guardrail,
}

/// What several values of one unit come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitAggregate {
    /// Their sum.
    Sum,
    /// The last that arrived.
    Last,
    /// The first that arrived.
    First,
    /// The largest.
    Max,
}

/// A success metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricDefinition {
    /// Its name within the experiment, as results and outcomes have it: up to 63 of letters,
    /// digits, `_`, `-` and `.`.
    pub name: String,
    /// More than a name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it is about.
    #[serde(default)]
    pub kind: MetricKind,
    /// What is estimated.
    #[serde(default)]
    pub estimator: Estimator,
    /// Which quantile, above 0 and below 1; of `quantile` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantile: Option<f64>,
    /// Which way is good.
    pub better: Better,
    /// What it decides.
    #[serde(default)]
    pub role: MetricRole,
    /// What several results of one unit come to: of proportions the largest, of quantiles the
    /// last, else their sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregate: Option<UnitAggregate>,
    /// What is hoped for, on the metric's own scale; shown, never tested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
    /// The smallest difference worth finding, absolute, above 0: for power and planning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_detectable_effect: Option<f64>,
    /// Of a guardrail: how much worse it may become, absolute, 0 or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
    /// A unit's value below this counts as this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap_low: Option<f64>,
    /// A unit's value above this counts as this. A fixed bound, never taken from the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap_high: Option<f64>,
}

impl MetricDefinition {
    /// What several values of one unit come to.
    pub fn unit_aggregate(&self) -> UnitAggregate {
        self.aggregate.unwrap_or(match self.estimator {
            Estimator::Proportion => UnitAggregate::Max,
            Estimator::Quantile => UnitAggregate::Last,
            Estimator::Mean | Estimator::Ratio => UnitAggregate::Sum,
        })
    }
}
