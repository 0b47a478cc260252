//! What time brings: ends that nobody reports, snoozes that are over, steps of escalation, the
//! audit of ourselves, and the end of what is old.

use std::sync::Arc;

use super::State;
use super::draft::Draft;
use super::signals::{TOO_MANY, internal};
use crate::incidents;
use crate::model::{AlertSource, Incident, IncidentId, IncidentStatus, Severity, Timestamp};
use crate::notify::Group;
use crate::store::{
    DocumentKind, Snapshot, StoreError, Table, decode_document, document_key, document_range,
};

/// The name of the alert that says that we found a mistake of our own.
pub(super) const AUDIT_FAILED: &str = "VedetteAuditFailed";
/// How often (ms) we look for mistakes of our own.
const AUDIT_EVERY_MS: i64 = 60_000;
/// So long (ms) after its time a group must have been flushed.
const LATE_MS: i64 = 60_000;
/// How often (ms) a slice of what is old goes.
const EXPIRE_EVERY_MS: i64 = 60_000;
/// The most incidents or deliveries that go in one slice.
const EXPIRE_MAX: usize = 100;
/// A clock that is put back by more (ms) is noticed.
const BACK_MS: i64 = 1_000;
/// More incidents than so many times the bound are not kept in memory for reopening.
const KEPT_FACTOR: usize = 2;

/// When rounds were made last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rounds {
    pub(super) last: Timestamp,
    pub(super) audited: Timestamp,
    pub(super) expired: Timestamp,
}

impl Default for Rounds {
    fn default() -> Self {
        Rounds { last: Timestamp::MIN, audited: Timestamp::MIN, expired: Timestamp::MIN }
    }
}

impl Rounds {
    /// Whether there is anything to do. Looks at everything and changes nothing.
    pub(super) fn due(
        &self,
        state: &State,
        has_policy: bool,
        reopen_ms: i64,
        now: Timestamp,
    ) -> bool {
        if !has_policy {
            return false;
        }
        let back = self.last.since(now) > BACK_MS;
        let audit = now.since(self.audited) >= AUDIT_EVERY_MS;
        back || audit
            || now.since(self.expired) >= EXPIRE_EVERY_MS
            || state.groups.values().any(|group| group.next_flush_at <= now)
            || state.incidents.values().any(|incident| {
                incident.snoozed_until.is_some_and(|until| until <= now)
                    || (incident.firing && incident.alert.ends_at.is_some_and(|at| at <= now))
                    || incidents::escalates(incident, now).is_some()
                    || is_over(state, incident, reopen_ms, now)
            })
    }
}

/// Whether an incident cannot change by itself any more.
fn is_over(state: &State, incident: &Incident, reopen_ms: i64, now: Timestamp) -> bool {
    if incident.status != IncidentStatus::Resolved || incident.firing {
        return false;
    }
    if state.memberships.contains_key(&incident.id) {
        return false;
    }
    let ended = incident.ended_at.or(incident.resolved_at).unwrap_or(now);
    let window_ms = reopen_ms.max(incident.alert.cooldown_ms);
    now.since(ended) > window_ms || !state.is_newest(incident)
}

