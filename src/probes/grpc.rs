//! Checks of the kind `grpc`: `grpc.health.v1.Health/Check` of a `host:port`
//! (<https://github.com/grpc/grpc/blob/master/doc/health-checking.md>).

use std::time::Instant;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, TE, USER_AGENT};
use hyper::{Method, Request, Uri, Version};
use serde::Deserialize;

use super::Probe;
use super::attempt::{Attempt, Question, add, micros};
use super::connect::{IpVersion, connect};
use super::settings::read;
use super::target::HostPort;
use super::tls::handshake;
use super::wire::{Wire, causes};
use crate::model::CheckDefinition;
use crate::trust::TlsClient;

/// A health answer is two bytes; so much is read of one, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// A service may have so long a name, in bytes.
const SERVICE_BYTES_MAX: usize = 1 << 10;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Whose health; the server's as a whole if it is not set.
    service: String,
    /// Encrypted, if it is there.
    tls: Option<TlsClient>,
    ip_version: IpVersion,
}

struct GrpcQuestion {
    target: HostPort,
    settings: Settings,
}

pub(super) fn prepare(check: &CheckDefinition) -> Result<Box<dyn Probe>, String> {
    let mut settings: Settings = read(check)?;
    let target = match check.target.strip_prefix("grpcs://") {
        Some(target) => {
            settings.tls.get_or_insert_default();
            target
        }
        None => check.target.trim_start_matches("grpc://"),
    };
    let target = HostPort::parse(target, None)?;
    if let Some(tls) = &settings.tls {
        tls.name().map_err(|error| format!("settings: {error}"))?;
    }
    if settings.service.len() > SERVICE_BYTES_MAX {
        return Err(format!("settings: service has more than {SERVICE_BYTES_MAX} bytes"));
    }
    Ok(Box::new(GrpcQuestion { target, settings }))
}

impl Question for GrpcQuestion {
    fn put<'a>(&'a self, attempt: &'a mut Attempt) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let target = &self.target;
            let trouble = |error: &hyper::Error| {
                format!("{target} does not answer in gRPC: {}", causes(error))
            };
            let stream = connect(attempt, target, self.settings.ip_version).await?;
            let opened = match &self.settings.tls {
                Some(tls) => {
                    let stream = handshake(attempt, stream, target, tls, &[b"h2"]).await?;
                    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
                        return Err(format!("{target} does not offer HTTP/2, which gRPC needs"));
                    }
                    Wire::open(stream, true).await
                }
                None => Wire::open(stream, true).await,
            };
            let mut wire = opened.map_err(|error| trouble(&error))?;
            attempt.wait_for(format!("waiting for the health of {target}"));
            let start = Instant::now();
            let answered = wire.send(self.request()?).await;
            add(&mut attempt.phases().first_byte_us, micros(start));
            let (head, incoming) = answered.map_err(|error| trouble(&error))?.into_parts();
            attempt.seen.headers = super::http::listed(&head.headers);
            if head.status != 200 {
                return Err(format!(
                    "{target} answers with the HTTP status {}: is it a gRPC server?",
                    head.status.as_u16()
                ));
            }
            let (message, trailers) =
                read_answer(incoming).await.map_err(|error| format!("{target}: {error}"))?;
            // Without a message the status is among the headers (gRPC's "Trailers-Only").
            let trailers = trailers.unwrap_or_else(|| head.headers.clone());
            check_status(&trailers, &self.settings.service)
                .map_err(|error| format!("{target} {error}"))?;
            let status = serving_status(&message).map_err(|error| format!("{target} {error}"))?;
            let word = word_of(status);
            attempt.note("serving_status", word);
            attempt.seen.status = i64::try_from(status).ok();
            attempt.seen.body = word.as_bytes().to_vec();
            Ok(())
        })
    }
}

