//! The life of one alert: pending, firing, kept firing, gone (`rules/alerting.go`).

use serde::{Deserialize, Serialize};

use crate::model::{Labels, LabelsBuilder, METRIC_NAME, Reading, Row, Timestamp};

use super::template::AskQuery;

/// The label with the alert's name.
pub(super) const ALERT_NAME: &str = "alertname";
/// The label of `ALERTS` with the state.
pub(super) const ALERT_STATE: &str = "alertstate";
/// The label with which a rule in shadow mode marks its `ALERTS`.
pub const SHADOW_LABEL: (&str, &str) = ("vedette_mode", "shadow");
/// The series with each alert's state.
pub(super) const ALERTS: &str = "ALERTS";
/// The series with the time since when each alert holds.
pub const ALERTS_FOR_STATE: &str = "ALERTS_FOR_STATE";

/// How far an alert has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// It held, and no longer does.
    Inactive,
    /// It holds, not yet for long enough.
    Pending,
    /// It holds, or did within `keep_firing_for`.
    Firing,
}

impl AlertState {
    /// The word in `ALERTS` and in `/api/v1/rules`.
    pub const fn as_str(self) -> &'static str {
        match self {
            AlertState::Inactive => "inactive",
            AlertState::Pending => "pending",
            AlertState::Firing => "firing",
        }
    }
}

/// One alert of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Its labels, `alertname` among them.
    pub labels: Labels,
    /// Texts for people.
    pub annotations: Vec<(String, String)>,
    /// The value that made it, of the last evaluation in which it held.
    pub value: Reading,
    /// How far it has come, and since when.
    pub clocks: Clocks,
}

/// All that must be remembered of an alert exactly: its state and its clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clocks {
    /// How far it has come.
    pub state: AlertState,
    /// Since when it holds. While it is pending, time that does not count (our own downtime,
    /// evaluations that held everything as it was) moves this on.
    pub active_at: Timestamp,
    /// Since when it fires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fired_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// Since when it fires though it no longer holds. Moved on as `active_at` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_firing_since: Option<Timestamp>,
    /// The clocks stand still: the last evaluation that counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen_since: Option<Timestamp>,
    /// Which texts of the rule were told with it ([`super::AlertRule::texts_hash`]); `None`: nobody
    /// was told that it fires, or it was told that it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<u64>,
}

impl Clocks {
    /// Those of an alert that begins.
    pub(super) fn beginning(at: Timestamp) -> Self {
        Clocks {
            state: AlertState::Pending,
            active_at: at,
            fired_at: None,
            resolved_at: None,
            keep_firing_since: None,
            frozen_since: None,
            told: None,
        }
    }

    /// Whether time makes a difference: there is a clock that runs.
    pub fn run(&self) -> bool {
        self.state == AlertState::Pending || self.keep_firing_since.is_some()
    }

    /// Lets the clocks stand still since `last`, the last evaluation that counted, if they do not
    /// already.
    pub(super) fn freeze(&mut self, last: Timestamp) {
        if self.run() {
            self.frozen_since.get_or_insert(last);
        }
    }

    /// Lets the clocks run on at `at`. Of the time in between no more than one interval counts.
    pub(super) fn thaw(&mut self, at: Timestamp, interval_ms: i64) {
        let Some(since) = self.frozen_since.take() else { return };
        let gap_ms = at.since(since);
        let counted_ms = if gap_ms < 0 { interval_ms } else { gap_ms.min(interval_ms) };
        let moved_ms = gap_ms.saturating_sub(counted_ms);
        if self.state == AlertState::Pending {
            self.active_at = self.active_at.plus_millis(moved_ms);
        }
        if let Some(since) = &mut self.keep_firing_since {
            *since = since.plus_millis(moved_ms);
        }
    }
}

/// What templates of alerts may use besides the alert itself.
pub struct AlertContext<'a> {
    /// `$externalLabels`
    pub external_labels: &'a Labels,
    /// `$externalURL`
    pub external_url: &'a str,
    /// Answers `query` at the time of the evaluation.
    pub query: AskQuery<'a>,
}

impl Alert {
    /// Whether it is pending or firing.
    pub fn is_active(&self) -> bool {
        self.clocks.state != AlertState::Inactive
    }

    /// `ALERTS` and `ALERTS_FOR_STATE` for the time `at`.
    pub(super) fn rows(&self, at: Timestamp, shadow: bool) -> impl Iterator<Item = Row> {
        let named = |name: &str, state: Option<&str>, value: f64| {
            let mut labels = LabelsBuilder::new(&self.labels);
            labels.set(METRIC_NAME, name);
            if let Some(state) = state {
                labels.set(ALERT_STATE, state);
            }
            if shadow {
                labels.set(SHADOW_LABEL.0, SHADOW_LABEL.1);
            }
            // Labels with more labels are valid again.
            labels.build().ok().map(|labels| Row { labels, at, value: value.into() })
        };
        let since = self.clocks.active_at.millis().div_euclid(1000) as f64;
        let state = self.clocks.state.as_str();
        [named(ALERTS, Some(state), 1.0), named(ALERTS_FOR_STATE, None, since)]
            .into_iter()
            .flatten()
    }
}
