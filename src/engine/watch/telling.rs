//! Who is told: incidents join groups by the routes, groups are flushed, and a flush that has
//! something to tell becomes a delivery.

use std::sync::Arc;

use uuid::Uuid;

use super::Policy;
use super::draft::Draft;
use crate::incidents::{self, Suppression, SuppressionKind};
use crate::model::{
    AlertSource, Delivery, DeliveryState, Escalation, Incident, IncidentId, IncidentStatus, Labels,
    Name, Notification, NotificationReason, TimelineKind,
};
use crate::notify::{self, Flush, Group, Routed, Standing, Timing};
use crate::store::{DocumentKind, Table};

/// Beginnings of groups' ids: by the routes, by an escalation, in another channel's stead.
const BY_ROUTE: &str = "route";
const BY_ESCALATION: &str = "escalation";
pub(super) const IN_STEAD: &str = "fallback";

/// The label by which an alert of ours names the channel that it is about.
pub(super) const CHANNEL_LABEL: &str = "channel";

/// A group that an alert belongs in.
#[derive(Clone, Debug)]
pub(super) struct Way {
    pub(super) id: String,
    pub(super) routed: Routed,
    pub(super) channel: Name,
}

/// The ways of an alert, one for each channel of each route, or why there is none.
pub(super) fn ways(
    policy: &Policy,
    source: Option<&AlertSource>,
    labels: &Labels,
    severity: crate::model::Severity,
    channels: &[Name],
) -> Result<Vec<Way>, Suppression> {
    let nobody = |text: &str| Suppression {
        kind: SuppressionKind::NoChannel,
        id: String::new(),
        text: text.to_owned(),
    };
    // What is wrong with a channel is not told by that channel alone.
    let broken = labels.get(CHANNEL_LABEL).filter(|_| source == Some(&AlertSource::Internal));
    let usable = |name: &Name| policy.channel(name).is_some() && broken != Some(name.as_str());
    let default: Vec<Name> = policy
        .channels
        .now()
        .into_iter()
        .filter(|channel| channel.default && usable(&channel.name))
        .map(|channel| channel.name)
        .collect();
    let routed = notify::route(&policy.route, labels, severity, channels);
    if routed.is_empty() {
        return Err(nobody("no route takes it: nobody is told"));
    }
    let mut out: Vec<Way> = Vec::new();
    for routed in routed {
        let named: Vec<Name> =
            routed.channels.iter().filter(|name| usable(name)).cloned().collect();
        // A route that names nobody, or only channels that are not there: better those of the
        // default than nobody.
        for channel in if named.is_empty() { &default } else { &named } {
            let id =
                group_id(BY_ROUTE, &format!("{}#{}", routed.group_key(), routed.twin), channel);
            if !out.iter().any(|way| way.id == id) {
                out.push(Way { id, routed: routed.clone(), channel: channel.clone() });
            }
        }
    }
    if out.is_empty() {
        return Err(nobody("no channel is there to be told: add one, or make one the default"));
    }
    Ok(out)
}

pub(super) fn group_id(kind: &str, key: &str, channel: &Name) -> String {
    let hash = xxhash_rust::xxh3::xxh3_128(format!("{key}@{channel}").as_bytes());
    format!("{kind}-{hash:032x}")
}

