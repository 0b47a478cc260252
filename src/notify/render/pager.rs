//! PagerDuty and Opsgenie: one event per alert, as each is an incident of its own there.

use serde_json::{Map, Value, json};

use crate::model::{NotifiedAlert, Severity};
use crate::notify::Outgoing;

use super::words::go_time;
use super::{Line, Message, cut_chars};

/// developer.pagerduty.com/docs/events-api-v2/trigger-events: `payload.summary`.
pub const PAGERDUTY_SUMMARY_CHARS_MAX: usize = 1024;
/// docs.opsgenie.com/docs/alert-api#create-alert: `message`.
pub const OPSGENIE_MESSAGE_CHARS_MAX: usize = 130;
/// The same: `description`.
pub const OPSGENIE_DESCRIPTION_CHARS_MAX: usize = 15_000;

/// What happens to an incident on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It begins, or is told of again.
    Trigger,
    /// Somebody has it.
    Acknowledge,
    /// It is over.
    Resolve,
}

/// What is to be done about one alert, in order. What nobody was told of is opened and closed,
/// so that it is on record there; so is a test.
pub fn actions(outgoing: &Outgoing, alert: &NotifiedAlert) -> &'static [Action] {
    if outgoing.is_test() || outgoing.unannounced.contains(&alert.key) {
        return &[Action::Trigger, Action::Resolve];
    }
    match (alert.firing, &alert.acknowledged_by) {
        (true, None) => &[Action::Trigger],
        (true, Some(_)) => &[Action::Trigger, Action::Acknowledge],
        (false, _) => &[Action::Resolve],
    }
}

/// What names the incident on the other side: the same for all that is ever told of it.
pub fn dedup_key(outgoing: &Outgoing, alert: &NotifiedAlert) -> String {
    if alert.incident.is_nil() {
        return format!("vedette-{}", outgoing.idempotency_key);
    }
    format!("vedette-{}", alert.incident)
}

/// PagerDuty's words for severities: critical, error, warning, info.
const fn pagerduty_severity(severity: Severity) -> &'static str {
    severity.as_str()
}

fn details(alert: &NotifiedAlert) -> Map<String, Value> {
    let mut details = Map::new();
    for (name, value) in alert.labels.iter() {
        details.insert(name.to_owned(), value.into());
    }
    for (name, text) in &alert.annotations {
        details.insert(name.clone(), text.as_str().into());
    }
    if let Some(value) = alert.value {
        details.insert("value".to_owned(), json!(value));
    }
    if alert.number > 0 {
        details.insert("incident".to_owned(), json!(alert.number));
    }
    details
}

/// Where it happens, as far as labels say.
fn source(alert: &NotifiedAlert) -> &str {
    ["instance", "host", "job", "check", "alertname"]
        .into_iter()
        .find_map(|name| alert.labels.get(name).filter(|value| !value.is_empty()))
        .unwrap_or("vedette")
}

/// The events of PagerDuty's Events API v2 for a notification, in order
/// (developer.pagerduty.com/docs/events-api-v2-overview).
pub fn pagerduty(outgoing: &Outgoing, routing_key: &str, own: Option<&str>) -> Vec<Value> {
    let message = Message::of(outgoing);
    let mut events = Vec::new();
    for (alert, line) in outgoing.notification.alerts.iter().zip(&message.lines) {
        for action in actions(outgoing, alert) {
            let name = match action {
                Action::Trigger => "trigger",
                Action::Acknowledge => "acknowledge",
                Action::Resolve => "resolve",
            };
            let mut event = json!({
                "routing_key": routing_key,
                "event_action": name,
                "dedup_key": dedup_key(outgoing, alert),
            });
            if *action == Action::Trigger {
                event["payload"] = json!({
                    "summary": cut_chars(own.unwrap_or(&line.unmarked()), PAGERDUTY_SUMMARY_CHARS_MAX),
                    "source": source(alert),
                    "severity": pagerduty_severity(alert.severity),
                    "timestamp": go_time(alert.starts_at),
                    "component": alert.labels.get("job"),
                    "group": outgoing.notification.group_labels.get("alertname"),
                    "class": alert.labels.get("alertname"),
                    "custom_details": details(alert),
                });
                event["client"] = "vedette".into();
                if !line.link.is_empty() {
                    event["client_url"] = line.link.as_str().into();
                }
                if !line.runbook.is_empty() {
                    event["links"] = json!([{"href": line.runbook, "text": "runbook"}]);
                }
            }
            events.push(event);
        }
    }
    events
}

/// One request to Opsgenie: the path below its base URL, and the body.
#[derive(Clone, Debug, PartialEq)]
pub struct OpsgenieRequest {
    /// What happens.
    pub action: Action,
    /// The alias: opaque, safe in a path.
    pub path: String,
    /// The JSON.
    pub body: Value,
}

/// The requests of Opsgenie's Alert API for a notification, in order
/// (docs.opsgenie.com/docs/alert-api: create, acknowledge and close by alias).
pub fn opsgenie(outgoing: &Outgoing, own: Option<&str>) -> Vec<OpsgenieRequest> {
    let message = Message::of(outgoing);
    let mut requests = Vec::new();
    for (alert, line) in outgoing.notification.alerts.iter().zip(&message.lines) {
        let alias = dedup_key(outgoing, alert);
        for action in actions(outgoing, alert) {
            let (path, body) = match action {
                Action::Trigger => ("/v2/alerts".to_owned(), created(alert, line, &alias, own)),
                Action::Acknowledge => (
                    format!("/v2/alerts/{alias}/acknowledge?identifierType=alias"),
                    json!({"source": "vedette", "user": alert.acknowledged_by}),
                ),
                Action::Resolve => (
                    format!("/v2/alerts/{alias}/close?identifierType=alias"),
                    json!({"source": "vedette", "note": line.unmarked()}),
                ),
            };
            requests.push(OpsgenieRequest { action: *action, path, body });
        }
    }
    requests
}

fn created(alert: &NotifiedAlert, line: &Line, alias: &str, own: Option<&str>) -> Value {
    let text = line.unmarked();
    let description = match (own, line.description.as_str()) {
        (Some(own), _) => own.to_owned(),
        (None, "") => text,
        (None, description) => format!("{text}\n\n{description}"),
    };
    let details: Map<String, Value> = details(alert)
        .into_iter()
        // Opsgenie takes texts only.
        .map(|(name, value)| match value {
            Value::String(text) => (name, Value::String(text)),
            other => (name, Value::String(other.to_string())),
        })
        .collect();
    json!({
        "message": cut_chars(&line.headline, OPSGENIE_MESSAGE_CHARS_MAX),
        "alias": alias,
        "description": cut_chars(&description, OPSGENIE_DESCRIPTION_CHARS_MAX),
        "source": "vedette",
        "entity": source(alert),
        "priority": match alert.severity {
            Severity::Critical => "P1",
            Severity::Warning => "P3",
            Severity::Info => "P5",
        },
        "details": details,
    })
}
