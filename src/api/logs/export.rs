//! `GET /api/v1/logs/export`: any number of lines, streamed in bounded memory.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Response, header};
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::api::body::streamed;
use crate::api::state::App;
use crate::api::{ApiError, ErrorKind};
use crate::engine::logs::{LogFilter, Logs, LogsError, Order};
use crate::model::StoredLine;

use super::bounded::timeout;
use super::read::params_of;
use super::{csv, parameters};

/// Bytes that are sent at once.
const CHUNK_BYTES: usize = 64 << 10;
/// Chunks that wait for the client.
const CHUNKS_MAX: usize = 4;
/// How long a client may take for one chunk.
const CLIENT_PATIENCE: Duration = Duration::from_secs(60);

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// One JSON object per line.
    Ndjson,
    /// One array.
    Json,
    /// RFC 4180, with a header.
    Csv,
}

impl Format {
    fn read(text: Option<&str>) -> Result<Format, ApiError> {
        match text {
            None | Some("ndjson") => Ok(Format::Ndjson),
            Some("json") => Ok(Format::Json),
            Some("csv") => Ok(Format::Csv),
            Some(other) => {
                let said = format!("{other:?} is none of ndjson, json and csv");
                Err(ApiError::parameter("format", said))
            }
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Format::Ndjson => "application/x-ndjson",
            Format::Json => "application/json",
            Format::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    fn file_name(self) -> &'static str {
        match self {
            Format::Ndjson => "attachment; filename=\"logs.ndjson\"",
            Format::Json => "attachment; filename=\"logs.json\"",
            Format::Csv => "attachment; filename=\"logs.csv\"",
        }
    }

    fn begin(self) -> &'static str {
        match self {
            Format::Ndjson => "",
            Format::Json => "[",
            Format::Csv => csv::HEADER,
        }
    }

    fn push(self, out: &mut String, line: &StoredLine, is_first: bool) {
        match self {
            Format::Ndjson => {
                line.push_json(out);
                out.push('\n');
            }
            Format::Json => {
                out.push_str(if is_first { "\n" } else { ",\n" });
                line.push_json(out);
            }
            Format::Csv => csv::push_line(out, line),
        }
    }

    fn end(self) -> &'static str {
        match self {
            Format::Json => "\n]\n",
            Format::Ndjson | Format::Csv => "",
        }
    }
}

/// What is to be exported.
struct Asked {
    filter: LogFilter,
    order: Order,
    format: Format,
    /// At most so many lines.
    limit: Option<usize>,
    /// How long a search may take that finds nothing more to send.
    timeout: Duration,
}

type Chunk = Result<Bytes, std::io::Error>;

/// `GET /api/v1/logs/export?format=ndjson|json|csv&order=&limit=&from=&…`
pub(in crate::api) async fn export(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let params = params_of(&request)?;
    parameters::refuse_unknown(&params, &["format", "order", "limit"])?;
    let asked = Asked {
        filter: parameters::filter(&params)?,
        order: parameters::order(&params)?,
        format: Format::read(params.get("format"))?,
        limit: params.limit()?,
        timeout: timeout(&app, &params)?,
    };
    let logs = app.engine()?.logs.clone();
    let Ok(place) = app.exports().try_acquire_owned() else {
        let said = "as many exports run as may at once; try again when one of them has ended";
        return Err(ApiError::new(ErrorKind::TooMany, said).retry_after(10));
    };
    let (format, (sender, receiver)) = (asked.format, mpsc::channel(CHUNKS_MAX));
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || produce(&logs, &asked, &runtime, sender, place));
    let mut response = Response::new(streamed(receiver, |chunk: Chunk| chunk));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(format.file_name()));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// Searches, and sends what it finds. A fault breaks the answer off, so that nobody takes a part
/// for the whole.
fn produce(
    logs: &Logs,
    asked: &Asked,
    runtime: &tokio::runtime::Handle,
    sender: mpsc::Sender<Chunk>,
    _place: OwnedSemaphorePermit,
) {
    // Gives whether the client still takes something.
    let send = |chunk: Chunk| {
        let sending = tokio::time::timeout(CLIENT_PATIENCE, sender.send(chunk));
        matches!(runtime.block_on(sending), Ok(Ok(())))
    };
    let deadline = std::cell::Cell::new(Instant::now() + asked.timeout);
    let stop = || sender.is_closed() || Instant::now() >= deadline.get();
    let (mut out, mut count) = (asked.format.begin().to_owned(), 0);
    let mut sink = |line: StoredLine| {
        asked.format.push(&mut out, &line, count == 0);
        count += 1;
        if out.len() >= CHUNK_BYTES {
            if !send(Ok(std::mem::take(&mut out).into())) {
                return ControlFlow::Break(());
            }
            deadline.set(Instant::now() + asked.timeout);
        }
        if asked.limit == Some(count) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let scanned = logs.scan(&asked.filter, asked.order, &mut sink, &stop);
    match scanned {
        Ok(()) => {
            out.push_str(asked.format.end());
            if !out.is_empty() {
                // A client that has gone needs nothing.
                let _ = send(Ok(out.into()));
            }
        }
        // Nobody waits any more.
        Err(LogsError::TimedOut) if sender.is_closed() => {}
        Err(error) => {
            tracing::warn!(%error, lines = count, "an export of log lines was broken off");
            let _ = send(Err(std::io::Error::other(error)));
        }
    }
}
