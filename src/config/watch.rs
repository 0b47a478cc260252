//! `[checks]`, `[notify]`, `[incidents]`, `[defaults]`: how the watch watches, and whom it tells.

use serde::{Deserialize, Serialize};

use super::Period;
use crate::model::{Inhibition, Name, Route};
use crate::trust::Secret;

/// How checks are run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Checks {
    /// How often checks are asked that do not say how often.
    pub every: Period,
    /// How long one attempt may take where a check does not say.
    pub timeout: Period,
    /// Checks that are asked at once; others wait.
    pub concurrency: usize,
    /// Checks of one host that are asked at once.
    pub per_host: usize,
    /// Checks of the way out. While all of them fail, others of remote hosts are unknown.
    pub uplink: Vec<Name>,
    /// Whether checks that run commands may be made over the API.
    pub exec_from_api: bool,
}

impl Default for Checks {
    fn default() -> Self {
        Checks {
            every: Period::from_secs(300),
            timeout: Period::from_secs(10),
            concurrency: 64,
            per_host: 4,
            uplink: Vec::new(),
            exec_from_api: false,
        }
    }
}

/// `[notify.deadman]`: a ping that is sent only while the watch works.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadman {
    /// What is asked (GET): the ping URL of Healthchecks or the like. A secret: whoever has it
    /// can hold the switch.
    pub url: Secret,
    /// How often.
    #[serde(default = "every_minute")]
    pub every: Period,
}

fn every_minute() -> Period {
    Period::from_secs(60)
}

/// Who is told, and how alerts are grouped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Notify {
    /// Where people find vedette, for links; made from the listener's address when empty.
    pub external_url: String,
    /// Who is told of what no route below takes; channels with `default = true` when empty.
    pub channels: Vec<Name>,
    /// Labels that alerts of one notification share; `...` for all labels.
    pub group_by: Vec<String>,
    /// How long a new group waits for more alerts.
    pub group_wait: Period,
    /// How long until a group is told of changes.
    pub group_interval: Period,
    /// How long until a group that goes on is told again.
    pub repeat_interval: Period,
    /// How long a notification is tried that is not taken; then it is dead, and can be sent again
    /// by hand.
    pub ttl: Period,
    /// A ping to somebody who raises the alarm when it stops.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadman: Option<Deadman>,
    /// Routes, asked in order; the first that matches takes the alert.
    pub route: Vec<Route>,
    /// Which alerts make which others not worth telling.
    pub inhibit: Vec<Inhibition>,
}

impl Default for Notify {
    fn default() -> Self {
        Notify {
            external_url: String::new(),
            channels: Vec::new(),
            group_by: vec!["alertname".to_owned()],
            group_wait: Period::from_secs(2),
            group_interval: Period::from_secs(15),
            repeat_interval: Period::from_secs(4 * 3600),
            ttl: Period::from_secs(86_400),
            deadman: None,
            route: Vec::new(),
            inhibit: Vec::new(),
        }
    }
}

impl Notify {
    /// The root of the tree of routes: takes every alert.
    pub fn root(&self) -> Route {
        Route {
            channels: self.channels.clone(),
            group_by: Some(self.group_by.clone()),
            group_wait: Some(self.group_wait),
            group_interval: Some(self.group_interval),
            repeat_interval: Some(self.repeat_interval),
            routes: self.route.clone(),
            ..Route::default()
        }
    }
}

/// How long incidents live.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Incidents {
    /// An alert that fires again so soon after its end reopens its incident.
    pub reopen_within: Period,
    /// How long resolved incidents are kept.
    pub retention: Period,
}

impl Default for Incidents {
    fn default() -> Self {
        Incidents {
            reopen_within: Period::from_secs(15 * 60),
            retention: Period::from_secs(395 * 86_400),
        }
    }
}

/// What is watched without being asked to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Defaults {
    /// The built-in checks and rules.
    pub enabled: bool,
}

impl Default for Defaults {
    fn default() -> Self {
        Defaults { enabled: true }
    }
}
