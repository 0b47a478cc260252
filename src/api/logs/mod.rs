//! Log lines over HTTP.
//!
//! Owns: the ways in (our JSON, Loki's push, OTLP), and reading. Never: wire formats, or what a
//! line may be (`decode::logs`). Start reading at [`routes`].

mod bounded;
mod context;
mod csv;
mod export;
mod histogram;
mod parameters;
mod read;
mod receive;
mod wanted;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::decode::logs::LogsError as DecodeError;
use crate::engine::logs::LogsError;

pub(super) use wanted::{Values, WantedLines, Wrong};

use super::state::App;
use super::{ApiError, ErrorKind};

/// Everything below `/api/v1/logs`, and where other programs send log lines.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/v1/logs", get(read::list).post(receive::logs))
        .route("/loki/api/v1/push", post(receive::loki))
        .route("/v1/logs", post(receive::otlp))
        .route("/api/v1/otlp/v1/logs", post(receive::otlp))
        .route("/api/v1/logs/histogram", get(histogram::histogram))
        .route("/api/v1/logs/fields", get(read::fields))
        .route("/api/v1/logs/export", get(export::export))
        .route("/api/v1/logs/{id}/context", get(context::context))
}

impl From<LogsError> for ApiError {
    fn from(error: LogsError) -> Self {
        let message = error.to_string();
        match error {
            LogsError::Busy { retry_after_s, .. } => {
                ApiError::new(ErrorKind::TooMany, message).retry_after(retry_after_s)
            }
            LogsError::DiskFull(_) => {
                ApiError::new(ErrorKind::Unavailable, message).retry_after(30)
            }
            LogsError::Stopping => ApiError::new(ErrorKind::Unavailable, message).retry_after(5),
            LogsError::Invalid(_) => ApiError::bad_data(message),
            LogsError::TimedOut => ApiError::new(ErrorKind::Timeout, message),
            // The cause was logged where it happened.
            LogsError::Store(_) => ApiError::new(
                ErrorKind::Internal,
                "log lines could not be read or written; what was not acknowledged can be sent again",
            ),
        }
    }
}

impl From<DecodeError> for ApiError {
    fn from(error: DecodeError) -> Self {
        let kind = match error {
            DecodeError::Wire(_) | DecodeError::Json { .. } | DecodeError::Shape(_) => {
                ErrorKind::BadData
            }
            DecodeError::TooMany | DecodeError::TooManyValues => ErrorKind::TooLarge,
        };
        ApiError::new(kind, format!("nothing was taken: {error}"))
    }
}
