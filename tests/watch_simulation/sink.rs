//! Where messages arrive: it remembers what every channel heard, in the order of arrival, and
//! knows what it may never hear.

use std::collections::{BTreeMap, BTreeSet};

use vedette::model::{Delivery, NotificationReason};

/// What one channel knows of one incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Firing,
    Resolved,
}

#[derive(Debug, Default)]
pub(crate) struct Sink {
    /// By channel and number of the incident.
    pub(crate) heard: BTreeMap<(String, u64), Heard>,
    /// What each idempotency key said.
    keys: BTreeMap<String, (String, String)>,
    /// How often something arrived that was new.
    pub(crate) arrivals: u64,
    /// Incidents of which the channel refused a message for good.
    pub(crate) refused: BTreeSet<(String, u64)>,
}

impl Sink {
    /// A message arrives: the same one may come again and again, with its key.
    pub(crate) fn arrive(&mut self, seed: u64, delivery: &Delivery) {
        let channel = delivery.channel.to_string();
        let said = format!("{:?}", delivery.notification);
        let alerts = &delivery.notification.alerts;
        if let Some((known_channel, known)) = self.keys.get(&delivery.idempotency_key) {
            // Ends whose beginning was given up are left out of what still waits; nothing is
            // ever added or changed.
            assert_eq!(*known_channel, channel, "seed {seed}: one key, two channels");
            assert!(
                *known == said || alerts.iter().all(|alert| known.contains(&format!("{alert:?}"))),
                "seed {seed}: one key, two messages:\n{known}\n{said}"
            );
            return;
        }
        self.keys.insert(delivery.idempotency_key.clone(), (channel.clone(), said));
        self.arrivals += 1;
        if delivery.notification.reason == NotificationReason::Test {
            return;
        }
        assert!(!alerts.is_empty(), "seed {seed}: a message of nothing: {delivery:?}");
        for alert in alerts {
            let place = (channel.clone(), alert.number);
            if alert.firing {
                self.heard.insert(place, Heard::Firing);
                continue;
            }
            let before = self.heard.insert(place, Heard::Resolved);
            assert_eq!(
                before,
                Some(Heard::Firing),
                "seed {seed}: {channel} hears of the end of #{}, and had not heard of its \
                 beginning: {delivery:?}",
                alert.number
            );
        }
    }
}
