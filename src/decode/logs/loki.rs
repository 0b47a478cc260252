//! Loki's push (`POST /loki/api/v1/push`), as
//! <https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs> has it: JSON, or
//! the message `logproto.PushRequest` (`pkg/push/push.proto`), here already inflated.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::draft::{Draft, LogBounds};
use super::level::level_in_text;
use super::text::read_text;
use super::time::of_nanos;
use super::{LogBatch, LogsError, check_values};
use crate::decode::wire::{
    Cursor,
    WireType::{Bytes, Varint},
};
use crate::model::{Timestamp, unquote};

/// Labels of one stream, and structured metadata of one entry.
const LABELS_MAX: usize = 128;

/// Labels that name the program, the best first (what Loki itself makes `service_name` of:
/// `discover_service_name`).
const SOURCE_LABELS: [&str; 9] = [
    "service_name",
    "service",
    "app",
    "application",
    "app_kubernetes_io_name",
    "container",
    "container_name",
    "component",
    "job",
];

/// Reads a body that was sent as `application/json`, or the inflated protobuf.
///
/// # Errors
///
/// When it is not what it should be, or has too many entries.
pub fn read_loki(body: &[u8], is_json: bool, bounds: &LogBounds) -> Result<LogBatch, LogsError> {
    if is_json { of_json(body, bounds) } else { of_protobuf(body, bounds) }
}

/// What the labels of a stream say of each of its lines.
struct Stream {
    draft: Draft,
}

impl Stream {
    fn new(labels: BTreeMap<String, String>) -> Self {
        let mut labels = labels;
        let mut draft = Draft::default();
        if let Some(name) = SOURCE_LABELS.iter().find(|name| labels.contains_key(**name)) {
            draft.source = labels.remove(*name).unwrap_or_default();
        }
        for (name, value) in labels {
            match name.as_str() {
                // Times and messages stand beside the labels; a label of that name is a label.
                "time" | "timestamp" | "ts" | "@timestamp" | "message" | "msg" | "log" => {
                    draft.metadata.insert(name, Value::from(value));
                }
                _ => draft.field_if_fit(&name, Value::from(value)),
            }
        }
        Stream { draft }
    }

    fn line(
        &self,
        time: Option<Timestamp>,
        message: &str,
        metadata: impl Iterator<Item = (String, Value)>,
    ) -> Draft {
        let mut draft = self.draft.clone();
        for (name, value) in metadata {
            draft.field_if_fit(&name, value);
        }
        // A label of a stream is of the lot of them; what the line itself says comes after.
        if draft.level.is_none() {
            draft.level = if message.starts_with('{') || message.contains("level=") {
                read_text(message, &jiff::tz::TimeZone::UTC).level
            } else {
                level_in_text(message)
            };
        }
        draft.time = time;
        draft.message = Some(message.to_owned());
        draft
    }
}

#[derive(Deserialize)]
struct Push {
    #[serde(default)]
    streams: Vec<PushStream>,
}

#[derive(Deserialize)]
struct PushStream {
    #[serde(default)]
    stream: BTreeMap<String, String>,
    #[serde(default)]
    values: Vec<Value>,
}

fn of_json(body: &[u8], bounds: &LogBounds) -> Result<LogBatch, LogsError> {
    check_values(body)?;
    let push: Push = serde_json::from_slice(body).map_err(|error| LogsError::syntax(&error))?;
    let mut batch = LogBatch::default();
    for PushStream { stream, values } in push.streams {
        if stream.len() > LABELS_MAX {
            let many = stream.len();
            return Err(LogsError::Shape(format!(
                "a stream has {many} labels, and may have {LABELS_MAX}"
            )));
        }
        let stream = Stream::new(stream);
        for entry in values {
            let line = json_entry(&stream, entry).and_then(|draft| draft.finish(bounds));
            batch.push(line)?;
        }
    }
    Ok(batch)
}

/// `["<Unix nanoseconds as a text>", "<line>", {"name": "value"}]`; the object may be left out.
fn json_entry(stream: &Stream, entry: Value) -> Result<Draft, String> {
    let Value::Array(parts) = entry else {
        return Err("is no array; write [\"<nanoseconds>\", \"<line>\"]".to_owned());
    };
    let (time, message, metadata) = match parts.as_slice() {
        [time, Value::String(message)] => (time, message, None),
        [time, Value::String(message), Value::Object(metadata)] => (time, message, Some(metadata)),
        _ => return Err("is not [\"<nanoseconds>\", \"<line>\", {metadata}]".to_owned()),
    };
    let nanos = match time {
        Value::String(text) => text.parse::<i64>().ok(),
        Value::Number(number) => number.as_i64(),
        _ => None,
    };
    let Some(nanos) = nanos else {
        return Err(format!("time {time} is no number of nanoseconds since 1970"));
    };
    let metadata = metadata.into_iter().flatten().take(LABELS_MAX);
    let metadata = metadata.map(|(name, value)| (name.clone(), value.clone()));
    Ok(stream.line(of_nanos(nanos.into()), message, metadata))
}

