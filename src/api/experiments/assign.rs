//! Who gets what: asked by applications, thousands of times a second.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::engine::experiments::runtime::{Assigned, Experiments};
use crate::experiments::InForce;

use super::in_force;
use crate::api::ApiError;
use crate::api::json::success;
use crate::api::request::{blocking, read_json};
use crate::api::state::App;

type Answered = Result<Response<Body>, ApiError>;

/// Units of one request.
const UNITS_MAX: usize = 10_000;
/// Experiments that one request asks of one unit.
const EXPERIMENTS_MAX: usize = 1_000;
/// More units than this are looked up on a thread where that may take its time.
const UNITS_INLINE_MAX: usize = 16;

/// One unit, or many.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    unit: Option<String>,
    #[serde(default)]
    units: Option<Vec<AskedUnit>>,
    /// Of the unit; of all that have none of their own.
    #[serde(default)]
    attributes: Value,
    /// Whether units that get a variant are noted as exposed to it.
    #[serde(default = "yes")]
    expose: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum AskedUnit {
    Id(String),
    Whole {
        unit: String,
        #[serde(default)]
        attributes: Value,
    },
}

impl AskedUnit {
    fn parts<'a>(&'a self, common: &'a Value) -> (&'a str, &'a Value) {
        match self {
            AskedUnit::Id(unit) => (unit, common),
            AskedUnit::Whole { unit, attributes } if attributes.is_null() => (unit, common),
            AskedUnit::Whole { unit, attributes } => (unit, attributes),
        }
    }
}

fn check_attributes(attributes: &Value) -> Result<(), ApiError> {
    if attributes.is_null() || attributes.is_object() {
        return Ok(());
    }
    Err(ApiError::bad_data("attributes: an object, like {\"country\": \"NL\"}"))
}

fn one(assigned: &Assigned) -> Map<String, Value> {
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    put("variant", json!(assigned.variant()));
    put("in_experiment", json!(assigned.assignment.in_experiment));
    put("reason", json!(assigned.assignment.reason));
    shown
}

/// `POST /api/v1/experiments/{name}/assign`: of one unit, or of many.
pub(super) async fn assign(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let experiments = Arc::clone(&app.engine()?.experiments);
    let asked: Asked = read_json(&app, request).await?;
    let experiment = in_force(&app, &name)?;
    check_attributes(&asked.attributes)?;
    match (&asked.unit, &asked.units) {
        (Some(unit), None) => {
            let assigned = experiments
                .assign(&experiment, unit, &asked.attributes, asked.expose)
                .map_err(ApiError::bad_data)?;
            let mut shown = one(&assigned);
            shown.insert("unit".to_owned(), json!(unit));
            shown.insert("configuration".to_owned(), assigned.configuration());
            Ok(success(&shown))
        }
        (None, Some(units)) if units.len() <= UNITS_INLINE_MAX => {
            Ok(success(&many(&experiments, &experiment, &asked, units)?))
        }
        (None, Some(units)) if units.len() <= UNITS_MAX => {
            let work = move || {
                let units = asked.units.as_deref().unwrap_or_default();
                many(&experiments, &experiment, &asked, units)
            };
            Ok(success(&blocking(work).await?))
        }
        (None, Some(units)) => Err(ApiError::bad_data(format!(
            "units: there are {}, and one request may have {UNITS_MAX}; send several",
            units.len()
        ))),
        (Some(_), Some(_)) | (None, None) => Err(ApiError::bad_data(
            "unit: the id of a unit, or units: a list of ids or of {\"unit\", \"attributes\"}",
        )),
    }
}

/// Configurations are given once, by variant: units of one variant share theirs.
fn many(
    experiments: &Experiments,
    experiment: &Arc<InForce>,
    asked: &Asked,
    units: &[AskedUnit],
) -> Result<Value, ApiError> {
    // All are looked at before any is exposed: a request is taken whole or not at all.
    for (place, unit) in units.iter().enumerate() {
        let (unit, attributes) = unit.parts(&asked.attributes);
        crate::experiments::check_unit(unit)
            .map_err(|error| ApiError::bad_data(format!("units[{place}].{error}")))?;
        check_attributes(attributes)?;
    }
    let mut configurations = BTreeMap::new();
    let mut assignments = Vec::with_capacity(units.len());
    for unit in units {
        let (unit, attributes) = unit.parts(&asked.attributes);
        let assigned = experiments
            .assign(experiment, unit, attributes, asked.expose)
            .map_err(ApiError::bad_data)?;
        if let Some(variant) = assigned.variant() {
            let variant = variant.as_str().to_owned();
            configurations.entry(variant).or_insert_with(|| assigned.configuration());
        }
        let mut shown = one(&assigned);
        shown.insert("unit".to_owned(), json!(unit));
        assignments.push(Value::Object(shown));
    }
    Ok(json!({
        "assignments": assignments,
        "configurations": configurations,
        "default_configuration": experiment.configuration(None),
    }))
}

/// What is asked of one unit in several experiments.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedOfUnit {
    unit: String,
    #[serde(default)]
    attributes: Value,
    /// These only.
    #[serde(default)]
    experiments: Option<Vec<String>>,
    /// Those of this feature only.
    #[serde(default)]
    feature: Option<String>,
    #[serde(default = "yes")]
    expose: bool,
}

/// `POST /api/v1/experiments/assign`: of one unit, in all experiments that have started.
pub(super) async fn of_unit(State(app): State<Arc<App>>, request: Request) -> Answered {
    let experiments = Arc::clone(&app.engine()?.experiments);
    let asked: AskedOfUnit = read_json(&app, request).await?;
    check_attributes(&asked.attributes)?;
    let all = experiments.all();
    let wanted: Vec<Arc<InForce>> = match &asked.experiments {
        Some(names) => {
            names.iter().map(|name| in_force(&app, name)).collect::<Result<_, ApiError>>()?
        }
        None => all.values().filter(|known| known.is_active()).cloned().collect(),
    };
    let of_feature = |known: &&Arc<InForce>| {
        let feature = known.definition.feature.as_ref().map(|name| name.as_str());
        asked.feature.is_none() || feature == asked.feature.as_deref()
    };
    let wanted: Vec<&Arc<InForce>> = wanted.iter().filter(of_feature).collect();
    if wanted.len() > EXPERIMENTS_MAX {
        return Err(ApiError::bad_data(format!(
            "{} experiments are asked for, and one request may ask for {EXPERIMENTS_MAX}; name \
             some, or a feature",
            wanted.len()
        )));
    }
    let mut assignments = Map::new();
    for experiment in wanted {
        let assigned = experiments
            .assign(experiment, &asked.unit, &asked.attributes, asked.expose)
            .map_err(ApiError::bad_data)?;
        let mut shown = one(&assigned);
        shown.insert("configuration".to_owned(), assigned.configuration());
        let name = experiment.definition.name.as_str().to_owned();
        assignments.insert(name, Value::Object(shown));
    }
    Ok(success(&json!({ "unit": asked.unit, "assignments": assignments })))
}
