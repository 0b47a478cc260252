//! How features and providers do.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::Response;
use serde_json::{Value, json};

use crate::engine::summaries::{Around, Subject, Window};
use crate::engine::watch::Catalog;
use crate::model::{FeatureDefinition, Name, ProviderDefinition};

use super::super::json::success;
use super::super::params::Params;
use super::super::request::{blocking, read_params};
use super::super::state::App;
use super::super::{ApiError, ErrorKind};
use super::registry::{Seen, exists, seen};
use super::window::{figures, read_window};

type Answered = Result<Response<Body>, ApiError>;

/// What is known of subjects besides their outcomes.
async fn around(
    app: &App,
    label: &'static str,
    only: Option<&str>,
    window: Window,
) -> Result<Around, ApiError> {
    let engine = app.engine()?;
    let (tsdb, catalog) = (Arc::clone(&engine.tsdb), Arc::clone(&engine.catalog));
    let (view, now, only) = (engine.watch.view(), app.clock.now(), only.map(str::to_owned));
    blocking(move || {
        let from = (tsdb.store().as_ref(), catalog.as_ref(), &view);
        Ok(Around::read(from, label, only.as_deref(), window, now)?)
    })
    .await
}

pub(super) fn absent(noun: &str, name: &str) -> ApiError {
    let message = format!("there is no {noun} named {name:?}, and no outcome tells of one");
    ApiError::new(ErrorKind::NotFound, message)
}

/// Features with queries of their own.
fn with_queries(app: &App, only: Option<&str>) -> Result<Vec<Arc<FeatureDefinition>>, ApiError> {
    let list = app.engine()?.catalog.features.list();
    let own = list
        .iter()
        .filter(|(name, _)| only.is_none_or(|only| only == name.as_str()))
        .filter(|(_, defined)| defined.definition.queries != Default::default())
        .map(|(_, defined)| Arc::new(defined.definition.clone()));
    Ok(own.collect())
}

/// The labels that a summary may be taken apart by.
fn apart_by(
    params: &Params,
    usual: Option<&'static str>,
) -> Result<Option<&'static str>, ApiError> {
    const LABELS: [&str; 5] = ["feature", "provider", "model", "experiment", "variant"];
    let Some(asked) = params.get("by") else { return Ok(usual) };
    let known = LABELS.into_iter().find(|label| *label == asked);
    known.map(Some).ok_or_else(|| ApiError::parameter("by", format!("is one of {LABELS:?}")))
}

/// The figures of a subject by the values of another label.
async fn taken_apart(
    app: &Arc<App>,
    params: &Params,
    window: Window,
    by: &'static str,
    subject: (&str, &str),
) -> Result<Value, ApiError> {
    let (parts, _) = figures(app, params, window, by, &[subject], Vec::new()).await?;
    let parts: Vec<Value> = parts
        .into_iter()
        .map(|(value, figures)| {
            let mut shown = json!(figures.show(window.millis));
            shown[by] = value.into();
            shown
        })
        .collect();
    Ok(parts.into())
}

/// `GET /api/v1/features/summary?window=1h&at=`: of all, by name.
pub(super) async fn of_features(State(app): State<Arc<App>>, request: Request) -> Answered {
    let params = read_params(&app, request).await?;
    let own = with_queries(&app, None)?;
    of_all::<FeatureDefinition>(&app, &params, "feature", own, Subject::feature).await
}

/// `GET /api/v1/providers/summary?window=1h&at=`: of all, by name.
pub(super) async fn of_providers(State(app): State<Arc<App>>, request: Request) -> Answered {
    let params = read_params(&app, request).await?;
    of_all::<ProviderDefinition>(&app, &params, "provider", Vec::new(), Subject::provider).await
}

async fn of_all<T: Seen>(
    app: &Arc<App>,
    params: &Params,
    label: &'static str,
    own: Vec<Arc<FeatureDefinition>>,
    subject: fn(&Catalog, &str) -> Subject,
) -> Answered {
    let window = read_window(app, params).await?;
    let (mut known, mut problems) = figures(app, params, window, label, &[], own).await?;
    let around = around(app, label, None, window).await?;
    let catalog = &app.engine()?.catalog;
    let mut names = seen::<T>(app)?;
    names.extend(T::all(&app.engine()?.catalog).list().keys().map(Name::to_string));
    names.extend(known.keys().cloned());
    let mut summaries = Vec::with_capacity(names.len());
    for name in names {
        let figures = known.remove(&name).unwrap_or_default();
        let problems = problems.remove(&name).unwrap_or_default();
        summaries.push(around.summary(subject(catalog, &name), window, figures, problems));
    }
    Ok(success(&summaries))
}

/// `GET /api/v1/features/{name}/summary?window=1h&at=&by=model`: of one; with `by`, also taken
/// apart by a label.
pub(super) async fn of_feature(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let params = read_params(&app, request).await?;
    if !exists::<FeatureDefinition>(&app, &name)? {
        return Err(absent("feature", &name));
    }
    let by = apart_by(&params, None)?;
    let own = with_queries(&app, Some(&name))?;
    let subject = Subject::feature(&app.engine()?.catalog, &name);
    of_one(&app, &params, ("feature", subject), own, by).await
}

/// `GET /api/v1/providers/{name}/summary?window=1h&at=&by=`: of one, taken apart by model unless
/// `by` says otherwise.
pub(super) async fn of_provider(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let params = read_params(&app, request).await?;
    if !exists::<ProviderDefinition>(&app, &name)? {
        return Err(absent("provider", &name));
    }
    let by = apart_by(&params, Some("model"))?;
    let subject = Subject::provider(&app.engine()?.catalog, &name);
    of_one(&app, &params, ("provider", subject), Vec::new(), by).await
}

async fn of_one(
    app: &Arc<App>,
    params: &Params,
    (label, subject): (&'static str, Subject),
    own: Vec<Arc<FeatureDefinition>>,
    by: Option<&'static str>,
) -> Answered {
    let window = read_window(app, params).await?;
    let name = subject.name().to_owned();
    let matchers = [(label, name.as_str())];
    let (mut known, mut problems) = figures(app, params, window, label, &matchers, own).await?;
    let around = around(app, label, Some(&name), window).await?;
    let figures = known.remove(&name).unwrap_or_default();
    let problems = problems.remove(&name).unwrap_or_default();
    let mut shown = json!(around.summary(subject, window, figures, problems));
    if let Some(by) = by {
        shown["by"] = by.into();
        shown["parts"] = taken_apart(app, params, window, by, (label, &name)).await?;
    }
    Ok(success(&shown))
}
