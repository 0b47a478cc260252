//! What is told of each commit, for those who follow along.

use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Defined, State};
use crate::engine::feed::{Fact, Subject, Topic};
use crate::model::{
    Definition, Delivery, DeliveryState, Incident, IncidentId, Silence, TimelineEntry, TimelineKind,
};
use crate::store::DocumentKind;

/// Something that changed. Said after it is durable.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// An incident: what its timeline says.
    Incident {
        /// Which.
        id: IncidentId,
        /// Its number.
        number: u64,
        /// What happened.
        entry: TimelineEntry,
    },
    /// A delivery was decided, or has come further: as it is now.
    Delivery(Arc<Delivery>),
}

/// Commits that a slow follower may lag behind before it misses some.
pub(super) const FEED_MAX: usize = 1024;

/// An incident as answers and the feed show it: everything but timeline, notes and evidence.
pub fn incident_json(incident: &Incident) -> Value {
    let alert = &incident.alert;
    let annotations: serde_json::Map<String, Value> =
        alert.annotations.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
    json!({
        "id": incident.id,
        "number": incident.number,
        "source": alert.source,
        "dedupe_key": incident.key,
        "status": incident.status,
        "firing": incident.firing,
        "severity": incident.severity,
        "title": incident.title,
        "description": incident.description,
        "labels": alert.labels,
        "annotations": annotations,
        "value": alert.value,
        "generator_url": alert.generator_url,
        "started_at": alert.starts_at,
        "triggered_at": incident.triggered_at,
        "ended_at": incident.ended_at,
        "acknowledged_at": incident.acknowledged_at,
        "acknowledged_by": incident.acknowledged_by,
        "resolved_at": incident.resolved_at,
        "resolved_by": incident.resolved_by,
        "assignee": incident.assignee,
        "snoozed_until": incident.snoozed_until,
        "suppressed": incident.suppressed,
        "told": incident.told,
        "escalated": incident.escalated,
        "escalations": incident.escalations,
        "notes": incident.notes,
        "version": incident.version,
        "updated_at": incident.updated_at,
        "updated_by": incident.updated_by,
    })
}

/// What the feed says of a change. `state`: what was committed with it.
pub(super) fn changed(change: &Change, state: &State) -> Fact {
    match change {
        Change::Incident { id, number, entry } => {
            let known = state.incidents.get(id).map(|incident| incident_json(incident));
            let mut data = known.unwrap_or_else(|| json!({ "id": id, "number": number }));
            data["entry"] = json!(entry);
            let subject = Subject::named(id.to_string());
            Fact::new(Topic::Incidents, incident_kind(entry.kind), subject, &data)
        }
        Change::Delivery(delivery) => {
            let kind = match delivery.state {
                DeliveryState::Pending => "delivery.pending",
                DeliveryState::Delivered => "delivery.delivered",
                DeliveryState::Dead => "delivery.dead",
                DeliveryState::Superseded => "delivery.superseded",
            };
            // The notification may be long: whom it tells of is enough to know what to ask for.
            let incidents: Vec<IncidentId> =
                delivery.notification.alerts.iter().map(|alert| alert.incident).collect();
            let data = json!({
                "id": delivery.id, "channel": delivery.channel, "state": delivery.state,
                "reason": delivery.notification.reason, "incidents": incidents,
            });
            Fact::new(Topic::Deliveries, kind, Subject::named(delivery.channel.as_str()), &data)
        }
    }
}

