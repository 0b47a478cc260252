//! What the keeper knows: all of it is in the file, and read from there at the start and after a
//! failed commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use crate::model::{AlertKey, Delivery, Incident, IncidentId, IncidentStatus, Name};
use crate::notify::Group;
use crate::store::{
    DocumentKind, Snapshot, Store, StoreError, Table, decode_document, document_key, document_range,
};

/// The incidents that may still change by themselves, the groups they are told in, and what waits
/// to be sent. Cloning it costs a count per entry; entries are shared.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Those that are not over, and for a time those that are.
    pub(super) incidents: BTreeMap<IncidentId, Arc<Incident>>,
    /// The newest incident of each key.
    pub(super) by_key: BTreeMap<AlertKey, IncidentId>,
    /// How many incidents are not resolved.
    pub(super) active: usize,
    /// The groups, by id.
    pub(super) groups: BTreeMap<String, Arc<Group>>,
    /// The groups that each incident is in.
    pub(super) memberships: BTreeMap<IncidentId, BTreeSet<String>>,
    /// What waits to be sent.
    pub(super) outbox: BTreeMap<Uuid, Arc<Delivery>>,
    /// The number of the next incident, less 1.
    pub(super) last_number: u64,
}

/// The figure that holds the number of the last incident.
pub(super) const LAST_NUMBER: &str = "last_incident_number";

impl State {
    /// Reads it. What cannot be decoded is reported and left out: the rest is still watched.
    pub(super) fn read(store: &Store) -> Result<State, StoreError> {
        let snapshot = store.read()?;
        let mut state = State::default();
        for id in marked(&snapshot, DocumentKind::Incident)? {
            if let Some(incident) =
                document(&snapshot, Table::Incidents, DocumentKind::Incident, &id)?
            {
                state.put_incident(Arc::new(incident));
            }
        }
        for id in marked(&snapshot, DocumentKind::Delivery)? {
            let delivery: Option<Delivery> =
                document(&snapshot, Table::Incidents, DocumentKind::Delivery, &id)?;
            if let Some(delivery) = delivery {
                state.outbox.insert(delivery.id, Arc::new(delivery));
            }
        }
        for id in marked(&snapshot, DocumentKind::Group)? {
            let group: Option<Group> = document(&snapshot, Table::Watch, DocumentKind::Group, &id)?;
            if let Some(group) = group {
                for member in group.members.keys() {
                    state.memberships.entry(*member).or_default().insert(group.id.clone());
                }
                state.groups.insert(group.id.clone(), Arc::new(group));
            }
        }
        let last = document(&snapshot, Table::Watch, DocumentKind::Figure, LAST_NUMBER)?;
        let seen = state.incidents.values().map(|incident| incident.number).max();
        state.last_number = last.unwrap_or(0).max(seen.unwrap_or(0));
        Ok(state)
    }

    /// Puts an incident in the place of what has its id, or adds it.
    pub(super) fn put_incident(&mut self, incident: Arc<Incident>) {
        let active = |incident: &Incident| usize::from(incident.status != IncidentStatus::Resolved);
        self.active += active(&incident);
        let newest = self.by_key.entry(incident.key).or_insert(incident.id);
        *newest = (*newest).max(incident.id);
        if let Some(before) = self.incidents.insert(incident.id, incident) {
            self.active -= active(&before);
        }
    }

    /// Forgets an incident that is over; it stays in the file.
    pub(super) fn retire(&mut self, id: IncidentId) {
        let Some(incident) = self.incidents.remove(&id) else { return };
        if incident.status != IncidentStatus::Resolved {
            self.active -= 1;
        }
        if self.by_key.get(&incident.key) == Some(&id) {
            self.by_key.remove(&incident.key);
        }
    }

    /// Whether the incident is the newest of its key, or no other is known.
    pub(super) fn is_newest(&self, incident: &Incident) -> bool {
        self.by_key.get(&incident.key).is_none_or(|newest| *newest <= incident.id)
    }

    /// The groups that an incident is in.
    pub(super) fn groups_of(&self, id: IncidentId) -> impl Iterator<Item = &Arc<Group>> {
        let ids = self.memberships.get(&id).into_iter().flatten();
        ids.filter_map(|group| self.groups.get(group))
    }

    /// Whether a channel was told that the incident fires, and not yet that it ended.
    pub(super) fn has_told(&self, id: IncidentId, channel: &Name) -> bool {
        self.groups_of(id).any(|group| group.channel == *channel && group.has_told(id))
    }

    /// All channels of which that is so.
    pub(super) fn told(&self, id: IncidentId) -> Vec<Name> {
        let told = self.groups_of(id).filter(|group| group.has_told(id));
        let channels: BTreeSet<Name> = told.map(|group| group.channel.clone()).collect();
        channels.into_iter().collect()
    }
}

/// The ids of the documents of a kind in the table of what is at work.
fn marked(snapshot: &Snapshot, kind: DocumentKind) -> Result<Vec<String>, StoreError> {
    let (from, until) = document_range(kind);
    let mut out = Vec::new();
    for entry in snapshot.table(Table::Watch)?.range(from.as_bytes(), until.as_bytes())? {
        let entry = entry?;
        let id = entry.key().get(1..).and_then(|id| std::str::from_utf8(id).ok());
        out.extend(id.map(str::to_owned));
    }
    Ok(out)
}

/// A document, if it is there and can be decoded.
pub(super) fn document<T: serde::de::DeserializeOwned>(
    snapshot: &Snapshot,
    table: Table,
    kind: DocumentKind,
    id: &str,
) -> Result<Option<T>, StoreError> {
    let value = snapshot.get(table, document_key(kind, id).as_bytes());
    let decoded = match value {
        Ok(None) => return Ok(None),
        Ok(Some(value)) => decode_document(value.payload()),
        Err(error) => Err(error),
    };
    match decoded {
        Ok(document) => Ok(Some(document)),
        Err(StoreError::Damaged { table, reason }) => {
            tracing::error!(table, id, reason, "a document in the database cannot be read");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
