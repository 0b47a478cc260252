//! What a caller is told when something cannot be done: the one place that knows HTTP statuses.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;

/// The kinds of failure, by the name that `errorType` carries. The first block are Prometheus's
/// (`web/api/v1/api.go`), the second ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request cannot be understood or is not allowed by a limit.
    BadData,
    /// A query that is understood failed while it ran.
    Execution,
    /// A query took too long.
    Timeout,
    /// The caller went away.
    Canceled,
    /// Not now: starting, stopping, or the disk is full.
    Unavailable,
    /// A fault of ours.
    Internal,
    /// No such path or object.
    NotFound,

    /// No valid token.
    Unauthorized,
    /// A token whose role does not allow this.
    Forbidden,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// Clashes with the present state.
    Conflict,
    /// The body is larger than a limit.
    TooLarge,
    /// A content type or encoding that is not spoken.
    UnsupportedMedia,
    /// Come again later.
    TooMany,
}

impl ErrorKind {
    /// The name in `errorType`.
    pub const fn as_str(self) -> &'static str {
        match self {
            ErrorKind::BadData => "bad_data",
            ErrorKind::Execution => "execution",
            ErrorKind::Timeout => "timeout",
            ErrorKind::Canceled => "canceled",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::Internal => "internal",
            ErrorKind::NotFound => "not_found",
            ErrorKind::Unauthorized => "unauthorized",
            ErrorKind::Forbidden => "forbidden",
            ErrorKind::MethodNotAllowed => "method_not_allowed",
            ErrorKind::Conflict => "conflict",
            ErrorKind::TooLarge => "too_large",
            ErrorKind::UnsupportedMedia => "unsupported_media_type",
            ErrorKind::TooMany => "too_many_requests",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            ErrorKind::BadData => StatusCode::BAD_REQUEST,
            ErrorKind::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorKind::Timeout | ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            // nginx's "client closed request", as Prometheus answers; nobody is left to read it.
            ErrorKind::Canceled => {
                StatusCode::from_u16(499).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
            }
            ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Unauthorized => StatusCode::UNAUTHORIZED,
            ErrorKind::Forbidden => StatusCode::FORBIDDEN,
            ErrorKind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ErrorKind::TooMany => StatusCode::TOO_MANY_REQUESTS,
        }
    }
}

/// A failure as the caller is told it: `{"status":"error","errorType":…,"error":…}`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// Its kind.
    pub kind: ErrorKind,
    /// What, where, and how to mend it.
    pub message: String,
    /// When to come again, in seconds.
    pub retry_after_s: Option<u64>,
}

impl ApiError {
    /// A failure of some kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        ApiError { kind, message: message.into(), retry_after_s: None }
    }

    /// The request cannot be understood.
    pub fn bad_data(message: impl Into<String>) -> Self {
        ApiError::new(ErrorKind::BadData, message)
    }

    /// One parameter cannot be understood, in Prometheus's words.
    pub fn parameter(name: &str, reason: impl std::fmt::Display) -> Self {
        ApiError::bad_data(format!("invalid parameter {name:?}: {reason}"))
    }

    /// A fault of ours: the operator finds the cause in the log, the caller only that it happened.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(error = %cause, "a request failed");
        ApiError::new(ErrorKind::Internal, "internal error; the daemon's log names the cause")
    }

    /// Adds when to come again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }
}

impl ApiError {
    /// The failure as Alertmanager's API tells it: the text alone, as JSON.
    pub(super) fn into_text(self) -> Response<Body> {
        let body = serde_json::Value::from(self.message.as_str()).to_string();
        let mut response = self.into_response();
        *response.body_mut() = Body::from(body);
        response
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response<Body> {
        let body = serde_json::json!({
            "status": "error",
            "errorType": self.kind.as_str(),
            "error": self.message,
        });
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = self.kind.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.kind == ErrorKind::Unauthorized {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"vedette\", Bearer realm=\"vedette\""),
            );
        }
        response
    }
}

/// Done, and nothing to say (204): what remote write answers.
pub(super) fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_answer_with_the_statuses_of_prometheus() {
        for (kind, status) in [
            (ErrorKind::BadData, 400),
            (ErrorKind::Execution, 422),
            (ErrorKind::Timeout, 503),
            (ErrorKind::Canceled, 499),
            (ErrorKind::Internal, 500),
            (ErrorKind::NotFound, 404),
        ] {
            assert_eq!(ApiError::new(kind, "x").into_response().status().as_u16(), status);
        }
    }

    #[test]
    fn a_refusal_says_when_to_come_again() {
        let response = ApiError::new(ErrorKind::TooMany, "busy").retry_after(3).into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "3");
    }
}
