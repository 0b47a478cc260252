//! One request to an endpoint, on a connection of its own.

use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT,
};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::Value;

use super::Model;
use super::events::error_message;
use crate::probes::attempt::{Attempt, micros};
use crate::probes::connect::connect;
use crate::probes::tls::handshake;
use crate::probes::wire::{Wire, causes};

/// So many bytes of a list, or of an error, are read.
const BODY_BYTES_MAX: usize = 1 << 20;

/// The beginning of an answer.
pub(super) struct Answer {
    pub(super) response: Response<Incoming>,
    /// When the request was sent.
    pub(super) asked_at: Instant,
    /// Keeps the connection open.
    pub(super) wire: Wire,
}

impl Model {
    /// Sends a GET, or a POST of JSON, below the base URL.
    pub(super) async fn exchange(
        &self,
        attempt: &mut Attempt,
        key: &str,
        path: &str,
        question: Option<&Value>,
    ) -> Result<Answer, String> {
        let request = self.request(key, path, question)?;
        let stream = connect(attempt, &self.target, self.settings.ip_version).await?;
        let wire = if self.base.scheme() == "https" {
            let tls = &self.settings.tls;
            let stream = handshake(attempt, stream, &self.target, tls, &[b"http/1.1"]).await?;
            Wire::open(stream, false).await
        } else {
            Wire::open(stream, false).await
        };
        attempt.wait_for(format!("waiting for the answer of {} to /{path}", self.target));
        let trouble = |error: &hyper::Error| {
            format!("{} does not answer in HTTP: {}", self.target, causes(error))
        };
        let mut wire = wire.map_err(|error| trouble(&error))?;
        let asked_at = Instant::now();
        let response = wire.send(request).await.map_err(|error| trouble(&error))?;
        attempt.phases().first_byte_us = Some(micros(asked_at));
        attempt.seen.status = Some(i64::from(response.status().as_u16()));
        Ok(Answer { response, asked_at, wire })
    }

    fn request(
        &self,
        key: &str,
        path: &str,
        question: Option<&Value>,
    ) -> Result<Request<Full<Bytes>>, String> {
        let mut place = format!("{}/{path}", self.base.path().trim_end_matches('/'));
        if let Some(query) = self.base.query() {
            place = format!("{place}?{query}");
        }
        let body = question.map(|question| Bytes::from(question.to_string()));
        let mut request = Request::new(Full::new(body.unwrap_or_default()));
        *request.uri_mut() =
            place.parse().map_err(|error| format!("target: {place:?} is no path: {error}"))?;
        let port = self.base.port().map(|port| format!(":{port}")).unwrap_or_default();
        let host = format!("{}{port}", self.base.host_str().unwrap_or_default());
        let host =
            HeaderValue::from_str(&host).map_err(|_| "target: the host is odd".to_owned())?;
        let agent = HeaderValue::from_static(concat!("vedette/", env!("CARGO_PKG_VERSION")));
        let json = HeaderValue::from_static("application/json");
        let mut headers: Vec<(HeaderName, HeaderValue)> = vec![(HOST, host), (USER_AGENT, agent)];
        if question.is_some() {
            *request.method_mut() = Method::POST;
            headers.push((CONTENT_TYPE, json));
            headers.push((ACCEPT, HeaderValue::from_static("text/event-stream, application/json")));
        } else {
            headers.push((ACCEPT, json));
        }
        if !key.is_empty() {
            let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
                .map_err(|_| "api_key: it has bytes that a header cannot carry".to_owned())?;
            value.set_sensitive(true);
            headers.push((AUTHORIZATION, value));
        }
        request.headers_mut().extend(headers);
        Ok(request)
    }
}

/// Whether an answer comes as events; a server may not know `stream` and send one JSON.
pub(super) fn is_event_stream(response: &Response<Incoming>) -> bool {
    !response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/json"))
}

/// The next bytes of a body; `None` at its end.
pub(super) async fn next_bytes(incoming: &mut Incoming) -> Result<Option<Bytes>, String> {
    loop {
        match incoming.frame().await {
            None => return Ok(None),
            Some(Err(error)) => return Err(format!("its answer broke off: {}", causes(&error))),
            Some(Ok(frame)) => {
                // Trailers say nothing here.
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// A body up to the bound, and whether there is more.
pub(super) async fn body(response: Response<Incoming>) -> Result<(Vec<u8>, bool), String> {
    let mut incoming = response.into_body();
    let mut bytes = Vec::new();
    while let Some(data) = next_bytes(&mut incoming).await? {
        let room = BODY_BYTES_MAX - bytes.len();
        bytes.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return Ok((bytes, true));
        }
    }
    Ok((bytes, false))
}

/// What a status other than 200 means, with the server's own words.
pub(super) fn refused(status: StatusCode, body: &[u8]) -> String {
    let meaning = match status.as_u16() {
        300..=399 => "it points elsewhere, which is not followed: write the final base URL",
        400 | 422 => "it does not understand the question",
        401 => "the API key is missing or wrong: set settings.api_key",
        402 => "the account has no credit left",
        403 => "the API key may not do that",
        404 => {
            "it knows no such path or model; the target is the base URL, such as \
                https://api.openai.com/v1"
        }
        408 | 504 => "it took too long within",
        429 => "the rate or the quota is used up",
        500..=599 => "it fails within",
        _ => "it refuses",
    };
    let said: Option<String> =
        serde_json::from_slice(body).ok().and_then(|value: Value| error_message(&value));
    match said {
        Some(said) => format!("{meaning} (status {}: {said})", status.as_u16()),
        None => format!("{meaning} (status {})", status.as_u16()),
    }
}
