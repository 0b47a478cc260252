//! When people are not told.

use serde::{Deserialize, Serialize};

use super::{Definition, Matchers};
use crate::model::{CronSchedule, Name, Period, Timestamp};

/// A silence: nobody is told of matching alerts while it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Silence {
    /// A UUIDv7.
    #[serde(default)]
    pub id: uuid::Uuid,
    /// Which alerts.
    pub matchers: Matchers,
    /// From when; not before it was made.
    pub starts_at: Timestamp,
    /// Until when: there is always an end.
    pub ends_at: Timestamp,
    /// When it comes again; `starts_at` and `ends_at` then bound the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurrence: Option<Recurrence>,
    /// Who made it.
    #[serde(default)]
    pub created_by: String,
    /// Why.
    #[serde(default)]
    pub comment: String,
    /// When it was last changed.
    #[serde(default)]
    pub updated_at: Timestamp,
}

/// A time that comes again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recurrence {
    /// When each one begins: five fields of cron.
    pub cron: String,
    /// How long each one lasts.
    pub duration: Period,
    /// In which zone the clock is read (`Europe/Amsterdam`); UTC when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub zone: String,
}

/// A time in which work is done on something: its checks and alerts are expected to fail. Alerts
/// are silenced, and uptime leaves the time out and shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceWindow {
    /// Its name.
    pub name: Name,
    /// Which alerts and checks (a check has the labels of its alert).
    pub matchers: Matchers,
    /// From when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// Until when; mandatory unless it recurs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// When it comes again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurrence: Option<Recurrence>,
    /// Who made it.
    #[serde(default)]
    pub created_by: String,
    /// Why.
    #[serde(default)]
    pub comment: String,
}

impl Definition for MaintenanceWindow {
    const NOUN: &'static str = "maintenance window";

    fn name(&self) -> &Name {
        &self.name
    }

    fn check(&self) -> Result<(), String> {
        if self.ends_at.is_none() && self.recurrence.is_none() {
            return Err("ends_at: a window needs an end, or a recurrence".to_owned());
        }
        if let (Some(from), Some(until)) = (self.starts_at, self.ends_at)
            && until <= from
        {
            return Err("ends_at: must be after starts_at".to_owned());
        }
        if let Some(Recurrence { cron, duration, zone }) = &self.recurrence {
            CronSchedule::parse(cron, zone).map_err(|error| format!("recurrence: {error}"))?;
            if duration.millis() == 0 {
                return Err("recurrence: duration: must be more than nothing (\"2h\")".to_owned());
            }
        }
        Ok(())
    }
}

/// While a source alert fires, matching targets are not told (`inhibit_rules` of Alertmanager).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inhibition {
    /// What the alert that explains must match.
    pub source_matchers: Matchers,
    /// What the alert that is left out must match.
    pub target_matchers: Matchers,
    /// Labels in which both must agree.
    pub equal: Vec<String>,
}
