//! A line that is being put together: fields under the names that senders give them, what a line
//! may be, and what becomes of one that is more.

use serde_json::{Map, Value};

use crate::model::{LogLevel, LogLine, LogMetadata, Timestamp};

use super::time::{epoch, time_in_text};

/// The longest message, in bytes; that of Loki (`max_line_size`).
pub const LINE_BYTES_MAX: usize = 256 << 10;
/// The longest of source, feature, environment, trace and user.
const FIELD_BYTES_MAX: usize = 256;
/// The largest metadata, as JSON.
const METADATA_BYTES_MAX: usize = 64 << 10;

/// The times that lines may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogBounds {
    /// What a line gets that has no time.
    pub now: Timestamp,
    /// Older lines are beyond retention.
    pub oldest: Timestamp,
    /// Later lines are beyond what clocks differ.
    pub newest: Timestamp,
}

impl LogBounds {
    /// From `now` back as far as lines are kept, and ahead as far as clocks may differ.
    pub fn new(now: Timestamp, retention_ms: i64, future_seconds_max: i64) -> Self {
        LogBounds {
            now,
            oldest: now.plus_millis(retention_ms.saturating_neg()),
            newest: now.plus_millis(future_seconds_max.saturating_mul(1000)),
        }
    }

    fn admit(&self, time: Timestamp) -> Result<(), String> {
        if time < self.oldest {
            return Err(format!("time: {time} is older than lines are kept (logs.retention)"));
        }
        if time > self.newest {
            return Err(format!(
                "time: {time} is too far ahead of the clock (limits.future_seconds_max)"
            ));
        }
        Ok(())
    }
}

/// A line that is being put together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// When it was said.
    pub time: Option<Timestamp>,
    /// How bad it is.
    pub level: Option<LogLevel>,
    /// What was said.
    pub message: Option<String>,
    /// Who said it.
    pub source: String,
    /// The feature.
    pub feature: String,
    /// The environment.
    pub environment: String,
    /// The trace.
    pub trace_id: String,
    /// The user.
    pub user_id: String,
    /// Everything else.
    pub metadata: Map<String, Value>,
}

/// What a field of a known name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Time,
    Level,
    Message,
    Source,
    Feature,
    Environment,
    Trace,
    User,
}

/// The names in use: ours first, then those of the Elastic Common Schema, of OpenTelemetry's
/// semantic conventions, and of widespread loggers (zap, logrus, pino, slog, Docker's JSON files).
fn role_of(name: &str) -> Option<Role> {
    Some(match name {
        "time" | "timestamp" | "@timestamp" | "ts" => Role::Time,
        "level" | "severity" | "log.level" | "severity_text" | "detected_level" | "lvl" => {
            Role::Level
        }
        "message" | "msg" | "log" => Role::Message,
        "source" | "service" | "service.name" | "service_name" => Role::Source,
        "feature" => Role::Feature,
        "environment"
        | "env"
        | "deployment.environment.name"
        | "deployment.environment"
        | "deployment_environment_name"
        | "deployment_environment"
        | "service.environment" => Role::Environment,
        "trace_id" | "traceId" | "trace.id" | "traceID" => Role::Trace,
        "user_id" | "userId" | "user.id" | "enduser.id" => Role::User,
        _ => return None,
    })
}

/// Numbers as pino and bunyan give them.
fn numbered_level(number: u64) -> Option<LogLevel> {
    Some(match number {
        10 | 20 => LogLevel::Debug,
        30 => LogLevel::Info,
        40 => LogLevel::Warn,
        50 => LogLevel::Error,
        60 => LogLevel::Fatal,
        _ => return None,
    })
}

