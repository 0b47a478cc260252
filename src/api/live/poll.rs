//! `GET /api/v1/live/poll`: for where neither WebSockets nor streams get through.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Response, header};

use crate::api::ApiError;
use crate::api::state::App;

use super::follow::{Farewell, Follower, Frame};

/// How long is waited for something to tell, unless `wait` says otherwise.
const WAIT: Duration = Duration::from_secs(1);
/// How long at most: proxies give up on whoever is silent for half a minute.
const WAIT_MAX: Duration = Duration::from_secs(25);

/// `GET /api/v1/live/poll?since=&wait=&topics=…`: what came after `since`, at once if there is
/// anything. Without `since` it says from where to go on.
pub(super) async fn poll(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let (mut follower, params) = Follower::new(&app, &request, None)?;
    if params.get("since").is_none() {
        return Ok(answer(&[], follower.at()));
    }
    let wait = params
        .duration_ms("wait")?
        .map_or(WAIT, |ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0)).min(WAIT_MAX));
    let frames = match tokio::time::timeout(wait, follower.next()).await {
        Ok(Ok(frames)) => frames,
        // Nothing came; or we are stopping, which is no reason to answer less than that.
        Err(_) | Ok(Err(Farewell::Stopping)) => Vec::new(),
        Ok(Err(farewell)) => {
            follower.note(&farewell);
            return Err(ApiError::bad_data(farewell.reason()));
        }
    };
    Ok(answer(&frames, follower.at()))
}

fn answer(frames: &[Frame], next: u64) -> Response<Body> {
    let mut body = Vec::with_capacity(64 + frames.iter().map(|f| f.text.len() + 1).sum::<usize>());
    body.extend_from_slice(b"{\"status\":\"success\",\"data\":{\"events\":[");
    for (place, frame) in frames.iter().enumerate() {
        if place > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&frame.text);
    }
    body.extend_from_slice(format!("],\"next\":{next}}}}}").as_bytes());
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
