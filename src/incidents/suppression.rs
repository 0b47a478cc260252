//! Why nobody is told of an alert that fires.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{Labels, Timestamp};

/// What keeps people from being told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuppressionKind {
    /// A silence.
    Silence,
    /// A maintenance window.
    Maintenance,
    /// Another alert that explains it.
    Inhibition,
    /// Somebody wants to be left alone with it for a time.
    Snooze,
    /// It ended a short while ago.
    Cooldown,
    /// No route takes it, or no channel is there to be told.
    NoChannel,
}

impl SuppressionKind {
    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            SuppressionKind::Silence => "silence",
            SuppressionKind::Maintenance => "maintenance",
            SuppressionKind::Inhibition => "inhibition",
            SuppressionKind::Snooze => "snooze",
            SuppressionKind::Cooldown => "cooldown",
            SuppressionKind::NoChannel => "no_channel",
        }
    }
}

/// Why nobody is told, as it is stated in a timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    /// What keeps them from it.
    pub kind: SuppressionKind,
    /// Which: a silence's id, a window's name, the key of the alert that explains.
    #[serde(default)]
    pub id: String,
    /// In words, for people: who, why and until when.
    pub text: String,
}

impl fmt::Display for Suppression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What is asked before anybody is told that an alert fires. Ends are never suppressed: whoever
/// was told of the beginning is told of the end. Asked by the keeper's thread at each flush of a
/// group, so that a silence that begins or ends takes effect with the next one; answers must not
/// wait for anything.
pub trait Suppressions: Send + Sync {
    /// The silence that holds now and matches.
    fn silenced(&self, labels: &Labels, now: Timestamp) -> Option<Suppression>;

    /// The maintenance window that holds now and matches.
    fn in_maintenance(&self, labels: &Labels, now: Timestamp) -> Option<Suppression>;

    /// The inhibition by which one of the alerts that fire now explains this one. `firing` holds
    /// the labels of all of them, this one included.
    fn inhibited(&self, labels: &Labels, firing: &[Labels], now: Timestamp) -> Option<Suppression>;

    /// The first of them: what people planned before what follows from other alerts.
    fn any(&self, labels: &Labels, firing: &[Labels], now: Timestamp) -> Option<Suppression> {
        self.in_maintenance(labels, now)
            .or_else(|| self.silenced(labels, now))
            .or_else(|| self.inhibited(labels, firing, now))
    }
}

/// Nothing is suppressed.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSuppressions;

impl Suppressions for NoSuppressions {
    fn silenced(&self, _: &Labels, _: Timestamp) -> Option<Suppression> {
        None
    }

    fn in_maintenance(&self, _: &Labels, _: Timestamp) -> Option<Suppression> {
        None
    }

    fn inhibited(&self, _: &Labels, _: &[Labels], _: Timestamp) -> Option<Suppression> {
        None
    }
}
