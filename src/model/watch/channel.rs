//! Where people are told.

use serde::{Deserialize, Serialize};

use super::Definition;
use crate::model::Name;

/// How a channel speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelKind {
    /// Alertmanager's webhook JSON, or an own template.
    Webhook,
    /// Slack's incoming webhooks.
    Slack,
    /// Discord's webhooks.
    Discord,
    /// Microsoft Teams workflows.
    Teams,
    /// Telegram's bot API.
    Telegram,
    /// SMTP.
    Email,
    /// PagerDuty Events v2.
    PagerDuty,
    /// Opsgenie alerts.
    Opsgenie,
    /// ntfy.
    Ntfy,
    /// Pushover.
    Pushover,
    /// Another Alertmanager, by `/api/v2/alerts`.
    Alertmanager,
    /// A command of this machine.
    Exec,
}

/// A channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelDefinition {
    /// Its name.
    pub name: Name,
    /// How it speaks.
    pub kind: ChannelKind,
    /// What that kind needs. Secrets are texts, or `{"file": path}`, or `{"env": name}`.
    #[serde(default)]
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// A minijinja template in place of the kind's own body or text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Is told when this one cannot be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Name>,
    /// Whether it hears of ends too.
    #[serde(default = "yes")]
    pub send_resolved: bool,
    /// Whether it is told of what no route and no rule gives to another: the default.
    #[serde(default = "yes")]
    pub default: bool,
}

fn yes() -> bool {
    true
}

impl Definition for ChannelDefinition {
    const NOUN: &'static str = "channel";

    fn name(&self) -> &Name {
        &self.name
    }

    fn check(&self) -> Result<(), String> {
        if self.fallback.as_ref() == Some(&self.name) {
            return Err("fallback: a channel cannot stand in for itself".to_owned());
        }
        Ok(())
    }
}
