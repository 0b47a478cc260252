//! What is sent at once.

use std::collections::BTreeSet;

use crate::model::{AlertKey, Delivery, Name, Notification, NotificationReason, Timestamp};

/// A notification that is ready to go: one delivery, or several that were joined. Every attempt
/// at the same deliveries has the same content, so that a receiver that knows its key can drop
/// what it has seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// What is told.
    pub notification: Notification,
    /// Whom.
    pub channel: Name,
    /// Names this sending; the receiver may drop what it has seen under it.
    pub idempotency_key: String,
    /// When it was decided: the "now" of all texts, so that an attempt reads like the one before.
    pub decided_at: Timestamp,
    /// Alerts that began and ended before anybody could be told of either.
    pub unannounced: BTreeSet<AlertKey>,
    /// How many earlier deliveries it stands for.
    pub joined: usize,
}

impl Outgoing {
    /// One delivery, as it is.
    pub fn of(delivery: &Delivery) -> Self {
        Outgoing {
            notification: delivery.notification.clone(),
            channel: delivery.channel.clone(),
            idempotency_key: delivery.idempotency_key.clone(),
            decided_at: delivery.created_at,
            unannounced: BTreeSet::new(),
            joined: 0,
        }
    }

    /// Whether anything in it fires.
    pub fn firing(&self) -> bool {
        self.notification.alerts.iter().any(|alert| alert.firing)
    }

    /// Whether somebody pressed the test button.
    pub fn is_test(&self) -> bool {
        self.notification.reason == NotificationReason::Test
    }
}
