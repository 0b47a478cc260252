//! Something that is wrong, whoever found it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{Labels, Name, Timestamp};

/// How bad it is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Look at it today.
    #[default]
    Warning,
    /// Get up.
    Critical,
}

impl Severity {
    /// The word in JSON and in the label `severity`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }

    /// Reads the label `severity`; words of others (`page`, `error`) are mapped to ours, and what
    /// is unknown is a warning.
    pub fn from_label(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "critical" | "page" | "error" | "emergency" | "fatal" | "disaster" | "high" => {
                Severity::Critical
            }
            "info" | "none" | "low" | "notice" | "debug" => Severity::Info,
            _ => Severity::Warning,
        }
    }
}

/// Who found it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum AlertSource {
    /// A rule; of a rule file: its group and alert name.
    Rule {
        /// The file, or empty for rules of ours.
        #[serde(default)]
        file: String,
        /// The group, or empty for rules of ours.
        #[serde(default)]
        group: String,
        /// The rule's name.
        name: String,
    },
    /// A check.
    Check {
        /// Its name.
        name: Name,
    },
    /// An experiment: one of its guardrails is breached.
    Experiment {
        /// Its name.
        name: Name,
    },
    /// Somebody who sent it to `/api/v2/alerts`.
    External,
    /// vedette itself: what it found wrong with its own watching.
    Internal,
}

/// What makes two alerts the same: source and labels. Written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertKey(pub u128);

impl AlertKey {
    /// The key of an alert with these labels. Annotations, value and times do not count.
    pub fn of(source: &AlertSource, labels: &Labels) -> Self {
        let source = match source {
            AlertSource::Rule { file, group, name } => format!("rule\0{file}\0{group}\0{name}"),
            AlertSource::Check { name } => format!("check\0{name}"),
            AlertSource::Experiment { name } => format!("experiment\0{name}"),
            AlertSource::External => "external".to_owned(),
            AlertSource::Internal => "internal".to_owned(),
        };
        let text = format!("{source}\0\0{labels}");
        AlertKey(xxhash_rust::xxh3::xxh3_128(text.as_bytes()))
    }
}

impl fmt::Display for AlertKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for AlertKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for AlertKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AlertKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map(AlertKey).map_err(serde::de::Error::custom)
    }
}

/// A firing alert as its source hands it over. Whoever sends the same key again updates
/// annotations, value and severity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Who found it.
    pub source: AlertSource,
    /// What identifies it: `alertname` and `severity` among them.
    pub labels: Labels,
    /// Texts for people: `summary`, `description`, `runbook_url`.
    #[serde(default)]
    pub annotations: Vec<(String, String)>,
    /// How bad it is.
    pub severity: Severity,
    /// Since when it holds (back-dated to the first failure).
    pub starts_at: Timestamp,
    /// The number that made it, where there is one.
    #[serde(default)]
    pub value: Option<f64>,
    /// Where to look at its source.
    #[serde(default)]
    pub generator_url: String,
    /// Channels that its definition names; empty: the routes decide.
    #[serde(default)]
    pub channels: Vec<Name>,
    /// After an end, so long (ms) nobody is told of a new beginning: it reopens the old incident.
    #[serde(default)]
    pub cooldown_ms: i64,
    /// Whatever explains it: inputs of the rule, the check's last result. Shown, never evaluated.
    #[serde(default)]
    pub evidence: super::Evidence,
    /// When it is taken for ended unless it is sent again until then: of alerts that others send
    /// (`endsAt` of Alertmanager's API). `None`: its source says when it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
}

impl Alert {
    /// What makes it the same as another.
    pub fn key(&self) -> AlertKey {
        AlertKey::of(&self.source, &self.labels)
    }

    /// One of its annotations.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.iter().find(|(n, _)| n == name).map(|(_, text)| text.as_str())
    }
}
