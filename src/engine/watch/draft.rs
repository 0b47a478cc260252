//! A decision in the making: the state as it will be, and what must be written for that. Nothing
//! of it counts before it is committed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use super::ids::Ids;
use super::state::{LAST_NUMBER, document};
use super::{Change, Policy, State, Witness};
use crate::incidents::Suppression;
use crate::model::{
    Delivery, DeliveryState, Incident, IncidentId, Labels, TimelineEntry, TimelineKind, Timestamp,
};
use crate::notify::Group;
use crate::store::{DocumentKind, Store, StoreError, Table, Write};

/// The most entries of a timeline: older ones go.
const TIMELINE_MAX: u64 = 1000;

/// What decisions are made with.
pub(super) struct Draft<'k> {
    pub(super) state: State,
    /// What people have set; `None`: that is not known yet, and nobody is told.
    pub(super) policy: Option<&'k Policy>,
    pub(super) now: Timestamp,
    pub(super) ids: &'k mut Ids,
    /// Who knows what was written in logs; nobody on paper.
    pub(super) witness: Option<&'k dyn Witness>,
    /// Incidents of this decision for which it was asked.
    pub(super) witnessed: usize,
    /// For what is over and only in the file.
    pub(super) store: &'k Store,
    /// What must be written besides documents that changed.
    pub(super) writes: Vec<Write>,
    pub(super) changes: Vec<Change>,
    pub(super) outbox_changed: bool,
    incidents: BTreeSet<IncidentId>,
    groups: BTreeSet<String>,
    deliveries: BTreeMap<Uuid, Arc<Delivery>>,
    last_number: u64,
    pub(super) suppressions: BTreeMap<IncidentId, Option<Suppression>>,
    pub(super) firing: Option<Arc<[Labels]>>,
}

impl<'k> Draft<'k> {
    pub(super) fn new(
        state: &State,
        policy: Option<&'k Policy>,
        now: Timestamp,
        ids: &'k mut Ids,
        store: &'k Store,
    ) -> Self {
        Draft {
            state: state.clone(),
            policy,
            now,
            ids,
            witness: None,
            witnessed: 0,
            store,
            writes: Vec::new(),
            changes: Vec::new(),
            outbox_changed: false,
            incidents: BTreeSet::new(),
            groups: BTreeSet::new(),
            deliveries: BTreeMap::new(),
            last_number: state.last_number,
            suppressions: BTreeMap::new(),
            firing: None,
        }
    }

    /// An incident as it is in this draft; one that is over may be read from the file.
    pub(super) fn incident(&mut self, id: IncidentId) -> Result<Option<Arc<Incident>>, StoreError> {
        if let Some(incident) = self.state.incidents.get(&id) {
            return Ok(Some(Arc::clone(incident)));
        }
        let snapshot = self.store.read()?;
        let kind = DocumentKind::Incident;
        document(&snapshot, Table::Incidents, kind, &id.to_string()).map(|i| i.map(Arc::new))
    }

    /// Takes an incident up as it is now.
    pub(super) fn put(&mut self, incident: Incident) {
        let id = incident.id;
        if !self.state.incidents.contains_key(&id) {
            self.mark(Table::Watch, DocumentKind::Incident, &id.to_string());
        }
        // Suppressions are asked anew, also as an explanation of others.
        self.suppressions.clear();
        self.firing = None;
        self.state.put_incident(Arc::new(incident));
        self.incidents.insert(id);
    }

    /// Changes an incident that is at work.
    pub(super) fn change(&mut self, id: IncidentId, change: impl FnOnce(&mut Incident)) {
        let Some(before) = self.state.incidents.get(&id) else { return };
        let mut after = Incident::clone(before);
        change(&mut after);
        if **before != after {
            self.state.put_incident(Arc::new(after));
            self.incidents.insert(id);
        }
    }

    /// Adds to an incident's timeline.
    pub(super) fn log(&mut self, id: IncidentId, entry: &TimelineEntry) {
        let Some(incident) = self.state.incidents.get(&id) else { return };
        let (number, place) = (incident.number, incident.timeline_entries);
        self.change(id, |incident| incident.timeline_entries += 1);
        let key = |place: u64| format!("{id}/{place:08}");
        self.document(Table::Incidents, DocumentKind::Timeline, &key(place), entry);
        if let Some(old) = place.checked_sub(TIMELINE_MAX) {
            self.remove(Table::Incidents, DocumentKind::Timeline, &key(old));
        }
        self.changes.push(Change::Incident { id, number, entry: entry.clone() });
    }

