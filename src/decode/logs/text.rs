//! Lines of files: plain text, logfmt, or JSON.

use jiff::tz::TimeZone;
use serde_json::Value;

use super::draft::Draft;
use super::level::level_in_text;
use super::logfmt;
use super::time::leading_time;

/// Reads a line that was written for people or for another program: a JSON object or logfmt by
/// its fields, anything else as the message, with the time and the level that it begins with. A
/// time without an offset is of the zone. Never fails: what cannot be understood is the message.
pub fn read_text(line: &str, zone: &TimeZone) -> Draft {
    if line.trim_start().starts_with('{')
        && let Ok(Value::Object(fields)) = serde_json::from_str(line)
    {
        return of_fields(line, fields);
    }
    if let Some(pairs) = logfmt::read(line) {
        let mut draft = Draft::default();
        for (key, value) in pairs {
            draft.field_if_fit(key, Value::from(value.into_owned()));
        }
        draft.message.get_or_insert_with(|| line.to_owned());
        return draft;
    }
    Draft {
        time: leading_time(line, zone),
        level: level_in_text(line),
        message: Some(line.to_owned()),
        ..Draft::default()
    }
}

fn of_fields(line: &str, fields: serde_json::Map<String, Value>) -> Draft {
    let mut draft = Draft::default();
    for (name, value) in fields {
        match value {
            Value::Object(inner) if name == "metadata" => draft.metadata.extend(inner),
            value => draft.field_if_fit(&name, value),
        }
    }
    // Docker ends what it puts into `log` as the program ended its line.
    if let Some(message) = &mut draft.message {
        message.truncate(message.trim_end_matches(['\r', '\n']).len());
        if draft.level.is_none() {
            draft.level = level_in_text(message);
        }
    } else {
        draft.message = Some(line.to_owned());
    }
    draft
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LogLevel, Timestamp};

    fn read(line: &str) -> Draft {
        read_text(line, &TimeZone::UTC)
    }

    #[test]
    fn plain_text_is_the_message_with_the_time_and_level_it_begins_with() {
        let line = "2026-01-31 10:00:00,123 ERROR [main] cannot connect";
        let draft = read(line);
        assert_eq!(draft.time, Some(Timestamp::from_millis(1_769_853_600_123)));
        assert_eq!((draft.level, draft.message.as_deref()), (Some(LogLevel::Error), Some(line)));
    }

    #[test]
    fn json_and_logfmt_are_taken_by_their_fields() {
        let draft =
            read(r#"{"level":"warn","ts":1769853600.123,"msg":"slow","took":7,"user":{"id":"u"}}"#);
        assert_eq!(draft.time, Some(Timestamp::from_millis(1_769_853_600_123)));
        assert_eq!((draft.level, draft.message.as_deref()), (Some(LogLevel::Warn), Some("slow")));
        assert_eq!((draft.user_id.as_str(), &draft.metadata["took"]), ("u", &Value::from(7)));

        let draft = read(r#"time=2026-01-31T10:00:00Z level=loud msg="slow" took=7ms"#);
        assert_eq!((draft.level, draft.message.as_deref()), (None, Some("slow")));
        assert_eq!(Value::Object(draft.metadata), serde_json::json!({"level":"loud","took":"7ms"}));

        // As Docker's json-file driver writes it.
        let draft =
            read(r#"{"log":"ERROR no\n","stream":"stderr","time":"2026-01-31T10:00:00.5Z"}"#);
        assert_eq!(
            (draft.level, draft.message.as_deref()),
            (Some(LogLevel::Error), Some("ERROR no"))
        );
    }

    #[test]
    fn what_only_looks_like_json_is_a_message() {
        for line in ["{not json", "{\"a\":1", "[1,2]", "{}"] {
            assert_eq!(read(line).message.as_deref(), Some(line));
        }
    }
}
