//! Groups that are evaluated, and how they fare.

use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::watch::Defined;
use crate::model::{RuleDefinition, Timestamp};
use crate::rules::{AlertRule, AlertStates, Evaluation, Evaluations, Group, GroupState, Saved};

/// One group that is evaluated, and how it fares.
#[derive(Debug)]
pub struct LiveGroup {
    /// The file's name; empty for a rule of ours.
    pub file: String,
    /// The group.
    pub group: Group,
    /// Milliseconds between evaluations.
    pub interval_ms: i64,
    /// How far back its queries look, in milliseconds.
    pub query_offset_ms: i64,
    /// The definition, of a rule of ours.
    pub defined: Option<Arc<Defined<RuleDefinition>>>,
    /// One per rule of the group: what alerting rules have besides.
    pub alerting: Vec<Option<LiveAlerting>>,
    pub(super) state: Mutex<GroupState>,
}

impl LiveGroup {
    /// How it fares now.
    pub fn state(&self) -> GroupState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut GroupState) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether another definition says the same; where it stands in the file is no part of that.
    pub(super) fn says_the_same(&self, other: &LiveGroup) -> bool {
        let rules = |live: &LiveGroup| {
            let rules = live.group.rules.iter();
            rules
                .map(|r| (r.name.clone(), r.query.clone(), r.labels.clone(), r.kind.clone()))
                .collect::<Vec<_>>()
        };
        let alerting = |live: &LiveGroup| {
            let rules = live.alerting.iter().map(|alerting| {
                alerting.as_ref().map(|a| (Arc::clone(&a.rule), a.identity.clone()))
            });
            rules.collect::<Vec<_>>()
        };
        self.interval_ms == other.interval_ms
            && self.query_offset_ms == other.query_offset_ms
            && self.group.limit == other.group.limit
            && self.defined == other.defined
            && rules(self) == rules(other)
            && alerting(self) == alerting(other)
    }

    /// File and name, which no two groups share.
    pub(super) fn key(&self) -> (String, String) {
        (self.file.clone(), self.group.name.clone())
    }
}

/// An alerting rule that is evaluated.
#[derive(Debug)]
pub struct LiveAlerting {
    /// The rule.
    pub rule: Arc<AlertRule>,
    /// What makes it the same after a restart.
    pub(super) identity: String,
    pub(super) current: Mutex<Current>,
}

/// How an alerting rule fares.
#[derive(Clone, Debug, Default)]
pub struct Current {
    /// Its alerts, as the last evaluation that was committed left them.
    pub states: Arc<AlertStates>,
    /// The last evaluations.
    pub evaluations: Evaluations,
    /// It is not asked until this metric exists.
    pub waiting_for: Option<String>,
    /// What of its state is in the file.
    pub(super) saved: Arc<Saved>,
    /// Nothing that is missing is believed until its inputs have samples after this.
    pub(super) settle_since: Option<Timestamp>,
}

impl LiveAlerting {
    /// How it fares now.
    pub fn current(&self) -> Current {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its alerts, without the rest.
    pub fn states(&self) -> Arc<AlertStates> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner).states)
    }

    /// The metric that it waits for.
    pub fn waiting_for(&self) -> Option<String> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).waiting_for.clone()
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Current) -> T) -> T {
        change(&mut self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn note(&self, evaluation: Evaluation) {
        self.change(|current| current.evaluations.push(evaluation));
    }
}