    /// Adds an entry of ours to an incident's timeline.
    pub(super) fn say(&mut self, id: IncidentId, kind: TimelineKind, text: impl Into<String>) {
        let entry = TimelineEntry { at: self.now, kind, by: String::new(), text: text.into() };
        self.log(id, &entry);
    }

    /// Takes a group up as it is now. One without members goes.
    pub(super) fn put_group(&mut self, group: Group) {
        let id = group.id.clone();
        let before = self.state.groups.get(&id).cloned();
        let old = before.iter().flat_map(|before| before.members.keys());
        for gone in old.filter(|member| !group.members.contains_key(member)) {
            if let Some(groups) = self.state.memberships.get_mut(gone) {
                groups.remove(&id);
                if groups.is_empty() {
                    self.state.memberships.remove(gone);
                }
            }
        }
        for member in group.members.keys() {
            self.state.memberships.entry(*member).or_default().insert(id.clone());
        }
        // When it is looked at next is no decision: it follows from what is written.
        let looked_at = |group: &Group| Group { next_flush_at: Timestamp::MIN, ..group.clone() };
        let same = before.is_some_and(|before| looked_at(&before) == looked_at(&group));
        if group.members.is_empty() {
            self.state.groups.remove(&id);
        } else {
            self.state.groups.insert(id.clone(), Arc::new(group));
        }
        if !same {
            self.groups.insert(id);
        }
    }

    /// Takes a delivery up as it is now.
    pub(super) fn put_delivery(&mut self, delivery: Delivery) {
        let id = delivery.id;
        let waits = delivery.state == DeliveryState::Pending;
        let known = self.state.outbox.contains_key(&id);
        match (known, waits) {
            (false, true) => self.mark(Table::Watch, DocumentKind::Delivery, &id.to_string()),
            (true, false) => self.remove(Table::Watch, DocumentKind::Delivery, &id.to_string()),
            (true, true) | (false, false) => {}
        }
        let delivery = Arc::new(delivery);
        self.changes.push(Change::Delivery(Arc::clone(&delivery)));
        if waits {
            self.state.outbox.insert(id, Arc::clone(&delivery));
        } else {
            self.state.outbox.remove(&id);
        }
        self.deliveries.insert(id, delivery);
        self.outbox_changed = true;
    }

    /// Lets an incident that is over go from memory; one that this draft changes only later.
    pub(super) fn retire(&mut self, id: IncidentId) {
        if self.incidents.contains(&id) {
            return;
        }
        self.state.retire(id);
        self.remove(Table::Watch, DocumentKind::Incident, &id.to_string());
    }

    /// Writes a document. All of ours are bounded, so that none is too large.
    pub(super) fn document<T: serde::Serialize>(
        &mut self,
        table: Table,
        kind: DocumentKind,
        id: &str,
        document: &T,
    ) {
        match Write::document(table, kind, id, document) {
            Ok(write) => self.writes.push(write),
            Err(error) => tracing::error!(%error, id, "a document of the watch is not kept"),
        }
    }

    /// Writes that something is there.
    pub(super) fn mark(&mut self, table: Table, kind: DocumentKind, id: &str) {
        self.document(table, kind, id, &true);
    }

    pub(super) fn remove(&mut self, table: Table, kind: DocumentKind, id: &str) {
        self.writes.push(Write::no_document(table, kind, id));
    }

    /// What must be written, in order, and what it makes of the state.
    pub(super) fn finish(mut self) -> (State, Vec<Write>, Vec<Change>, bool) {
        let incidents = std::mem::take(&mut self.incidents);
        for id in incidents {
            if let Some(incident) = self.state.incidents.get(&id).cloned() {
                let kind = DocumentKind::Incident;
                self.document(Table::Incidents, kind, &id.to_string(), &*incident);
            }
        }
        for id in std::mem::take(&mut self.groups) {
            match self.state.groups.get(&id).cloned() {
                Some(group) => self.document(Table::Watch, DocumentKind::Group, &id, &*group),
                None => self.remove(Table::Watch, DocumentKind::Group, &id),
            }
        }
        for (id, delivery) in std::mem::take(&mut self.deliveries) {
            let kind = DocumentKind::Delivery;
            self.document(Table::Incidents, kind, &id.to_string(), &*delivery);
        }
        if self.state.last_number != self.last_number {
            let last = self.state.last_number;
            self.document(Table::Watch, DocumentKind::Figure, LAST_NUMBER, &last);
        }
        (self.state, self.writes, self.changes, self.outbox_changed)
    }
}
