//! What a channel is told: a notification, made of incidents as they are.

use crate::model::{
    Incident, IncidentStatus, Labels, Notification, NotificationReason, NotifiedAlert,
};

/// The most alerts of one notification.
pub const ALERTS_MAX: usize = 200;
/// The most bytes of texts in one notification: with its frame it must fit a record of the file.
const TEXT_BYTES_MAX: usize = 384 * 1024;

/// One alert of a notification.
pub fn notified(incident: &Incident) -> NotifiedAlert {
    let firing = incident.status != IncidentStatus::Resolved;
    NotifiedAlert {
        incident: incident.id,
        number: incident.number,
        key: incident.key,
        firing,
        labels: incident.alert.labels.clone(),
        annotations: incident.alert.annotations.clone(),
        severity: incident.severity,
        title: incident.title.clone(),
        value: incident.alert.value,
        starts_at: incident.alert.starts_at,
        ends_at: match firing {
            true => None,
            // A person's word counts where the alert has not ended.
            false => incident.ended_at.or(incident.resolved_at),
        },
        generator_url: incident.alert.generator_url.clone(),
        acknowledged_by: incident.acknowledged_by.clone(),
    }
}

fn bytes_of(alert: &NotifiedAlert) -> usize {
    let texts: usize = alert.annotations.iter().map(|(name, text)| name.len() + text.len()).sum();
    alert.labels.as_bytes().len() + texts + alert.title.len() + alert.generator_url.len() + 512
}

/// A notification of these incidents: those that fire first, each kind by start. What is too much
/// is counted, not told.
pub fn compose<'i>(
    reason: NotificationReason,
    (group_key, group_labels): (String, Labels),
    incidents: impl Iterator<Item = &'i Incident>,
    external_url: &str,
) -> Notification {
    let mut alerts: Vec<NotifiedAlert> = incidents.map(notified).collect();
    alerts.sort_by_key(|alert| (!alert.firing, alert.starts_at, alert.number));
    let mut bytes = 0;
    let fitting = alerts.iter().take(ALERTS_MAX).take_while(|alert| {
        bytes += bytes_of(alert);
        bytes <= TEXT_BYTES_MAX
    });
    let fitting = fitting.count().max(1);
    let truncated = alerts.len().saturating_sub(fitting) as u64;
    alerts.truncate(fitting);
    Notification {
        reason,
        group_key,
        group_labels,
        alerts,
        truncated,
        external_url: external_url.to_owned(),
    }
}
