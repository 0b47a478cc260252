//! `GET /api/v1/live`: a WebSocket (RFC 6455) over HTTP/1.1. Browsers open one beside HTTP/2 too.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::api::state::App;
use crate::api::{ApiError, ErrorKind};

use super::follow::{Farewell, Follower, Frame};

/// The longest message that a client may send (bytes): topics and filters are short.
const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// What each connection holds for reading (bytes): clients say little, and there are many.
const READ_BUFFER_BYTES: usize = 4 << 10;
/// How much waits for the network before the client is waited for (bytes).
const WRITE_BUFFER_BYTES: usize = 64 << 10;

/// How long the end waits for a client to answer that it has heard.
const FAREWELL_AT_THE_END: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// `GET /api/v1/live?since=&topics=…`
pub(super) async fn live(
    State(app): State<Arc<App>>,
    mut request: Request,
) -> Result<Response<Body>, ApiError> {
    let key = accept_key(request.headers())?;
    let (follower, _) = Follower::new(&app, &request, None)?;
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return Err(not_a_socket("the connection cannot become one"));
    };
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => serve(upgraded, follower).await,
            Err(error) => tracing::debug!(%error, "a connection did not become a WebSocket"),
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, key);
    Ok(response)
}

fn not_a_socket(reason: &str) -> ApiError {
    ApiError::new(
        ErrorKind::BadData,
        format!(
            "this is a WebSocket, and {reason}; server-sent events are at /api/v1/live/events, \
             and /api/v1/live/poll answers plain requests"
        ),
    )
}

/// What proves to the client that we speak its protocol (RFC 6455 §4.2).
fn accept_key(headers: &HeaderMap) -> Result<HeaderValue, ApiError> {
    let has = |name: HeaderName, wanted: &str| {
        let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|text| text.split(',')).any(|one| one.trim().eq_ignore_ascii_case(wanted))
    };
    if !has(header::CONNECTION, "upgrade") || !has(header::UPGRADE, "websocket") {
        return Err(not_a_socket("the request asks for none"));
    }
    if !has(header::SEC_WEBSOCKET_VERSION, "13") {
        return Err(not_a_socket("its version must be 13"));
    }
    let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY) else {
        return Err(not_a_socket("the request has no Sec-WebSocket-Key"));
    };
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).map_err(ApiError::internal)
}

async fn serve(upgraded: Upgraded, mut follower: Follower) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES);
    let io = TokioIo::new(upgraded);
    let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    let (mut sink, mut stream) = socket.split();
    let pace = follower.app().live.pace;
    let Some(farewell) = tell(&mut follower, &mut sink, &mut stream).await else { return };
    follower.note(&farewell);
    // Its place is free for others while it is told; only an end of ours waits for it.
    let kept = (farewell == Farewell::Stopping).then_some(follower);
    let close = CloseFrame {
        code: CloseCode::from(farewell.code()),
        reason: Utf8Bytes::from(farewell.reason()),
    };
    let told = async {
        sink.send(Message::Close(Some(close))).await?;
        // Until the client has answered, what it has not read yet would be lost.
        while let Some(Ok(_)) = stream.next().await {}
        Ok::<(), Error>(())
    };
    let most = if kept.is_some() { FAREWELL_AT_THE_END } else { pace.farewell };
    let _ = timeout(most.min(pace.farewell), told).await;
    drop(kept);
}

/// Hands frames on and takes what the client says, until it leaves (`None`) or is let go.
async fn tell(
    follower: &mut Follower,
    sink: &mut SplitSink<Socket, Message>,
    stream: &mut SplitStream<Socket>,
) -> Option<Farewell> {
    let mut frames = vec![follower.hello()];
    loop {
        match send(follower, sink, std::mem::take(&mut frames)).await {
            Ok(()) => {}
            Err(Some(farewell)) => return Some(farewell),
            Err(None) => return None,
        }
        tokio::select! {
            next = follower.next() => match next {
                Ok(next) => frames = next,
                Err(farewell) => return Some(farewell),
            },
            said = stream.next() => match said? {
                Ok(Message::Text(text)) => frames.push(follower.take(&text)),
                Ok(Message::Binary(_)) => {
                    return Some(Farewell::Misspoken("expected text, not bytes".to_owned()));
                }
                // Pings are answered by the protocol itself; an end comes as `None` next.
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_)) => {}
                Err(Error::Capacity(_)) => {
                    let reason = format!("a message has at most {MESSAGE_BYTES_MAX} bytes");
                    return Some(Farewell::Misspoken(reason));
                }
                Err(_) => return None,
            },
        }
    }
}

/// Sends frames. `Err(None)`: the client has left.
async fn send(
    follower: &Follower,
    sink: &mut SplitSink<Socket, Message>,
    frames: Vec<Frame>,
) -> Result<(), Option<Farewell>> {
    let patience = follower.app().live.pace.patience;
    let stalled = |_| Some(Farewell::Stalled);
    let left = |_| None;
    for Frame { text, .. } in frames {
        // What is not UTF-8 is not ours.
        let Ok(text) = Utf8Bytes::try_from(text) else { continue };
        timeout(patience, sink.feed(Message::Text(text))).await.map_err(stalled)?.map_err(left)?;
    }
    timeout(patience, sink.flush()).await.map_err(stalled)?.map_err(left)
}
