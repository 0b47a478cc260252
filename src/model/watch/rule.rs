//! A rule of ours, as people define it over the API or in the settings.

use serde::{Deserialize, Serialize};

use super::{Definition, Severity};
use crate::model::{Labels, Name, Period};

/// How the simple form joins the samples of its window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aggregate {
    /// The mean.
    #[default]
    Avg,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The sum.
    Sum,
    /// How many.
    Count,
    /// The newest.
    Last,
    /// The median.
    P50,
    /// The 90th percentile.
    P90,
    /// The 95th percentile.
    P95,
    /// The 99th percentile.
    P99,
}

/// How the simple form compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operator {
    /// `>`
    #[serde(rename = ">")]
    Above,
    /// `<`
    #[serde(rename = "<")]
    Below,
    /// `>=`
    #[serde(rename = ">=")]
    AtLeast,
    /// `<=`
    #[serde(rename = "<=")]
    AtMost,
    /// `=`, also written `==`
    #[serde(rename = "=", alias = "==")]
    Equal,
    /// `!=`
    #[serde(rename = "!=")]
    NotEqual,
}

/// What happens when there is no data, or no answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// Everything stays as it is.
    #[default]
    Hold,
    /// It fires.
    Alert,
    /// It ends.
    Ok,
}

/// Whether a rule counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleMode {
    /// It does.
    #[default]
    Active,
    /// It is evaluated and what it would have told is noted, and nobody is told.
    Shadow,
    /// It is not evaluated.
    Paused,
}

/// A rule: `expr`, or the simple form of `metric`, `operator` and `threshold`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleDefinition {
    /// Its name.
    pub name: Name,
    /// In words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// PromQL: fires for every element of its result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expr: Option<String>,
    /// The simple form: which metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// The simple form: labels that its series have. With `expr`: labels that its alerts get,
    /// which may be templates.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub labels: std::collections::BTreeMap<String, String>,
    /// The simple form: how samples of the window are joined.
    #[serde(default)]
    pub aggregate: Aggregate,
    /// How it compares; with `expr` only for `exit_threshold`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Operator>,
    /// What with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Once firing, it ends only beyond this one (hysteresis).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_threshold: Option<f64>,
    /// The simple form: how far back it looks; 300 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Period>,
    /// How long it must hold before it fires; 0.
    #[serde(default, rename = "for")]
    pub hold: Period,
    /// How long it goes on firing after it held last; 0.
    #[serde(default)]
    pub keep_firing_for: Period,
    /// How often it is evaluated; 15 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Period>,
    /// How bad it is.
    #[serde(default)]
    pub severity: Severity,
    /// After an end, so long nobody is told of a new beginning; 900 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<Period>,
    /// Who is told; the routes decide when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Name>,
    /// Labels that its alerts get; may be templates.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub alert_labels: std::collections::BTreeMap<String, String>,
    /// Texts for people; may be templates.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub annotations: std::collections::BTreeMap<String, String>,
    /// What no data means.
    #[serde(default)]
    pub on_no_data: OnFailure,
    /// What a failed evaluation means.
    #[serde(default)]
    pub on_error: OnFailure,
    /// Whether it counts.
    #[serde(default)]
    pub mode: RuleMode,
    /// The most alerts that it may have at once; 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Where to read what to do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub runbook: String,
    /// What it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<Name>,
}

impl RuleDefinition {
    /// The labels that the simple form selects by.
    pub fn selecting_labels(&self) -> Labels {
        match self.metric {
            Some(_) => Labels::from_pairs(&self.labels).unwrap_or_default(),
            None => Labels::empty(),
        }
    }
}

impl Definition for RuleDefinition {
    const NOUN: &'static str = "rule";

    fn name(&self) -> &Name {
        &self.name
    }

    fn check(&self) -> Result<(), String> {
        match (&self.expr, &self.metric) {
            (None, None) => Err("expr: a rule needs expr (PromQL), or metric, operator and \
                                 threshold"
                .to_owned()),
            (Some(_), Some(_)) => {
                Err("metric: a rule has either expr or metric, not both".to_owned())
            }
            (None, Some(_)) if self.operator.is_none() || self.threshold.is_none() => {
                Err("threshold: a rule with metric needs operator and threshold".to_owned())
            }
            _ => Ok(()),
        }
    }
}
