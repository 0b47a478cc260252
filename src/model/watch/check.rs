//! A check as people define it.

use serde::{Deserialize, Serialize};

use super::{Definition, Severity};
use crate::model::{Labels, Name, Period};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckKind {
    /// A URL (`http://`, `https://`).
    Http,
    /// `host:port`.
    Tcp,
    /// A host.
    Icmp,
    /// A name, asked of a server.
    Dns,
    /// `host:port`; the certificate.
    Tls,
    /// `host:port`; `grpc.health.v1.Health/Check`.
    Grpc,
    /// A URL (`ws://`, `wss://`).
    WebSocket,
    /// A command of this machine.
    Exec,
    /// Nothing: it is told.
    Heartbeat,
    /// `postgres://user:password@host:port/database`.
    Postgres,
    /// `mysql://user:password@host:port/database`.
    Mysql,
    /// `redis://user:password@host:port/number`.
    Redis,
    /// `host:port`; banner and key exchange.
    Ssh,
    /// The base URL of an OpenAI-compatible endpoint.
    Model,
    /// This machine: `disk:/path`, `clock`, `self`.
    Host,
}

/// One condition: its text, or the text with a severity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "ConditionForm")]
pub struct ConditionDefinition {
    /// `[STATUS] == 200`
    pub condition: String,
    /// What its failure means: critical unhealthy, warning and info degraded.
    pub severity: Severity,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ConditionForm {
    Text(String),
    Full {
        condition: String,
        #[serde(default = "critical")]
        severity: Severity,
    },
}

fn critical() -> Severity {
    Severity::Critical
}

impl From<ConditionForm> for ConditionDefinition {
    fn from(form: ConditionForm) -> Self {
        match form {
            ConditionForm::Text(condition) => {
                ConditionDefinition { condition, severity: critical() }
            }
            ConditionForm::Full { condition, severity } => {
                ConditionDefinition { condition, severity }
            }
        }
    }
}

/// How many results decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Threshold {
    /// So many in a row.
    Consecutive(u32),
    /// `of` the last `within`.
    Of {
        /// How many.
        of: u32,
        /// Of how many.
        within: u32,
    },
}

/// A check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckDefinition {
    /// Its name.
    pub name: Name,
    /// What is asked.
    pub kind: CheckKind,
    /// Whom; see the kinds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target: String,
    /// How often: 5 minutes unless it says or has `cron`. Of a heartbeat: the period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Period>,
    /// When, instead: five fields of cron.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// In which zone the clock is read for `cron`; UTC when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub zone: String,
    /// How long one attempt may take; 10 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Period>,
    /// Attempts after a failed one, within one run.
    #[serde(default)]
    pub retries: u32,
    /// How long after the deadline a heartbeat may come; 1 minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace: Option<Period>,
    /// What must hold; each kind has its own when there are none.
    #[serde(default)]
    pub conditions: Vec<ConditionDefinition>,
    /// Whether failure is what is wanted.
    #[serde(default)]
    pub invert: bool,
    /// How many failures make it unhealthy; 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_threshold: Option<Threshold>,
    /// How many successes make it healthy again; 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_threshold: Option<Threshold>,
    /// Checks without which this one cannot succeed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Name>,
    /// What it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<Name>,
    /// Whose service it asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Name>,
    /// Labels of its metrics and alerts.
    #[serde(default)]
    pub labels: Labels,
    /// How bad its failure is; critical.
    #[serde(default = "critical")]
    pub severity: Severity,
    /// Who is told; the routes decide when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Name>,
    /// Whether it is left alone.
    #[serde(default)]
    pub paused: bool,
    /// `blackbox`: also writes `probe_*` metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compat: Option<String>,
    /// What the kind needs besides: method, headers, body, record type, command…
    #[serde(default)]
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// In words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

impl Definition for CheckDefinition {
    const NOUN: &'static str = "check";

    fn name(&self) -> &Name {
        &self.name
    }

    fn check(&self) -> Result<(), String> {
        if self.every.is_some() && self.cron.is_some() {
            return Err("cron: a check has either every or cron, not both".to_owned());
        }
        Ok(())
    }
}
