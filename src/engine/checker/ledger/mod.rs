//! How each check is, and what follows from what happened to it.
//!
//! Pure: events go in, in order; out comes one decision with everything to commit, and what the
//! states are once that is durable. [`Ledger::judge`] changes nothing; [`Ledger::apply`] is called
//! after the commit. So a state never runs ahead of the file, and whoever fails to commit judges
//! the same events again.

mod explain;
pub(super) mod heartbeat;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::checks::{Event as Step, Policy, Transition, UnknownReason, Verdict};
use crate::engine::watch::{Batch, Signal};
use crate::model::{CheckDefinition, CheckKind, CheckResult, CheckStatus, Name, Timestamp};
use crate::store::{DocumentKind, StoreError, Table, Write};

use super::alerts::{alert_labels, alert_of, key_of};
use super::metrics::Measured;
use super::state::{CheckState, OpenAlert};
use super::target::is_local;
use heartbeat::Ping;

/// Something that happened to a check.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// It was asked. `excerpt`: the beginning of what was answered.
    Ran {
        /// What was measured.
        measured: Arc<Measured>,
        /// The beginning of what was answered.
        excerpt: String,
    },
    /// A heartbeat told something.
    Pinged {
        /// Which.
        name: Name,
        /// What.
        ping: Ping,
        /// When.
        at: Timestamp,
        /// The beginning of what came with it.
        excerpt: String,
    },
    /// A heartbeat told nothing by its deadline.
    Missed {
        /// Which.
        name: Name,
        /// The deadline.
        at: Timestamp,
    },
    /// From then on nobody can say how it is: we were down.
    Lost {
        /// Which.
        name: Name,
        /// Since when.
        at: Timestamp,
        /// The time now.
        now: Timestamp,
        /// Why.
        why: UnknownReason,
        /// The same in words.
        reason: String,
    },
    /// Somebody paused or resumed it.
    Paused {
        /// Which.
        name: Name,
        /// Whether it is paused now.
        paused: bool,
        /// When.
        at: Timestamp,
    },
    /// It is new, or its definition has changed.
    Defined {
        /// Its definition.
        definition: Arc<CheckDefinition>,
        /// The secret part of its address, should it be a heartbeat without one.
        token: String,
        /// When.
        at: Timestamp,
    },
    /// It is gone.
    Removed {
        /// Which.
        name: Name,
        /// When.
        at: Timestamp,
    },
}

/// All that is known of one check.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) definition: Arc<CheckDefinition>,
    pub(super) state: CheckState,
    pub(super) last: Option<Arc<Measured>>,
    pub(super) excerpt: String,
}

impl Known {
    /// Whether it is left alone.
    pub(super) fn is_paused(&self) -> bool {
        self.state.paused || self.definition.paused
    }

    /// Whether it is, or was when it was last asked, in a way that keeps others from succeeding.
    fn is_down(&self) -> bool {
        let last = self.last.as_ref().map(|last| last.result.status);
        match self.state.status() {
            CheckStatus::Unhealthy => true,
            CheckStatus::Paused | CheckStatus::Unknown => false,
            CheckStatus::Healthy | CheckStatus::Degraded => last == Some(CheckStatus::Unhealthy),
        }
    }
}

/// What follows from events.
#[derive(Debug, Default)]
pub(super) struct Decision {
    /// To be committed: states and signals.
    pub(super) batch: Batch,
    /// To be committed with it: results.
    pub(super) results: Vec<CheckResult>,
    /// To be committed with it: changes of checks.
    pub(super) transitions: Vec<(Name, Transition)>,
    /// How checks are once it is; `None` for those that are gone.
    pub(super) becomes: BTreeMap<Name, Option<Known>>,
    /// Checks that are to be asked at once.
    pub(super) ask: BTreeSet<Name>,
}

/// All checks.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    known: BTreeMap<Name, Known>,
    uplink: BTreeSet<Name>,
}

impl Ledger {
    /// A ledger with states as they were stored.
    pub(super) fn new(known: BTreeMap<Name, Known>) -> Self {
        Ledger { known, uplink: BTreeSet::new() }
    }

    /// Which checks stand for the way out.
    pub(super) fn set_uplink(&mut self, uplink: impl IntoIterator<Item = Name>) {
        self.uplink = uplink.into_iter().collect();
    }

    pub(super) fn get(&self, name: &str) -> Option<&Known> {
        self.known.get(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Name, &Known)> {
        self.known.iter()
    }

    /// What follows from these events, one after the other.
    ///
    /// # Errors
    ///
    /// When something cannot be encoded.
    pub(super) fn judge<'e>(
        &self,
        events: impl IntoIterator<Item = &'e Event>,
    ) -> Result<Decision, StoreError> {
        let mut judging = Judging { ledger: self, decision: Decision::default() };
        for event in events {
            judging.take(event);
        }
        judging.finish()
    }

    /// The decision is durable.
    pub(super) fn apply(&mut self, becomes: BTreeMap<Name, Option<Known>>) {
        for (name, known) in becomes {
            match known {
                Some(known) => self.known.insert(name, known),
                None => self.known.remove(&name),
            };
        }
    }
}

