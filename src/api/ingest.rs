//! Data in: remote write, JSON samples, text exposition.
//!
//! Each way ends in the pipeline, and an answer in the two hundreds is given only after it says
//! that the data is durable.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use serde_json::json;

use crate::decode::admit::{Refusals, TimeBounds, admit_labels};
use crate::decode::exposition::{ExpositionError, Format, Item, Parser};
use crate::decode::inflate::inflate_into;
use crate::decode::json::read_samples;
use crate::decode::{Encoding, InflateError};
use crate::engine::{Intake, Pipeline, WriteError, Written};
use crate::model::{Exemplar, Labels, Metadata, Row, Timestamp};
use crate::telemetry::Way;

use super::error::no_content;
use super::json::success;
use super::request::{header_text, read_large};
use super::state::App;
use super::{ApiError, ErrorKind};

type Answered = Result<Response<Body>, ApiError>;

impl From<InflateError> for ApiError {
    fn from(error: InflateError) -> Self {
        let kind = match error {
            InflateError::TooLarge { .. } => ErrorKind::TooLarge,
            InflateError::Malformed { .. } => ErrorKind::BadData,
        };
        ApiError::new(kind, error.to_string())
    }
}

impl From<WriteError> for ApiError {
    fn from(error: WriteError) -> Self {
        let message = error.to_string();
        match error {
            WriteError::Busy { retry_after_s, .. } => {
                ApiError::new(ErrorKind::TooMany, message).retry_after(retry_after_s)
            }
            WriteError::DiskFull { .. } => {
                ApiError::new(ErrorKind::Unavailable, message).retry_after(30)
            }
            WriteError::ShuttingDown => {
                ApiError::new(ErrorKind::Unavailable, message).retry_after(5)
            }
            // The cause was logged where it happened.
            WriteError::Failed(_) => ApiError::new(
                ErrorKind::Internal,
                "the write failed and nothing of it is visible; send it again",
            ),
        }
    }
}

/// The versions of remote write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// Chooses by `Content-Type` (remote write 2.0, "Content-Type"). An absent type means 1.0, as
/// Prometheus has it for old clients.
fn version_of(content_type: &str) -> Result<Version, ApiError> {
    let refused = || {
        ApiError::new(
            ErrorKind::UnsupportedMedia,
            format!(
                "content type {content_type:?} is not spoken; use application/x-protobuf with \
                 proto=prometheus.WriteRequest or proto=io.prometheus.write.v2.Request"
            ),
        )
    };
    if content_type.is_empty() {
        return Ok(Version::One);
    }
    let mut parts = content_type.split(';').map(str::trim);
    if !parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/x-protobuf")) {
        return Err(refused());
    }
    let mut version = Version::One;
    for part in parts {
        let (name, value) = part.split_once('=').ok_or_else(refused)?;
        if name.trim().eq_ignore_ascii_case("proto") {
            version = match value.trim().trim_matches('"') {
                "prometheus.WriteRequest" => Version::One,
                "io.prometheus.write.v2.Request" => Version::Two,
                _ => return Err(refused()),
            };
        }
    }
    Ok(version)
}

