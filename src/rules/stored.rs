//! The form in which a rule's state is kept: one small document per alert, so that a decision
//! writes what it changed and nothing else, and one for the rule itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Labels, Reading, Timestamp};

use super::alert::{Alert, Clocks};
use super::alert_rule::AlertRule;
use super::step::AlertStates;

/// One document of a rule's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "lowercase")]
pub enum StoredState {
    /// The rule itself.
    Rule(StoredRule),
    /// One of its alerts.
    Alert(Box<StoredAlert>),
}

/// What is kept of the rule itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRule {
    /// Its name, for people who look into the file.
    pub name: String,
    /// Whether its selectors ever had series.
    pub had_data: bool,
}

/// What is kept of an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredAlert {
    /// Its labels.
    pub labels: Labels,
    /// Its texts, until the next evaluation.
    #[serde(default)]
    pub annotations: Vec<(String, String)>,
    /// Its value, until the next evaluation.
    #[serde(default)]
    pub value: Option<f64>,
    /// Its clocks.
    pub clocks: Clocks,
    /// What it had to hold ([`AlertRule::condition_hash`]).
    pub condition: u64,
    /// The source that its key is made of, so that its end can be told when the rule is gone.
    pub source: crate::model::AlertSource,
    /// The evaluation that wrote this.
    pub written_at: Timestamp,
}

/// What of a state is in the file: clocks by labels, and what holds for all of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Saved {
    clocks: BTreeMap<Labels, (Clocks, u64)>,
    had_data: bool,
}

/// Changes that bring the file up to a state. The key of an alert's document is a hash of its
/// labels, as 32 hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// The rule's own document, if it changed.
    pub rule: Option<StoredRule>,
    /// Alerts to be put.
    pub put: Vec<(String, StoredAlert)>,
    /// Alerts to be removed.
    pub removed: Vec<String>,
}

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.rule.is_none() && self.put.is_empty() && self.removed.is_empty()
    }
}

/// The part of a document's key that says which alert.
pub fn alert_id(labels: &Labels) -> String {
    format!("{:032x}", xxhash_rust::xxh3::xxh3_128(labels.as_bytes()))
}

impl Saved {
    /// What is in the file once a state was written.
    pub fn of(states: &AlertStates, rule: &AlertRule) -> Self {
        let condition = rule.condition_hash();
        let clocks =
            states.alerts.iter().map(|(labels, alert)| (labels.clone(), (alert.clocks, condition)));
        Saved { clocks: clocks.collect(), had_data: states.had_data }
    }

    /// Whether nothing is in the file.
    pub fn is_empty(&self) -> bool {
        self.clocks.is_empty() && !self.had_data
    }

    /// The keys of all alerts in the file.
    pub fn ids(&self) -> impl Iterator<Item = String> {
        self.clocks.keys().map(alert_id)
    }

    /// What must be written so that the file says what `states` does. Values and texts alone are
    /// no reason.
    pub fn changes(&self, states: &AlertStates, rule: &AlertRule, at: Timestamp) -> Changes {
        let condition = rule.condition_hash();
        let mut changes = Changes::default();
        if states.had_data != self.had_data {
            changes.rule = Some(StoredRule { name: rule.name.clone(), had_data: states.had_data });
        }
        for (labels, alert) in &states.alerts {
            if self.clocks.get(labels) == Some(&(alert.clocks, condition)) {
                continue;
            }
            let value = match alert.value {
                Reading::Float(value) if value.is_finite() => Some(value),
                _ => None,
            };
            let stored = StoredAlert {
                labels: labels.clone(),
                annotations: alert.annotations.clone(),
                value,
                clocks: alert.clocks,
                condition,
                source: rule.source.clone(),
                written_at: at,
            };
            changes.put.push((alert_id(labels), stored));
        }
        let gone = self.clocks.keys().filter(|labels| !states.alerts.contains_key(*labels));
        changes.removed = gone.map(alert_id).collect();
        changes
    }
}

/// What was found of one rule in the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Restored {
    /// The rule's own document.
    pub rule: Option<StoredRule>,
    /// Its alerts.
    pub alerts: Vec<StoredAlert>,
}

impl Restored {
    /// The state as it was. `alive_at` gives the last evaluation that is known to have found an
    /// alert as it is stored (from `ALERTS_FOR_STATE`); later time does not count. Alerts that
    /// were pending for another condition are left out. Gives also what is in the file.
    pub fn into_states(
        self,
        rule: &AlertRule,
        alive_at: impl Fn(&Labels) -> Option<Timestamp>,
    ) -> (AlertStates, Saved) {
        let condition = rule.condition_hash();
        let had_data = self.rule.is_some_and(|rule| rule.had_data);
        let mut saved = Saved { clocks: BTreeMap::new(), had_data };
        let mut states = AlertStates { had_data, ..AlertStates::default() };
        for stored in self.alerts {
            let mut clocks = stored.clocks;
            saved.clocks.insert(stored.labels.clone(), (clocks, stored.condition));
            let last = alive_at(&stored.labels).unwrap_or(stored.written_at);
            clocks.freeze(last.max(stored.written_at));
            let value = Reading::Float(stored.value.unwrap_or(f64::NAN));
            let StoredAlert { labels, annotations, .. } = stored;
            let alert = Alert { labels: labels.clone(), annotations, value, clocks };
            let begins_anew =
                stored.condition != condition && clocks.state == super::alert::AlertState::Pending;
            if !begins_anew {
                states.alerts.insert(labels, alert);
            }
        }
        (states, saved)
    }
}
