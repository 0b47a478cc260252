//! Log lines in. What is answered as accepted is durable; good lines are kept when others are not,
//! and the answer says which were refused, and why.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, header};
use serde_json::json;

use crate::api::error::no_content;
use crate::api::ingest::inflate;
use crate::api::json::success;
use crate::api::otlp::{self as otlp_answer, Rejected};
use crate::api::request::{blocking, header_text, idempotency_key, read_large};
use crate::api::state::App;
use crate::api::{ApiError, ErrorKind};
use crate::decode::Encoding;
use crate::decode::inflate::snappy_into;
use crate::decode::logs::{LogBatch, LogBounds, read_json, read_loki};
use crate::decode::otlp::{Form, read_logs};
use crate::engine::logs::{Known, Ticket};

type Answered = Result<Response<Body>, ApiError>;

/// A larger body is read on a thread that may block, so that others are not held up.
const READ_HERE_BYTES_MAX: usize = 256 << 10;
/// Refused lines of which an answer says why.
const REFUSED_SHOWN: usize = 20;
/// Ways in, as `vedette_log_lines_refused_total` has them.
const WAY_JSON: &str = "json";
const WAY_LOKI: &str = "loki";
const WAY_OTLP: &str = "otlp";

/// What became of the lines of a request.
#[derive(Debug)]
struct Taken {
    accepted: u64,
    refused: Vec<(usize, String)>,
}

impl Taken {
    /// `2 lines accepted, 1 refused: line 3: level: …`. Places count from 0.
    fn refusal(&self) -> String {
        let refused = &self.refused;
        let mut text = format!("{} lines accepted, {} refused: ", self.accepted, refused.len());
        for (n, (place, reason)) in refused.iter().take(REFUSED_SHOWN).enumerate() {
            let between = if n == 0 { "" } else { "; " };
            // Writing to a String cannot fail.
            let _ = write!(text, "{between}line {place}: {reason}");
        }
        if refused.len() > REFUSED_SHOWN {
            let _ = write!(text, "; and {} more", refused.len() - REFUSED_SHOWN);
        }
        text
    }
}

/// Reads a body and writes its lines.
async fn take(
    app: &Arc<App>,
    way: &str,
    body: Bytes,
    ticket: Option<Ticket>,
    read: impl FnOnce(&[u8], &LogBounds) -> Result<LogBatch, ApiError> + Send + 'static,
) -> Result<Taken, ApiError> {
    let settings = app.settings.load();
    let bounds = LogBounds::new(
        app.clock.now(),
        settings.logs.retention.millis(),
        settings.limits.future_seconds_max,
    );
    let batch = if body.len() > READ_HERE_BYTES_MAX {
        blocking(move || read(&body, &bounds)).await?
    } else {
        read(&body, &bounds)?
    };
    let LogBatch { lines, refused } = batch;
    let logs = &app.engine()?.logs;
    let accepted = match ticket {
        Some(ticket) => logs.write_once(ticket, lines).await?,
        None => logs.write(lines).await?,
    };
    if !refused.is_empty() {
        app.telemetry.log_lines_refused.add([way], refused.len() as u64);
    }
    Ok(Taken { accepted, refused })
}

fn media(headers: &HeaderMap) -> String {
    let content_type = header_text(headers, &header::CONTENT_TYPE);
    content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

/// `POST /api/v1/logs`: one line, many, or NDJSON. What is sent again with the same
/// `Idempotency-Key` is not taken again.
pub(super) async fn logs(State(app): State<Arc<App>>, request: Request) -> Answered {
    app.engine()?.logs.check_open()?;
    let (headers, body) = read_large(&app, request).await?;
    let ticket = match idempotency_key(&headers)? {
        None => None,
        Some(key) => match app.engine()?.logs.begin(&key) {
            Known::New(ticket) => Some(ticket),
            Known::Before(accepted) => {
                return Ok(success(&json!({"accepted": accepted, "repeated": true})));
            }
            Known::UnderWay => {
                let message = format!(
                    "a request with the Idempotency-Key {key:?} is under way; ask again later"
                );
                return Err(ApiError::new(ErrorKind::Conflict, message));
            }
        },
    };
    let body = inflate(&app, &headers, body)?;
    let by_lines = matches!(
        media(&headers).as_str(),
        "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines"
    );
    let read = move |body: &[u8], bounds: &LogBounds| Ok(read_json(body, by_lines, bounds)?);
    let taken = take(&app, WAY_JSON, body, ticket, read).await?;
    if taken.refused.is_empty() {
        return Ok(success(&json!({"accepted": taken.accepted})));
    }
    Err(ApiError::bad_data(taken.refusal()))
}

/// `POST /loki/api/v1/push`, for what sends to Loki. As there, whatever is not called JSON is
/// protobuf in snappy's block format, whether `Content-Encoding` says so or not.
pub(super) async fn loki(State(app): State<Arc<App>>, request: Request) -> Answered {
    app.engine()?.logs.check_open()?;
    let (headers, body) = read_large(&app, request).await?;
    let is_json = media(&headers) == "application/json";
    let encoding = header_text(&headers, &header::CONTENT_ENCODING);
    let body = if encoding.eq_ignore_ascii_case(Encoding::Snappy.as_str()) && !is_json {
        body
    } else {
        inflate(&app, &headers, body)?
    };
    let bytes_max = app.settings.load().limits.inflated_bytes_max;
    let read = move |body: &[u8], bounds: &LogBounds| {
        if is_json {
            return Ok(read_loki(body, true, bounds)?);
        }
        let mut inflated = Vec::new();
        snappy_into(body, bytes_max, &mut inflated)?;
        Ok(read_loki(&inflated, false, bounds)?)
    };
    let taken = take(&app, WAY_LOKI, body, None, read).await?;
    if taken.refused.is_empty() {
        return Ok(no_content());
    }
    Err(ApiError::bad_data(taken.refusal()))
}

/// `POST /v1/logs`, and beside Prometheus's path for metrics: `POST /api/v1/otlp/v1/logs`.
pub(super) async fn otlp(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    let form = otlp_answer::form_of(request.headers());
    let answered = match form.clone() {
        Ok(form) => export(&app, request, form).await,
        Err(error) => Err(error),
    };
    // Whoever sends neither form can at least read JSON.
    let form = form.unwrap_or(Form::Json);
    match answered {
        Ok(taken) => {
            let count = taken.refused.len() as u64;
            let message = if count == 0 { String::new() } else { taken.refusal() };
            let rejected = Rejected { what: "rejectedLogRecords", count, message };
            otlp_answer::succeeded(form, &rejected)
        }
        Err(error) => otlp_answer::failed(form, error),
    }
}

async fn export(app: &Arc<App>, request: Request, form: Form) -> Result<Taken, ApiError> {
    app.engine()?.logs.check_open()?;
    let (headers, body) = read_large(app, request).await?;
    let body = inflate(app, &headers, body)?;
    let read = move |body: &[u8], bounds: &LogBounds| Ok(read_logs(body, form, bounds)?);
    take(app, WAY_OTLP, body, None, read).await
}

#[cfg(test)]
mod tests;
