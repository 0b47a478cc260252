//! Checks of the kind `websocket`: a URL whose server takes the handshake, and answers.

use std::collections::BTreeMap;
use std::time::Instant;

use futures_util::{SinkExt as _, StreamExt as _, future::BoxFuture};
use regex::Regex;
use reqwest::Url;
use serde::Deserialize;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::Probe;
use super::attempt::{Attempt, Question, add, micros};
use super::connect::{IpVersion, Stream, connect};
use super::settings::{read, secret};
use super::target::{self, HostPort};
use super::tls::handshake;
use super::wire::causes;
use crate::model::CheckDefinition;
use crate::trust::{Secret, TlsClient};

/// A message may have so many bytes.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Messages that are passed over while waiting for the one that is expected.
const MESSAGES_MAX: usize = 1000;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    headers: BTreeMap<String, Secret>,
    /// The text to send once connected.
    send: Option<String>,
    /// What a message must match, as a regular expression.
    expect: Option<String>,
    tls: TlsClient,
    ip_version: IpVersion,
}

struct WebSocketQuestion {
    url: Url,
    settings: Settings,
    expect: Option<Regex>,
}

pub(super) fn prepare(check: &CheckDefinition) -> Result<Box<dyn Probe>, String> {
    let url = target::url(&check.target, &["ws", "wss"])?;
    let settings: Settings = read(check)?;
    settings.tls.name().map_err(|error| format!("settings: {error}"))?;
    let expect = match &settings.expect {
        Some(text) => Some(
            Regex::new(text)
                .map_err(|error| format!("settings: expect is no regular expression: {error}"))?,
        ),
        None => None,
    };
    Ok(Box::new(WebSocketQuestion { url, settings, expect }))
}

impl Question for WebSocketQuestion {
    fn put<'a>(&'a self, attempt: &'a mut Attempt) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let Settings { headers, send, tls, ip_version, .. } = &self.settings;
            let url = &self.url;
            let mut request = url
                .as_str()
                .into_client_request()
                .map_err(|error| format!("target: {}", causes(&error)))?;
            let agent = HeaderValue::from_static(concat!("vedette/", env!("CARGO_PKG_VERSION")));
            request.headers_mut().insert("user-agent", agent);
            for (name, value) in headers {
                let trouble = |what: &str| format!("headers.{name}: {what}");
                let value = secret(value).await.map_err(|error| trouble(&error))?;
                let value = HeaderValue::from_str(&value).map_err(|_| trouble("no line breaks"))?;
                let name = HeaderName::from_bytes(name.as_bytes())
                    .map_err(|_| trouble("that is not the name of a header"))?;
                request.headers_mut().insert(name, value);
            }

            let target = HostPort::of_url(url)?;
            let stream = connect(attempt, &target, *ip_version).await?;
            let stream: Box<dyn Stream> = if url.scheme() == "wss" {
                Box::new(handshake(attempt, stream, &target, tls, &[b"http/1.1"]).await?)
            } else {
                Box::new(stream)
            };
            attempt.wait_for(format!("waiting for {target} to switch to WebSocket"));
            let mut config = WebSocketConfig::default();
            config.read_buffer_size = 8 << 10;
            config.write_buffer_size = 8 << 10;
            config.max_message_size = Some(MESSAGE_BYTES_MAX);
            config.max_frame_size = Some(MESSAGE_BYTES_MAX);
            let start = Instant::now();
            let opened = client_async_with_config(request, stream, Some(config)).await;
            add(&mut attempt.phases().first_byte_us, micros(start));
            let (mut socket, response) = match opened {
                Ok(opened) => opened,
                Err(error) => {
                    if let Error::Http(response) = &error {
                        attempt.seen.status = Some(i64::from(response.status().as_u16()));
                        attempt.seen.body = response.body().clone().unwrap_or_default();
                        attempt.seen.body.truncate(MESSAGE_BYTES_MAX);
                    }
                    return Err(format!("{target} does not open a WebSocket: {}", causes(&error)));
                }
            };
            attempt.seen.status = Some(i64::from(response.status().as_u16()));
            attempt.seen.headers = super::http::listed(response.headers());

            let broken = |error: Error| format!("the WebSocket to {target} broke: {error}");
            if let Some(text) = send {
                attempt.wait_for(format!("sending to {target}"));
                socket.send(Message::text(text.clone())).await.map_err(broken)?;
            }
            if send.is_some() || self.expect.is_some() {
                attempt.wait_for(format!("waiting for a message of {target}"));
                self.hear(attempt, &target, &mut socket).await?;
            }
            // A good-bye; whether it is heard is no matter of the check.
            let _ = socket.close(None).await;
            Ok(())
        })
    }
}

type Socket = tokio_tungstenite::WebSocketStream<Box<dyn Stream>>;

impl WebSocketQuestion {
    /// Waits for a message, or for the one that is expected.
    async fn hear(
        &self,
        attempt: &mut Attempt,
        target: &HostPort,
        socket: &mut Socket,
    ) -> Result<(), String> {
        for _ in 0..MESSAGES_MAX {
            let message = match socket.next().await {
                Some(Ok(message)) => message,
                Some(Err(error)) => {
                    return Err(format!("the WebSocket to {target} broke: {error}"));
                }
                None => return Err(format!("{target} closed the WebSocket without a message")),
            };
            match message {
                Message::Text(_) | Message::Binary(_) => {
                    attempt.seen.body = message.into_data().to_vec()
                }
                Message::Close(frame) => {
                    let why = frame.map(|frame| frame.to_string()).unwrap_or_default();
                    return Err(match &self.expect {
                        Some(expect) => format!(
                            "{target} closed the WebSocket without a match of {expect} {why}"
                        ),
                        None => format!("{target} closed the WebSocket without a message {why}"),
                    });
                }
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
            }
            match &self.expect {
                None => return Ok(()),
                Some(expect) if expect.is_match(&String::from_utf8_lossy(&attempt.seen.body)) => {
                    return Ok(());
                }
                Some(_) => {}
            }
        }
        Err(format!("{target} sent {MESSAGES_MAX} messages, and none is the expected one"))
    }
}