struct Judging<'l> {
    ledger: &'l Ledger,
    decision: Decision,
}

impl Judging<'_> {
    fn look(&self, name: &str) -> Option<&Known> {
        match self.decision.becomes.get(name) {
            Some(known) => known.as_ref(),
            None => self.ledger.known.get(name),
        }
    }

    fn put(&mut self, name: &Name, known: Known) {
        self.decision.becomes.insert(name.clone(), Some(known));
    }

    fn take(&mut self, event: &Event) {
        let name = match event {
            Event::Ran { measured, .. } => &measured.result.check,
            Event::Defined { definition, .. } => &definition.name,
            Event::Pinged { name, .. }
            | Event::Missed { name, .. }
            | Event::Lost { name, .. }
            | Event::Paused { name, .. }
            | Event::Removed { name, .. } => name,
        };
        let before = self.look(name.as_str()).cloned();
        let was_down = before.as_ref().is_some_and(Known::is_down);
        match (event, before) {
            (Event::Defined { definition, token, at }, before) => {
                self.define(definition, token, *at, before);
            }
            // It is gone, and what happened to it is nobody's concern.
            (_, None) => return,
            (Event::Removed { at, .. }, Some(known)) => self.remove(name, known, *at),
            (Event::Ran { measured, excerpt }, Some(known)) => {
                self.ran(name, known, measured, excerpt);
            }
            (Event::Pinged { ping, at, excerpt, .. }, Some(known)) => {
                self.pinged(name, known, *ping, *at, excerpt);
            }
            (Event::Missed { at, .. }, Some(known)) => self.missed(name, known, *at),
            (Event::Lost { at, now, why, reason, .. }, Some(mut known)) => {
                // A heartbeat that was not expected to be heard in that time is as it was; it is
                // found out when its deadline comes.
                match known.state.heartbeat.take() {
                    Some(heartbeat) => known.state.heartbeat = Some(heartbeat.deaf(*now)),
                    None => self.nobody_knows(&mut known, *why, *at, reason),
                }
                self.put(name, known);
            }
            (Event::Paused { paused, at, .. }, Some(mut known)) => {
                known.state.paused = *paused;
                self.rest_or_rise(&mut known, *at);
                self.put(name, known);
            }
        }
        if was_down && !self.look(name.as_str()).is_some_and(Known::is_down) {
            self.release_children(name, event_time(event));
        }
    }

    fn define(
        &mut self,
        definition: &Arc<CheckDefinition>,
        token: &str,
        at: Timestamp,
        before: Option<Known>,
    ) {
        let mut known = before.unwrap_or_else(|| Known {
            definition: Arc::clone(definition),
            state: CheckState { verdict: Verdict::new(at), ..CheckState::default() },
            last: None,
            excerpt: String::new(),
        });
        known.definition = Arc::clone(definition);
        if definition.kind == CheckKind::Heartbeat {
            let chosen = definition.settings.get("token").and_then(serde_json::Value::as_str);
            let own = known.state.token.take().unwrap_or_else(|| token.to_owned());
            known.state.token = Some(chosen.map_or(own, str::to_owned));
            heartbeat::begin(&mut known, at);
        } else {
            known.state.token = None;
            known.state.heartbeat = None;
        }
        self.rest_or_rise(&mut known, at);
        // What a definition says of the alert may have changed: labels, dependencies.
        self.settle(&mut known, at);
        self.put(&definition.name, known);
    }

    fn remove(&mut self, name: &Name, known: Known, at: Timestamp) {
        if let Some(open) = &known.state.alert {
            let key = key_of(&known.definition, &open.labels);
            self.decision.batch.signals.push(Signal::Ended { key, at });
        }
        self.decision.becomes.insert(name.clone(), None);
    }

    /// A run ended. While the way out is down, a failure of something remote says nothing.
    fn ran(&mut self, name: &Name, mut known: Known, measured: &Arc<Measured>, excerpt: &str) {
        if known.is_paused() {
            return;
        }
        let mut measured = Arc::clone(measured);
        if measured.result.status == CheckStatus::Unhealthy
            && self.is_behind_uplink(&known.definition)
            && self.is_uplink_down()
        {
            let reason = self.uplink_reason();
            let result = &mut Arc::make_mut(&mut measured).result;
            result.status = CheckStatus::Unknown;
            let seen = result.error.take().or_else(|| result.failed_condition.clone());
            result.error = Some(match seen {
                Some(seen) => format!("{reason}; what was seen: {seen}"),
                None => reason.clone(),
            });
            self.note(&measured.result);
            self.nobody_knows(&mut known, UnknownReason::Uplink, measured.result.at, &reason);
        } else {
            self.note(&measured.result);
            self.count(&mut known, &measured.result);
        }
        known.last = Some(measured);
        known.excerpt = excerpt.to_owned();
        self.settle_now(name, known);
    }

    /// A result counts: thresholds decide what the check is.
    fn count(&mut self, known: &mut Known, result: &CheckResult) {
        self.step(known, Step::Result(result.status), result.at);
        if known.state.status() != CheckStatus::Unknown {
            known.state.unknown = None;
        }
    }

    /// Nobody can say how it is. Its alert stays as it is.
    fn nobody_knows(&mut self, known: &mut Known, why: UnknownReason, at: Timestamp, reason: &str) {
        if !known.is_paused() {
            known.state.unknown = Some(reason.to_owned());
        }
        self.step(known, Step::Unknown(why), at)
    }

    /// What pausing makes of it: a paused check is paused; one that is not any more is unknown
    /// until it is asked.
    fn rest_or_rise(&mut self, known: &mut Known, at: Timestamp) {
        if known.is_paused() && known.state.status() != CheckStatus::Paused {
            known.state.unknown = None;
            self.step(known, Step::Paused, at);
        } else if !known.is_paused() && known.state.status() == CheckStatus::Paused {
            self.step(known, Step::Resumed, at);
            if known.definition.kind != CheckKind::Heartbeat {
                self.decision.ask.insert(known.definition.name.clone());
            }
        }
        self.settle(known, at);
    }

    fn step(&mut self, known: &mut Known, event: Step, at: Timestamp) {
        // Thresholds that are not valid were refused when they were defined.
        let policy = Policy::of(&known.definition).unwrap_or_default();
        let transition = match (known.state.heartbeat.take(), event) {
            (None, event) => {
                let before = std::mem::take(&mut known.state.verdict);
                let (verdict, transition) = before.step(&policy, event, at);
                known.state.verdict = verdict;
                transition
            }
            (Some(heartbeat), event) => {
                let (heartbeat, transition) = match event {
                    Step::Paused => heartbeat.pause(at),
                    Step::Resumed => heartbeat.resume(at),
                    // It is told, and not asked.
                    Step::Result(_) | Step::Unknown(_) => (heartbeat, None),
                };
                known.state.heartbeat = Some(heartbeat);
                transition
            }
        };
        let name = known.definition.name.clone();
        self.decision.transitions.extend(transition.map(|transition| (name, transition)));
    }

    fn note(&mut self, result: &CheckResult) {
        self.decision.results.push(result.clone());
    }

    fn settle_now(&mut self, name: &Name, mut known: Known) {
        let at = known.last.as_ref().map_or(known.state.since(), |last| last.result.at);
        self.settle(&mut known, at);
        self.put(name, known);
    }

    /// Brings the alert in line with the status: opens it, unless a check that this one depends on
    /// explains it; ends it. What fires goes on firing while nobody knows.
    fn settle(&mut self, known: &mut Known, at: Timestamp) {
        let status = known.state.status();
        if status == CheckStatus::Unknown {
            return;
        }
        let definition = Arc::clone(&known.definition);
        let wanted = alert_labels(&definition, status).map(|(labels, _)| labels);
        let open = known.state.alert.as_ref().map(|open| open.labels.clone());
        if wanted == open {
            known.state.held_back_by = None;
            return;
        }
        known.state.held_back_by = match (&wanted, &open) {
            // Who was told of one is told of the other: it is the same trouble, better or worse.
            (Some(_), None) => self.explained_by(&definition).map(|parent| parent.to_string()),
            _ => None,
        };
        if known.state.held_back_by.is_some() {
            return;
        }
        if let Some(labels) = wanted {
            let last = known.last.as_ref().map(|last| &last.result);
            let since = known.state.since();
            if let Some(alert) = alert_of(&definition, status, since, last, &known.excerpt) {
                self.decision.batch.signals.push(Signal::Firing(Box::new(alert)));
            }
            known.state.alert = Some(OpenAlert { labels, since });
        } else {
            known.state.alert = None;
        }
        if let Some(labels) = open {
            let ended = if status == CheckStatus::Healthy { known.state.since() } else { at };
            let key = key_of(&definition, &labels);
            self.decision.batch.signals.push(Signal::Ended { key, at: ended });
        }
    }

    fn finish(mut self) -> Result<Decision, StoreError> {
        for (name, known) in &self.decision.becomes {
            let before = self.ledger.known.get(name).map(|known| &known.state);
            let is_same = |state: &CheckState| before.is_some_and(|before| state.is_same(before));
            let write = match known {
                Some(known) if is_same(&known.state) => continue,
                Some(known) => Write::document(
                    Table::Watch,
                    DocumentKind::CheckState,
                    name.as_str(),
                    &known.state,
                )?,
                None => Write::no_document(Table::Watch, DocumentKind::CheckState, name.as_str()),
            };
            self.decision.batch.writes.push(write);
        }
        Ok(self.decision)
    }

    fn is_behind_uplink(&self, definition: &CheckDefinition) -> bool {
        !self.ledger.uplink.contains(&definition.name) && !is_local(definition)
    }
}

fn event_time(event: &Event) -> Timestamp {
    match event {
        Event::Ran { measured, .. } => measured.result.at,
        Event::Pinged { at, .. }
        | Event::Missed { at, .. }
        | Event::Lost { at, .. }
        | Event::Paused { at, .. }
        | Event::Defined { at, .. }
        | Event::Removed { at, .. } => *at,
    }
}