impl Draft {
    /// Takes a field of any name and kind. A second one for the same purpose, and one of no known
    /// name, becomes metadata. Objects such as `{"log":{"level":"warn"}}` are taken by their
    /// dotted names where those are known.
    ///
    /// # Errors
    ///
    /// When the value is none that such a field may have.
    pub fn field(&mut self, name: &str, value: Value) -> Result<(), String> {
        let Some(role) = role_of(name) else {
            return self.unknown(name, value);
        };
        if value.is_null() {
            return Ok(());
        }
        if let Value::Object(parts) = value {
            return self.nested(name, parts);
        }
        let place = match role {
            Role::Time => {
                if self.time.is_some() {
                    self.metadata.insert(name.to_owned(), value);
                    return Ok(());
                }
                self.time = Some(read_time(name, &value)?);
                return Ok(());
            }
            Role::Level => {
                if self.level.is_some() {
                    self.metadata.insert(name.to_owned(), value);
                    return Ok(());
                }
                self.level = Some(read_level(name, &value)?);
                return Ok(());
            }
            Role::Message => {
                if self.message.is_some() {
                    self.metadata.insert(name.to_owned(), value);
                } else {
                    self.message = Some(into_text(value));
                }
                return Ok(());
            }
            Role::Source => &mut self.source,
            Role::Feature => &mut self.feature,
            Role::Environment => &mut self.environment,
            Role::Trace => &mut self.trace_id,
            Role::User => &mut self.user_id,
        };
        match value {
            Value::Array(_) => return Err(format!("{name}: is an array; write a text")),
            value if place.is_empty() => *place = into_text(value),
            value => {
                self.metadata.insert(name.to_owned(), value);
            }
        }
        Ok(())
    }

    /// As [`Draft::field`], but what does not fit becomes metadata: for lines that were written
    /// without us in mind.
    pub fn field_if_fit(&mut self, name: &str, value: Value) {
        if self.field(name, value.clone()).is_err() {
            self.metadata.insert(name.to_owned(), value);
        }
    }

    fn unknown(&mut self, name: &str, value: Value) -> Result<(), String> {
        match value {
            Value::Object(parts) if matches!(name, "trace" | "user" | "deployment") => {
                self.nested(name, parts)
            }
            value => {
                self.metadata.insert(name.to_owned(), value);
                Ok(())
            }
        }
    }

    fn nested(&mut self, name: &str, parts: Map<String, Value>) -> Result<(), String> {
        let mut left = Map::new();
        for (part, value) in parts {
            let dotted = format!("{name}.{part}");
            if role_of(&dotted).is_some() && !value.is_object() {
                self.field(&dotted, value)?;
            } else {
                left.insert(part, value);
            }
        }
        if !left.is_empty() {
            self.metadata.insert(name.to_owned(), Value::Object(left));
        }
        Ok(())
    }

    /// The line, from somebody who can send it again.
    ///
    /// # Errors
    ///
    /// When there is no message, when a field is too long, or the time is out of bounds.
    pub fn finish(self, bounds: &LogBounds) -> Result<LogLine, String> {
        let Some(message) = self.message else {
            return Err("message: is missing; say what happened".to_owned());
        };
        if message.len() > LINE_BYTES_MAX {
            return Err(format!(
                "message: has {} bytes, and may have {LINE_BYTES_MAX}; send less",
                message.len()
            ));
        }
        for (name, text) in [
            ("source", &self.source),
            ("feature", &self.feature),
            ("environment", &self.environment),
            ("trace_id", &self.trace_id),
            ("user_id", &self.user_id),
        ] {
            if text.len() > FIELD_BYTES_MAX {
                let bytes = text.len();
                return Err(format!("{name}: has {bytes} bytes, and may have {FIELD_BYTES_MAX}"));
            }
        }
        let time = self.time.unwrap_or(bounds.now);
        bounds.admit(time)?;
        let metadata = LogMetadata::new(&self.metadata);
        if metadata.as_json().len() > METADATA_BYTES_MAX {
            return Err(format!(
                "metadata: has {} bytes as JSON, and may have {METADATA_BYTES_MAX}; send less",
                metadata.as_json().len()
            ));
        }
        Ok(LogLine {
            time,
            level: self.level.unwrap_or_default(),
            message,
            source: self.source,
            feature: self.feature,
            environment: self.environment,
            trace_id: self.trace_id,
            user_id: self.user_id,
            metadata,
        })
    }

    /// The line, from somebody who cannot send it again: what is too long is cut, metadata that
    /// is too large is left out, and a time ahead of the clock is now. `None` for what is older
    /// than lines are kept.
    pub fn fit(mut self, bounds: &LogBounds) -> Option<LogLine> {
        let time = self.time.unwrap_or(bounds.now);
        if time < bounds.oldest {
            return None;
        }
        self.time = Some(if time > bounds.newest { bounds.now } else { time });
        let message = self.message.get_or_insert_default();
        cut(message, LINE_BYTES_MAX);
        for text in [
            &mut self.source,
            &mut self.feature,
            &mut self.environment,
            &mut self.trace_id,
            &mut self.user_id,
        ] {
            cut(text, FIELD_BYTES_MAX);
        }
        // Cheap unless there is much: a byte of JSON is at least a byte of text.
        if LogMetadata::new(&self.metadata).as_json().len() > METADATA_BYTES_MAX {
            self.metadata = Map::new();
            self.metadata.insert("metadata_left_out".to_owned(), Value::Bool(true));
        }
        self.finish(bounds).ok()
    }
}