const fn incident_kind(kind: TimelineKind) -> &'static str {
    match kind {
        TimelineKind::Opened => "incident.opened",
        TimelineKind::Reopened => "incident.reopened",
        TimelineKind::Acknowledged => "incident.acknowledged",
        TimelineKind::Assigned => "incident.assigned",
        TimelineKind::Snoozed => "incident.snoozed",
        TimelineKind::Woken => "incident.woken",
        TimelineKind::Noted => "incident.noted",
        TimelineKind::SeverityChanged => "incident.severity_changed",
        TimelineKind::AutoResolved => "incident.auto_resolved",
        TimelineKind::Resolved => "incident.resolved",
        TimelineKind::Notified => "incident.notified",
        TimelineKind::Delivered => "incident.delivered",
        TimelineKind::Suppressed => "incident.suppressed",
        TimelineKind::Escalated => "incident.escalated",
        TimelineKind::Edited => "incident.edited",
        TimelineKind::AlertChanged => "incident.alert_changed",
    }
}

/// Topic, and what it is called when one was made, changed and removed.
type Kinds = (Topic, [&'static str; 3]);

const fn kinds_of(kind: DocumentKind) -> Kinds {
    match kind {
        DocumentKind::Check => (Topic::Checks, ["check.created", "check.updated", "check.deleted"]),
        DocumentKind::Rule => (Topic::Rules, ["rule.created", "rule.updated", "rule.deleted"]),
        DocumentKind::Objective => {
            (Topic::Rules, ["objective.created", "objective.updated", "objective.deleted"])
        }
        DocumentKind::Channel => {
            (Topic::Deliveries, ["channel.created", "channel.updated", "channel.deleted"])
        }
        DocumentKind::Maintenance => (
            Topic::Incidents,
            ["maintenance.created", "maintenance.updated", "maintenance.deleted"],
        ),
        DocumentKind::Experiment => {
            (Topic::Experiments, ["experiment.created", "experiment.updated", "experiment.deleted"])
        }
        DocumentKind::Feature => {
            (Topic::Features, ["feature.created", "feature.updated", "feature.deleted"])
        }
        DocumentKind::Provider => {
            (Topic::Features, ["provider.created", "provider.updated", "provider.deleted"])
        }
        // No other kind is of things that people define.
        _ => (Topic::Config, ["config.created", "config.updated", "config.deleted"]),
    }
}

/// One was made or changed. A definition may have secrets: whoever may see it asks for it.
pub(super) fn defined<T: Definition>(
    kind: DocumentKind,
    is_new: bool,
    defined: &Defined<T>,
) -> Fact {
    let (topic, [created, updated, _]) = kinds_of(kind);
    let name = defined.definition.name();
    let data = json!({
        "name": name, "origin": defined.origin,
        "created_at": defined.created_at, "updated_at": defined.updated_at,
    });
    let kind = if is_new { created } else { updated };
    Fact::new(topic, kind, Subject::named(name.as_str()), &data)
}

/// One was removed.
pub(super) fn removed(kind: DocumentKind, name: &str) -> Fact {
    let (topic, [.., deleted]) = kinds_of(kind);
    Fact::new(topic, deleted, Subject::named(name), &json!({ "name": name }))
}

/// A silence was made or changed, or somebody ended it: as it is now.
pub(super) fn silence(silence: &Silence) -> Fact {
    let subject = Subject::named(silence.id.to_string());
    Fact::new(Topic::Incidents, "silence.changed", subject, silence)
}

/// A silence that ended long ago was forgotten.
pub(super) fn silence_forgotten(id: &Uuid) -> Fact {
    let subject = Subject::named(id.to_string());
    Fact::new(Topic::Incidents, "silence.deleted", subject, &json!({ "id": id }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_definition_has_words_of_its_own() {
        let kinds = [
            DocumentKind::Check,
            DocumentKind::Rule,
            DocumentKind::Objective,
            DocumentKind::Channel,
            DocumentKind::Maintenance,
            DocumentKind::Experiment,
            DocumentKind::Feature,
            DocumentKind::Provider,
        ];
        let words: std::collections::BTreeSet<&str> =
            kinds.iter().flat_map(|kind| kinds_of(*kind).1).collect();
        assert_eq!(words.len(), 3 * kinds.len());
        assert!(!words.contains("config.created"));
    }
}
