//! Rules over the past.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::engine::ruler::{Backtest, PastAlert, Period as Played};
use crate::model::{Delivery, NotifiedAlert, Origin, Period, RuleDefinition, RuleMode, Timestamp};
use crate::rules::{AlertRule, compile};

use super::json::{seconds, success};
use super::objects::read_definition;
use super::request::{read_json, read_optional_json};
use super::state::App;
use super::{ApiError, ErrorKind};

/// How far back a backtest begins that does not say where: a day.
const BACK_MS: i64 = 86_400_000;

/// What may be asked. All of it is optional; times are RFC 3339 or Unix milliseconds.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    /// The first evaluation; a day ago.
    start: Option<Timestamp>,
    /// The last; now.
    end: Option<Timestamp>,
    /// Between two of them; the rule's own.
    interval: Option<Period>,
    /// The definition, where the path names none.
    rule: Option<Value>,
}

/// `POST /api/v1/rules/backtest`: the definition in the body.
pub(super) async fn of_body(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let asked: Asked = read_json(&app, request).await?;
    let body = asked.rule.clone().ok_or_else(|| {
        ApiError::bad_data("rule: is missing; give the definition, or name a rule in the path")
    })?;
    let definition: RuleDefinition = read_definition(body)?;
    let compiled = compile(&definition, Origin::Api).map_err(ApiError::bad_data)?;
    let default_ms = app.settings.load().rules.evaluation_interval.millis();
    let interval_ms = compiled.group.interval_ms.unwrap_or(default_ms);
    play(&app, compiled.rule, interval_ms, asked).await
}

/// `POST /api/v1/rules/{name}/backtest`: a rule of ours, else the first of a file with that name.
pub(super) async fn of_name(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let asked: Asked = read_optional_json(&app, request).await?;
    if asked.rule.is_some() {
        let message = "rule: the path names one; send a definition to /api/v1/rules/backtest";
        return Err(ApiError::bad_data(message));
    }
    let ruler = &app.engine()?.ruler;
    ruler.settle().await;
    let (rule, interval_ms) = ruler.alerting_rule(&name).ok_or_else(|| {
        ApiError::new(ErrorKind::NotFound, format!("there is no alerting rule named {name:?}"))
    })?;
    play(&app, AlertRule::clone(&rule), interval_ms, asked).await
}

async fn play(
    app: &App,
    mut rule: AlertRule,
    interval_ms: i64,
    asked: Asked,
) -> Result<Response<Body>, ApiError> {
    // What it would have done if it had counted.
    rule.mode = RuleMode::Active;
    rule.waits_for_data = false;
    let until = asked.end.unwrap_or_else(|| app.clock.now());
    let from = asked.start.unwrap_or_else(|| until.plus_millis(-BACK_MS));
    let interval_ms = asked.interval.map_or(interval_ms, Period::millis);
    let (name, query) = (rule.name.clone(), rule.query.clone());
    let played = Played { from, until, interval_ms };
    let report = app.engine()?.ruler.backtest(Arc::new(rule), played).await;
    let report = report.map_err(|error| ApiError::new(ErrorKind::Execution, error))?;
    let mut shown = report_json(&report);
    shown["name"] = json!(name);
    shown["query"] = json!(query);
    shown["start"] = json!(from);
    shown["end"] = json!(until);
    shown["interval"] = seconds(interval_ms);
    Ok(success(&shown))
}

fn report_json(report: &Backtest) -> Value {
    let held_back = report.held_back.iter();
    let held_back: Vec<Value> = held_back
        .map(|(at, labels, why)| json!({"at": at, "labels": labels, "reason": why}))
        .collect();
    json!({
        "evaluations": report.evaluations,
        "failed_evaluations": report.failed,
        "first_error": report.error,
        "active_alerts_max": report.active_max,
        "alerts": report.alerts.iter().map(alert_json).collect::<Vec<_>>(),
        "notifications": report.told.iter().map(told_json).collect::<Vec<_>>(),
        "held_back": held_back,
        "left_out": report.left_out,
    })
}

fn alert_json(alert: &PastAlert) -> Value {
    let until = alert.ended_at.map(|ended| seconds(ended.since(alert.fired_at)));
    json!({
        "labels": alert.labels,
        "active_at": alert.active_at,
        "fired_at": alert.fired_at,
        "ended_at": alert.ended_at,
        "fired_for": until,
        "value": alert.value,
    })
}

fn told_json(delivery: &Delivery) -> Value {
    let notification = &delivery.notification;
    let titles = |firing: bool| -> Vec<&str> {
        let alerts = notification.alerts.iter().filter(|alert| alert.firing == firing);
        alerts.map(|alert: &NotifiedAlert| alert.title.as_str()).collect()
    };
    json!({
        "at": delivery.created_at,
        "channel": delivery.channel,
        "reason": notification.reason,
        "group": notification.group_key,
        "firing": titles(true),
        "resolved": titles(false),
    })
}