/// Leaves the beginning, cut between two characters.
fn cut(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        let end = (0..=bytes_max).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
}

fn into_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn read_time(name: &str, value: &Value) -> Result<Timestamp, String> {
    let time = match value {
        Value::String(text) => time_in_text(text),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Some(epoch(whole)),
            None => number.as_f64().and_then(super::time::epoch_with_fraction),
        },
        _ => None,
    };
    time.ok_or_else(|| {
        format!(
            "{name}: {value} is neither RFC 3339 nor a Unix time; write \"2026-01-31T10:00:00Z\""
        )
    })
}

fn read_level(name: &str, value: &Value) -> Result<LogLevel, String> {
    match value {
        Value::String(text) => text.parse().map_err(|reason| format!("{name}: {reason}")),
        Value::Number(number) => number.as_u64().and_then(numbered_level).ok_or_else(|| {
            format!("{name}: {number} is no level; use debug, info, warn, error or fatal")
        }),
        other => Err(format!("{name}: {other} is no level; use debug, info, warn, error or fatal")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn bounds() -> LogBounds {
        LogBounds::new(NOW, 86_400_000, 600)
    }

    fn said(message: &str) -> Draft {
        Draft { message: Some(message.to_owned()), ..Draft::default() }
    }

    #[test]
    fn a_line_without_a_time_is_of_now_and_one_out_of_bounds_is_refused() {
        assert_eq!(said("a").finish(&bounds()).expect("fits").time, NOW);
        for (offset, reason) in
            [(-86_400_001, "logs.retention"), (600_001, "limits.future_seconds_max")]
        {
            let draft = Draft { time: Some(NOW.plus_millis(offset)), ..said("a") };
            assert!(draft.finish(&bounds()).expect_err("refused").contains(reason));
        }
    }

    #[test]
    fn who_cannot_send_again_is_cut_short_and_not_refused() {
        let long = Draft {
            time: Some(NOW.plus_millis(9_000_000)),
            source: "ä".repeat(200),
            metadata: [("a".to_owned(), Value::from("x".repeat(METADATA_BYTES_MAX)))]
                .into_iter()
                .collect(),
            ..said(&"é".repeat(LINE_BYTES_MAX))
        };
        assert!(long.clone().finish(&bounds()).is_err());
        let line = long.fit(&bounds()).expect("kept");
        assert_eq!(line.time, NOW);
        assert_eq!(line.message.len(), LINE_BYTES_MAX);
        assert_eq!(line.source, "ä".repeat(128));
        assert_eq!(line.metadata.as_json(), r#"{"metadata_left_out":true}"#);
        let old = Draft { time: Some(NOW.plus_millis(-90_000_000)), ..said("a") };
        assert_eq!(old.fit(&bounds()), None);
    }

    #[test]
    fn a_second_field_for_one_purpose_is_kept_as_metadata() {
        let mut draft = said("first");
        for (name, text) in [("msg", "second"), ("service", "api"), ("source", "b")] {
            draft.field(name, Value::from(text)).expect("taken");
        }
        let line = draft.finish(&bounds()).expect("fits");
        assert_eq!((line.message.as_str(), line.source.as_str()), ("first", "api"));
        assert_eq!(line.metadata.as_json(), r#"{"msg":"second","source":"b"}"#);
    }

    #[test]
    fn objects_of_the_elastic_common_schema_are_taken_by_their_dotted_names() {
        let mut draft = said("a");
        let value = serde_json::json!({"level": "warn", "logger": "x"});
        draft.field("log", value).expect("taken");
        draft.field("service", serde_json::json!({"name": "api"})).expect("taken");
        draft.field("trace", serde_json::json!({"id": "7"})).expect("taken");
        let line = draft.finish(&bounds()).expect("fits");
        assert_eq!((line.level, line.source.as_str()), (LogLevel::Warn, "api"));
        assert_eq!(
            (line.trace_id.as_str(), line.metadata.as_json()),
            ("7", r#"{"log":{"logger":"x"}}"#)
        );
    }
}
