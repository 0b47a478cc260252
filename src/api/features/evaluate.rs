//! What an application is to use: a feature's configuration, with the variants of its experiments.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::experiments::{InForce, assign, check_unit};
use crate::model::{ExperimentStatus, FeatureDefinition};

use super::super::ApiError;
use super::super::json::success;
use super::super::objects::merge;
use super::super::request::read_json;
use super::super::state::{App, Engine};
use super::registry::exists;
use super::summary::absent;

/// Units of one request.
const UNITS_MAX: usize = 1000;

/// A unit and what is known of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unit {
    unit: String,
    #[serde(default)]
    attributes: Value,
}

/// One unit, or several; of those each may have attributes of its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    unit: Option<String>,
    #[serde(default)]
    units: Option<Vec<OneOf>>,
    #[serde(default)]
    attributes: Value,
    /// Whether units that take part count as exposed.
    #[serde(default = "yes")]
    expose: bool,
}

fn yes() -> bool {
    true
}

/// A unit's id, or that and its attributes.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOf {
    Id(String),
    Whole(Unit),
}

/// `POST /api/v1/features/{name}/evaluate`: `{"unit": "user-17", "attributes": {…}}`, or
/// `{"units": ["user-17", {"unit": "user-18", "attributes": {…}}]}`.
pub(super) async fn evaluate(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let asked: Asked = read_json(&app, request).await?;
    if !exists::<FeatureDefinition>(&app, &name)? {
        return Err(absent("feature", &name));
    }
    let engine = app.engine()?;
    match (asked.unit, asked.units) {
        (Some(unit), None) => {
            let unit = Unit { unit, attributes: asked.attributes };
            check(&unit).map_err(ApiError::bad_data)?;
            let answer = evaluated(&app, engine, &name, &unit, asked.expose);
            Ok(success(&answer))
        }
        (None, Some(units)) if units.len() <= UNITS_MAX => {
            let units: Vec<Unit> = units
                .into_iter()
                .map(|one| match one {
                    OneOf::Id(unit) => Unit { unit, attributes: asked.attributes.clone() },
                    OneOf::Whole(unit) => unit,
                })
                .collect();
            // All or none: a list with holes would be read as one without.
            for (place, unit) in units.iter().enumerate() {
                check(unit)
                    .map_err(|error| ApiError::bad_data(format!("units[{place}].{error}")))?;
            }
            let answers: Vec<Value> = units
                .iter()
                .map(|unit| evaluated(&app, engine, &name, unit, asked.expose))
                .collect();
            Ok(success(&answers))
        }
        (None, Some(units)) => Err(ApiError::bad_data(format!(
            "units: there are {}, and one request may have {UNITS_MAX}; send several",
            units.len()
        ))),
        _ => Err(ApiError::bad_data(
            "unit: is the id of a user, a session or the like; or give units, a list of them",
        )),
    }
}

fn check(unit: &Unit) -> Result<(), String> {
    check_unit(&unit.unit)?;
    match &unit.attributes {
        Value::Null | Value::Object(_) => Ok(()),
        _ => Err("attributes: is an object, like {\"country\": \"NL\"}".to_owned()),
    }
}

/// The newest configuration of the feature, with that of each of its experiments merged over it
/// in the order of their names (RFC 7396).
fn evaluated(app: &App, engine: &Engine, feature: &str, unit: &Unit, expose: bool) -> Value {
    let newest = engine.configurations.newest(feature);
    let mut configuration = newest.as_ref().map_or(Value::Null, |newest| newest.value.clone());
    let board = engine.board.load();
    let mut assignments = Vec::new();
    let about = |experiment: &&Arc<InForce>| {
        experiment.definition.feature.as_ref().is_some_and(|name| name.as_str() == feature)
            && experiment.state.status != ExperimentStatus::Draft
    };
    for experiment in board.values().filter(about) {
        let known = engine.ledger.exposure(experiment.number(), &unit.unit);
        let assigned = assign(experiment, &unit.unit, &unit.attributes, known);
        // What is over and shipped nothing leaves no trace.
        if assigned.variant.is_none() && !experiment.is_active() {
            continue;
        }
        let over = experiment.configuration(assigned.variant);
        if !over.is_null() {
            merge(&mut configuration, over);
        }
        let place = assigned.variant.and_then(|place| u16::try_from(place).ok());
        if assigned.in_experiment
            && expose
            && let (Some(place), Some(epoch)) = (place, experiment.epoch())
        {
            engine.ledger.expose(experiment.number(), epoch, &unit.unit, place, app.clock.now());
        }
        let variant = assigned.variant.and_then(|place| experiment.definition.variants.get(place));
        assignments.push(json!({
            "experiment": experiment.definition.name,
            "variant": variant.map(|variant| &variant.name),
            "in_experiment": assigned.in_experiment,
            "reason": assigned.reason,
        }));
    }
    json!({
        "feature": feature,
        "unit": unit.unit,
        "version": newest.map(|newest| newest.version),
        "configuration": configuration,
        "assignments": assignments,
    })
}
