//! How an experiment stands.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::Timestamp;

impl ExperimentStatus {
    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            ExperimentStatus::Draft => "draft",
            ExperimentStatus::Running => "running",
            ExperimentStatus::Paused => "paused",
            ExperimentStatus::Completed => "completed",
            ExperimentStatus::Cancelled => "cancelled",
        }
    }

    /// Whether it has started and is not over.
    pub const fn is_active(self) -> bool {
        matches!(self, ExperimentStatus::Running | ExperimentStatus::Paused)
    }

    /// Whether it is over.
    pub const fn is_over(self) -> bool {
        matches!(self, ExperimentStatus::Completed | ExperimentStatus::Cancelled)
    }
}

/// Where an experiment is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExperimentStatus {
    /// It has not started.
    #[default]
    Draft,
    /// Units are enrolled.
    Running,
    /// Nobody new is enrolled; those who are keep their variant.
    Paused,
    /// It is over, with whatever came of it.
    Completed,
    /// It is over, and nothing follows from it.
    Cancelled,
}

/// A time in which the shares stayed the same. Units of different epochs are never mixed: the mix
/// would be biased where the baseline moves (Simpson's paradox).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Its beginning.
    pub from: Timestamp,
    /// The variants' weights, in their order; not normalised.
    pub weights: Vec<f64>,
    /// How many of all units take part, in percent.
    pub traffic_allocation: f64,
}

/// How one guardrail stood when it was last looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuardrailState {
    /// `metric latency_ms` or `rule variant-errors`.
    pub guardrail: String,
    /// The variant that breached it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// When it was breached.
    pub at: Timestamp,
    /// What was seen, in words.
    pub reason: String,
    /// The firing of the rule that it was, where it was one: the incident's id and when it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<String>,
    /// Whether a person has decided since: it stops nothing any more, and its incident is over.
    #[serde(default)]
    pub accepted: bool,
}

/// How an experiment stands: beside its definition, and kept when that changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExperimentState {
    /// Its number: what units and sums are kept under. Never used again for another.
    pub number: u32,
    /// Where it is in its life.
    pub status: ExperimentStatus,
    /// When it first started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it was completed or cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Since when it is as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<Timestamp>,
    /// Its epochs, the last one going on. Their places are what units are kept under.
    #[serde(default)]
    pub epochs: Vec<Epoch>,
    /// Of a canary: its step, by its place.
    #[serde(default)]
    pub step: usize,
    /// Since when it is at this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_at: Option<Timestamp>,
    /// Of a canary: since when a guardrail keeps it from its next step although that is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_at: Option<Timestamp>,
    /// Of a blue-green experiment: the variant that has the traffic, by its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<usize>,
    /// Whether a guardrail sent everybody back to the control.
    #[serde(default)]
    pub rolled_back: bool,
    /// After the end: the variant that everybody gets, by its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipped: Option<usize>,
    /// The guardrails that were breached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breaches: Vec<GuardrailState>,
    /// Counts changes of this state: the audit's next number.
    #[serde(default)]
    pub version: u64,
}

/// What an entry of the audit is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditKind {
    /// It was made.
    Created,
    /// Its definition was changed.
    Changed,
    /// It started.
    Started,
    /// It was paused.
    Paused,
    /// It goes on.
    Resumed,
    /// It was completed.
    Completed,
    /// It was cancelled.
    Cancelled,
    /// Everybody was sent back to the control.
    RolledBack,
    /// A canary went to another step.
    Stepped,
    /// A canary did not go on although it was due.
    Held,
    /// All traffic was switched to another variant.
    Switched,
    /// An epoch began.
    Epoch,
    /// A guardrail was breached.
    Breached,
    /// A unit's data was deleted.
    Deleted,
}

/// An entry of an experiment's audit timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: AuditKind,
    /// Who: a token's name or what somebody said; `vedette` where nobody did it.
    pub by: String,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// What was different before and after, or what was seen.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub details: Value,
}
