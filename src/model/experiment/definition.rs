//! An experiment as people define it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{GuardrailDefinition, MetricDefinition};
use crate::model::{Name, Period, Timestamp};

/// What kind of experiment it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExperimentKind {
    /// Variants side by side.
    AbTest,
    /// All combinations of factors' levels side by side.
    Multivariate,
    /// One variant beside the control, its share growing in steps.
    Canary,
    /// All traffic on one of two variants, switched at once, and back.
    BlueGreen,
}

/// One arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VariantDefinition {
    /// Its name.
    pub name: Name,
    /// More than a name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its share of the units in the experiment, by the sum of all weights; 0 or more.
    #[serde(default)]
    pub traffic_weight: f64,
    /// Whether the others are compared with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_control: bool,
    /// What an application gets that asks: any JSON.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub configuration: Value,
    /// Of a multivariate experiment: the level of each factor. Made from the factors when no
    /// variants are given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub levels: BTreeMap<String, String>,
}

/// What varies in a multivariate experiment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Factor {
    /// Its name.
    pub name: Name,
    /// Its levels, two or more; the first is the one to compare with.
    pub levels: Vec<Name>,
}

/// A step of a canary.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CanaryStep {
    /// The canary's share in percent, above 0 up to 100.
    pub traffic: f64,
    /// How long it stays so before the next step; the last one stays.
    #[serde(default)]
    pub hold: Period,
}

/// Experiments of one namespace share no unit: each takes a range of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// The range's beginning, 0 to 1, included.
    pub from: f64,
    /// Its end, 0 to 1, not included.
    pub to: f64,
}

/// Units that are in none of the experiments with the same hold-out, so that all of them together
/// can be judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldOut {
    /// Its name; the same name holds out the same units.
    pub name: String,
    /// How many of all units, in percent.
    pub percent: f64,
}

/// How results are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnalysisMethod {
    /// Right at any time, however often somebody looks.
    #[default]
    Sequential,
    /// Right once, at the planned end.
    Fixed,
}

/// How several comparisons are kept from finding something by chance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Correction {
    /// Holm's over the primary metrics (any error at most α), Benjamini–Hochberg's over the
    /// secondary ones.
    #[default]
    Holm,
    /// Benjamini–Hochberg's over each of both.
    BenjaminiHochberg,
    /// None.
    None,
}

/// How results are judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnalysisDefinition {
    /// Sequential, or at a fixed horizon.
    pub method: AnalysisMethod,
    /// How often a difference may be found where there is none: 0.05.
    pub alpha: f64,
    /// Against chance among many comparisons.
    pub correction: Correction,
    /// Whether values are adjusted by the unit's covariate where results carry one (CUPED).
    pub cuped: bool,
    /// How many units in all the sequence is tuned for; right at any number, tightest there.
    pub tuned_for: u64,
    /// Until so long after the end results of enrolled units are taken.
    pub late_results: Period,
}

impl Default for AnalysisDefinition {
    fn default() -> Self {
        AnalysisDefinition {
            method: AnalysisMethod::Sequential,
            alpha: 0.05,
            correction: Correction::Holm,
            cuped: true,
            tuned_for: 5_000,
            late_results: Period::from_secs(7 * 86_400),
        }
    }
}

/// An experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentDefinition {
    /// Its name; the label `experiment` of metrics.
    pub name: Name,
    /// What kind it is.
    #[serde(default = "ab_test")]
    pub kind: ExperimentKind,
    /// More than a name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What is expected, and why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hypothesis: String,
    /// The feature that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<Name>,
    /// How many of all units take part, in percent; 100.
    #[serde(default = "everybody")]
    pub traffic_allocation: f64,
    /// The arms.
    #[serde(default)]
    pub variants: Vec<VariantDefinition>,
    /// What varies; of a multivariate experiment alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub factors: Vec<Factor>,
    /// The steps of a canary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<CanaryStep>,
    /// What is measured.
    pub metrics: Vec<MetricDefinition>,
    /// What stops it. A metric with the role `guardrail` that is not among them pauses it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guardrails: Vec<GuardrailDefinition>,
    /// Who may take part: a condition on the unit's attributes, as GrowthBook has them
    /// (`{"country": {"$in": ["NL", "BE"]}}`).
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub targeting: Value,
    /// Which part of which namespace it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// Which units are in no experiment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_out: Option<HoldOut>,
    /// Whether a unit keeps its variant when weights change.
    #[serde(default = "yes")]
    pub sticky: bool,
    /// What the hash is salted with; the name when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub seed: String,
    /// Units that always get a certain variant, for trying it out; they are in no analysis.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub forced: BTreeMap<String, Name>,
    /// When it starts by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<Timestamp>,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_at: Option<Timestamp>,
    /// How results are judged.
    #[serde(default)]
    pub analysis: AnalysisDefinition,
    /// What an application gets that asks, whatever the variant: any JSON. A variant's own
    /// configuration is merged over it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub configuration: Value,
    /// Who made it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub created_by: String,
    /// Labels of its incidents.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

fn ab_test() -> ExperimentKind {
    ExperimentKind::AbTest
}

fn everybody() -> f64 {
    100.0
}

fn yes() -> bool {
    true
}

impl ExperimentDefinition {
    /// What the hash is salted with.
    pub fn hash_seed(&self) -> &str {
        if self.seed.is_empty() { self.name.as_str() } else { &self.seed }
    }

    /// The control, by its place among the variants.
    pub fn control(&self) -> Option<usize> {
        self.variants.iter().position(|variant| variant.is_control)
    }

    /// A variant's place.
    pub fn variant(&self, name: &str) -> Option<usize> {
        self.variants.iter().position(|variant| variant.name.as_str() == name)
    }

    /// A metric's place.
    pub fn metric(&self, name: &str) -> Option<usize> {
        self.metrics.iter().position(|metric| metric.name == name)
    }
}
