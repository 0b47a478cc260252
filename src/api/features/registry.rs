//! What features and providers there are: defined ones, and those that outcomes tell of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::Response;
use serde_json::{Value, json};

use crate::engine::watch::{Catalog, Definitions};
use crate::features::TallyKey;
use crate::model::{Definition as _, FeatureDefinition, Name, ProviderDefinition};
use crate::promql;

use super::super::ApiError;
use super::super::objects::{Object, paged, shown};
use super::super::params::Params;
use super::super::state::App;
use super::window::MINUTE_MS;

/// Objects in one page, unless asked for fewer.
const PAGE: usize = 1000;

/// What outcomes tell of by a label.
pub(in crate::api) trait Seen: Object {
    /// The label's value in a key; empty where there is none.
    fn label(key: &TallyKey) -> &str;
}

/// The path of all summaries has this place.
fn refuse_taken_name(name: &Name) -> Result<(), String> {
    match name.as_str() {
        "summary" => Err("name: \"summary\" is the path of all summaries; use another".to_owned()),
        _ => Ok(()),
    }
}

impl Object for FeatureDefinition {
    fn all(catalog: &Catalog) -> &Definitions<Self> {
        &catalog.features
    }

    fn examine(&self, _app: &App) -> Result<(), String> {
        refuse_taken_name(self.name())?;
        for (figure, text) in crate::features::own_queries(&self.queries, MINUTE_MS) {
            promql::parse(&text).map_err(|error| format!("queries ({figure:?}): {error}"))?;
        }
        Ok(())
    }
}

impl Object for ProviderDefinition {
    fn all(catalog: &Catalog) -> &Definitions<Self> {
        &catalog.providers
    }

    fn examine(&self, _app: &App) -> Result<(), String> {
        refuse_taken_name(self.name())
    }
}

impl Seen for FeatureDefinition {
    fn label(key: &TallyKey) -> &str {
        &key.feature
    }
}

impl Seen for ProviderDefinition {
    fn label(key: &TallyKey) -> &str {
        &key.provider
    }
}

/// The names that outcomes tell of.
pub(super) fn seen<T: Seen>(app: &App) -> Result<BTreeSet<String>, ApiError> {
    let tallies = app.engine()?.outcomes.tallies();
    let names = tallies.iter().map(|(key, _)| T::label(key)).filter(|name| !name.is_empty());
    Ok(names.map(str::to_owned).collect())
}

/// Whether there is one of this name, defined or seen.
pub(super) fn exists<T: Seen>(app: &App, name: &str) -> Result<bool, ApiError> {
    let engine = app.engine()?;
    let tallies = engine.outcomes.tallies();
    Ok(T::all(&engine.catalog).get(name).is_some()
        || tallies.iter().any(|(key, _)| T::label(key) == name))
}

/// `GET /api/v1/features?limit=&after=`, and providers: by name. What outcomes tell of and nobody
/// defined has the origin `seen`.
pub(super) async fn list<T: Seen>(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let params = Params::read(request.uri(), request.headers(), &Bytes::new())?;
    let limit = params.limit()?.unwrap_or(PAGE).min(PAGE);
    let after = params.get("after").unwrap_or("");
    let mut all: BTreeMap<String, Value> = seen::<T>(&app)?
        .into_iter()
        .map(|name| (name.clone(), json!({"name": name, "origin": "seen"})))
        .collect();
    for (name, defined) in T::all(&app.engine()?.catalog).list().iter() {
        all.insert(name.to_string(), shown(&app, defined));
    }
    let mut rest = all.into_iter().filter(|(name, _)| name.as_str() > after).map(|(_, one)| one);
    let page: Vec<Value> = rest.by_ref().take(limit).collect();
    let next = rest.next().and_then(|_| page.last()?.get("name").cloned());
    Ok(paged(&page, next))
}
