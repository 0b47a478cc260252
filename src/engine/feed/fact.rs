//! What is told.

use std::sync::Arc;

use serde::Serialize;

use crate::model::StoredLine;

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

    /// Whether its facts are figures, of which each replaces the one before.
    const fn is_figures(self) -> bool {
        matches!(self, Topic::Overview | Topic::Metrics)
    }
}

/// A set of topics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Topics(u16);

impl Topics {
    /// None of them.
    pub const NONE: Topics = Topics(0);
    /// All of them.
    pub const ALL: Topics = Topics((1 << Topic::ALL.len()) - 1);

    /// This set and one more.
    #[must_use]
    pub const fn with(self, topic: Topic) -> Topics {
        Topics(self.0 | 1 << topic as u16)
    }

    /// This set but for one.
    #[must_use]
    pub const fn without(self, topic: Topic) -> Topics {
        Topics(self.0 & !(1 << topic as u16))
    }

    /// Whether the topic is among them.
    pub const fn contains(self, topic: Topic) -> bool {
        self.0 & (1 << topic as u16) != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Whom or what a fact is about: a name or an id, or nothing in particular.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
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
    /// Whether it replaces what was told before of the same kind and subject: whoever is late
    /// gets the newest alone.
    pub latest: bool,
}

impl Fact {
    /// A fact with its data. Of `overview` and `metrics` the newest of a subject is kept, of other
    /// topics every one.
    pub fn new<T: Serialize>(topic: Topic, kind: &'static str, subject: Subject, data: &T) -> Self {
        // What cannot be written is told without its data; who hears of it asks.
        let data = serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned());
        let latest = topic.is_figures();
        Fact { topic, kind, subject, data: data.into(), lines: Arc::new([]), latest }
    }

    /// A fact of which the newest of a kind and subject is kept: how something is now.
    pub fn latest<T: Serialize>(
        topic: Topic,
        kind: &'static str,
        subject: Subject,
        data: &T,
    ) -> Self {
        Fact { latest: true, ..Fact::new(topic, kind, subject, data) }
    }

    /// Log lines of one commit.
    pub fn logs(lines: Arc<[StoredLine]>) -> Self {
        let subject = Subject::default();
        Fact {
            topic: Topic::Logs,
            kind: "log.lines",
            subject,
            data: "".into(),
            lines,
            latest: false,
        }
    }
}
