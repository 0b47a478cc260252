//! What a channel is told: a notification, made of incidents as they are.

use crate::model::{
    Incident, IncidentStatus, Labels, Notification, NotificationReason, NotifiedAlert,
};

/// The most alerts of one notification.
pub const ALERTS_MAX: usize = 200;
/// The most bytes of texts in one notification: with its frame it must fit a record of the file.
const TEXT_BYTES_MAX: usize = 384 * 1024;

/// One alert of a notification. `external_url` is where people find vedette.
pub fn notified(incident: &Incident, external_url: &str) -> NotifiedAlert {
    let firing = incident.status != IncidentStatus::Resolved;
    let link = &incident.alert.generator_url;
    // A path is one of ours, and whoever reads this is elsewhere.
    let ours = if link.starts_with('/') { external_url.trim_end_matches('/') } else { "" };
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
        generator_url: format!("{ours}{link}"),
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
    let mut alerts: Vec<NotifiedAlert> =
        incidents.map(|incident| notified(incident, external_url)).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_our_own_pages_are_whole_and_those_of_others_stay() {
        let incident = |link: &str| -> Incident {
            serde_json::from_value(serde_json::json!({
                "id": uuid::Uuid::nil(), "number": 1, "key": "0", "status": "open",
                "firing": true, "severity": "info", "title": "", "triggered_at": 0, "version": 1,
                "alert": {
                    "source": {"kind": "external"}, "labels": {}, "severity": "info",
                    "starts_at": 0, "generator_url": link,
                },
            }))
            .expect("an incident")
        };
        for (link, whole) in [
            ("/api/v1/checks/a", "http://here:1/api/v1/checks/a"),
            ("https://there/graph", "https://there/graph"),
            ("", ""),
        ] {
            assert_eq!(notified(&incident(link), "http://here:1/").generator_url, whole);
        }
    }
}
