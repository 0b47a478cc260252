//! Features and providers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Definition, Name};

/// Whether a feature is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureStatus {
    /// It is.
    #[default]
    Active,
    /// It is not.
    Inactive,
    /// It is being worked on.
    Maintenance,
}

/// PromQL in place of the outcomes, with `$window` for the range of time. What is left out is
/// taken from outcomes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeatureQueries {
    /// Requests within the window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<String>,
    /// Failed requests within the window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<String>,
    /// The mean latency in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_mean: Option<String>,
    /// The latency in seconds at a quantile, with `$quantile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_quantile: Option<String>,
    /// The cost within the window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    /// The share of time in which it was available, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability: Option<String>,
}

/// Something that the team runs and watches as a unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureDefinition {
    /// Its name; the label `feature`.
    pub name: Name,
    /// A name for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    /// More than a name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether it is in use.
    #[serde(default)]
    pub status: FeatureStatus,
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Where its figures come from, if not from outcomes.
    #[serde(default)]
    pub queries: FeatureQueries,
    /// The p95 latency in milliseconds that is good enough, for the health score; 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_target_ms: Option<f64>,
}

/// An outside service that features depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderDefinition {
    /// Its name; the label `provider`.
    pub name: Name,
    /// A name for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    /// More than a name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Definition for FeatureDefinition {
    const NOUN: &'static str = "feature";

    fn name(&self) -> &Name {
        &self.name
    }

    fn check(&self) -> Result<(), String> {
        match self.latency_target_ms {
            Some(target) if !(target.is_finite() && target > 0.0) => {
                Err("latency_target_ms: above 0, in milliseconds".to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl Definition for ProviderDefinition {
    const NOUN: &'static str = "provider";

    fn name(&self) -> &Name {
        &self.name
    }

    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}
