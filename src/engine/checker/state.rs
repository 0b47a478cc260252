//! What is remembered of a check across restarts.

use serde::{Deserialize, Serialize};

use crate::checks::{Heartbeat, Verdict};
use crate::model::{CheckStatus, Labels, Timestamp};

use super::verdict::is_same;

/// The document of one check: written when it changes in substance, together with the result that
/// changed it. The last results are in the history.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct CheckState {
    /// How the check is, since when, and where its thresholds stand.
    pub(super) verdict: Verdict,
    /// Why nobody can say how it is, in words, while that is so.
    pub(super) unknown: Option<String>,
    /// Whether somebody paused it (besides its definition).
    pub(super) paused: bool,
    /// The alert that fires, as the watch was told.
    pub(super) alert: Option<OpenAlert>,
    /// The check whose failure keeps the alert of this one from opening.
    pub(super) held_back_by: Option<String>,
    /// How a heartbeat is: then its verdict stands for nothing.
    pub(super) heartbeat: Option<Heartbeat>,
    /// The secret part of a heartbeat's address.
    pub(super) token: Option<String>,
}

/// An alert of a check that the watch was told of, and not yet its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct OpenAlert {
    /// What identifies it: the definition may have changed since.
    pub(super) labels: Labels,
    /// Since when.
    pub(super) since: Timestamp,
}

impl CheckState {
    /// How it is.
    pub(super) fn status(&self) -> CheckStatus {
        self.heartbeat.as_ref().map_or(self.verdict.status, |heartbeat| heartbeat.status)
    }

    /// Since when.
    pub(super) fn since(&self) -> Timestamp {
        self.heartbeat.as_ref().map_or(self.verdict.since, |heartbeat| heartbeat.since)
    }

    /// Whether the file may say `before` and mean this.
    pub(super) fn is_same(&self, before: &CheckState) -> bool {
        let like = |verdict: &Verdict| CheckState { verdict: verdict.clone(), ..self.clone() };
        like(&before.verdict) == *before && is_same(&before.verdict, &self.verdict)
    }
}
