//! What heartbeats tell: `/ping/{token}`, in Healthchecks' form (`hc/api/urls.py`).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, Response, header};

use crate::engine::checker::{Beat, PING_BYTES_MAX, Ping};

use super::body::read_body;
use super::state::App;
use super::{ApiError, ErrorKind};

/// Bytes of a body that are read at all; no more than [`PING_BYTES_MAX`] are kept.
const BODY_BYTES_MAX: usize = 1 << 20;

/// `GET`, `HEAD` or `POST /ping/{token}`: it went well.
pub(super) async fn success(
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    take(&app, &token, Ping::Beat(Beat::Success), request).await
}

/// `/ping/{token}/start`, `/fail`, `/log`, or an exit code from 0 to 255.
pub(super) async fn other(
    State(app): State<Arc<App>>,
    Path((token, what)): Path<(String, String)>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let ping = match what.as_str() {
        "start" => Ping::Beat(Beat::Start),
        "fail" => Ping::Beat(Beat::Fail),
        "log" => Ping::Log,
        code => match code.parse::<u8>() {
            Ok(code) => Ping::Beat(Beat::Exit(code.into())),
            Err(_) => {
                let message =
                    format!("{code:?} is no signal; use start, fail, log or an exit code");
                return Err(ApiError::new(ErrorKind::NotFound, message));
            }
        },
    };
    take(&app, &token, ping, request).await
}

async fn take(
    app: &App,
    token: &str,
    ping: Ping,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let (parts, body) = request.into_parts();
    let timeout = app.settings.load().server.body_timeout.duration();
    let body = read_body(&parts.headers, body, BODY_BYTES_MAX, timeout).await?;
    let kept = &body[..body.len().min(PING_BYTES_MAX)];
    let Some(name) = app.engine()?.checker.ping(token, ping, kept).await? else {
        return Err(ApiError::new(ErrorKind::NotFound, "no heartbeat has this token"));
    };
    app.telemetry.pings.add(1);
    tracing::debug!(check = %name, ?ping, "ping");
    let mut response = Response::new(Body::from("OK"));
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    Ok(response)
}