thread_local! {
    /// Inflated bodies go through one buffer per thread: allocating megabytes for each request
    /// costs more than inflating them.
    static INFLATED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A larger buffer than this is given back after use.
const INFLATED_BYTES_KEPT: usize = 4 << 20;

/// Inflates a body and reads it while it is in the thread's buffer.
fn with_inflated<T>(
    encoding: Encoding,
    body: &[u8],
    bytes_max: usize,
    read: impl FnOnce(&[u8]) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    INFLATED.with_borrow_mut(|buffer| {
        let outcome = inflate_into(encoding, body, bytes_max, buffer)
            .map_err(ApiError::from)
            .and_then(|()| read(buffer));
        if buffer.capacity() > INFLATED_BYTES_KEPT {
            *buffer = Vec::new();
        }
        outcome
    })
}

/// `POST /api/v1/write`
pub(super) async fn remote_write(State(app): State<Arc<App>>, request: Request) -> Answered {
    let pipeline = &app.engine()?.pipeline;
    pipeline.check_open()?;
    let version = version_of(header_text(request.headers(), &header::CONTENT_TYPE))?;
    let encoding = header_text(request.headers(), &header::CONTENT_ENCODING);
    if !(encoding.is_empty() || encoding.eq_ignore_ascii_case("snappy")) {
        return Err(ApiError::new(
            ErrorKind::UnsupportedMedia,
            format!("content encoding {encoding:?} is not spoken here; use snappy"),
        ));
    }
    let (_, body) = read_large(&app, request).await?;
    let bytes_max = app.settings.load().limits.inflated_bytes_max;
    let intake = with_inflated(Encoding::Snappy, &body, bytes_max, |inflated| {
        match version {
            Version::One => pipeline.read_remote_write_1(inflated),
            Version::Two => pipeline.read_remote_write_2(inflated),
        }
        .map_err(|error| ApiError::bad_data(error.to_string()))
    })?;
    drop(body);
    let way = match version {
        Version::One => Way::RemoteWrite1,
        Version::Two => Way::RemoteWrite2,
    };
    let written = pipeline.write(way, intake).await?;
    let mut response = if written.refusals.is_empty() {
        no_content()
    } else {
        axum::response::IntoResponse::into_response(ApiError::bad_data(
            written.refusals.to_string(),
        ))
    };
    if version == Version::Two {
        say_written(&mut response, &written);
    }
    Ok(response)
}

/// What remote write 2.0 asks a receiver to say.
fn say_written(response: &mut Response<Body>, written: &Written) {
    const HEADERS: [&str; 3] = [
        "x-prometheus-remote-write-samples-written",
        "x-prometheus-remote-write-histograms-written",
        "x-prometheus-remote-write-exemplars-written",
    ];
    let floats = written.samples - written.histograms;
    for (name, count) in HEADERS.into_iter().zip([floats, written.histograms, written.exemplars]) {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from(count));
    }
}

/// Inflates a body by its `Content-Encoding`.
pub(super) fn inflate(app: &App, headers: &HeaderMap, body: Bytes) -> Result<Bytes, ApiError> {
    let name = header_text(headers, &header::CONTENT_ENCODING);
    let encoding = Encoding::from_header(name).ok_or_else(|| {
        ApiError::new(
            ErrorKind::UnsupportedMedia,
            format!("content encoding {name:?} is not spoken; use gzip, deflate, zstd or snappy"),
        )
    })?;
    let bytes_max = app.settings.load().limits.inflated_bytes_max;
    if encoding == Encoding::Identity && body.len() <= bytes_max {
        return Ok(body);
    }
    let mut inflated = Vec::new();
    inflate_into(encoding, &body, bytes_max, &mut inflated)?;
    Ok(inflated.into())
}

/// The times that samples may have now.
pub(super) fn bounds(app: &App, pipeline: &Pipeline) -> (Timestamp, TimeBounds) {
    let policy = pipeline.policy();
    let now = app.clock.now();
    let oldest = now.plus_millis(policy.retention.raw_ms.saturating_neg());
    (now, TimeBounds::new(now, oldest, &policy.limits))
}

/// `POST /api/v1/samples`
pub(super) async fn samples(State(app): State<Arc<App>>, request: Request) -> Answered {
    let pipeline = &app.engine()?.pipeline;
    pipeline.check_open()?;
    let (headers, body) = read_large(&app, request).await?;
    let body = inflate(&app, &headers, body)?;
    let (now, bounds) = bounds(&app, pipeline);
    let batch = read_samples(&body, now, &pipeline.policy().limits, &bounds)
        .map_err(|error| ApiError::bad_data(error.to_string()))?;
    let families: Vec<(String, Metadata)> = batch
        .kinds
        .into_iter()
        .map(|(name, kind)| (name, Metadata { kind, ..Metadata::default() }))
        .collect();
    let families = families.iter().map(|(name, metadata)| (name.as_str(), metadata));
    let intake = pipeline.read_rows(&batch.rows, families, batch.refusals);
    answer(pipeline, Way::Json, intake).await
}