impl Draft<'_> {
    fn ways(&self, incident: &Incident) -> Option<Result<Vec<Way>, Suppression>> {
        let alert = &incident.alert;
        self.policy.map(|policy| {
            ways(policy, Some(&alert.source), &alert.labels, incident.severity, &alert.channels)
        })
    }

    /// The steps of escalation of the first route that has some.
    pub(super) fn escalations(&self, incident: &Incident) -> Vec<Escalation> {
        let ways = self.ways(incident).and_then(Result::ok).unwrap_or_default();
        let mut chains = ways.into_iter().map(|way| way.routed.escalations);
        let mut chain = chains.find(|chain| !chain.is_empty()).unwrap_or_default();
        chain.sort_by_key(|step| step.after);
        chain
    }

    /// Takes an incident into the groups that the routes lead it to. A channel that has heard of
    /// it stays in the group by which it did.
    pub(super) fn join(&mut self, id: IncidentId) {
        let Some(incident) = self.state.incidents.get(&id).cloned() else { return };
        match self.ways(&incident) {
            None => {}
            Some(Err(suppression)) => self.suppress(id, Some(suppression)),
            Some(Ok(ways)) => {
                for way in ways {
                    let member_elsewhere = self.state.has_told(id, &way.channel);
                    let known = self.state.groups.get(&way.id);
                    let member = known.is_some_and(|group| group.members.contains_key(&id));
                    if member || !member_elsewhere {
                        let named = (way.routed.group_key(), way.routed.group_labels.clone());
                        self.enter(id, way.id, named, way.channel, way.routed.timing);
                    }
                }
            }
        }
    }

    /// Takes an incident into a group, which is made if need be.
    pub(super) fn enter(
        &mut self,
        id: IncidentId,
        group: String,
        (key, labels): (String, Labels),
        channel: Name,
        timing: Timing,
    ) {
        let mut group = match self.state.groups.get(&group) {
            Some(group) => Group::clone(group),
            None => {
                let incarnation = self.ids.next(self.now);
                Group::new(group, incarnation, (key, labels), channel, timing, self.now)
            }
        };
        group.timing = timing;
        group.join(id);
        self.put_group(group);
    }

    /// The routes or channels have changed: open incidents go where they lead now.
    pub(super) fn reroute(&mut self) {
        let Some(policy) = self.policy else { return };
        let gone = |group: &&Arc<Group>| policy.channel(&group.channel).is_none();
        let orphans: Vec<_> = self.state.groups.values().filter(gone).cloned().collect();
        for orphan in orphans {
            self.abandon(&orphan);
        }
        let active = |incident: &&Arc<Incident>| incident.status != IncidentStatus::Resolved;
        let incidents: Vec<_> = self.state.incidents.values().filter(active).cloned().collect();
        for incident in incidents {
            let id = incident.id;
            let ways = self.ways(&incident).and_then(Result::ok).unwrap_or_default();
            let groups: Vec<_> = self.state.groups_of(id).cloned().collect();
            for known in groups.iter().filter(|group| group.id.starts_with(BY_ROUTE)) {
                // Where the channel stays the same, whoever was told goes on in that group.
                let stays = |way: &Way| {
                    way.id == known.id || (way.channel == known.channel && known.has_told(id))
                };
                if !ways.iter().any(stays) {
                    let mut group = Group::clone(known);
                    group.leave(id);
                    self.put_group(group);
                }
            }
            if incident.escalations.is_empty() && incident.escalated == 0 && groups.is_empty() {
                // It opened before anybody knew the routes.
                let escalations = self.escalations(&incident);
                self.change(id, |incident| incident.escalations = escalations);
            }
            self.join(id);
        }
    }

    /// A group's channel is gone: that is stated, as nobody can be told of the end.
    fn abandon(&mut self, orphan: &Group) {
        let mut group = orphan.clone();
        for id in std::mem::take(&mut group.members).into_keys() {
            if orphan.has_told(id) {
                let text = format!(
                    "the channel {} is gone: it was told of this, and is not told of the end",
                    orphan.channel
                );
                self.say(id, TimelineKind::Suppressed, text);
            }
        }
        self.put_group(group);
        for id in orphan.members.keys() {
            let told = self.state.told(*id);
            self.change(*id, |incident| incident.told = told);
        }
    }

    /// Those who were or are to be told of an incident are told at once.
    pub(super) fn hurry(&mut self, id: IncidentId, reason: NotificationReason) {
        let groups: Vec<_> = self.state.groups_of(id).cloned().collect();
        for known in groups {
            let mut group = Group::clone(&known);
            group.hurry(id, reason, self.now);
            self.put_group(group);
        }
    }

    /// Takes due steps of escalation.
    pub(super) fn escalate(&mut self) {
        let now = self.now;
        let due = |incident: &&Arc<Incident>| incidents::escalates(incident, now).is_some();
        let due: Vec<_> = self.state.incidents.values().filter(due).cloned().collect();
        for incident in due {
            // The suppression that was found last may be old.
            if self.suppression(&incident).is_none() {
                self.escalate_one(&incident);
            }
        }
    }

    fn escalate_one(&mut self, incident: &Incident) {
        let Some(policy) = self.policy else { return };
        let Some(step) = incident.escalations.get(incident.escalated) else { return };
        let id = incident.id;
        self.change(id, |incident| incident.escalated += 1);
        let mut told = Vec::new();
        for channel in step.channels.iter().filter(|c| policy.channel(c).is_some()) {
            let member = |group: &&Arc<Group>| {
                group.channel == *channel && group.members.get(&id).is_some_and(|m| !m.leaving)
            };
            let known = self.state.groups_of(id).find(member).cloned();
            let group = match known {
                Some(group) => group.id.clone(),
                None => {
                    let key = format!("{{}}/escalation:{id}");
                    let group = group_id(BY_ESCALATION, &key, channel);
                    let labels = incident.alert.labels.clone();
                    let timing = self.timing(incident);
                    self.enter(id, group.clone(), (key, labels), channel.clone(), timing);
                    group
                }
            };
            if let Some(group) = self.state.groups.get(&group) {
                let mut group = Group::clone(group);
                group.hurry(id, NotificationReason::Escalation, self.now);
                self.put_group(group);
            }
            told.push(channel.as_str());
        }
        let number = incident.escalated + 1;
        let text = match told.is_empty() {
            true => format!("step {number}: none of its channels is there"),
            false => format!(
                "step {number}: {} told, as nobody acknowledged it for {}",
                told.join(", "),
                step.after
            ),
        };
        self.say(id, TimelineKind::Escalated, text);
    }

    /// The clocks of the first group of an incident's routes.
    pub(super) fn timing(&self, incident: &Incident) -> Timing {
        let ways = self.ways(incident).and_then(Result::ok).unwrap_or_default();
        ways.first().map(|way| way.routed.timing).unwrap_or_default()
    }

    /// What keeps people from being told that an incident goes on.
    pub(super) fn suppression(&mut self, incident: &Incident) -> Option<Suppression> {
        if let Some(known) = self.suppressions.get(&incident.id) {
            return known.clone();
        }
        let by_itself = |kind, text: String| Some(Suppression { kind, id: String::new(), text });
        let snoozed = incident.snoozed_until.filter(|until| *until > self.now);
        let quiet = incident.quiet_until.filter(|until| *until > self.now);
        let found = match (snoozed, quiet, self.policy) {
            (Some(until), _, _) => {
                by_itself(SuppressionKind::Snooze, format!("snoozed until {until}"))
            }
            (None, Some(until), _) => {
                by_itself(SuppressionKind::Cooldown, format!("in its cooldown until {until}"))
            }
            (None, None, Some(policy)) => {
                let firing = self.firing_labels();
                policy.suppressions.any(&incident.alert.labels, &firing, self.now)
            }
            (None, None, None) => None,
        };
        self.suppressions.insert(incident.id, found.clone());
        found
    }

    /// The labels of all alerts that fire.
    fn firing_labels(&mut self) -> Arc<[Labels]> {
        if let Some(firing) = &self.firing {
            return Arc::clone(firing);
        }
        let fires = |incident: &&Arc<Incident>| {
            incident.firing && incident.status != IncidentStatus::Resolved
        };
        let firing = self.state.incidents.values().filter(fires);
        let firing: Arc<[Labels]> = firing.map(|incident| incident.alert.labels.clone()).collect();
        self.firing = Some(Arc::clone(&firing));
        firing
    }

    /// States what keeps people from being told, where that has changed.
    fn suppress(&mut self, id: IncidentId, suppression: Option<Suppression>) {
        let Some(incident) = self.state.incidents.get(&id) else { return };
        let text = suppression.map(|suppression| suppression.text);
        if incident.suppressed == text {
            return;
        }
        self.change(id, |incident| incident.suppressed.clone_from(&text));
        if let Some(text) = text {
            self.say(id, TimelineKind::Suppressed, text);
        }
    }

    /// Flushes the groups whose time has come.
    pub(super) fn flush(&mut self) {
        if self.policy.is_none() {
            return;
        }
        let now = self.now;
        let due = |group: &&Arc<Group>| group.next_flush_at <= now;
        let due: Vec<_> = self.state.groups.values().filter(due).cloned().collect();
        for group in due {
            self.flush_one(Group::clone(&group));
        }
    }

    fn flush_one(&mut self, mut group: Group) {
        let Some(policy) = self.policy else { return };
        let mut standings = std::collections::BTreeMap::new();
        let members: Vec<IncidentId> = group.members.keys().copied().collect();
        for id in &members {
            let Some(incident) = self.state.incidents.get(id).cloned() else { continue };
            let active = incident.status != IncidentStatus::Resolved;
            let suppression = if active { self.suppression(&incident) } else { None };
            let acknowledged = incident.status == IncidentStatus::Acknowledged;
            // The channel may have heard of it by another of its groups, as a stand-in.
            let elsewhere = !group.has_told(*id) && self.state.has_told(*id, &group.channel);
            let suppressed = suppression.is_some() || elsewhere;
            standings.insert(*id, Standing { active, acknowledged, suppressed });
            if active {
                self.suppress(*id, suppression);
            }
        }
        let channel = policy.channel(&group.channel);
        let wants_resolved = channel.is_some_and(|channel| channel.send_resolved);
        let flush = group.flush(self.now, wants_resolved, |id| standings.get(&id).copied());
        let told = flush.reason.map(|reason| self.notification(&group, reason, &flush));
        let deliver = told.map(|notification| {
            let first_told = flush.new.clone();
            (notification, first_told)
        });
        let (id, sequence) = (group.id.clone(), group.sequence);
        let (channel, key) = (group.channel.clone(), idempotency_key(&group));
        self.put_group(group);
        if let Some((notification, first_told)) = deliver {
            let all: Vec<_> = flush.firing.iter().chain(&flush.resolved).copied().collect();
            self.deliver(&channel, notification, (id, sequence, key), first_told, &all);
            for id in &flush.firing {
                let new = flush.new.contains(id);
                let text = match new {
                    true => format!("{channel}: that it fires"),
                    false => format!("{channel}: that it still fires"),
                };
                // What a group says again of others is no news of this one.
                if new || flush.reason != Some(NotificationReason::Firing) {
                    self.say(*id, TimelineKind::Notified, text);
                }
            }
            for id in &flush.resolved {
                self.say(*id, TimelineKind::Notified, format!("{channel}: that it is over"));
            }
        }
        for id in members {
            let told = self.state.told(id);
            self.change(id, |incident| incident.told = told);
        }
    }

    fn notification(
        &self,
        group: &Group,
        reason: NotificationReason,
        flush: &Flush,
    ) -> Notification {
        let ids = flush.firing.iter().chain(&flush.resolved);
        let incidents = ids.filter_map(|id| self.state.incidents.get(id).map(|i| &**i));
        let url = self.policy.map_or("", |policy| policy.external_url.as_str());
        notify::compose(reason, (group.key.clone(), group.labels.clone()), incidents, url)
    }

    /// Puts a notification into the outbox.
    pub(super) fn deliver(
        &mut self,
        channel: &Name,
        notification: Notification,
        (group, sequence, idempotency_key): (String, u64, String),
        first_told: Vec<IncidentId>,
        incidents: &[IncidentId],
    ) -> Uuid {
        let id = self.ids.next(self.now);
        for incident in incidents {
            self.change(*incident, |incident| incident.sequence += 1);
            let key = format!("{incident}/{id}");
            self.mark(Table::Incidents, DocumentKind::IncidentDelivery, &key);
        }
        self.put_delivery(Delivery {
            id,
            channel: channel.clone(),
            notification,
            group,
            sequence,
            first_told,
            fell_back: false,
            idempotency_key,
            state: DeliveryState::Pending,
            created_at: self.now,
            attempts: 0,
            next_attempt_at: self.now,
            last_error: None,
            finished_at: None,
        });
        id
    }
}

/// The same for every attempt at a group's delivery, and never that of another.
pub(super) fn idempotency_key(group: &Group) -> String {
    format!("{}-{}", group.incarnation.simple(), group.sequence)
}
