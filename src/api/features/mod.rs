//! Features and providers over HTTP: what they are, how they do, and what applications are to use.

mod config;
mod evaluate;
mod registry;
mod summary;
mod window;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use super::objects::routes_but_list;
use super::state::App;
use crate::model::{FeatureDefinition, ProviderDefinition};

pub(super) fn routes() -> Router<Arc<App>> {
    let features = get(registry::list::<FeatureDefinition>);
    let providers = get(registry::list::<ProviderDefinition>);
    routes_but_list::<FeatureDefinition>("features", features)
        .merge(routes_but_list::<ProviderDefinition>("providers", providers))
        .route("/api/v1/features/summary", get(summary::of_features))
        .route("/api/v1/features/{name}/summary", get(summary::of_feature))
        .route("/api/v1/providers/summary", get(summary::of_providers))
        .route("/api/v1/providers/{name}/summary", get(summary::of_provider))
        .route("/api/v1/features/{name}/config", get(config::show).put(config::put))
        .route("/api/v1/features/{name}/config/history", get(config::history))
        .route("/api/v1/features/{name}/config/diff", get(config::diff))
        .route("/api/v1/features/{name}/evaluate", post(evaluate::evaluate))
}
