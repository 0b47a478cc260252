//! What is told, to whom, and how far that has come.

use serde::{Deserialize, Serialize};

use super::{AlertKey, IncidentId, Severity};
use crate::model::{Labels, Name, Timestamp};

/// Why somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationReason {
    /// Something began, or joined its group.
    Firing,
    /// Something ended.
    Resolved,
    /// It goes on.
    Repeat,
    /// Nobody has taken it.
    Escalation,
    /// Another channel cannot be reached.
    Fallback,
    /// Somebody pressed the test button.
    Test,
}

/// One alert of a notification, as it was when that was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotifiedAlert {
    /// The incident; nil for a test.
    pub incident: IncidentId,
    /// The incident's number.
    pub number: u64,
    /// What identifies the alert.
    pub key: AlertKey,
    /// Whether it fires; otherwise it ended.
    pub firing: bool,
    /// The alert's labels.
    pub labels: Labels,
    /// The alert's texts.
    pub annotations: Vec<(String, String)>,
    /// The incident's severity.
    pub severity: Severity,
    /// The incident's title.
    pub title: String,
    /// The alert's value.
    pub value: Option<f64>,
    /// Since when.
    pub starts_at: Timestamp,
    /// Until when.
    pub ends_at: Option<Timestamp>,
    /// Where to look at its source.
    pub generator_url: String,
    /// Who took it.
    pub acknowledged_by: Option<String>,
}

/// What one channel is told at once: a group of alerts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Why.
    pub reason: NotificationReason,
    /// Identifies the group (`{}/{severity="critical"}:{alertname="Down"}`, as Alertmanager's).
    pub group_key: String,
    /// The labels that the group's alerts share by its making.
    pub group_labels: Labels,
    /// Its alerts: those that fire first, each kind by start.
    pub alerts: Vec<NotifiedAlert>,
    /// How many more there were.
    #[serde(default)]
    pub truncated: u64,
    /// Where people find vedette.
    pub external_url: String,
}

/// How far a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It waits, for the first or another attempt.
    Pending,
    /// The other side has taken it.
    Delivered,
    /// It was given up; it can be sent again by hand.
    Dead,
    /// A later one told the same and more.
    Superseded,
}

/// One notification on its way to one channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// A UUIDv7.
    pub id: uuid::Uuid,
    /// Whom.
    pub channel: Name,
    /// What.
    pub notification: Notification,
    /// The group that decided it (its id, not Alertmanager's key); empty: none did.
    #[serde(default)]
    pub group: String,
    /// Counts within the group; a later one supersedes earlier ones that were not delivered.
    pub sequence: u64,
    /// Incidents that the channel first hears of by this: if it is given up, they are untold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first_told: Vec<IncidentId>,
    /// Whether the channel's stand-in was told in its place.
    #[serde(default)]
    pub fell_back: bool,
    /// The same for every attempt, and for a resend after a crash.
    pub idempotency_key: String,
    /// How far.
    pub state: DeliveryState,
    /// When it was decided.
    pub created_at: Timestamp,
    /// Attempts so far.
    pub attempts: u32,
    /// The next one.
    pub next_attempt_at: Timestamp,
    /// Why the last one failed.
    #[serde(default)]
    pub last_error: Option<String>,
    /// When it was taken or given up.
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
}

impl Delivery {
    /// Whether this one must wait for an earlier one that still waits: both tell the same channel
    /// of an incident that they share.
    pub fn must_follow(&self, earlier: &Delivery) -> bool {
        let alerts = &earlier.notification.alerts;
        self.channel == earlier.channel
            && self.id > earlier.id
            && self.notification.alerts.iter().any(|alert| {
                !alert.incident.is_nil() && alerts.iter().any(|e| e.incident == alert.incident)
            })
    }
}
