//! Alertmanager's forms: the JSON of its webhooks, and alerts for its API.
//!
//! Version 4 of the webhook's JSON (prometheus.io/docs/alerting/latest/configuration,
//! `webhook_config`; Alertmanager's `notify/webhook/webhook.go` and `template/template.go`), and
//! `postableAlerts` of its API (`api/v2/openapi.yaml`).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::model::{NotifiedAlert, Timestamp, fingerprint};
use crate::notify::Outgoing;

use super::Message;
use super::words::go_time;

/// Go's zero time: what Alertmanager gives as the end of what has none.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// How long an alert that is posted holds without being posted again, in milliseconds. As in
/// Prometheus, several times the interval at which it is (`rules/manager.go`, `sendAlerts`).
pub const POSTED_HOLDS_MS: i64 = 5 * 60 * 1000;

fn object<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    Value::Object(pairs.map(|(n, v)| (n.to_owned(), Value::from(v))).collect::<Map<_, _>>())
}

fn annotations(alert: &NotifiedAlert) -> Value {
    object(alert.annotations.iter().map(|(n, v)| (n.as_str(), v.as_str())))
}

/// What all of some sets of pairs have alike.
fn shared<'a>(sets: impl Iterator<Item = BTreeMap<&'a str, &'a str>>) -> Value {
    let common = sets.reduce(|mut common, next| {
        common.retain(|name, value| next.get(name) == Some(value));
        common
    });
    object(common.unwrap_or_default().into_iter())
}

/// The JSON that a webhook gets, with fields of ours that Alertmanager does not have: `reason`,
/// `severity`, `title`, `idempotencyKey`, and per alert `incidentId`, `incidentNumber`,
/// `severity`, `title`, `value`, and `unannounced` (began and ended before anybody was told).
pub fn webhook_json(outgoing: &Outgoing) -> Value {
    let notification = &outgoing.notification;
    let message = Message::of(outgoing);
    let alerts: Vec<Value> = notification
        .alerts
        .iter()
        .map(|alert| {
            let ended = alert.ends_at.filter(|_| !alert.firing);
            json!({
                "status": if alert.firing { "firing" } else { "resolved" },
                "labels": object(alert.labels.iter()),
                "annotations": annotations(alert),
                "startsAt": go_time(alert.starts_at),
                "endsAt": ended.map_or_else(|| NO_TIME.to_owned(), go_time),
                "generatorURL": alert.generator_url,
                "fingerprint": format!("{:016x}", fingerprint(&alert.labels)),
                "incidentId": alert.incident,
                "incidentNumber": alert.number,
                "severity": alert.severity,
                "title": alert.title,
                "value": alert.value,
                "unannounced": outgoing.unannounced.contains(&alert.key),
            })
        })
        .collect();
    json!({
        "receiver": outgoing.channel,
        "status": if message.firing { "firing" } else { "resolved" },
        "alerts": alerts,
        "groupLabels": object(notification.group_labels.iter()),
        "commonLabels": shared(notification.alerts.iter().map(|a| a.labels.iter().collect())),
        "commonAnnotations": shared(notification.alerts.iter().map(|a| {
            a.annotations.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect()
        })),
        "externalURL": notification.external_url,
        "version": "4",
        "groupKey": notification.group_key,
        "truncatedAlerts": notification.truncated,
        "reason": notification.reason,
        "severity": message.severity,
        "title": message.title,
        "idempotencyKey": outgoing.idempotency_key,
    })
}

/// Alerts as another Alertmanager takes them at `now`: what fires holds for
/// [`POSTED_HOLDS_MS`], what ended ends when it did.
pub fn postable<'a>(alerts: impl Iterator<Item = &'a NotifiedAlert>, now: Timestamp) -> Value {
    alerts
        .map(|alert| {
            let ends_at = match (alert.firing, alert.ends_at) {
                (true, _) => now.plus_millis(POSTED_HOLDS_MS),
                (false, Some(ended)) => ended.min(now),
                (false, None) => now,
            };
            json!({
                "labels": object(alert.labels.iter().filter(|(_, value)| !value.is_empty())),
                "annotations": annotations(alert),
                // Alertmanager refuses an end before the beginning.
                "startsAt": go_time(alert.starts_at.min(ends_at)),
                "endsAt": go_time(ends_at),
                "generatorURL": alert.generator_url,
            })
        })
        .collect()
}
