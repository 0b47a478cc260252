//! What became of deliveries, and what follows from it.

use std::sync::Arc;

use uuid::Uuid;

use super::draft::Draft;
use super::signals::internal;
use super::state::document;
use super::telling::{CHANNEL_LABEL, IN_STEAD, group_id};
use super::{ActError, Outcome, Sent, WatchError};
use crate::incidents::cut;
use crate::model::{
    AlertKey, AlertSource, Delivery, DeliveryState, IncidentId, IncidentStatus, Labels, Name,
    Notification, NotificationReason, NotifiedAlert, Severity, TimelineKind,
};
use crate::notify::{Group, Told};
use crate::store::{DocumentKind, Table};

/// The name of the alert that says that a channel does not take what it is told.
pub(super) const CHANNEL_FAILING: &str = "VedetteChannelFailing";
/// A delivery that has failed for so long (ms) is also told to the channel's stand-in.
const FALLBACK_AFTER_MS: i64 = 5 * 60_000;
/// The most text of an error that is kept, in bytes.
const ERROR_BYTES_MAX: usize = 1024;

impl Draft<'_> {
    /// Notes what became of a delivery that waits. Of any other nothing is noted.
    pub(super) fn outcome(&mut self, outcome: Outcome) {
        let Some(known) = self.state.outbox.get(&outcome.id) else { return };
        let mut delivery = Delivery::clone(known);
        match outcome.result {
            Sent::Delivered => self.taken(delivery),
            Sent::Retry { at, error } => {
                delivery.attempts += 1;
                delivery.next_attempt_at = at;
                delivery.last_error = Some(cut(&error, ERROR_BYTES_MAX));
                let failing_ms = self.now.since(delivery.created_at);
                let falls_back = failing_ms >= FALLBACK_AFTER_MS && !delivery.fell_back;
                self.put_delivery(delivery.clone());
                if falls_back {
                    self.fall_back(&delivery);
                }
            }
            Sent::Dead { error } => self.given_up(delivery, &error),
            Sent::Superseded => {
                delivery.state = DeliveryState::Superseded;
                delivery.finished_at = Some(self.now);
                if let Some(group) = self.group_of(&delivery) {
                    let mut group = Group::clone(&group);
                    group.superseded(delivery.sequence);
                    self.put_group(group);
                }
                self.hand_on(&delivery);
                self.put_delivery(delivery);
            }
        }
    }

    fn taken(&mut self, mut delivery: Delivery) {
        let (channel, now) = (delivery.channel.clone(), self.now);
        delivery.attempts += 1;
        delivery.state = DeliveryState::Delivered;
        delivery.finished_at = Some(now);
        delivery.last_error = None;
        if let Some(group) = self.group_of(&delivery) {
            let mut group = Group::clone(&group);
            group.revived(delivery.sequence, delivery.first_told.iter().copied());
            self.put_group(group);
        }
        let text = match delivery.attempts {
            1 => format!("{channel} has taken it"),
            attempts => format!("{channel} has taken it, at attempt {attempts}"),
        };
        for alert in &delivery.notification.alerts {
            self.say(alert.incident, TimelineKind::Delivered, text.clone());
            self.refresh_told(alert.incident);
        }
        self.put_delivery(delivery);
        let labels = [(CHANNEL_LABEL, channel.as_str())];
        self.ends_internal(CHANNEL_FAILING, &labels, "the channel has taken a message again");
    }

    /// A delivery is given up: those whom only it told of something are untold.
    fn given_up(&mut self, mut delivery: Delivery, error: &str) {
        let channel = delivery.channel.clone();
        delivery.attempts += 1;
        delivery.state = DeliveryState::Dead;
        delivery.finished_at = Some(self.now);
        delivery.last_error = Some(cut(error, ERROR_BYTES_MAX));
        let text = format!("{channel} has not taken it, it was given up: {}", cut(error, 200));
        for alert in &delivery.notification.alerts {
            self.say(alert.incident, TimelineKind::Delivered, text.clone());
        }
        if let Some(group) = self.group_of(&delivery) {
            let mut group = Group::clone(&group);
            group.died(delivery.sequence, self.now);
            self.put_group(group);
        }
        self.hand_on(&delivery);
        for id in &delivery.first_told {
            self.refresh_told(*id);
        }
        self.put_delivery(delivery.clone());
        if !delivery.fell_back {
            self.fall_back(&delivery);
        }
        if delivery.notification.reason != NotificationReason::Test {
            let summary = format!(
                "the channel {channel} does not take messages: {}. Its messages are kept and can \
                 be sent again",
                cut(error, 200)
            );
            let labels = [(CHANNEL_LABEL, channel.as_str())];
            self.fires(internal(CHANNEL_FAILING, &labels, Severity::Critical, &summary, self.now));
        }
    }

    /// The group that decided a delivery, if it still is that one.
    fn group_of(&self, delivery: &Delivery) -> Option<Arc<Group>> {
        let group = self.state.groups.get(&delivery.group)?;
        let incarnation = group.incarnation.simple().to_string();
        delivery.idempotency_key.starts_with(&incarnation).then(|| Arc::clone(group))
    }

    fn refresh_told(&mut self, id: IncidentId) {
        let told = self.state.told(id);
        self.change(id, |incident| incident.told = told);
    }

    /// The channel will not hear of incidents by this delivery. Later ones of its group that wait
    /// are now the first to tell of them; and one that would tell of an end of which the channel
    /// never heard the beginning does not.
    fn hand_on(&mut self, gone: &Delivery) {
        let dead = gone.state == DeliveryState::Dead;
        for id in &gone.first_told {
            let of_group = |later: &&Arc<Delivery>| {
                later.group == gone.group
                    && later.sequence > gone.sequence
                    && prefix(later) == prefix(gone)
                    && later.notification.alerts.iter().any(|alert| alert.incident == *id)
            };
            let Some(later) = self.state.outbox.values().find(of_group) else { continue };
            let mut later = Delivery::clone(later);
            let is_firing = |alert: &NotifiedAlert| alert.incident == *id && alert.firing;
            if later.notification.alerts.iter().any(is_firing) {
                later.first_told.push(*id);
                self.told_by(&later, *id);
            } else if dead {
                later.notification.alerts.retain(|alert| alert.incident != *id);
                if later.notification.alerts.is_empty() {
                    later.state = DeliveryState::Superseded;
                    later.finished_at = Some(self.now);
                    later.last_error = Some("its beginning was not told".to_owned());
                }
            }
            self.put_delivery(later);
        }
    }

    fn told_by(&mut self, delivery: &Delivery, id: IncidentId) {
        let Some(group) = self.group_of(delivery) else { return };
        let mut group = Group::clone(&group);
        if let Some(member) = group.members.get_mut(&id) {
            member.told = Told::Firing { by: delivery.sequence };
        }
        self.put_group(group);
    }

    /// Tells the channel's stand-in what still goes on. It will be told of the end too.
    fn fall_back(&mut self, failed: &Delivery) {
        let Some(policy) = self.policy else { return };
        let notification = &failed.notification;
        match notification.reason {
            // Once is enough, and a test is about one channel.
            NotificationReason::Fallback | NotificationReason::Test => return,
            NotificationReason::Firing
            | NotificationReason::Resolved
            | NotificationReason::Repeat
            | NotificationReason::Escalation => {}
        }
        let stand_in = policy.channel(&failed.channel).and_then(|c| c.fallback);
        let Some(stand_in) = stand_in.filter(|name| policy.channel(name).is_some()) else {
            return;
        };
        let mut marked = failed.clone();
        marked.fell_back = true;
        self.put_delivery(marked);
        let active = |id: &IncidentId| {
            let incident = self.state.incidents.get(id);
            incident.is_some_and(|incident| incident.status != IncidentStatus::Resolved)
        };
        let firing: Vec<IncidentId> = notification
            .alerts
            .iter()
            .filter(|alert| alert.firing)
            .map(|alert| alert.incident)
            .filter(active)
            .filter(|id| !self.state.has_told(*id, &stand_in))
            .collect();
        let Some(first) = firing.first().and_then(|id| self.state.incidents.get(id)).cloned()
        else {
            return;
        };
        let named = (notification.group_key.clone(), notification.group_labels.clone());
        let group = group_id(IN_STEAD, &format!("{}@{}", named.0, failed.channel), &stand_in);
        let timing = self.timing(&first);
        for id in &firing {
            self.enter(*id, group.clone(), named.clone(), stand_in.clone(), timing);
        }
        let Some(known) = self.state.groups.get(&group) else { return };
        let mut group = Group::clone(known);
        for id in &firing {
            group.hurry(*id, NotificationReason::Fallback, self.now);
        }
        group.next_flush_at = self.now;
        self.put_group(group);
        for id in &firing {
            let text = format!("{stand_in} is told in place of {}", failed.channel);
            self.say(*id, TimelineKind::Notified, text);
        }
    }

    /// Lets a dead delivery wait again.
    pub(super) fn resend(&mut self, id: Uuid) -> Result<Arc<Delivery>, ActError> {
        let failed = |error: crate::store::StoreError| WatchError::Store(error.to_string());
        let snapshot = self.store.read().map_err(failed)?;
        let kind = DocumentKind::Delivery;
        let known: Option<Delivery> =
            document(&snapshot, Table::Incidents, kind, &id.to_string()).map_err(failed)?;
        let mut delivery = match self.state.outbox.get(&id) {
            Some(waiting) => Delivery::clone(waiting),
            None => known.ok_or_else(|| ActError::no_delivery(id))?,
        };
        if delivery.state != DeliveryState::Dead {
            let state = match delivery.state {
                DeliveryState::Pending => "still waits",
                DeliveryState::Delivered => "was taken",
                DeliveryState::Superseded => "was left out in favour of a later one",
                DeliveryState::Dead => "was given up",
            };
            return Err(ActError::Conflict(format!(
                "delivery {id} cannot be sent again: it {state}; only one that was given up can"
            )));
        }
        delivery.state = DeliveryState::Pending;
        delivery.attempts = 0;
        delivery.next_attempt_at = self.now;
        delivery.finished_at = None;
        self.put_delivery(delivery.clone());
        Ok(Arc::new(delivery))
    }

    /// Puts a test message for a channel into the outbox.
    pub(super) fn test(&mut self, channel: &Name) -> Result<Arc<Delivery>, ActError> {
        let absent = || ActError::Absent { noun: "channel", id: channel.to_string() };
        let policy = self.policy.ok_or_else(absent)?;
        policy.channel(channel).ok_or_else(absent)?;
        let labels = [("alertname", "VedetteTest"), (CHANNEL_LABEL, channel.as_str())];
        let labels = Labels::from_pairs(labels).unwrap_or_default();
        let alert = NotifiedAlert {
            incident: Uuid::nil(),
            number: 0,
            key: AlertKey::of(&AlertSource::Internal, &labels),
            firing: true,
            labels: labels.clone(),
            annotations: vec![(
                "summary".to_owned(),
                "This is a test. If you can read it, the channel works.".to_owned(),
            )],
            severity: Severity::Info,
            title: "A test of vedette".to_owned(),
            value: None,
            starts_at: self.now,
            ends_at: None,
            generator_url: String::new(),
            acknowledged_by: None,
        };
        let notification = Notification {
            reason: NotificationReason::Test,
            group_key: "{}/test:{alertname=\"VedetteTest\"}".to_owned(),
            group_labels: labels,
            alerts: vec![alert],
            truncated: 0,
            external_url: policy.external_url.clone(),
        };
        let key = format!("{}-1", self.ids.next(self.now).simple());
        let group = (String::new(), 1, key);
        let id = self.deliver(channel, notification, group, Vec::new(), &[]);
        self.state.outbox.get(&id).cloned().ok_or_else(|| ActError::no_delivery(id))
    }

    /// What waits for a channel that is gone is given up, and an alert of ours about it has ended.
    pub(super) fn forget_channels(&mut self) {
        let Some(policy) = self.policy else { return };
        let gone = |delivery: &&Arc<Delivery>| policy.channel(&delivery.channel).is_none();
        let waiting: Vec<_> = self.state.outbox.values().filter(gone).cloned().collect();
        for known in waiting {
            let mut delivery = Delivery::clone(&known);
            delivery.state = DeliveryState::Dead;
            delivery.finished_at = Some(self.now);
            delivery.last_error = Some("the channel is gone".to_owned());
            self.put_delivery(delivery);
        }
        let of_gone = |labels: &Labels| {
            let channel = labels.get(CHANNEL_LABEL)?;
            let about = labels.get("alertname") == Some(CHANNEL_FAILING);
            let there = Name::new(channel).is_ok_and(|name| policy.channel(&name).is_some());
            (about && !there).then(|| channel.to_owned())
        };
        let firing =
            self.state.incidents.values().filter(|incident| {
                incident.firing && incident.alert.source == AlertSource::Internal
            });
        let gone: Vec<_> = firing.filter_map(|i| of_gone(&i.alert.labels)).collect();
        for channel in gone {
            let labels = [(CHANNEL_LABEL, channel.as_str())];
            self.ends_internal(CHANNEL_FAILING, &labels, "the channel is gone");
        }
    }
}

/// What the keys of a group's deliveries begin with.
fn prefix(delivery: &Delivery) -> &str {
    delivery.idempotency_key.rsplit_once('-').map_or("", |(prefix, _)| prefix)
}
