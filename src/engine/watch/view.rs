//! Reading: incidents, their timelines and deliveries, and what the routes make of an alert.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::rounds::below;
use super::state::document;
use super::telling::{Way, ways};
use super::{Policy, Rehearsal, State};
use crate::incidents::Suppression;
use crate::model::{
    AlertSource, Delivery, DeliveryState, Evidence, Incident, IncidentId, IncidentStatus, Labels,
    Matchers, Name, Note, Severity, TimelineEntry, Timestamp,
};
use crate::notify::{Group, Timing};
use crate::store::{
    DocumentKind, Key, Store, StoreError, Table, decode_document, document_key, document_range,
};

/// The most documents that one page looks at: beyond it the page ends early.
const SCANNED_MAX: usize = 5_000;

/// The state at one moment, and the file.
#[derive(Clone)]
pub struct View {
    state: Arc<State>,
    policy: Option<Arc<Policy>>,
    store: Arc<Store>,
}

/// Which incidents are asked for.
#[derive(Clone, Debug, Default)]
pub struct IncidentFilter {
    /// Of these states; of all where empty.
    pub status: Vec<IncidentStatus>,
    /// Of these severities; of all where empty.
    pub severity: Vec<Severity>,
    /// From this kind of source: `rule`, `check`, `experiment`, `external`, `internal`.
    pub source: Option<String>,
    /// With these labels.
    pub matchers: Matchers,
    /// Given to this person.
    pub assignee: Option<String>,
    /// Older than this one: the cursor of the page before.
    pub before: Option<Uuid>,
    /// At most so many.
    pub limit: usize,
}

/// Which deliveries are asked for.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// Of these states; of all where empty.
    pub states: Vec<DeliveryState>,
    /// To this channel.
    pub channel: Option<Name>,
    /// Older than this one: the cursor of the page before.
    pub before: Option<Uuid>,
    /// At most so many.
    pub limit: usize,
}

/// A page, newest first.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// The cursor of the next one, if there is more.
    pub next: Option<Uuid>,
}

/// One way that an alert would take.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RouteExplained {
    /// The route's key, as Alertmanager writes it.
    pub route: String,
    /// The group's key.
    pub group_key: String,
    /// The labels that the group's alerts share.
    pub group_labels: Labels,
    /// Who is told.
    pub channel: Name,
    /// The group's clocks.
    #[serde(flatten)]
    pub timing: Timing,
    /// How many incidents the group has now.
    pub members: usize,
}

fn source_kind(source: &AlertSource) -> &'static str {
    match source {
        AlertSource::Rule { .. } => "rule",
        AlertSource::Check { .. } => "check",
        AlertSource::Experiment { .. } => "experiment",
        AlertSource::External => "external",
        AlertSource::Internal => "internal",
    }
}

impl IncidentFilter {
    fn takes(&self, incident: &Incident) -> bool {
        (self.status.is_empty() || self.status.contains(&incident.status))
            && (self.severity.is_empty() || self.severity.contains(&incident.severity))
            && self.source.as_deref().is_none_or(|kind| kind == source_kind(&incident.alert.source))
            && self.matchers.matches(&incident.alert.labels)
            && self.assignee.as_ref().is_none_or(|who| incident.assignee.as_ref() == Some(who))
    }

    /// Whether what is at work is all that can be asked for.
    fn is_of_active(&self) -> bool {
        !self.status.is_empty() && !self.status.contains(&IncidentStatus::Resolved)
    }
}

impl DeliveryFilter {
    fn takes(&self, delivery: &Delivery) -> bool {
        (self.states.is_empty() || self.states.contains(&delivery.state))
            && self.channel.as_ref().is_none_or(|channel| *channel == delivery.channel)
    }
}

impl View {
    pub(super) fn new(state: Arc<State>, policy: Option<Arc<Policy>>, store: Arc<Store>) -> Self {
        View { state, policy, store }
    }

    /// A view of a state that nobody publishes: for simulations.
    pub fn of(state: Arc<State>, policy: Option<Arc<Policy>>, store: Arc<Store>) -> Self {
        View::new(state, policy, store)
    }