/// `POST /api/v1/import/prometheus`
pub(super) async fn import(State(app): State<Arc<App>>, request: Request) -> Answered {
    let pipeline = &app.engine()?.pipeline;
    pipeline.check_open()?;
    let (headers, body) = read_large(&app, request).await?;
    let body = inflate(&app, &headers, body)?;
    let format = Format::from_content_type(Some(header_text(&headers, &header::CONTENT_TYPE)));
    let (now, bounds) = bounds(&app, pipeline);
    let read = read_exposition(&body, format, now, pipeline, &bounds)
        .map_err(|error| ApiError::bad_data(format!("nothing was imported: {error}")))?;
    let families = read.families.iter().map(|(name, metadata)| (name.as_str(), metadata));
    let intake =
        pipeline.read_rows_and_exemplars(&read.rows, &read.exemplars, families, read.refusals);
    answer(pipeline, Way::Import, intake).await
}

async fn answer(pipeline: &Pipeline, way: Way, intake: Intake) -> Answered {
    let written = pipeline.write(way, intake).await?;
    if written.refusals.is_empty() {
        return Ok(success(&json!({"written": written.samples})));
    }
    Err(ApiError::bad_data(format!("{} samples written; {}", written.samples, written.refusals)))
}

/// What stands in an exposition.
#[derive(Default)]
struct Exposition {
    rows: Vec<Row>,
    exemplars: Vec<(Labels, Exemplar)>,
    families: BTreeMap<String, Metadata>,
    refusals: Refusals,
}

/// Reads a whole exposition; a line that cannot be read fails all of it, as nobody could say
/// what the lines after it mean.
fn read_exposition(
    body: &[u8],
    format: Format,
    now: Timestamp,
    pipeline: &Pipeline,
    bounds: &TimeBounds,
) -> Result<Exposition, ExpositionError> {
    let policy = pipeline.policy();
    let mut read = Exposition::default();
    let mut pairs = Vec::new();
    for item in Parser::new(body, format)? {
        match item? {
            Item::Help { family, text } => {
                read.families.entry(family.into_owned()).or_default().help = text.into_owned();
            }
            Item::Type { family, kind } => {
                read.families.entry(family.into_owned()).or_default().kind = kind;
            }
            Item::Unit { family, unit } => {
                read.families.entry(family.into_owned()).or_default().unit = unit.to_owned();
            }
            Item::Sample(line) => {
                pairs.clear();
                line.labels(&mut pairs)?;
                let at = line.at_ms.map_or(now, Timestamp::from_millis);
                let admitted = bounds.admit(at).and_then(|()| admit_labels(&pairs, &policy.limits));
                match admitted {
                    Ok(labels) => {
                        let exemplar = line.exemplar.and_then(|exemplar| exemplar.to_exemplar(at));
                        read.exemplars.extend(exemplar.map(|one| (labels.clone(), one)));
                        read.rows.push(Row { labels, at, value: line.value.into() });
                    }
                    Err(reason) => read.refusals.add(1, || line.series.to_owned(), reason),
                }
            }
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_chooses_the_version() {
        for (content_type, version) in [
            ("", Some(Version::One)),
            ("application/x-protobuf", Some(Version::One)),
            ("application/x-protobuf;proto=prometheus.WriteRequest", Some(Version::One)),
            ("application/x-protobuf; proto=io.prometheus.write.v2.Request", Some(Version::Two)),
            ("application/x-protobuf;proto=\"io.prometheus.write.v2.Request\"", Some(Version::Two)),
            ("application/x-protobuf;proto=io.prometheus.write.v3.Request", None),
            ("application/json", None),
        ] {
            assert_eq!(version_of(content_type).ok(), version, "{content_type}");
        }
    }

    #[test]
    fn a_refused_version_is_415() {
        assert_eq!(
            version_of("text/plain").expect_err("refused").kind,
            ErrorKind::UnsupportedMedia
        );
    }
}
