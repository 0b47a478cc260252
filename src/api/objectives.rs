//! Objectives over HTTP, and how much of their budgets is left.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::routing::get;
use serde_json::{Map, Value, json};

use crate::engine::watch::{Catalog, Definitions};
use crate::model::ObjectiveDefinition;
use crate::promql;
use crate::rules::objective_group;

use super::ApiError;
use super::json::success;
use super::objects::{self, Object, find};
use super::params::Params;
use super::query::{Asked, parse_query, run};
use super::state::App;

impl Object for ObjectiveDefinition {
    const DURATIONS: &'static [&'static str] = &["window"];

    fn all(catalog: &Catalog) -> &Definitions<Self> {
        &catalog.objectives
    }

    fn examine(&self, _app: &App) -> Result<(), String> {
        objective_group(self).map(|_| ())
    }
}

pub(super) fn routes() -> Router<Arc<App>> {
    objects::routes::<ObjectiveDefinition>("objectives")
        .route("/api/v1/objectives/{name}/budget", get(budget))
        .route("/api/v1/objectives/{name}/rules", get(rules))
}

/// `GET /api/v1/objectives/{name}/budget`: of each series that the objective's queries give, what
/// is left of the budget (1: all, below 0: overdrawn), how fast it burns (1: just lasts), and the
/// share of errors by window.
async fn budget(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Response<Body>, ApiError> {
    let objective = find::<ObjectiveDefinition>(&app, &name)?;
    let text = format!("{{__name__=~\"slo:.*\",slo={}}}", Value::from(name.as_str()));
    let expr = parse_query(&text)?;
    let at = app.clock.now();
    let asked = Asked::read(&app, &Params::default())?;
    let found = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&found);
    run(&app, &asked, text, move |reader, options| {
        let answer = promql::instant(reader, &expr, at, options)?;
        if let promql::Value::Vector(samples) = &answer.value {
            into.lock().unwrap_or_else(PoisonError::into_inner).clone_from(samples);
        }
        Ok(answer)
    })
    .await?;
    let samples = std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner));
    let mut series: Vec<(Value, Map<String, Value>)> = Vec::new();
    for sample in samples {
        let value = json!(sample.sample.value);
        let key = match sample.labels.metric_name().unwrap_or("") {
            "slo:period_error_budget_remaining:ratio" => "budget_remaining".to_owned(),
            "slo:current_burn_rate:ratio" => "burn_rate".to_owned(),
            "slo:period_burn_rate:ratio" => "burn_rate_of_window".to_owned(),
            name => match name.strip_prefix("slo:sli_error:ratio_rate") {
                Some(window) => format!("errors_{window}"),
                None => continue,
            },
        };
        let labels = json!(sample.labels.without_name());
        let place = series.iter().position(|(known, _)| *known == labels);
        let place = place.unwrap_or_else(|| {
            series.push((labels, Map::new()));
            series.len() - 1
        });
        series[place].1.insert(key, value);
    }
    let series: Vec<Value> = series
        .into_iter()
        .map(|(labels, mut values)| {
            values.insert("labels".to_owned(), labels);
            Value::Object(values)
        })
        .collect();
    let definition = &objective.definition;
    Ok(success(&json!({
        "name": name,
        "objective": definition.objective,
        "window": definition.window.millis() / 1000,
        "at": at,
        "series": series,
    })))
}

/// `GET /api/v1/objectives/{name}/rules`: the rules that follow from it.
async fn rules(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Response<Body>, ApiError> {
    let objective = find::<ObjectiveDefinition>(&app, &name)?;
    let group = objective_group(&objective.definition).map_err(ApiError::bad_data)?;
    let rules: Vec<Value> = group
        .rules
        .iter()
        .map(|rule| {
            let kind = if rule.is_alerting() { "alert" } else { "record" };
            let labels: Map<String, Value> =
                rule.labels.iter().map(|(n, v)| (n.clone(), v.as_str().into())).collect();
            json!({kind: rule.name, "expr": rule.query, "labels": labels})
        })
        .collect();
    Ok(success(&json!({"name": group.name, "rules": rules})))
}
