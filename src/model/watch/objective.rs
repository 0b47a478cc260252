//! What people promise of a service.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Definition, Severity};
use crate::model::{Name, Period};

/// The shortest and the longest window (ms): a day, and 400 days.
const WINDOW_MS: (i64, i64) = (86_400_000, 400 * 86_400_000);

/// An objective: of all events in a window, this share is good. From it follow series of the error
/// budget and alerts on how fast it burns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectiveDefinition {
    /// Its name; the label `slo` of its series and alerts.
    pub name: Name,
    /// The share of good events, below 1: `0.999`.
    pub objective: f64,
    /// Over which time. 30 days unless set.
    #[serde(default = "thirty_days")]
    pub window: Period,
    /// How many events there are per second, with `$window` for the range:
    /// `sum(rate(http_requests_total[$window]))`.
    pub total: String,
    /// How many of them are bad, with the same labels: `sum(rate(http_requests_total{code=~"5.."}
    /// [$window]))`.
    pub errors: String,
    /// More than a name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Labels that its series and alerts get.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations that its alerts get.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// How bad it is when the budget burns so fast that somebody must act now.
    #[serde(default = "critical")]
    pub page: Severity,
    /// How bad it is when the budget will not last, and there is time.
    #[serde(default)]
    pub ticket: Severity,
    /// Whether it is evaluated.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn thirty_days() -> Period {
    Period::from_secs(30 * 86_400)
}

fn critical() -> Severity {
    Severity::Critical
}

fn yes() -> bool {
    true
}

impl Definition for ObjectiveDefinition {
    const NOUN: &'static str = "objective";

    fn name(&self) -> &Name {
        &self.name
    }

    fn check(&self) -> Result<(), String> {
        if !(self.objective > 0.0 && self.objective < 1.0) {
            return Err(format!(
                "objective: {} is no share between 0 and 1; write 0.999 for 99.9 %",
                self.objective
            ));
        }
        if !(WINDOW_MS.0..=WINDOW_MS.1).contains(&self.window.millis()) {
            return Err(format!("window: {} is not from 1d to 400d", self.window));
        }
        for (field, query) in [("total", &self.total), ("errors", &self.errors)] {
            if !query.contains("$window") {
                return Err(format!(
                    "{field}: has no range to put in; write it with $window, as in \
                     sum(rate(requests_total[$window]))"
                ));
            }
        }
        Ok(())
    }
}
