//! Rules of ours over HTTP: what they add to other objects, trying them, and why they fire.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::Response;
use serde_json::{Map, Value, json};

use crate::engine::ruler::{LiveAlerting, LiveGroup, Trial};
use crate::engine::watch::{Catalog, Defined, Definitions};
use crate::model::{AlertKey, Labels, Origin, RuleDefinition, Severity};
use crate::rules::{AlertRule, Evaluation, ShownAlert, compile, shown_alerts};

use super::alerts::{active_alerts, alert_json};
use super::json::{seconds, success};
use super::objects::{Object, find, read_definition};
use super::request::read_json;
use super::state::App;
use super::{ApiError, ErrorKind};

/// Alerts that an explanation shows.
const SHOWN_MAX: usize = 1000;
/// Deliveries that an explanation shows of an alert.
const DELIVERIES_MAX: usize = 20;

impl Object for RuleDefinition {
    const DURATIONS: &'static [&'static str] =
        &["window", "for", "keep_firing_for", "interval", "cooldown"];

    const SHOWN_ONLY: &'static [&'static str] =
        &["query", "state", "alerts", "waiting_for", "health", "last_error", "last_evaluation"];

    fn all(catalog: &Catalog) -> &Definitions<Self> {
        &catalog.rules
    }

    fn examine(&self, _app: &App) -> Result<(), String> {
        compile(self, Origin::Api).map(|_| ())
    }

    fn owned_elsewhere(app: &App, name: &str) -> Option<String> {
        let groups = app.engine().ok()?.ruler.list();
        let of_file = groups.iter().find(|live| {
            live.defined.is_none() && live.group.rules.iter().any(|rule| rule.name == name)
        })?;
        Some(format!(
            "the rule {name:?} is defined in the rule file {}; change it there and reload",
            of_file.file
        ))
    }

    fn complete(app: &App, defined: &Defined<Self>, shown: &mut Map<String, Value>) {
        if let Ok(compiled) = compile(&defined.definition, defined.origin) {
            shown.insert("query".to_owned(), compiled.rule.query.into());
        }
        let Ok(engine) = app.engine() else { return };
        let Some(live) = engine.ruler.defined(defined.definition.name.as_str()) else { return };
        let Some(alerting) = live.alerting.iter().flatten().next() else { return };
        shown.insert("state".to_owned(), alerting.states().state().as_str().into());
        shown.insert("alerts".to_owned(), active_alerts(alerting).into());
        shown.insert("waiting_for".to_owned(), json!(alerting.waiting_for()));
        if let Some(state) = live.state().rules.first() {
            shown.insert("health".to_owned(), state.health.as_str().into());
            shown.insert("last_error".to_owned(), state.last_error.as_str().into());
            shown.insert("last_evaluation".to_owned(), json!(state.last_evaluation));
        }
    }
}

/// `POST /api/v1/rules/test`: evaluates the definition in the body once, now.
pub(super) async fn test(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let body: Value = read_json(&app, request).await?;
    let definition: RuleDefinition = read_definition(body)?;
    try_out(&app, &definition).await
}

