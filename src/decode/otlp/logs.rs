//! `ExportLogsServiceRequest`, and what its records are as lines
//! (<https://opentelemetry.io/docs/specs/otel/logs/data-model/>).

use serde::Deserialize;
use serde_json::{Map, Value};

use super::json::{hex, nullable, whole};
use super::message::{KeyValue, Resource, Scope};
use super::value::AnyValue;
use super::{Form, OtlpError, json, protobuf};
use crate::decode::logs::{Draft, LogBatch, LogBounds, level_in_text};
use crate::model::{LogLevel, Timestamp};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct LogsRequest {
    #[serde(deserialize_with = "nullable")]
    pub(super) resource_logs: Vec<ResourceLogs>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ResourceLogs {
    #[serde(deserialize_with = "nullable")]
    pub(super) resource: Resource,
    #[serde(deserialize_with = "nullable")]
    pub(super) scope_logs: Vec<ScopeLogs>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ScopeLogs {
    #[serde(deserialize_with = "nullable")]
    pub(super) scope: Scope,
    #[serde(deserialize_with = "nullable")]
    pub(super) log_records: Vec<LogRecord>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct LogRecord {
    #[serde(deserialize_with = "whole")]
    pub(super) time_unix_nano: u64,
    #[serde(deserialize_with = "whole")]
    pub(super) observed_time_unix_nano: u64,
    #[serde(deserialize_with = "whole")]
    pub(super) severity_number: i64,
    #[serde(deserialize_with = "nullable")]
    pub(super) severity_text: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) body: AnyValue,
    #[serde(deserialize_with = "nullable")]
    pub(super) attributes: Vec<KeyValue>,
    /// Lower-case hexadecimal.
    #[serde(deserialize_with = "hex")]
    pub(super) trace_id: String,
    /// Lower-case hexadecimal.
    #[serde(deserialize_with = "hex")]
    pub(super) span_id: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) event_name: String,
}

/// Reads an inflated body. A record that cannot be a line does not keep a good one out.
///
/// # Errors
///
/// When the body is not this message, or has too many parts or records.
pub fn read_logs(body: &[u8], form: Form, bounds: &LogBounds) -> Result<LogBatch, OtlpError> {
    let request = match form {
        Form::Protobuf => protobuf::log_records::read(body)?,
        Form::Json => json::read(body)?,
    };
    let mut batch = LogBatch::default();
    for of_resource in request.resource_logs {
        let mut resource = Draft::default();
        for KeyValue { key, value } in of_resource.resource.attributes {
            take(&mut resource, key, value);
        }
        for of_scope in of_resource.scope_logs {
            let mut scope = resource.clone();
            name_scope(&mut scope, of_scope.scope);
            for record in of_scope.log_records {
                batch.push(line_of(record, scope.clone()).finish(bounds))?;
            }
        }
    }
    Ok(batch)
}

/// An attribute, by its name in the semantic conventions. Time, level and message stand beside the
/// attributes; an attribute of such a name is an attribute.
fn take(draft: &mut Draft, key: String, value: AnyValue) {
    let value = value.into_json();
    match key.as_str() {
        "time" | "timestamp" | "@timestamp" | "ts" | "message" | "msg" | "log" | "level"
        | "severity" | "log.level" | "severity_text" | "lvl" | "detected_level" => {
            draft.metadata.insert(key, value);
        }
        // It says more than a resource does, which is what the field is first given.
        "user.id" | "enduser.id" | "feature" => {
            if let Value::String(text) = value {
                let place = if key == "feature" { &mut draft.feature } else { &mut draft.user_id };
                *place = text;
            } else {
                draft.field_if_fit(&key, value);
            }
        }
        _ => draft.field_if_fit(&key, value),
    }
}

fn name_scope(draft: &mut Draft, scope: Scope) {
    let mut about = Map::new();
    for (name, text) in [("name", scope.name), ("version", scope.version)] {
        if !text.is_empty() {
            about.insert(name.to_owned(), Value::String(text));
        }
    }
    if !scope.attributes.is_empty() {
        let attributes = AnyValue::Map(scope.attributes).into_json();
        about.insert("attributes".to_owned(), attributes);
    }
    if !about.is_empty() {
        draft.metadata.insert("scope".to_owned(), Value::Object(about));
    }
}

fn line_of(record: LogRecord, mut draft: Draft) -> Draft {
    for KeyValue { key, value } in record.attributes {
        take(&mut draft, key, value);
    }
    // "Use Timestamp if it is present, otherwise use ObservedTimestamp."
    let nanos = match (record.time_unix_nano, record.observed_time_unix_nano) {
        (0, 0) => None,
        (0, observed) => Some(observed),
        (time, _) => Some(time),
    };
    draft.time = nanos
        .map(|nanos| Timestamp::from_millis(i64::try_from(nanos / 1_000_000).unwrap_or(i64::MAX)));
    let message = match record.body {
        // An event says what it is by its name alone.
        AnyValue::Empty => record.event_name.clone(),
        body => body.to_text(),
    };
    draft.level = level_of_number(record.severity_number)
        .or_else(|| record.severity_text.parse().ok())
        .or_else(|| level_in_text(&message));
    if !record.trace_id.is_empty() {
        draft.trace_id = record.trace_id;
    }
    for (name, text) in [("span_id", record.span_id), ("event_name", record.event_name)] {
        if !text.is_empty() {
            draft.metadata.insert(name.to_owned(), Value::String(text));
        }
    }
    draft.message = Some(message);
    draft
}

/// `SeverityNumber`: ranges of four (data model, "Field: SeverityNumber"); 0 is unspecified.
fn level_of_number(number: i64) -> Option<LogLevel> {
    Some(match number {
        1..=8 => LogLevel::Debug,
        9..=12 => LogLevel::Info,
        13..=16 => LogLevel::Warn,
        17..=20 => LogLevel::Error,
        21..=24 => LogLevel::Fatal,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
