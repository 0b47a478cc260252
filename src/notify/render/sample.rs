//! Notifications for tests.

use std::collections::BTreeSet;

use crate::model::{
    AlertKey, AlertSource, Labels, Name, Notification, NotificationReason, NotifiedAlert, Severity,
    Timestamp,
};
use crate::notify::Outgoing;

/// 2025-11-21 01:40:00 UTC (`date -u -d @1763689200`).
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_763_689_200_000);

pub(crate) fn alert(name: &str, instance: &str, severity: Severity) -> NotifiedAlert {
    let labels = Labels::from_pairs([
        ("alertname", name),
        ("instance", instance),
        ("severity", severity.as_str()),
    ])
    .expect("valid");
    NotifiedAlert {
        incident: uuid::Uuid::from_u128(7),
        number: 12,
        key: AlertKey::of(&AlertSource::External, &labels),
        firing: true,
        labels,
        annotations: vec![("summary".to_owned(), format!("{instance} does not answer"))],
        severity,
        title: name.to_owned(),
        value: Some(0.5),
        starts_at: NOW.plus_millis(-30 * 60_000),
        ends_at: None,
        generator_url: "http://prometheus/graph?g0".to_owned(),
        acknowledged_by: None,
    }
}

pub(crate) fn ended(mut alert: NotifiedAlert) -> NotifiedAlert {
    alert.firing = false;
    alert.ends_at = Some(NOW);
    alert
}

pub(crate) fn outgoing(reason: NotificationReason, alerts: Vec<NotifiedAlert>) -> Outgoing {
    Outgoing {
        notification: Notification {
            reason,
            group_key: "{}:{alertname=\"Down\"}".to_owned(),
            group_labels: Labels::from_pairs([("alertname", "Down")]).expect("valid"),
            alerts,
            truncated: 0,
            external_url: "https://watch.example".to_owned(),
        },
        channel: Name::new("ops").expect("valid"),
        idempotency_key: "g1-3-ops".to_owned(),
        decided_at: NOW,
        unannounced: BTreeSet::new(),
        joined: 0,
    }
}
