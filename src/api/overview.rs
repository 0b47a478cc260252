//! `GET /api/v1/overview`: how everything is, at a glance.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;

use super::ApiError;
use super::json::success;
use super::state::App;

/// `GET /api/v1/overview`. Evaluates nothing: counts are read, and figures are there already.
pub(super) async fn overview(State(app): State<Arc<App>>) -> Result<Response<Body>, ApiError> {
    Ok(success(&app.engine()?.overview.snapshot()))
}
