//! What was measured of one unit.

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;

/// The largest value, either way, that is taken: its cube is still a number.
pub const VALUE_ABS_MAX: f64 = 1e100;

/// One result as it is sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultEntry {
    /// The unit: a user, a session, a request. Without one, every result is a unit of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The variant; may be left out of a unit that was exposed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The metric.
    pub metric: String,
    /// The value, of all metrics but ratios.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Of a ratio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numerator: Option<f64>,
    /// Of a ratio; 1 unless it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denominator: Option<f64>,
    /// What was known of the unit before it was exposed, for CUPED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariate: Option<f64>,
    /// So many units with this very value; without `unit` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// When it was measured; when it arrived unless it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// What makes it this result: another of the same id is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// What a unit's results of one metric come to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnitValue {
    /// The value, or the numerator of a ratio.
    pub value: f64,
    /// The denominator of a ratio; 1 otherwise.
    pub denominator: f64,
    /// What was known before.
    pub covariate: Option<f64>,
}
