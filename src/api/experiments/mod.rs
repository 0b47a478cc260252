//! Experiments over HTTP: what they are, what may be done with them, who gets what, and what came
//! of it. Results and exposures come in by `results.rs`.

mod assign;
mod lifecycle;
mod reading;
mod results;
mod shown;

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, post};
use serde_json::{Map, Value};

use crate::engine::experiments::runtime::ExperimentError;
use crate::engine::watch::{Catalog, Defined, Definitions};
use crate::experiments::InForce;
use crate::experiments::machine::{self, Refused};
use crate::model::{ExperimentDefinition, ExperimentState};

use super::objects::{Object, routes as object_routes};
use super::state::App;
use super::{ApiError, ErrorKind};

/// A path of its own has this name.
const RESERVED_NAME: &str = "assign";

impl Object for ExperimentDefinition {
    const SHOWN_ONLY: &'static [&'static str] = shown::FIELDS;

    fn all(catalog: &Catalog) -> &Definitions<Self> {
        &catalog.experiments
    }

    fn examine(&self, _app: &App) -> Result<(), String> {
        if self.name.as_str() == RESERVED_NAME {
            return Err(format!(
                "name: {RESERVED_NAME:?} is taken by /api/v1/experiments/{RESERVED_NAME}; use another"
            ));
        }
        InForce::new(self, ExperimentState::default()).map(|_| ())
    }

    fn may_replace(&self, app: &App) -> Result<(), String> {
        let engine = app.engine().map_err(|error| error.message)?;
        let Some(known) = engine.experiments.get(self.name.as_str()) else { return Ok(()) };
        let after = InForce::new(self, ExperimentState::default())?;
        machine::may_change(&known.definition, &after.definition, &known.state)
            .map_err(|refused| refused.to_string())
    }

    fn may_remove(app: &App, name: &str) -> Result<(), String> {
        let engine = app.engine().map_err(|error| error.message)?;
        match engine.experiments.get(name) {
            Some(known) if known.is_active() => Err(format!(
                "{name} is {}; complete or cancel it first, or its units would get nothing",
                known.state.status.as_str()
            )),
            _ => Ok(()),
        }
    }

    fn taken_up(app: &App) -> impl Future<Output = ()> + Send {
        let experiments = app.engine().ok().map(|engine| Arc::clone(&engine.experiments));
        async move {
            if let Some(experiments) = experiments {
                experiments.settled().await;
            }
        }
    }

    fn complete(app: &App, defined: &Defined<Self>, shown: &mut Map<String, Value>) {
        shown::complete(app, defined, shown);
    }
}

impl From<ExperimentError> for ApiError {
    fn from(error: ExperimentError) -> Self {
        let kind = match error {
            ExperimentError::Absent(_) => ErrorKind::NotFound,
            ExperimentError::Refused(Refused::Conflict(_)) => ErrorKind::Conflict,
            ExperimentError::Refused(Refused::Invalid(_)) => ErrorKind::BadData,
            ExperimentError::Watch(error) => return error.into(),
        };
        ApiError::new(kind, error.to_string())
    }
}

/// An experiment as it is in force.
pub(super) fn in_force(app: &App, name: &str) -> Result<Arc<InForce>, ApiError> {
    let absent = || ExperimentError::Absent(name.to_owned());
    app.engine()?.experiments.get(name).ok_or_else(|| absent().into())
}

/// All routes of experiments.
pub(super) fn routes() -> Router<Arc<App>> {
    object_routes::<ExperimentDefinition>("experiments")
        .route("/api/v1/experiments/assign", post(assign::of_unit))
        .route("/api/v1/experiments/{name}/assign", post(assign::assign))
        .route("/api/v1/experiments/{name}/start", post(lifecycle::start))
        .route("/api/v1/experiments/{name}/pause", post(lifecycle::pause))
        .route("/api/v1/experiments/{name}/resume", post(lifecycle::resume))
        .route("/api/v1/experiments/{name}/complete", post(lifecycle::complete))
        .route("/api/v1/experiments/{name}/cancel", post(lifecycle::cancel))
        .route("/api/v1/experiments/{name}/step", post(lifecycle::step))
        .route("/api/v1/experiments/{name}/switch", post(lifecycle::switch))
        .route("/api/v1/experiments/{name}/rollback", post(lifecycle::rollback))
        .route("/api/v1/experiments/{name}/results", post(results::results))
        .route("/api/v1/experiments/{name}/exposures", get(results::exposures))
        .route("/api/v1/experiments/{name}/units/{unit}", delete(results::forget))
        .route("/api/v1/experiments/{name}/audit", get(reading::audit))
        .route("/api/v1/experiments/{name}/timeline", get(reading::timeline))
        .route("/api/v1/experiments/{name}/analysis", get(reading::analysis))
        .route("/api/v1/experiments/{name}/variants", get(reading::variants))
}