fn of_protobuf(body: &[u8], bounds: &LogBounds) -> Result<LogBatch, LogsError> {
    let mut batch = LogBatch::default();
    let mut rest = Cursor::new(body, 0);
    while !rest.is_empty() {
        match rest.key()? {
            (1, Bytes) => read_stream(rest.message()?, &mut batch, bounds)?,
            (field, wire) => rest.skip(field, wire)?,
        }
    }
    Ok(batch)
}

/// `StreamAdapter`. Fields may come in any order, so the labels are looked for first.
fn read_stream(
    stream: Cursor<'_>,
    batch: &mut LogBatch,
    bounds: &LogBounds,
) -> Result<(), LogsError> {
    let mut labels = "";
    let mut rest = stream;
    while !rest.is_empty() {
        match rest.key()? {
            (1, Bytes) => labels = rest.text()?,
            (field, wire) => rest.skip(field, wire)?,
        }
    }
    let labels = read_labels(labels).map_err(LogsError::Shape)?;
    let of_stream = Stream::new(labels);
    let mut rest = stream;
    while !rest.is_empty() {
        match rest.key()? {
            (2, Bytes) => {
                let draft = read_entry(rest.message()?, &of_stream)?;
                batch.push(draft.finish(bounds))?;
            }
            (field, wire) => rest.skip(field, wire)?,
        }
    }
    Ok(())
}

/// `EntryAdapter`.
fn read_entry(mut entry: Cursor<'_>, stream: &Stream) -> Result<Draft, LogsError> {
    let (mut time, mut message) = (None, "");
    let mut metadata = Vec::new();
    while !entry.is_empty() {
        match entry.key()? {
            (1, Bytes) => time = read_time(entry.message()?)?,
            (2, Bytes) => message = entry.text()?,
            (3, Bytes) => {
                let pair = read_pair(entry.message()?)?;
                if metadata.len() < LABELS_MAX {
                    metadata.push(pair);
                }
            }
            (field, wire) => entry.skip(field, wire)?,
        }
    }
    Ok(stream.line(time, message, metadata.into_iter()))
}

/// `google.protobuf.Timestamp`.
fn read_time(mut time: Cursor<'_>) -> Result<Option<Timestamp>, LogsError> {
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    while !time.is_empty() {
        match time.key()? {
            (1, Varint) => seconds = time.varint()?.cast_signed(),
            (2, Varint) => nanos = time.varint()?.cast_signed(),
            (field, wire) => time.skip(field, wire)?,
        }
    }
    Ok(of_nanos(i128::from(seconds) * 1_000_000_000 + i128::from(nanos)))
}

/// `LabelPairAdapter`.
fn read_pair(mut pair: Cursor<'_>) -> Result<(String, Value), LogsError> {
    let (mut name, mut value) = ("", "");
    while !pair.is_empty() {
        match pair.key()? {
            (1, Bytes) => name = pair.text()?,
            (2, Bytes) => value = pair.text()?,
            (field, wire) => pair.skip(field, wire)?,
        }
    }
    Ok((name.to_owned(), Value::from(value)))
}

/// `{name="value", other="value"}`, with Go's escapes in the values.
fn read_labels(text: &str) -> Result<BTreeMap<String, String>, String> {
    let wrong = || format!("{text:?} are no labels; write {{job=\"app\", level=\"info\"}}");
    let mut labels = BTreeMap::new();
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Ok(labels);
    }
    let inner = trimmed.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let mut rest = inner.ok_or_else(wrong)?.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or_else(wrong)?;
        let after = after.trim_start();
        let end = quoted_end(after).ok_or_else(wrong)?;
        let value = unquote(&after[..end]).ok_or_else(wrong)?;
        let name = name.trim();
        if name.is_empty() || labels.len() >= LABELS_MAX {
            return Err(wrong());
        }
        labels.insert(name.to_owned(), value);
        let behind = after[end..].trim_start();
        rest = match behind.strip_prefix(',') {
            Some(next) => next.trim_start(),
            None if behind.is_empty() => behind,
            None => return Err(wrong()),
        };
    }
    Ok(labels)
}

/// Where the quotes that open at the beginning close, the closing one included.
fn quoted_end(text: &str) -> Option<usize> {
    let quote = text.bytes().next().filter(|byte| matches!(byte, b'"' | b'`'))?;
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            byte if byte == quote => return Some(at + 1),
            b'\\' if quote == b'"' => at += 2,
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests;
