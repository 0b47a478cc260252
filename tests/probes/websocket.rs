//! `websocket` against a server of tungstenite.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::peer::Site;
use super::{ask, probe, refusal};

/// Says `hello`, then repeats what it hears in capitals.
async fn echo_server() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
                let _ = socket.send(Message::text("hello")).await;
                while let Some(Ok(message)) = socket.next().await {
                    if let Message::Text(text) = message {
                        let _ = socket.send(Message::text(text.to_uppercase())).await;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_websocket_opens_and_answers() {
    let address = echo_server().await;
    let url = format!("ws://{address}/chat");
    let seen = ask("websocket", &url, json!({})).await;
    assert_eq!((seen.error.as_deref(), seen.status, seen.connected), (None, Some(101), true));
    assert!(seen.body.is_empty());
    let seen = ask("websocket", &url, json!({ "send": "ping" })).await;
    assert_eq!((seen.error.as_deref(), seen.body.as_slice()), (None, &b"hello"[..]));
    let seen = ask("websocket", &url, json!({ "send": "ping", "expect": "^PING$" })).await;
    assert_eq!((seen.error.as_deref(), seen.body.as_slice()), (None, &b"PING"[..]));
    assert!(seen.phases.first_byte_us.expect("answered") <= seen.phases.total_us);
    let never = probe("websocket", &url, json!({ "send": "ping", "expect": "pong" }));
    let seen = never.ask(Duration::from_secs(2)).await;
    let error = seen.error.expect("it never says so");
    assert!(error.contains("while waiting for a message"), "{error}");
}

#[tokio::test]
async fn a_server_without_websockets_is_seen_as_one() {
    let site = Site::start();
    let url = format!("ws://127.0.0.1:{}/status/503", site.http);
    let seen = ask("websocket", &url, json!({})).await;
    assert_eq!(seen.status, Some(503));
    assert!(seen.error.expect("no WebSocket").contains("does not open a WebSocket"));
    let url = format!("wss://localhost:{}/ok", site.https);
    let seen = ask("websocket", &url, json!({ "tls": site.certificates.trusted() })).await;
    assert_eq!(seen.status, Some(200));
    assert!(seen.error.expect("no WebSocket").contains("does not open a WebSocket"));
    assert!(seen.phases.tls_us.is_some() && seen.certificate_expires_at.is_some());
    let error = refusal("websocket", "http://a.example", json!({}));
    assert!(error.contains("ws:// or wss://"), "{error}");
}
