//! What was sent, what waits, and what was given up.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use uuid::Uuid;

use crate::engine::watch::ActError;

use super::json::success;
use super::state::App;
use super::{ApiError, ErrorKind};

impl From<ActError> for ApiError {
    fn from(error: ActError) -> Self {
        let kind = match error {
            ActError::Watch(error) => return error.into(),
            ActError::Absent { .. } => ErrorKind::NotFound,
            ActError::Conflict(_) => ErrorKind::Conflict,
            ActError::Invalid(_) => ErrorKind::BadData,
        };
        ApiError::new(kind, error.to_string())
    }
}

type Answered = Result<Response<Body>, ApiError>;

fn id_of(text: &str) -> Result<Uuid, ApiError> {
    text.parse().map_err(|_| ApiError::bad_data(format!("{text:?} is not the id of a delivery")))
}

/// `POST /api/v1/deliveries/{id}/resend`: a dead one waits again.
pub(super) async fn resend(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answered {
    let delivery = app.engine()?.watch.resend(id_of(&id)?).await?;
    Ok(success(&*delivery))
}
