//! `GET /api/v1/live/events`: server-sent events (WHATWG HTML, §9.2).

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Response, header};
use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::sync::mpsc;

use crate::api::ApiError;
use crate::api::body::streamed;
use crate::api::state::App;

use super::follow::{Farewell, Follower, Frame, last_event_id};

/// Pieces that wait for a client; more than that it must take first.
const PIECES_MAX: usize = 4;
/// How long a browser waits before it comes back by itself (ms).
const RETRY_MS: u32 = 1000;

/// `GET /api/v1/live/events?topics=…&since=`; `Last-Event-ID` comes before `since`.
pub(super) async fn events(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let after = last_event_id(request.headers())?;
    let (follower, _) = Follower::new(&app, &request, after)?;
    let (pieces, taken) = mpsc::channel(PIECES_MAX);
    tokio::spawn(tell(follower, pieces));
    let mut response = Response::new(streamed(taken, Ok::<Bytes, Infallible>));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would collect the answer before it hands any of it on.
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    headers.insert(unbuffered, HeaderValue::from_static("no"));
    Ok(response)
}

/// Hands frames on until the client leaves or is let go.
async fn tell(mut follower: Follower, pieces: mpsc::Sender<Bytes>) {
    let patience = follower.app().live.pace.patience;
    let farewell_patience = follower.app().live.pace.farewell;
    let mut frames = vec![follower.hello()];
    let mut head = format!("retry: {RETRY_MS}\n");
    let farewell = loop {
        let piece = piece(&head, &frames);
        head.clear();
        match tokio::time::timeout(patience, pieces.send(piece)).await {
            Ok(Ok(())) => {}
            // It has left.
            Ok(Err(_)) => return,
            Err(_) => break Farewell::Stalled,
        }
        let next = tokio::select! {
            next = follower.next() => next,
            () = pieces.closed() => return,
        };
        match next {
            Ok(next) => frames = next,
            Err(farewell) => break farewell,
        }
    };
    follower.note(&farewell);
    // An event of its own name: whoever listens to messages alone sees the end of the stream.
    let data = serde_json::json!({ "type": "dropped", "reason": farewell.reason() });
    let last = Bytes::from(format!("event: dropped\ndata: {data}\n\n"));
    // Its place is free for others while it is told.
    drop(follower);
    let _ = tokio::time::timeout(farewell_patience, pieces.send(last)).await;
}

fn piece(head: &str, frames: &[Frame]) -> Bytes {
    let mut out = BytesMut::with_capacity(
        head.len() + frames.iter().map(|frame| frame.text.len() + 40).sum::<usize>(),
    );
    out.put_slice(head.as_bytes());
    for frame in frames {
        // JSON in its compact form has no line break, so that one field holds it.
        out.put_slice(format!("id: {}\ndata: ", frame.id).as_bytes());
        out.put_slice(&frame.text);
        out.put_slice(b"\n\n");
    }
    out.freeze()
}
