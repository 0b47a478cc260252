//! The watch on paper: it decides as it always does, at times that are given to it, and nothing
//! is committed and nobody told. Backtests play the past through it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::draft::Draft;
use super::ids::Ids;
use super::{Outcome, Policy, Sent, Signal, State};
use crate::model::{Delivery, IncidentId, IncidentStatus, Labels, Timestamp};
use crate::store::Store;

/// A watch that begins with no incident.
pub struct Rehearsal {
    state: State,
    policy: Policy,
    ids: Ids,
    store: Arc<Store>,
    /// Why nobody is told of each incident, as it was said last.
    suppressed: BTreeMap<IncidentId, String>,
}

/// What one step came to.
#[derive(Clone, Debug, Default)]
pub struct Rehearsed {
    /// What would have been sent.
    pub told: Vec<Delivery>,
    /// Of whom nobody would have been told, and why: once for each reason.
    pub held_back: Vec<(Labels, String)>,
}

impl Rehearsal {
    /// A watch with these settings. The file is only asked for incidents that it does not have.
    pub(super) fn new(policy: Policy, store: Arc<Store>) -> Self {
        // What is never written needs no ids that nobody can guess.
        let ids = Ids::new(Box::new(|bytes| *bytes = [0; 10]));
        Rehearsal { state: State::default(), policy, ids, store, suppressed: BTreeMap::new() }
    }

    /// When it has something to do next by itself: a group to tell, a step of escalation.
    pub fn next_at(&self) -> Option<Timestamp> {
        let flushes = self.state.groups.values().map(|group| group.next_flush_at);
        let steps = self.state.incidents.values().filter_map(|incident| {
            let open = incident.status == IncidentStatus::Open && incident.suppressed.is_none();
            let step = incident.escalations.get(incident.escalated).filter(|_| open)?;
            Some(incident.triggered_at.plus_millis(step.after.millis()))
        });
        flushes.chain(steps).min()
    }

    /// Takes signals and the time. Whatever would be sent counts as delivered.
    pub fn step(&mut self, now: Timestamp, signals: Vec<Signal>) -> Rehearsed {
        let before: Vec<_> = self.state.outbox.keys().copied().collect();
        let policy = self.policy.clone();
        let mut draft = Draft::new(&self.state, Some(&policy), now, &mut self.ids, &self.store);
        for id in before {
            draft.outcome(Outcome { id, result: Sent::Delivered });
        }
        for signal in signals {
            draft.signal(signal);
        }
        draft.escalate();
        draft.flush();
        let retention_ms = policy.reopen_within_ms;
        let over = |incident: &&Arc<crate::model::Incident>| {
            let window_ms = retention_ms.max(incident.alert.cooldown_ms);
            incident.status == IncidentStatus::Resolved
                && !incident.firing
                && incident.ended_at.is_some_and(|ended| now.since(ended) > window_ms)
        };
        let (state, _, _, _) = draft.finish();
        self.state = state;
        let free = |id: &IncidentId| !self.state.memberships.contains_key(id);
        let over = self.state.incidents.values().filter(over).map(|incident| incident.id);
        let over: Vec<IncidentId> = over.filter(free).collect();
        for id in over {
            self.state.retire(id);
            self.suppressed.remove(&id);
        }
        Rehearsed { told: self.told(), held_back: self.held_back() }
    }

    fn told(&self) -> Vec<Delivery> {
        self.state.outbox.values().map(|delivery| Delivery::clone(delivery)).collect()
    }

    fn held_back(&mut self) -> Vec<(Labels, String)> {
        let mut out = Vec::new();
        for (id, incident) in &self.state.incidents {
            match &incident.suppressed {
                Some(text) if self.suppressed.get(id) != Some(text) => {
                    self.suppressed.insert(*id, text.clone());
                    out.push((incident.alert.labels.clone(), text.clone()));
                }
                Some(_) => {}
                None => {
                    self.suppressed.remove(id);
                }
            }
        }
        out
    }
}
