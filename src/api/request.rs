//! Takes requests apart for handlers.

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Method};
use serde::de::DeserializeOwned;

use super::body::read_body;
use super::params::Params;
use super::state::App;
use super::{ApiError, ErrorKind};

/// Bytes of a form or of a small JSON body: queries, names, paths.
const SMALL_BODY_BYTES_MAX: usize = 1 << 20;

/// The parameters of a request, from its query string and, with POST, its form.
pub(super) async fn read_params(app: &App, request: Request) -> Result<Params, ApiError> {
    let (parts, body) = request.into_parts();
    let body = if parts.method == Method::POST {
        let timeout = app.settings.load().server.body_timeout.duration();
        read_body(&parts.headers, body, SMALL_BODY_BYTES_MAX, timeout).await?
    } else {
        Bytes::new()
    };
    Params::read(&parts.uri, &parts.headers, &body)
}

/// A small JSON body.
pub(super) async fn read_json<T: DeserializeOwned>(
    app: &App,
    request: Request,
) -> Result<T, ApiError> {
    let (parts, body) = request.into_parts();
    let timeout = app.settings.load().server.body_timeout.duration();
    let body = read_body(&parts.headers, body, SMALL_BODY_BYTES_MAX, timeout).await?;
    read_bytes(&body)
}

/// A small JSON body; none is as good as an empty object.
pub(super) async fn read_optional_json<T: DeserializeOwned + Default>(
    app: &App,
    request: Request,
) -> Result<T, ApiError> {
    let (parts, body) = request.into_parts();
    let timeout = app.settings.load().server.body_timeout.duration();
    let body = read_body(&parts.headers, body, SMALL_BODY_BYTES_MAX, timeout).await?;
    if body.is_empty() { Ok(T::default()) } else { read_bytes(&body) }
}

fn read_bytes<T: DeserializeOwned>(body: &Bytes) -> Result<T, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_data(format!("the body is not what is expected: {error}")))
}

/// A large body as it arrived, within the limits.
pub(super) async fn read_large(
    app: &App,
    request: Request,
) -> Result<(HeaderMap, Bytes), ApiError> {
    let (parts, body) = request.into_parts();
    let settings = app.settings.load();
    let (bytes_max, timeout) =
        (settings.limits.body_bytes_max, settings.server.body_timeout.duration());
    let body = read_body(&parts.headers, body, bytes_max, timeout).await?;
    Ok((parts.headers, body))
}

/// The text of a header; empty where it is absent or not text.
pub(super) fn header_text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
}

/// A request that was made before carries the same key again.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Its length at most: a UUID, a hash, a path and a number.
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 256;

/// What tells a repeated request from a new one, if the sender says.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let key = header_text(headers, &IDEMPOTENCY_KEY);
    if key.len() > IDEMPOTENCY_KEY_BYTES_MAX {
        let said = format!("Idempotency-Key: at most {IDEMPOTENCY_KEY_BYTES_MAX} bytes");
        return Err(ApiError::bad_data(said));
    }
    Ok(Some(key).filter(|key| !key.is_empty()).map(str::to_owned))
}

/// Runs work that reads the database on a thread where it may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(ApiError::new(ErrorKind::Internal, "a request's work panicked")),
    }
}
