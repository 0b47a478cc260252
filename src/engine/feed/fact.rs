//! What is told.

use std::sync::Arc;

use serde::Serialize;

use crate::model::{StoredLine, Timestamp};

/// What something is about; followers choose among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Figures of the whole.
    Overview,
    /// Figures of a feature.
    Metrics,
    /// Results, transitions and definitions of checks.
    Checks,
    /// Incidents, silences and maintenance.
    Incidents,
    /// Rules and their alerts.
    Rules,
    /// Experiments.
    Experiments,
    /// Features, providers and their configurations.
    Features,
    /// Log lines.
    Logs,
    /// Deliveries and channels.
    Deliveries,
    /// Settings.
    Config,
}

impl Topic {
    /// All of them.
    pub const ALL: [Topic; 10] = [
        Topic::Overview,
        Topic::Metrics,
        Topic::Checks,
        Topic::Incidents,
        Topic::Rules,
        Topic::Experiments,
        Topic::Features,
        Topic::Logs,
        Topic::Deliveries,
        Topic::Config,
    ];

    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Topic::Overview => "overview",
            Topic::Metrics => "metrics",
            Topic::Checks => "checks",
            Topic::Incidents => "incidents",
            Topic::Rules => "rules",
            Topic::Experiments => "experiments",
            Topic::Features => "features",
            Topic::Logs => "logs",
            Topic::Deliveries => "deliveries",
            Topic::Config => "config",
        }
    }

    /// The topic of a name.
    pub fn from_name(name: &str) -> Option<Topic> {
        Topic::ALL.into_iter().find(|topic| topic.as_str() == name)
    }
}

/// Whom or what a fact is about: a name or an id, or nothing in particular.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject(pub String);

impl Subject {
    /// Of this name.
    pub fn named(name: impl Into<String>) -> Self {
        Subject(name.into())
    }
}

/// Something that is durable.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// What it is about.
    pub topic: Topic,
    /// What happened: `check.result`, `incident.acknowledged`. Its first word is the noun.
    pub kind: &'static str,
    /// Whom it is about.
    pub subject: Subject,
    /// What there is to say, as JSON; written once for all who follow. Empty for log lines.
    pub data: Arc<str>,
    /// Log lines, for `logs` alone: each follower gets those that pass its filter.
    pub lines: Arc<[StoredLine]>,
}

impl Fact {
    /// A fact with its data.
    pub fn new<T: Serialize>(topic: Topic, kind: &'static str, subject: Subject, data: &T) -> Self {
        // What cannot be written is told without its data; who hears of it asks.
        let data = serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned());
        Fact { topic, kind, subject, data: data.into(), lines: Arc::new([]) }
    }

    /// Log lines of one commit.
    pub fn logs(lines: Arc<[StoredLine]>) -> Self {
        let subject = Subject::default();
        Fact { topic: Topic::Logs, kind: "log.lines", subject, data: "".into(), lines }
    }
}

/// A fact in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Rises with each event.
    pub id: u64,
    /// When it was told.
    pub at: Timestamp,
    /// What.
    pub fact: Fact,
}
