//! What signals and people's acts make of incidents.

use std::sync::Arc;

use super::draft::Draft;
use super::{ActError, Signal};
use crate::incidents::{self, Act, ActKind, Effect, Fires, Refused, Step};
use crate::model::{
    Alert, AlertKey, AlertSource, Evidence, Incident, IncidentId, IncidentStatus, Labels, Note,
    NotificationReason, Severity, TimelineKind, Timestamp,
};
use crate::store::{DocumentKind, Table};

/// The name of the alert that says that there are too many incidents.
pub(super) const TOO_MANY: &str = "VedetteTooManyIncidents";

/// Incidents of one decision that get log lines as evidence: a storm is told at once, without.
const WITNESSED_MAX: usize = 8;

/// What people are asked to write where they wrote nothing.
const ENDED: &str = "its alert ended";

impl Draft<'_> {
    /// Takes a signal up.
    pub(super) fn signal(&mut self, signal: Signal) {
        match signal {
            Signal::Firing(alert) => {
                self.fires(*alert);
            }
            Signal::Ended { key, at } => self.ends(key, at, ENDED),
        }
    }

    /// An alert fires. Gives its incident, unless there are too many.
    pub(super) fn fires(&mut self, alert: Alert) -> Option<IncidentId> {
        let (alert, evidence) = incidents::admit(alert);
        let key = alert.key();
        let known = self.state.by_key.get(&key).and_then(|id| self.state.incidents.get(id));
        if let Some(known) = known {
            let id = known.id;
            let mut incident = Incident::clone(known);
            let reopen_ms = self.policy.map_or(0, |policy| policy.reopen_within_ms);
            match incidents::fires(&mut incident, &alert, self.now, reopen_ms) {
                Fires::Same => return Some(id),
                Fires::Step(step) => {
                    if step.effect == Effect::Began {
                        self.keep_evidence(id, &evidence);
                    }
                    self.put(incident);
                    self.follow(id, step);
                    return Some(id);
                }
                Fires::Another => {}
            }
        }
        let max = self.policy.map_or(usize::MAX, |policy| policy.open_max);
        if self.state.active >= max && alert.source != AlertSource::Internal {
            self.too_many(max);
            return None;
        }
        Some(self.open(&alert, &evidence))
    }

    fn open(&mut self, alert: &Alert, evidence: &Evidence) -> IncidentId {
        let id = self.ids.next(self.now);
        self.state.last_number += 1;
        let number = self.state.last_number;
        self.put(incidents::open((id, number), alert, Vec::new(), self.now));
        let kind = DocumentKind::IncidentNumber;
        self.document(Table::Incidents, kind, &format!("{number:012}"), &id);
        self.keep_evidence(id, evidence);
        self.say(
            id,
            TimelineKind::Opened,
            format!("{} since {}", alert.severity.as_str(), alert.starts_at),
        );
        self.begin(id);
        id
    }

    /// Keeps what explains an alert, and what was written about it lately.
    fn keep_evidence(&mut self, id: IncidentId, evidence: &Evidence) {
        let lines = match self.witness {
            Some(witness) if evidence.log_lines.is_empty() && self.witnessed < WITNESSED_MAX => {
                self.witnessed += 1;
                let incident = self.state.incidents.get(&id);
                incident.map(|i| witness.lines(&i.alert.labels, self.now)).unwrap_or_default()
            }
            Some(_) | None => Vec::new(),
        };
        let with_lines;
        let evidence = if lines.is_empty() {
            evidence
        } else {
            with_lines = Evidence { log_lines: lines, ..evidence.clone() };
            &with_lines
        };
        if *evidence != Evidence::default() {
            let kind = DocumentKind::Evidence;
            self.document(Table::Incidents, kind, &id.to_string(), evidence);
        }
    }

    fn too_many(&mut self, max: usize) {
        let summary = format!(
            "{max} incidents are open, and no more are taken: alerts that fire now are not told"
        );
        self.fires(internal(TOO_MANY, &[], Severity::Critical, &summary, self.now));
    }

    /// An alert ended.
    pub(super) fn ends(&mut self, key: AlertKey, at: Timestamp, why: &str) {
        let Some(id) = self.state.by_key.get(&key).copied() else { return };
        let Some(known) = self.state.incidents.get(&id) else { return };
        let mut incident = Incident::clone(known);
        if let Some(step) = incidents::ends(&mut incident, at, self.now, why) {
            self.put(incident);
            self.follow(id, step);
        }
    }

    /// Ends an alert of our own, if it fires.
    pub(super) fn ends_internal(&mut self, name: &str, labels: &[(&str, &str)], why: &str) {
        let alert = internal(name, labels, Severity::Warning, "", self.now);
        // The severity is no part of what an alert of ours is known by.
        self.ends(alert.key(), self.now, why);
    }

    /// A person does something. Gives the incident as it is then.
    pub(super) fn act(&mut self, id: IncidentId, act: &Act) -> Result<Arc<Incident>, ActError> {
        let absent = || ActError::Absent { noun: "incident", id: id.to_string() };
        let known = self
            .incident(id)
            .map_err(|error| super::WatchError::Store(error.to_string()))?
            .ok_or_else(absent)?;
        if act.kind == ActKind::Reopen && !self.state.is_newest(&known) {
            return Err(ActError::Conflict(format!(
                "incident {} cannot be reopened: its alert has had another one since",
                known.number
            )));
        }
        let mut incident = Incident::clone(&known);
        let step =
            incidents::act(&mut incident, act, self.now).map_err(|refused| match refused {
                Refused::Conflict(text) => ActError::Conflict(text),
                Refused::Invalid(text) => ActError::Invalid(text),
            })?;
        if let ActKind::Note(text) = &act.kind {
            let note = Note { at: self.now, by: act.by.clone(), text: text.clone() };
            let key = format!("{id}/{:08}", incident.notes);
            self.document(Table::Incidents, DocumentKind::Notes, &key, &note);
        }
        self.put(incident);
        self.follow(id, step);
        if let Some(text) = &act.note {
            let kind = ActKind::Note(text.clone());
            // It is about what this act made of the incident, whatever was seen before.
            return self.act(id, &Act { by: act.by.clone(), version: None, note: None, kind });
        }
        self.state.incidents.get(&id).cloned().ok_or_else(absent)
    }

    /// Notes a step in the timeline, and lets those who are told know.
    pub(super) fn follow(&mut self, id: IncidentId, step: Step) {
        for entry in &step.entries {
            self.log(id, entry);
        }
        match step.effect {
            Effect::Nothing => {}
            Effect::Began => self.begin(id),
            Effect::Ended => {
                // Groups tell of it with their next flush, or leave it out: nobody heard of it.
                if self.policy.is_some() && self.state.told(id).is_empty() {
                    let text = "nobody had been told of it: nobody is told of the end";
                    self.say(id, TimelineKind::Suppressed, text);
                }
            }
            Effect::Worse => self.hurry(id, NotificationReason::Firing),
            Effect::Woke => self.hurry(id, NotificationReason::Repeat),
        }
    }

    /// An incident began, or began again: it joins its groups.
    fn begin(&mut self, id: IncidentId) {
        let escalations = self.state.incidents.get(&id).map(|incident| self.escalations(incident));
        self.change(id, |incident| {
            incident.escalations = escalations.unwrap_or_default();
            incident.escalated = 0;
        });
        self.join(id);
    }

    /// Ends what its sender has not sent again in time.
    pub(super) fn run_out(&mut self) {
        let now = self.now;
        let out = |incident: &&Arc<Incident>| {
            incident.firing && incident.alert.ends_at.is_some_and(|at| at <= now)
        };
        let over: Vec<_> = self.state.incidents.values().filter(out).cloned().collect();
        for incident in over {
            let at = incident.alert.ends_at.unwrap_or(now);
            self.ends(incident.key, at, "its sender has not sent it again");
        }
    }

    /// Wakes those whose snooze is over.
    pub(super) fn wake(&mut self) {
        let now = self.now;
        let out = |incident: &&Arc<Incident>| {
            incident.status != IncidentStatus::Resolved
                && incident.snoozed_until.is_some_and(|until| until <= now)
        };
        let over: Vec<_> = self.state.incidents.values().filter(out).cloned().collect();
        for known in over {
            let mut incident = Incident::clone(&known);
            if let Some(step) = incidents::wakes(&mut incident, now) {
                let id = incident.id;
                self.put(incident);
                self.follow(id, step);
            }
        }
    }
}

/// An alert of our own.
pub(super) fn internal(
    name: &str,
    labels: &[(&str, &str)],
    severity: Severity,
    summary: &str,
    now: Timestamp,
) -> Alert {
    let own = [("alertname", name)];
    let labels = Labels::from_pairs(own.iter().chain(labels).copied()).unwrap_or_default();
    Alert {
        source: AlertSource::Internal,
        labels,
        annotations: vec![("summary".to_owned(), summary.to_owned())],
        severity,
        starts_at: now,
        value: None,
        generator_url: String::new(),
        channels: Vec::new(),
        cooldown_ms: 0,
        evidence: Evidence::default(),
        ends_at: None,
    }
}
