//! Entries of systemd's journal, as `journalctl --output=json` writes them
//! (<https://systemd.io/JOURNAL_EXPORT_FORMATS/#journal-json-format>).

use serde_json::{Map, Value};

use super::draft::Draft;
use super::level::level_in_text;
use super::syslog::level_of;
use crate::model::Timestamp;

/// An entry, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalEntry {
    /// `__CURSOR`: what to go on after.
    pub cursor: String,
    /// The line.
    pub draft: Draft,
}

/// Fields of the journal's own that are of use, and what they are called as metadata. Those that
/// the program added (without `_` in front) are kept under their names.
const KEPT: [(&str, &str); 5] = [
    ("_HOSTNAME", "host"),
    ("_PID", "pid"),
    ("_SYSTEMD_UNIT", "unit"),
    ("_SYSTEMD_USER_UNIT", "user_unit"),
    ("CONTAINER_NAME", "container"),
];

/// Fields of the program that stand elsewhere in a line, or say what the journal says better.
const DROPPED: [&str; 9] = [
    "MESSAGE",
    "PRIORITY",
    "SYSLOG_IDENTIFIER",
    "SYSLOG_PID",
    "SYSLOG_TIMESTAMP",
    "SYSLOG_RAW",
    "SYSLOG_FACILITY",
    "TID",
    "MESSAGE_ID",
];

/// Reads one line of output.
///
/// # Errors
///
/// When it is no JSON object, or has no cursor.
pub fn read_journal(line: &[u8]) -> Result<JournalEntry, String> {
    let fields: Map<String, Value> =
        serde_json::from_slice(line).map_err(|error| format!("is no JSON object: {error}"))?;
    let get = |name: &str| fields.get(name).and_then(field_text);
    let Some(cursor) = get("__CURSOR") else {
        return Err("has no __CURSOR".to_owned());
    };
    let micros = get("_SOURCE_REALTIME_TIMESTAMP").or_else(|| get("__REALTIME_TIMESTAMP"));
    let micros = micros.and_then(|text| text.parse::<i64>().ok());
    let message = get("MESSAGE").unwrap_or_default();
    let priority = get("PRIORITY").and_then(|text| text.parse::<u8>().ok());
    let unit = get("_SYSTEMD_UNIT").or_else(|| get("UNIT"));
    let mut draft = Draft {
        time: micros.map(|micros| Timestamp::from_millis(micros.div_euclid(1000))),
        level: match priority {
            // What a service writes to standard output has 6 whatever it says.
            None | Some(6) => level_in_text(&message).or(priority.map(level_of)),
            Some(priority) => Some(level_of(priority)),
        },
        source: get("SYSLOG_IDENTIFIER")
            .or_else(|| unit.map(|unit| unit.trim_end_matches(".service").to_owned()))
            .or_else(|| get("_COMM"))
            .unwrap_or_default(),
        message: Some(message),
        ..Draft::default()
    };
    for (name, kept) in KEPT {
        if let Some(text) = get(name) {
            draft.metadata.insert(kept.to_owned(), Value::from(text));
        }
    }
    for (name, value) in &fields {
        let known = DROPPED.contains(&name.as_str()) || KEPT.iter().any(|(kept, _)| kept == name);
        if name.starts_with('_') || known {
            continue;
        }
        if let Some(text) = field_text(value) {
            // The journal's names are in capitals.
            draft.field_if_fit(&name.to_ascii_lowercase(), Value::from(text));
        }
    }
    Ok(JournalEntry { cursor, draft })
}

/// A text, an array of bytes for what is no UTF-8 or not printable, or the last of several values.
/// `None` for `null`, which stands for what was too large.
fn field_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => {
            let bytes: Option<Vec<u8>> =
                items.iter().map(|item| item.as_u64().and_then(|n| u8::try_from(n).ok())).collect();
            match bytes {
                Some(bytes) if !bytes.is_empty() => {
                    Some(String::from_utf8_lossy(&bytes).into_owned())
                }
                _ => items.last().filter(|last| !last.is_array()).and_then(field_text),
            }
        }
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LogLevel;

    #[test]
    fn an_entry_has_its_time_its_priority_and_who_said_it() {
        // As journalctl of systemd 252 writes it, shortened.
        let line = br#"{"_HOSTNAME":"h","PRIORITY":"3","__REALTIME_TIMESTAMP":"1769853600123456",
            "__CURSOR":"s=a;i=1","SYSLOG_IDENTIFIER":"sshd","_SYSTEMD_UNIT":"ssh.service",
            "_PID":"77","MESSAGE":"error: no","CODE_LINE":"12","_BOOT_ID":"b","SYSLOG_FACILITY":"4"}"#;
        let JournalEntry { cursor, draft } = read_journal(line).expect("an entry");
        assert_eq!(cursor, "s=a;i=1");
        assert_eq!(draft.time, Some(Timestamp::from_millis(1_769_853_600_123)));
        assert_eq!((draft.level, draft.source.as_str()), (Some(LogLevel::Error), "sshd"));
        assert_eq!(
            Value::Object(draft.metadata),
            serde_json::json!({"host":"h","pid":"77","unit":"ssh.service","code_line":"12"})
        );
    }

    #[test]
    fn a_message_of_bytes_and_a_field_with_several_values_are_read() {
        let line = br#"{"__CURSOR":"c","MESSAGE":[69,82,82,79,82,32,255,10],"PRIORITY":"6",
            "_SYSTEMD_UNIT":"app.service","TEAM":["a","b"],"BIG":null}"#;
        let draft = read_journal(line).expect("an entry").draft;
        assert_eq!(draft.message.as_deref(), Some("ERROR \u{fffd}\n"));
        assert_eq!((draft.level, draft.source.as_str()), (Some(LogLevel::Error), "app"));
        assert_eq!(draft.metadata["team"], "b");
        assert!(read_journal(b"{\"MESSAGE\":\"x\"}").is_err_and(|e| e.contains("__CURSOR")));
        assert!(read_journal(b"-- No entries --").is_err());
    }
}
