//! Joining of deliveries that piled up while a channel could not be reached.
//!
//! Of one group only the newest state is of use: told in order, an old "firing" would wake
//! somebody for what has ended since. So all that waits of one group becomes one sending under
//! the newest delivery's key. Every alert appears as its newest mention says, and what began and
//! ended meanwhile is told as one line rather than left out.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::Outgoing;
use crate::model::{AlertKey, Delivery, NotificationReason, NotifiedAlert};

/// The most alerts that a joined notification lists; the others are counted.
pub const JOINED_ALERTS_MAX: usize = 1000;

/// Deliveries of one group that go out as one.
#[derive(Clone, Debug, PartialEq)]
pub struct Joined {
    /// The newest one: its attempts and times are those of the whole.
    pub delivery: Uuid,
    /// Those that it stands for, oldest first.
    pub supersedes: Vec<Uuid>,
    /// What is sent.
    pub outgoing: Outgoing,
}

/// Which deliveries may be joined: those of one channel, group and kind of reason.
fn group_of(delivery: &Delivery) -> (&str, &str, &str, Option<Uuid>) {
    // A test stands for itself: whoever pressed the button waits for that very one.
    let single = (delivery.notification.reason == NotificationReason::Test).then_some(delivery.id);
    (delivery.channel.as_str(), &delivery.group, &delivery.notification.group_key, single)
}

/// Joins what waits, per channel and group. The result is in the order of each group's oldest
/// delivery, so that nobody who waits longest waits behind others.
pub fn coalesce(pending: &[&Delivery]) -> Vec<Joined> {
    let mut groups: BTreeMap<_, Vec<&Delivery>> = BTreeMap::new();
    for delivery in pending {
        groups.entry(group_of(delivery)).or_default().push(delivery);
    }
    let mut joined: Vec<((_, _, _), Joined)> = groups
        .into_values()
        .filter_map(|mut group| {
            group.sort_by_key(|d| (d.sequence, d.created_at, d.id));
            let oldest = group.first()?;
            let order = (oldest.created_at, oldest.sequence, oldest.id);
            Some((order, join(&group)?))
        })
        .collect();
    joined.sort_by_key(|(order, _)| *order);
    joined.into_iter().map(|(_, one)| one).collect()
}

/// Joins deliveries of one group, given from the oldest to the newest.
fn join(group: &[&Delivery]) -> Option<Joined> {
    let (newest, older) = group.split_last()?;
    let mut outgoing = Outgoing::of(newest);
    if older.is_empty() {
        return Some(Joined { delivery: newest.id, supersedes: Vec::new(), outgoing });
    }
    outgoing.joined = older.len();
    let mut latest: BTreeMap<AlertKey, &NotifiedAlert> = BTreeMap::new();
    let mut begun = BTreeSet::new();
    for delivery in group {
        let begins = begins_something(delivery.notification.reason);
        for alert in &delivery.notification.alerts {
            // Of an alert that a notification of this pile was the first to tell of, nobody knows.
            if alert.firing && begins && !latest.contains_key(&alert.key) {
                begun.insert(alert.key);
            }
            latest.insert(alert.key, alert);
        }
    }
    outgoing.unannounced =
        latest.values().filter(|a| !a.firing && begun.contains(&a.key)).map(|a| a.key).collect();
    let mut alerts: Vec<NotifiedAlert> = latest.into_values().cloned().collect();
    alerts.sort_by_key(|a| (!a.firing, a.starts_at, a.key));
    let left_out = alerts.len().saturating_sub(JOINED_ALERTS_MAX);
    alerts.truncate(JOINED_ALERTS_MAX);
    let firing = alerts.iter().any(|a| a.firing);
    outgoing.notification.alerts = alerts;
    outgoing.notification.truncated += left_out as u64;
    outgoing.notification.reason = reason_of(group, firing);
    let supersedes = older.iter().map(|d| d.id).collect();
    Some(Joined { delivery: newest.id, supersedes, outgoing })
}

fn begins_something(reason: NotificationReason) -> bool {
    match reason {
        NotificationReason::Firing => true,
        // These tell again of what was told before, though perhaps on another channel.
        NotificationReason::Escalation | NotificationReason::Fallback => true,
        NotificationReason::Resolved | NotificationReason::Repeat | NotificationReason::Test => {
            false
        }
    }
}

/// The most urgent reason that still holds: a repeat that was joined with a beginning begins.
fn reason_of(group: &[&Delivery], firing: bool) -> NotificationReason {
    use NotificationReason::{Escalation, Fallback, Firing, Repeat, Resolved, Test};
    let has = |reason| group.iter().any(|d| d.notification.reason == reason);
    if !firing {
        return Resolved;
    }
    [Escalation, Fallback, Firing, Repeat, Test]
        .into_iter()
        .find(|reason| has(*reason))
        .unwrap_or(Firing)
}

#[cfg(test)]
mod tests;
