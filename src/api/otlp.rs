//! OTLP/HTTP: metrics in (log records in `logs/receive`), as <https://opentelemetry.io/docs/specs/otlp/#otlphttp> has it.
//!
//! Answers are in the encoding of the request: `ExportMetricsServiceResponse`, or a
//! `google.rpc.Status` with an error. A 2xx is given only after the data is durable.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, header};
use axum::response::IntoResponse as _;
use serde_json::json;

use crate::decode::otlp::{Context, Form, OtlpError, read, translate};
use crate::engine::{Intake, Pipeline};
use crate::telemetry::Way;

use super::ingest::{bounds, inflate};
use super::request::{blocking, header_text, read_large};
use super::state::App;
use super::{ApiError, ErrorKind};

impl From<OtlpError> for ApiError {
    fn from(error: OtlpError) -> Self {
        let kind = match error {
            OtlpError::Wire(_) | OtlpError::Json { .. } => ErrorKind::BadData,
            OtlpError::TooManyParts { .. } | OtlpError::Logs(_) | OtlpError::TooLarge { .. } => {
                ErrorKind::TooLarge
            }
        };
        ApiError::new(kind, error.to_string())
    }
}

/// The form that `Content-Type` names.
pub(super) fn form_of(headers: &HeaderMap) -> Result<Form, ApiError> {
    let content_type = header_text(headers, &header::CONTENT_TYPE);
    let media = content_type.split(';').next().unwrap_or("").trim();
    if media.eq_ignore_ascii_case("application/x-protobuf") {
        return Ok(Form::Protobuf);
    }
    if media.eq_ignore_ascii_case("application/json") {
        return Ok(Form::Json);
    }
    Err(ApiError::new(
        ErrorKind::UnsupportedMedia,
        format!(
            "content type {content_type:?} is not spoken; use application/x-protobuf or \
             application/json"
        ),
    ))
}

/// `POST /v1/metrics`, and where Prometheus has it: `POST /api/v1/otlp/v1/metrics`.
pub(super) async fn metrics(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    // Whoever sends neither form can at least read JSON.
    let form = form_of(request.headers());
    let answered = match form.clone() {
        Ok(form) => export(&app, request, form).await,
        Err(error) => Err(error),
    };
    let form = form.unwrap_or(Form::Json);
    match answered {
        Ok(outcome) => succeeded(form, &outcome),
        Err(error) => failed(form, error),
    }
}

/// What was not taken.
#[derive(Debug)]
pub(super) struct Rejected {
    /// The name of its number in a `partialSuccess`; field 1 in the binary form of each.
    pub(super) what: &'static str,
    /// How many.
    pub(super) count: u64,
    /// Why; empty where there are none.
    pub(super) message: String,
}

async fn export(app: &Arc<App>, request: Request, form: Form) -> Result<Rejected, ApiError> {
    let pipeline = app.engine()?.pipeline.clone();
    pipeline.check_open()?;
    let (headers, body) = read_large(app, request).await?;
    let body = inflate(app, &headers, body)?;
    let intake = if body.len() > READ_HERE_BYTES_MAX {
        let (app, pipeline) = (Arc::clone(app), pipeline.clone());
        blocking(move || intake(&app, &pipeline, &body, form)).await?
    } else {
        intake(app, &pipeline, &body, form)?
    };
    let written = pipeline.write(Way::Otlp, intake).await?;
    let count = written.refusals.total();
    let message =
        if written.refusals.is_empty() { String::new() } else { written.refusals.to_string() };
    Ok(Rejected { what: "rejectedDataPoints", count, message })
}

/// A larger body is translated on a thread that may block, so that others are not held up.
const READ_HERE_BYTES_MAX: usize = 256 << 10;

fn intake(app: &App, pipeline: &Pipeline, body: &[u8], form: Form) -> Result<Intake, ApiError> {
    let settings = app.settings.load();
    let policy = pipeline.policy();
    let (_, bounds) = bounds(app, pipeline);
    let context = Context {
        settings: &settings.otlp,
        limits: &policy.limits,
        bounds: &bounds,
        lookback_ms: settings.query.lookback_delta.millis(),
    };
    let translated = translate(&read(body, form)?, &context)?;
    let families = translated.families.iter().map(|(name, facts)| (name.as_str(), facts));
    let mut intake = pipeline.read_rows_and_exemplars(
        &translated.rows,
        &translated.exemplars,
        families,
        translated.refusals,
    );
    intake.exemplars_skipped += translated.exemplars_skipped;
    Ok(intake)
}

fn respond(form: Form, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    let content_type = content_type(form);
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

fn content_type(form: Form) -> HeaderValue {
    HeaderValue::from_static(match form {
        Form::Protobuf => "application/x-protobuf",
        Form::Json => "application/json",
    })
}

/// `ExportMetricsServiceResponse`, or the same for logs: empty, or with what was rejected.
pub(super) fn succeeded(form: Form, rejected: &Rejected) -> Response<Body> {
    let is_whole = rejected.count == 0 && rejected.message.is_empty();
    let body = match form {
        _ if is_whole && form == Form::Protobuf => Vec::new(),
        Form::Json if is_whole => b"{}".to_vec(),
        // 64-bit numbers are texts in protobuf's JSON.
        Form::Json => json!({"partialSuccess": {
            rejected.what: rejected.count.to_string(),
            "errorMessage": rejected.message,
        }})
        .to_string()
        .into_bytes(),
        Form::Protobuf => {
            let mut partial = vec![0x08];
            push_varint(&mut partial, rejected.count);
            push_text(&mut partial, 0x12, rejected.message.as_bytes());
            let mut body = Vec::new();
            push_text(&mut body, 0x0a, &partial);
            body
        }
    };
    respond(form, body)
}

/// `google.rpc.Status`, with the status and the headers that other errors have too.
pub(super) fn failed(form: Form, error: ApiError) -> Response<Body> {
    let code = rpc_code(error.kind);
    let body = match form {
        Form::Json => json!({"code": code, "message": error.message}).to_string().into_bytes(),
        Form::Protobuf => {
            let mut body = vec![0x08];
            push_varint(&mut body, code);
            push_text(&mut body, 0x12, error.message.as_bytes());
            body
        }
    };
    let mut response = error.into_response();
    *response.body_mut() = Body::from(body);
    response.headers_mut().insert(header::CONTENT_TYPE, content_type(form));
    response
}

/// The code in a `google.rpc.Status` (`google/rpc/code.proto`).
fn rpc_code(kind: ErrorKind) -> u64 {
    match kind {
        ErrorKind::BadData | ErrorKind::TooLarge | ErrorKind::UnsupportedMedia => 3,
        ErrorKind::TooMany => 8,
        ErrorKind::Unavailable => 14,
        _ => 13,
    }
}

fn push_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn push_text(out: &mut Vec<u8>, key: u8, text: &[u8]) {
    out.push(key);
    push_varint(out, text.len() as u64);
    out.extend_from_slice(text);
}
