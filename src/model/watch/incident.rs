//! An alert's life as people see it.

use serde::{Deserialize, Serialize};

use super::{Alert, AlertKey, Escalation, Severity};
use crate::model::{Name, Timestamp};

/// A UUIDv7.
pub type IncidentId = uuid::Uuid;

/// How far people have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IncidentStatus {
    /// Nobody has taken it.
    Open,
    /// Somebody has.
    Acknowledged,
    /// It is over.
    Resolved,
}

impl IncidentStatus {
    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            IncidentStatus::Open => "open",
            IncidentStatus::Acknowledged => "acknowledged",
            IncidentStatus::Resolved => "resolved",
        }
    }
}

/// What happened to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimelineKind {
    /// It began.
    Opened,
    /// Its alert fired again after the end.
    Reopened,
    /// Somebody took it.
    Acknowledged,
    /// It was given to somebody.
    Assigned,
    /// Nobody is to be told until a time.
    Snoozed,
    /// The snooze is over.
    Woken,
    /// A note was written.
    Noted,
    /// It became worse or better.
    SeverityChanged,
    /// The alert ended by itself.
    AutoResolved,
    /// Somebody ended it.
    Resolved,
    /// A channel is to be told.
    Notified,
    /// A channel was told, or given up.
    Delivered,
    /// Nobody is told, and why.
    Suppressed,
    /// The next step of its escalation was taken.
    Escalated,
    /// A person wrote its title anew.
    Edited,
    /// The alert of an incident that a person had resolved ended, or the other way round: the
    /// status of the incident stays.
    AlertChanged,
}

/// One entry of the timeline, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: TimelineKind,
    /// Who: a person, a token's name, or empty for vedette.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// In words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// A note that a person wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What.
    pub text: String,
}

/// What explains an alert, frozen when it fired. All parts are optional and bounded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// The rule's expression or the check's failed conditions.
    pub expression: String,
    /// Samples around the breach: series and its points `[Unix ms, value]`.
    pub samples: Vec<(String, Vec<(i64, f64)>)>,
    /// The last result of a check, as JSON of [`super::CheckResult`].
    pub check_result: Option<serde_json::Value>,
    /// The beginning of what was answered.
    pub response_excerpt: String,
    /// Log lines of the time.
    pub log_lines: Vec<String>,
}

/// An incident. Its timeline, notes and evidence are kept beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// A number for people, counted up from 1.
    pub number: u64,
    /// What makes two alerts the same incident.
    pub key: AlertKey,
    /// The alert, as of its last update. `severity` there is the source's; below the incident's.
    pub alert: Alert,
    /// How far people have come.
    pub status: IncidentStatus,
    /// Whether the alert still fires. A person may resolve an incident whose alert does; it
    /// reopens only after the alert ended and fired again.
    pub firing: bool,
    /// The worst that it was or that a person made of it.
    pub severity: Severity,
    /// A line for people.
    pub title: String,
    /// More than a line.
    #[serde(default)]
    pub description: String,
    /// When it opened (or reopened).
    pub triggered_at: Timestamp,
    /// When the alert ended.
    pub ended_at: Option<Timestamp>,
    /// When somebody took it.
    pub acknowledged_at: Option<Timestamp>,
    /// Who.
    pub acknowledged_by: Option<String>,
    /// When it was over.
    pub resolved_at: Option<Timestamp>,
    /// Who ended it; `None`: by itself.
    pub resolved_by: Option<String>,
    /// Whose it is.
    pub assignee: Option<String>,
    /// Until when nobody is told.
    pub snoozed_until: Option<Timestamp>,
    /// The steps of escalation, fixed when it opened.
    #[serde(default)]
    pub escalations: Vec<Escalation>,
    /// How many of them were taken.
    #[serde(default)]
    pub escalated: usize,
    /// Channels that were told (or are to be told, durably) that it fires, and not yet that it
    /// ended.
    #[serde(default)]
    pub told: Vec<Name>,
    /// Counts what was decided to be told; part of every delivery's idempotency key.
    #[serde(default)]
    pub sequence: u64,
    /// Counts changes; who changes it says which version was seen.
    pub version: u64,
    /// When it was last changed.
    #[serde(default)]
    pub updated_at: Timestamp,
    /// Who changed it last; empty: vedette.
    #[serde(default)]
    pub updated_by: String,
    /// Why nobody is told of it at present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<String>,
    /// Until when its cooldown keeps people from being told that it began again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_until: Option<Timestamp>,
    /// How many entries its timeline has had.
    #[serde(default)]
    pub timeline_entries: u64,
    /// How many notes it has.
    #[serde(default)]
    pub notes: u64,
}