/// `POST /api/v1/rules/{name}/test`: evaluates the rule once, now.
pub(super) async fn test_named(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Response<Body>, ApiError> {
    let defined = find::<RuleDefinition>(&app, &name)?;
    try_out(&app, &defined.definition).await
}

async fn try_out(app: &App, definition: &RuleDefinition) -> Result<Response<Body>, ApiError> {
    compile(definition, Origin::Api).map_err(ApiError::bad_data)?;
    let trial = app.engine()?.ruler.try_out(definition).await;
    let Trial { rule, at, evaluation, alerts } =
        trial.map_err(|error| ApiError::new(ErrorKind::Execution, error))?;
    let alerts: Vec<Value> = alerts.iter().map(alert_json).collect();
    Ok(success(&json!({
        "query": rule.query,
        "at": at,
        "for": seconds(rule.for_ms),
        "found": evaluation.found.as_str(),
        "size": evaluation.size,
        "values": values_json(&evaluation),
        "error": evaluation.error,
        "alerts": alerts,
    })))
}

/// `GET /api/v1/rules/{name}/explain`: clocks and the last evaluations, newest first, of a rule of
/// ours, else of the first rule of a file with that name.
pub(super) async fn explain(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Response<Body>, ApiError> {
    let ruler = &app.engine()?.ruler;
    ruler.settle().await;
    let list = ruler.list();
    let mut found: Vec<(&Arc<LiveGroup>, usize, &LiveAlerting)> = list
        .iter()
        .flat_map(|live| {
            let rules = live.alerting.iter().enumerate();
            rules.filter_map(move |(place, alerting)| Some((live, place, alerting.as_ref()?)))
        })
        .filter(|(_, _, alerting)| alerting.rule.name == name)
        .collect();
    found.sort_by_key(|(live, _, _)| live.defined.is_none());
    let Some((live, place, alerting)) = found.first().copied() else {
        let message = format!("there is no alerting rule named {name:?}");
        return Err(ApiError::new(ErrorKind::NotFound, message));
    };
    let current = alerting.current();
    let rule = &alerting.rule;
    let evaluations: Vec<Value> = current.evaluations.iter().rev().map(evaluation_json).collect();
    let alerts: Vec<Value> = shown_alerts(rule, &current.states, SHOWN_MAX)
        .iter()
        .map(|alert| {
            let mut shown = shown_alert_json(alert);
            let key = AlertKey::of(&rule.source, &alert.labels);
            shown["key"] = json!(key);
            shown["telling"] = what_became(&app, rule, &alert.labels, key);
            shown
        })
        .collect();
    let state = live.state();
    let last_error = state.rules.get(place).map(|rule| rule.last_error.clone());
    Ok(success(&json!({
        "name": name,
        "file": live.file,
        "group": if live.defined.is_some() { "" } else { live.group.name.as_str() },
        "query": rule.query,
        "mode": rule.mode,
        "state": current.states.state().as_str(),
        "waiting_for": current.waiting_for,
        "interval": seconds(live.interval_ms),
        "for": seconds(rule.for_ms),
        "keep_firing_for": seconds(rule.keep_firing_for_ms),
        "cooldown": seconds(rule.cooldown_ms),
        "last_error": last_error.filter(|error| !error.is_empty()),
        "alerts": alerts,
        "evaluations": evaluations,
    })))
}

/// Where an alert is told, what keeps people from being told, and what became of it: its
/// incident and deliveries, newest last.
fn what_became(app: &App, rule: &AlertRule, labels: &Labels, key: AlertKey) -> Value {
    let Ok(engine) = app.engine() else { return Value::Null };
    let view = engine.watch.view();
    let severity = labels.get("severity").map_or_else(Severity::default, Severity::from_label);
    let (routes, nobody) = match view.explain_routing(labels, severity, &rule.channels) {
        Ok(routes) => (routes, None),
        Err(suppression) => (Vec::new(), Some(suppression)),
    };
    let suppression = view.suppression(labels, app.clock.now()).or(nobody);
    let incident = view.of_alert(key);
    let deliveries = incident.as_ref().and_then(|incident| {
        // What cannot be read now is missing here, and nowhere else.
        view.deliveries_of(incident.id, DELIVERIES_MAX).ok()
    });
    let deliveries = deliveries.unwrap_or_default();
    let deliveries: Vec<Value> = deliveries
        .iter()
        .map(|delivery| {
            json!({
                "id": delivery.id,
                "channel": delivery.channel,
                "reason": delivery.notification.reason,
                "state": delivery.state,
                "attempts": delivery.attempts,
                "last_error": delivery.last_error,
                "created_at": delivery.created_at,
                "finished_at": delivery.finished_at,
            })
        })
        .collect();
    json!({
        "routes": routes,
        "suppression": suppression,
        "incident": incident.map(|incident| json!({
            "id": incident.id,
            "number": incident.number,
            "status": incident.status,
            "firing": incident.firing,
            "told": incident.told,
            "suppressed": incident.suppressed,
            "snoozed_until": incident.snoozed_until,
        })),
        "deliveries": deliveries,
    })
}

fn values_json(evaluation: &Evaluation) -> Vec<Value> {
    let values = evaluation.values.iter();
    values.map(|(labels, value)| json!({"labels": labels, "value": text_of(*value)})).collect()
}

/// A number as text, so that NaN and infinities have a form in JSON.
fn text_of(value: f64) -> String {
    let mut out = Vec::new();
    super::json::push_float(&mut out, value);
    String::from_utf8_lossy(&out).trim_matches('"').to_owned()
}

fn shown_alert_json(alert: &ShownAlert) -> Value {
    json!({
        "labels": alert.labels,
        "value": alert.value.map(text_of),
        "state": alert.state.as_str(),
        "active_at": alert.active_at,
        "pending_until": alert.pending_until,
        "keep_firing_until": alert.keep_firing_until,
        "cooldown_until": alert.cooldown_until,
        "frozen_since": alert.frozen_since,
        "told": alert.told,
    })
}

fn evaluation_json(evaluation: &Evaluation) -> Value {
    let [inactive, pending, firing] = evaluation.counts;
    json!({
        "at": evaluation.at,
        "took": evaluation.took.as_secs_f64(),
        "found": evaluation.found.as_str(),
        "size": evaluation.size,
        "values": values_json(evaluation),
        "error": evaluation.error,
        "mode": evaluation.mode,
        "settled": evaluation.settled,
        "counts": {"inactive": inactive, "pending": pending, "firing": firing},
        "alerts": evaluation.alerts.iter().map(shown_alert_json).collect::<Vec<_>>(),
    })
}