impl Draft<'_> {
    /// Makes the round.
    pub(super) fn round(&mut self, rounds: &mut Rounds) {
        let Some(policy) = self.policy else { return };
        let now = self.now;
        let back_ms = rounds.last.since(now);
        if back_ms > BACK_MS {
            tracing::warn!(by_ms = back_ms, "the clock was put back");
        }
        // With the first round too: nobody knows what the clock did while we were down.
        if back_ms > BACK_MS || rounds.last == Timestamp::MIN {
            self.mend_clocks();
            rounds.audited = rounds.audited.min(now);
            rounds.expired = rounds.expired.min(now);
        }
        rounds.last = now;
        self.run_out();
        self.wake();
        self.escalate();
        if now.since(rounds.audited) >= AUDIT_EVERY_MS {
            rounds.audited = now;
            self.audit();
            if self.state.active < policy.open_max {
                self.ends_internal(TOO_MANY, &[], "there is room again");
            }
        }
        if now.since(rounds.expired) >= EXPIRE_EVERY_MS {
            rounds.expired = now;
            if let Err(error) = self.expire(policy.retention_ms) {
                tracing::warn!(%error, "old incidents could not be looked at");
            }
        }
        let reopen_ms = policy.reopen_within_ms;
        let crowded = self.state.incidents.len() > policy.open_max.saturating_mul(KEPT_FACTOR);
        let window_ms = if crowded { -1 } else { reopen_ms };
        let over = |incident: &&Arc<Incident>| is_over(&self.state, incident, window_ms, now);
        let over: Vec<IncidentId> =
            self.state.incidents.values().filter(over).map(|incident| incident.id).collect();
        for id in over {
            self.retire(id);
        }
    }

    fn mend_clocks(&mut self) {
        let groups: Vec<_> = self.state.groups.values().cloned().collect();
        for known in groups {
            let mut group = Group::clone(&known);
            group.mend_clocks(self.now);
            self.put_group(group);
        }
    }

    /// Every incident that goes on is told, or it is stated why not. Anything else is a mistake of
    /// ours, and told as such.
    fn audit(&mut self) {
        let snapshot = match self.store.read() {
            Ok(snapshot) => snapshot,
            Err(error) => {
                tracing::warn!(%error, "the watch could not be audited");
                return;
            }
        };
        let now = self.now;
        let mut untold = Vec::new();
        for incident in self.state.incidents.values() {
            let own = incident.alert.source == AlertSource::Internal
                && incident.alert.labels.get("alertname") == Some(AUDIT_FAILED);
            if incident.status == IncidentStatus::Resolved || own || incident.suppressed.is_some() {
                continue;
            }
            // Time for the first flush, and for the commit before this look at the file.
            if now.since(incident.updated_at) < LATE_MS {
                continue;
            }
            let waits = self.state.groups_of(incident.id).any(|group| {
                !group.has_told(incident.id) && now.since(group.next_flush_at) < LATE_MS
            });
            let has_delivery = has_delivery(&snapshot, incident.id).unwrap_or(true);
            if !(waits || (!incident.told.is_empty() && has_delivery)) {
                untold.push(incident.number);
            }
        }
        if untold.is_empty() {
            self.ends_internal(
                AUDIT_FAILED,
                &[],
                "every incident is told, or it is stated why not",
            );
            return;
        }
        let numbers: Vec<String> = untold.iter().take(20).map(|n| format!("#{n}")).collect();
        let summary = format!(
            "{} incidents go on and nobody was told, without a stated reason: {}. Look at them; \
             this is a mistake in vedette, please report it",
            untold.len(),
            numbers.join(", ")
        );
        self.fires(internal(AUDIT_FAILED, &[], Severity::Critical, &summary, now));
    }

    /// Removes a slice of what is older than it has to be kept.
    fn expire(&mut self, retention_ms: i64) -> Result<(), StoreError> {
        let before = self.now.plus_millis(-retention_ms).millis().max(0);
        let bound = uuid::Builder::from_unix_timestamp_millis(before.unsigned_abs(), &[0; 10]);
        let bound = bound.into_uuid().to_string();
        let snapshot = self.store.read()?;
        let table = snapshot.table(Table::Incidents)?;
        let (from, _) = document_range(DocumentKind::Incident);
        let until = document_key(DocumentKind::Incident, &bound);
        let mut gone = 0;
        // Old ones that go on are stepped over.
        for entry in table.range(from.as_bytes(), until.as_bytes())?.take(10 * EXPIRE_MAX) {
            if gone == EXPIRE_MAX {
                break;
            }
            let value = entry?.open()?;
            let incident: Incident = decode_document(value.payload())?;
            let over = incident.status == IncidentStatus::Resolved && !incident.firing;
            let at_work = self.state.incidents.contains_key(&incident.id);
            if over && !at_work && incident.updated_at.millis() < before {
                self.forget(&snapshot, &incident)?;
                gone += 1;
            }
        }
        let (from, _) = document_range(DocumentKind::Delivery);
        let until = document_key(DocumentKind::Delivery, &bound);
        for entry in table.range(from.as_bytes(), until.as_bytes())?.take(EXPIRE_MAX) {
            let entry = entry?;
            let id = entry.key().get(1..).and_then(|id| std::str::from_utf8(id).ok()).unwrap_or("");
            if !self.state.outbox.keys().any(|waiting| waiting.to_string() == id) {
                self.remove(Table::Incidents, DocumentKind::Delivery, id);
            }
        }
        Ok(())
    }

    fn forget(&mut self, snapshot: &Snapshot, incident: &Incident) -> Result<(), StoreError> {
        let id = incident.id.to_string();
        self.remove(Table::Incidents, DocumentKind::Incident, &id);
        self.remove(Table::Incidents, DocumentKind::Evidence, &id);
        let number = format!("{:012}", incident.number);
        self.remove(Table::Incidents, DocumentKind::IncidentNumber, &number);
        let table = snapshot.table(Table::Incidents)?;
        for kind in [DocumentKind::Timeline, DocumentKind::Notes, DocumentKind::IncidentDelivery] {
            let (from, until) = below(kind, &id);
            for entry in table.range(from.as_bytes(), until.as_bytes())? {
                let entry = entry?;
                let place = entry.key().get(1..).and_then(|key| std::str::from_utf8(key).ok());
                self.remove(Table::Incidents, kind, place.unwrap_or(""));
            }
        }
        Ok(())
    }
}

/// The keys of the documents of a kind that belong to an incident.
pub(super) fn below(kind: DocumentKind, id: &str) -> (crate::store::Key, crate::store::Key) {
    // '0' comes after '/'.
    (document_key(kind, &format!("{id}/")), document_key(kind, &format!("{id}0")))
}

fn has_delivery(snapshot: &Snapshot, id: IncidentId) -> Result<bool, StoreError> {
    let (from, until) = below(DocumentKind::IncidentDelivery, &id.to_string());
    let mut range = snapshot.table(Table::Incidents)?.range(from.as_bytes(), until.as_bytes())?;
    Ok(range.next().transpose()?.is_some())
}
