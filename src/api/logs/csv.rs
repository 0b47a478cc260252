//! Log lines as comma-separated values (RFC 4180).

use crate::model::StoredLine;

/// The first line: what the columns are.
pub(super) const HEADER: &str =
    "time,level,source,feature,environment,trace_id,user_id,message,metadata,id\r\n";

/// Appends one line.
pub(super) fn push_line(out: &mut String, stored: &StoredLine) {
    let line = &stored.line;
    out.push_str(&line.time.to_string());
    out.push(',');
    out.push_str(line.level.as_str());
    for text in [
        &line.source,
        &line.feature,
        &line.environment,
        &line.trace_id,
        &line.user_id,
        &line.message,
    ] {
        out.push(',');
        push_field(out, text);
    }
    out.push(',');
    push_field(out, line.metadata.as_json());
    out.push(',');
    push_field(out, &stored.id.to_string());
    out.push_str("\r\n");
}

/// Appends a field: in quotes where it has a comma, a quote or a line break (RFC 4180, section 2).
///
/// Spreadsheets take a field that begins like a formula for one, in quotes or not, and log lines
/// are written by anybody: an apostrophe in front makes it a text (OWASP, "CSV Injection").
fn push_field(out: &mut String, text: &str) {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let quoted = formula || text.contains([',', '"', '\r', '\n']);
    if !quoted {
        out.push_str(text);
        return;
    }
    out.push('"');
    if formula {
        out.push('\'');
    }
    for (place, part) in text.split('"').enumerate() {
        if place > 0 {
            out.push_str("\"\"");
        }
        out.push_str(part);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LogId, LogLine, LogMetadata, Timestamp};

    fn field(text: &str) -> String {
        let mut out = String::new();
        push_field(&mut out, text);
        out
    }

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        for (text, expected) in [
            ("plain", "plain"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("say \"a\"", "\"say \"\"a\"\"\""),
            ("two\nlines", "\"two\nlines\""),
        ] {
            assert_eq!(field(text), expected);
        }
    }

    #[test]
    fn nothing_is_taken_for_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"] {
            assert!(field(text).starts_with("\"'"), "{text:?}");
        }
        assert_eq!(field("=\"a\""), "\"'=\"\"a\"\"\"");
        assert_eq!(field("1=1"), "1=1");
    }

    #[test]
    fn a_line_has_as_many_columns_as_the_header() {
        let time = Timestamp::from_millis(1_767_225_600_000);
        let line = LogLine {
            time,
            message: "slow".to_owned(),
            source: "db".to_owned(),
            metadata: LogMetadata::from_stored(r#"{"a":1}"#.to_owned()),
            ..LogLine::default()
        };
        let mut out = String::new();
        push_line(&mut out, &StoredLine { id: LogId { time, number: 3 }, line });
        let expected = "2026-01-01T00:00:00.000Z,info,db,,,,,slow,\"{\"\"a\"\":1}\",\
                        1767225600000-3\r\n";
        assert_eq!(out, expected);
        assert_eq!(HEADER.matches(',').count(), 9);
    }
}
