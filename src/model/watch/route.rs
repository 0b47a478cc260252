//! Who is told what, and when.

use serde::{Deserialize, Serialize};

use super::{Matchers, Severity};
use crate::model::{Name, Period};

/// One step of an escalation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Escalation {
    /// So long after the beginning, if nobody has taken the incident by then.
    pub after: Period,
    /// These are told too.
    pub channels: Vec<Name>,
}

/// A node of the tree of routes (`config.Route` in Alertmanager). Times and grouping that a node
/// does not set are those of its parent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Route {
    /// Which alerts it takes; all that its parent takes when empty.
    pub matchers: Matchers,
    /// Only alerts at least this bad.
    pub min_severity: Option<Severity>,
    /// Who is told; the parent's when empty.
    pub channels: Vec<Name>,
    /// Labels that alerts of one notification share; `...` for all labels.
    pub group_by: Option<Vec<String>>,
    /// How long a new group waits for more alerts.
    pub group_wait: Option<Period>,
    /// How long until a group is told of changes.
    pub group_interval: Option<Period>,
    /// How long until a group that goes on is told again.
    pub repeat_interval: Option<Period>,
    /// Whether routes after this one are asked too.
    #[serde(rename = "continue")]
    pub go_on: bool,
    /// What happens while nobody acknowledges.
    pub escalations: Vec<Escalation>,
    /// Routes below, asked in order; the first that matches takes the alert.
    pub routes: Vec<Route>,
}