    /// Where people find vedette; empty before that is known.
    pub fn external_url(&self) -> &str {
        self.policy.as_ref().map_or("", |policy| policy.external_url.as_str())
    }

    /// The same settings with no incident, on paper. `None` before there are settings.
    pub fn rehearsal(&self) -> Option<Rehearsal> {
        let policy = self.policy.as_deref()?.current();
        Some(Rehearsal::new(policy, Arc::clone(&self.store)))
    }

    /// The incidents that are not resolved, oldest first.
    pub fn active(&self) -> impl Iterator<Item = &Arc<Incident>> {
        let all = self.state.incidents.values();
        all.filter(|incident| incident.status != IncidentStatus::Resolved)
    }

    /// All incidents in memory: those that are not resolved, and some that are.
    pub fn at_work(&self) -> impl Iterator<Item = &Arc<Incident>> {
        self.state.incidents.values()
    }

    /// The groups that have incidents, by id.
    pub fn groups(&self) -> impl Iterator<Item = &Arc<Group>> {
        self.state.groups.values()
    }

    /// Deliveries that wait, in the order in which they were decided.
    pub fn pending(&self) -> impl Iterator<Item = &Arc<Delivery>> {
        self.state.outbox.values()
    }

    /// An incident.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn incident(&self, id: IncidentId) -> Result<Option<Arc<Incident>>, StoreError> {
        if let Some(incident) = self.state.incidents.get(&id) {
            return Ok(Some(Arc::clone(incident)));
        }
        self.document(DocumentKind::Incident, &id.to_string()).map(|found| found.map(Arc::new))
    }

    /// An incident by its number.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn numbered(&self, number: u64) -> Result<Option<Arc<Incident>>, StoreError> {
        let kind = DocumentKind::IncidentNumber;
        let id: Option<IncidentId> = self.document(kind, &format!("{number:012}"))?;
        id.map_or(Ok(None), |id| self.incident(id))
    }

    /// A page of incidents, newest first.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn incidents(&self, filter: &IncidentFilter) -> Result<Page<Arc<Incident>>, StoreError> {
        if filter.is_of_active() {
            let older = |id: &Uuid| filter.before.is_none_or(|before| *id < before);
            let all = self.state.incidents.iter().rev().filter(|(id, _)| older(id));
            let mut found = all.filter(|(_, incident)| filter.takes(incident));
            let items: Vec<_> = found
                .by_ref()
                .take(filter.limit)
                .map(|(_, incident)| Arc::clone(incident))
                .collect();
            let more = found.next().is_some();
            let next = items.last().filter(|_| more).map(|incident| incident.id);
            return Ok(Page { items, next });
        }
        let page = self.page(DocumentKind::Incident, filter.before, filter.limit, |incident| {
            filter.takes(incident)
        })?;
        let items = page.items.into_iter().map(Arc::new).collect();
        Ok(Page { items, next: page.next })
    }

    /// A page of deliveries, newest first.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn deliveries(&self, filter: &DeliveryFilter) -> Result<Page<Delivery>, StoreError> {
        self.page(DocumentKind::Delivery, filter.before, filter.limit, |delivery| {
            filter.takes(delivery)
        })
    }

    /// A delivery.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn delivery(&self, id: Uuid) -> Result<Option<Delivery>, StoreError> {
        self.document(DocumentKind::Delivery, &id.to_string())
    }

    /// The newest entries of an incident's timeline, oldest of them first: at most `limit`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn timeline(&self, id: IncidentId, limit: usize) -> Result<Vec<TimelineEntry>, StoreError> {
        self.newest(DocumentKind::Timeline, id, limit)
    }

    /// The newest notes of an incident, oldest of them first: at most `limit`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn notes(&self, id: IncidentId, limit: usize) -> Result<Vec<Note>, StoreError> {
        self.newest(DocumentKind::Notes, id, limit)
    }

    /// What explains an incident.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn evidence(&self, id: IncidentId) -> Result<Evidence, StoreError> {
        Ok(self.document(DocumentKind::Evidence, &id.to_string())?.unwrap_or_default())
    }

    /// The newest deliveries that tell of an incident, newest first: at most `limit`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn deliveries_of(&self, id: IncidentId, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        let snapshot = self.store.read()?;
        let (from, until) = below(DocumentKind::IncidentDelivery, &id.to_string());
        let table = snapshot.table(Table::Incidents)?;
        let mut out = Vec::new();
        for entry in table.range_back(from.as_bytes(), until.as_bytes())?.take(limit) {
            let entry = entry?;
            let key = entry.key().get(1..).and_then(|key| std::str::from_utf8(key).ok());
            let Some((_, delivery)) = key.and_then(|key| key.split_once('/')) else { continue };
            let kind = DocumentKind::Delivery;
            out.extend(document(&snapshot, Table::Incidents, kind, delivery)?);
        }
        Ok(out)
    }

    /// Where an alert of these labels would be told, and what would keep it from that.
    ///
    /// # Errors
    ///
    /// Why nobody would be told.
    pub fn explain_routing(
        &self,
        labels: &Labels,
        severity: Severity,
        channels: &[Name],
    ) -> Result<Vec<RouteExplained>, Suppression> {
        let Some(policy) = &self.policy else { return Ok(Vec::new()) };
        let ways = ways(&policy.current(), None, labels, severity, channels)?;
        Ok(ways.into_iter().map(|way| self.explained(way)).collect())
    }

    fn explained(&self, way: Way) -> RouteExplained {
        let group = self.state.groups.get(&way.id);
        RouteExplained {
            group_key: way.routed.group_key(),
            route: way.routed.route,
            group_labels: way.routed.group_labels,
            channel: way.channel,
            timing: way.routed.timing,
            members: group.map_or(0, |group| group.members.len()),
        }
    }

    /// What would keep people from being told of an alert of these labels now.
    pub fn suppression(&self, labels: &Labels, now: Timestamp) -> Option<Suppression> {
        let fires = |incident: &&Arc<Incident>| incident.firing;
        let firing: Vec<Labels> =
            self.active().filter(fires).map(|incident| incident.alert.labels.clone()).collect();
        self.policy.as_ref()?.suppressions.any(labels, &firing, now)
    }

    /// The newest incident at work of an alert.
    pub fn of_alert(&self, key: crate::model::AlertKey) -> Option<Arc<Incident>> {
        let id = self.state.by_key.get(&key)?;
        self.state.incidents.get(id).cloned()
    }

    fn document<T: DeserializeOwned>(
        &self,
        kind: DocumentKind,
        id: &str,
    ) -> Result<Option<T>, StoreError> {
        document(&self.store.read()?, Table::Incidents, kind, id)
    }

    fn newest<T: DeserializeOwned>(
        &self,
        kind: DocumentKind,
        id: IncidentId,
        limit: usize,
    ) -> Result<Vec<T>, StoreError> {
        let snapshot = self.store.read()?;
        let (from, until) = below(kind, &id.to_string());
        let table = snapshot.table(Table::Incidents)?;
        let mut out = Vec::new();
        for entry in table.range_back(from.as_bytes(), until.as_bytes())?.take(limit) {
            out.push(decode_document(entry?.open()?.payload())?);
        }
        out.reverse();
        Ok(out)
    }

    fn page<T: DeserializeOwned>(
        &self,
        kind: DocumentKind,
        before: Option<Uuid>,
        limit: usize,
        takes: impl Fn(&T) -> bool,
    ) -> Result<Page<T>, StoreError> {
        let snapshot = self.store.read()?;
        let (from, end) = document_range(kind);
        let until: Key = before.map_or(end, |id| document_key(kind, &id.to_string()));
        let table = snapshot.table(Table::Incidents)?;
        let mut items = Vec::new();
        let mut last = None;
        for (scanned, entry) in table.range_back(from.as_bytes(), until.as_bytes())?.enumerate() {
            if items.len() == limit || scanned == SCANNED_MAX {
                return Ok(Page { items, next: last });
            }
            let entry = entry?;
            let id = entry.key().get(1..).and_then(|id| std::str::from_utf8(id).ok());
            last = id.and_then(|id| id.parse().ok());
            let item: T = decode_document(entry.open()?.payload())?;
            if takes(&item) {
                items.push(item);
            }
        }
        Ok(Page { items, next: None })
    }
}