impl GrpcQuestion {
    fn request(&self) -> Result<Request<Full<Bytes>>, String> {
        let scheme = if self.settings.tls.is_some() { "https" } else { "http" };
        let uri = Uri::builder()
            .scheme(scheme)
            .authority(self.target.to_string())
            .path_and_query("/grpc.health.v1.Health/Check")
            .build()
            .map_err(|error| format!("target: {}: {error}", self.target))?;
        Request::builder()
            .method(Method::POST)
            .version(Version::HTTP_2)
            .uri(uri)
            .header(CONTENT_TYPE, "application/grpc")
            .header(TE, "trailers")
            .header(USER_AGENT, concat!("vedette/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(Bytes::from(framed(&self.settings.service))))
            .map_err(|error| error.to_string())
    }
}

/// `HealthCheckRequest { string service = 1 }` behind gRPC's five bytes: uncompressed, length.
fn framed(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(0x0a);
        let mut length = service.len();
        while length >= 0x80 {
            message.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        message.push(length as u8);
        message.extend_from_slice(service.as_bytes());
    }
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend_from_slice(&message);
    frame
}

async fn read_answer(mut incoming: Incoming) -> Result<(Vec<u8>, Option<HeaderMap>), String> {
    let mut bytes = Vec::new();
    let mut trailers = None;
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| format!("the answer broke off: {}", causes(&error)))?;
        match frame.into_data() {
            Ok(data) if bytes.len() + data.len() > ANSWER_BYTES_MAX => {
                return Err(format!("the answer has more than {ANSWER_BYTES_MAX} bytes"));
            }
            Ok(data) => bytes.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().ok().or(trailers),
        }
    }
    Ok((bytes, trailers))
}

/// gRPC's own status, of which 0 is success.
fn check_status(trailers: &HeaderMap, service: &str) -> Result<(), String> {
    let text = |name: &str| trailers.get(name).and_then(|value| value.to_str().ok());
    let Some(status) = text("grpc-status") else {
        return Err("gives no grpc-status: is it a gRPC server?".to_owned());
    };
    if status == "0" {
        return Ok(());
    }
    let message = text("grpc-message").unwrap_or_default();
    let message = if message.is_empty() { String::new() } else { format!(": {message}") };
    Err(match status {
        "5" => format!("knows no service {service:?} (NOT_FOUND){message}"),
        "12" => format!("has no health service (UNIMPLEMENTED){message}"),
        "14" => format!("is unavailable (UNAVAILABLE){message}"),
        "7" => format!("denies the question (PERMISSION_DENIED){message}"),
        "16" => format!("wants to know who asks (UNAUTHENTICATED){message}"),
        "4" => format!("was too slow itself (DEADLINE_EXCEEDED){message}"),
        other => format!("answers with grpc-status {other}{message}"),
    })
}

/// The status in a framed `HealthCheckResponse { ServingStatus status = 1 }`; a field that is not
/// there is 0.
fn serving_status(frame: &[u8]) -> Result<u64, String> {
    let odd = || "answers what is no health answer".to_owned();
    let [compressed, a, b, c, d, rest @ ..] = frame else {
        return Err("gives no message with its answer".to_owned());
    };
    if *compressed != 0 {
        return Err("compresses its answer though nobody asked for it".to_owned());
    }
    let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
    let mut message = rest.get(..length).ok_or_else(odd)?;
    let mut status = 0;
    while !message.is_empty() {
        let key = varint(&mut message).ok_or_else(odd)?;
        match (key >> 3, key & 7) {
            (1, 0) => status = varint(&mut message).ok_or_else(odd)?,
            (_, 0) => drop(varint(&mut message).ok_or_else(odd)?),
            (_, 1) => message = message.get(8..).ok_or_else(odd)?,
            (_, 2) => {
                let length = varint(&mut message).ok_or_else(odd)?;
                let length = usize::try_from(length).map_err(|_| odd())?;
                message = message.get(length..).ok_or_else(odd)?;
            }
            (_, 5) => message = message.get(4..).ok_or_else(odd)?,
            _ => return Err(odd()),
        }
    }
    Ok(status)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn word_of(status: u64) -> &'static str {
    match status {
        0 => "UNKNOWN",
        1 => "SERVING",
        2 => "NOT_SERVING",
        3 => "SERVICE_UNKNOWN",
        _ => "an unknown status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frames_are_those_of_protobuf() {
        assert_eq!(framed(""), [0, 0, 0, 0, 0]);
        assert_eq!(framed("ab"), [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        assert_eq!(framed(&"x".repeat(300))[5..8], [0x0a, 0xac, 0x02]);
        assert_eq!(serving_status(&[0, 0, 0, 0, 2, 8, 1]), Ok(1));
        assert_eq!(serving_status(&[0, 0, 0, 0, 0]), Ok(0), "a default is left out");
        // An unknown text before it is passed over.
        assert_eq!(serving_status(&[0, 0, 0, 0, 5, 0x12, 1, b'a', 8, 2]), Ok(2));
        for bad in [&[][..], &[1, 0, 0, 0, 0], &[0, 0, 0, 0, 9, 8], &[0, 0, 0, 0, 1, 8]] {
            assert!(serving_status(bad).is_err(), "{bad:?}");
        }
        assert!(serving_status(&[0, 0, 0, 0, 6, 0x12, 0xff, 0xff, 0xff, 0xff, 0x0f]).is_err());
    }
}
