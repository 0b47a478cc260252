//! One request on a connection of its own.

use std::time::Instant;

use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, LOCATION};
use hyper::{Method, Version};

use super::body;
use super::request::Form;
use super::settings::{HttpVersion, Settings};
use super::shown;
use crate::probes::attempt::{Attempt, add, micros};
use crate::probes::connect::connect;
use crate::probes::target::HostPort;
use crate::probes::tls::handshake;
use crate::probes::wire::{Wire, causes};

/// Asks; what comes back is where the answer redirects to, if it does and `follow` is set.
pub(super) async fn exchange(
    attempt: &mut Attempt,
    form: &Form,
    settings: &Settings,
    follow: bool,
) -> Result<Option<String>, String> {
    let target = HostPort::of_url(&form.url)?;
    let stream = connect(attempt, &target, settings.ip_version).await?;
    let trouble = |error: &hyper::Error| {
        format!("{} does not answer in HTTP: {}", shown(&form.url), causes(error))
    };
    let (wire, version_2) = if form.url.scheme() == "https" {
        let alpn = settings.http_version.alpn();
        let stream = handshake(attempt, stream, &target, &settings.tls, alpn).await?;
        let version_2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        if settings.http_version == HttpVersion::Two && !version_2 {
            return Err(format!("{target} does not offer HTTP/2, which http_version asks for"));
        }
        attempt.wait_for(format!("waiting for the answer of {}", shown(&form.url)));
        (Wire::open(stream, version_2).await, version_2)
    } else {
        let version_2 = settings.http_version == HttpVersion::Two;
        attempt.wait_for(format!("waiting for the answer of {}", shown(&form.url)));
        (Wire::open(stream, version_2).await, version_2)
    };
    let mut wire = wire.map_err(|error| trouble(&error))?;
    let request = form.build(version_2)?;

    let start = Instant::now();
    let answered = wire.send(request).await;
    add(&mut attempt.phases().first_byte_us, micros(start));
    let (head, incoming) = answered.map_err(|error| trouble(&error))?.into_parts();

    attempt.seen.status = Some(i64::from(head.status.as_u16()));
    attempt.seen.headers = listed(&head.headers);
    attempt.note(
        "http_version",
        match head.version {
            Version::HTTP_10 => "1.0",
            Version::HTTP_2 => "2",
            _ => "1.1",
        },
    );
    let location = head.headers.get(LOCATION);
    if let (true, 301..=303 | 307 | 308, Some(to)) = (follow, head.status.as_u16(), location) {
        // The body of a redirect is for people whose browser does not follow.
        return Ok(Some(String::from_utf8_lossy(to.as_bytes()).into_owned()));
    }

    let length = text(&head.headers, &CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    let encoding = match form.method {
        Method::HEAD => None,
        _ => text(&head.headers, &CONTENT_ENCODING),
    };
    attempt.wait_for(format!("reading the body of {}", shown(&form.url)));
    let body = body::read(incoming, encoding)
        .await
        .map_err(|error| format!("the body of {} broke off: {error}", shown(&form.url)))?;
    attempt.note("content_length", length.unwrap_or(body.received as u64));
    attempt.note("body_bytes", body.bytes.len());
    if body.cut {
        attempt.note("body_cut", true);
    }
    attempt.seen.body = body.bytes;
    Ok(None)
}

fn text<'a>(headers: &'a HeaderMap, name: &hyper::header::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Headers in the order of arrival; hyper has their names in lower case.
pub(in crate::probes) fn listed(headers: &HeaderMap) -> Vec<(String, String)> {
    let each = headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    each.collect()
}
