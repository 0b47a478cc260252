//! What stops an experiment.

use serde::{Deserialize, Serialize};

use crate::model::Name;

/// What happens when a guardrail is breached. It never promotes anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardrailAction {
    /// Nobody new is enrolled until a person decides.
    #[default]
    Pause,
    /// Everybody gets the control, and the experiment is over.
    Rollback,
}

/// A guardrail: a metric of the experiment (its role is `guardrail`), or an alert rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardrailDefinition {
    /// A metric of this experiment; breached when it is certain to be worse than the control by
    /// more than its margin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// An alert rule; breached when an alert of it fires whose labels `experiment` and `variant`,
    /// where it has them, are of this experiment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Name>,
    /// What happens then.
    #[serde(default)]
    pub action: GuardrailAction,
}
