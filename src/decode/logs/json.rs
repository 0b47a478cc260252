//! Our own JSON: `{"logs":[…]}`, an array of lines, one line, or one of these per line (NDJSON).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::draft::{Draft, LogBounds};
use super::{LogBatch, LogsError, check_values};
use crate::model::LogLine;

/// Reads a body. Each line is an object with `message` and whatever else it has to say; names in
/// use elsewhere are understood (see [`Draft::field`]), and what has no known name becomes
/// metadata. A bad line does not keep a good one out.
///
/// A body whose first line of text is a JSON object of its own, with more after it, is NDJSON: a
/// line that is no JSON is refused by its place. `by_lines` says so from the start
/// (`Content-Type: application/x-ndjson`).
///
/// # Errors
///
/// When the body is not JSON, or JSON of another shape, or has too many lines.
pub fn read_json(body: &[u8], by_lines: bool, bounds: &LogBounds) -> Result<LogBatch, LogsError> {
    check_values(body)?;
    let mut reader = Reader { batch: LogBatch::default(), bounds, fatal: None };
    if by_lines || is_by_lines(body) {
        for line in body.split(|byte| *byte == b'\n') {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let mut one = serde_json::Deserializer::from_slice(line);
            let read = (&mut reader).deserialize(&mut one).and_then(|()| one.end());
            if let Err(error) = read {
                let reason = match reader.fatal.take() {
                    None => format!("is no JSON: {error}"),
                    Some(LogsError::Shape(reason)) => reason,
                    Some(fatal) => return Err(fatal),
                };
                reader.batch.push(Err(reason))?;
            }
        }
        return Ok(reader.batch);
    }
    let mut all = serde_json::Deserializer::from_slice(body);
    while all.end().is_err() {
        if let Err(error) = (&mut reader).deserialize(&mut all) {
            return Err(reader.fatal.take().unwrap_or_else(|| LogsError::syntax(&error)));
        }
    }
    Ok(reader.batch)
}

/// Whether the first line of text is an object by itself, and not all there is.
fn is_by_lines(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    let Some(end) = body.iter().position(|byte| *byte == b'\n') else { return false };
    body.first() == Some(&b'{')
        && serde_json::from_slice::<serde::de::IgnoredAny>(&body[..end]).is_ok()
}

/// Takes lines as they are read, so that no tree of the whole body is ever held.
struct Reader<'b> {
    batch: LogBatch,
    bounds: &'b LogBounds,
    /// What ends everything, as serde's errors are texts.
    fatal: Option<LogsError>,
}

impl Reader<'_> {
    fn push<E: serde::de::Error>(&mut self, line: Result<LogLine, String>) -> Result<(), E> {
        self.batch.push(line).map_err(|error| self.fail(error))
    }

    fn fail<E: serde::de::Error>(&mut self, error: LogsError) -> E {
        let text = E::custom(&error);
        self.fatal = Some(error);
        text
    }

    fn shape<E: serde::de::Error>(&mut self, found: &str) -> E {
        self.fail(LogsError::Shape(format!(
            "expected a line like {{\"level\":\"error\",\"message\":\"…\"}}, an array of such, or \
             {{\"logs\":[…]}}; found {found}"
        )))
    }
}

/// A document: an array, `{"logs":[…]}`, or a line.
impl<'de> DeserializeSeed<'de> for &mut Reader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Reader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("log lines")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        List(self).visit_seq(seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some(first) = map.next_key::<String>()? else {
            let line = Draft::default().finish(self.bounds);
            return self.push(line);
        };
        if first != "logs" {
            let line = line_of(map, Some(first))?.and_then(|draft| draft.finish(self.bounds));
            return self.push(line);
        }
        map.next_value_seed(List(&mut *self))?;
        match map.next_key::<String>()? {
            None => Ok(()),
            Some(_) => Err(self.shape("other keys beside \"logs\"")),
        }
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Err(self.shape("null"))
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        Err(self.shape("a boolean"))
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        Err(self.shape("a number"))
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        Err(self.shape("a number"))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        Err(self.shape("a number"))
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        Err(self.shape("a text"))
    }
}

/// The lines of an array.
struct List<'r, 'b>(&'r mut Reader<'b>);

impl<'de> DeserializeSeed<'de> for List<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of log lines")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let reader = self.0;
        while let Some(draft) = seq.next_element_seed(One)? {
            let line = draft.and_then(|draft| draft.finish(reader.bounds));
            reader.push(line)?;
        }
        Ok(())
    }
}

/// One line of an array, or why it is none.
struct One;

type Read = Result<Draft, String>;

impl<'de> DeserializeSeed<'de> for One {
    type Value = Read;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Read, D::Error> {
        deserializer.deserialize_any(self)
    }
}

fn no_object(found: &str) -> Read {
    Err(format!("is {found}; write an object like {{\"level\":\"error\",\"message\":\"…\"}}"))
}

impl<'de> Visitor<'de> for One {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a log line")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Read, A::Error> {
        line_of(map, None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Read, A::Error> {
        while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
        Ok(no_object("an array"))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Read, E> {
        Ok(no_object("null"))
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Read, E> {
        Ok(no_object("a boolean"))
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Read, E> {
        Ok(no_object("a number"))
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Read, E> {
        Ok(no_object("a number"))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Read, E> {
        Ok(no_object("a number"))
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Read, E> {
        Ok(no_object("a text"))
    }
}

/// Reads the fields of a line to the end, also behind a bad one. `first` is a key that was read.
fn line_of<'de, A: MapAccess<'de>>(
    mut map: A,
    mut first: Option<String>,
) -> Result<Read, A::Error> {
    let mut draft = Draft::default();
    let mut fault = None;
    loop {
        let next = match first.take() {
            Some(name) => Some(name),
            None => map.next_key::<String>()?,
        };
        let Some(name) = next else { break };
        let value: Value = map.next_value()?;
        let taken = match value {
            Value::Object(inner) if name == "metadata" => {
                draft.metadata.extend(inner);
                Ok(())
            }
            Value::Null if name == "metadata" => Ok(()),
            _ if name == "metadata" => Err("metadata: is no object; write {…}".to_owned()),
            value => draft.field(&name, value),
        };
        if let Err(reason) = taken {
            fault.get_or_insert(reason);
        }
    }
    Ok(match fault {
        Some(reason) => Err(reason),
        None => Ok(draft),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::logs::LINES_MAX;
    use crate::model::{LogLevel, LogMetadata, Timestamp};

    const NOW: Timestamp = Timestamp::from_millis(1_769_853_600_000);

    fn read(body: &str) -> Result<LogBatch, LogsError> {
        read_json(body.as_bytes(), false, &LogBounds::new(NOW, 86_400_000, 600))
    }

    fn messages(body: &str) -> Vec<String> {
        let batch = read(body).expect("readable");
        assert!(batch.refused.is_empty(), "{:?}", batch.refused);
        batch.lines.into_iter().map(|line| line.message).collect()
    }

    #[test]
    fn every_shape_gives_the_same_lines() {
        let (a, b) = (r#"{"message":"a"}"#, r#"{"message":"b","level":"warn"}"#);
        for body in [
            format!(r#"{{"logs":[{a},{b}]}}"#),
            format!("[{a},{b}]"),
            format!("{a}\n{b}\n"),
            format!("{a}\r\n\r\n{b}"),
            format!("{a} {b}"),
            format!("[{a}]\n{{\"logs\":[{b}]}}"),
            format!("{{\"logs\":[{a}]}}\n[{b}]"),
            format!("{{\n \"logs\": [\n  {a},\n  {b}\n ]\n}}"),
        ] {
            assert_eq!(messages(&body), ["a", "b"], "{body}");
        }
        assert_eq!(messages(a), ["a"]);
        assert_eq!(messages(""), [""; 0]);
        assert_eq!(messages(r#"{"logs":[]}"#), [""; 0]);
    }

    #[test]
    fn a_line_has_all_its_fields_and_the_rest_is_metadata() {
        let batch = read(
            r#"{"logs":[{"time":"2026-01-31T09:59:59.250Z","level":"error","message":"no",
                "source":"api","feature":"checkout","environment":"production","trace_id":"t",
                "user_id":7,"metadata":{"a":{"b":1}},"took_ms":12.5}]}"#,
        )
        .expect("readable");
        let expected = LogLine {
            time: NOW.plus_millis(-750),
            level: LogLevel::Error,
            message: "no".to_owned(),
            source: "api".to_owned(),
            feature: "checkout".to_owned(),
            environment: "production".to_owned(),
            trace_id: "t".to_owned(),
            user_id: "7".to_owned(),
            metadata: LogMetadata::from_stored(r#"{"a":{"b":1},"took_ms":12.5}"#.to_owned()),
        };
        assert_eq!(batch.lines, [expected]);
    }

    #[test]
    fn a_bad_line_is_refused_by_its_place_and_keeps_no_good_one_out() {
        let batch = read(
            r#"[{"message":"a"},{"level":"loud","message":"b"},7,{"level":"info"},
                {"message":"c","time":"soon"},{"message":"d","metadata":1},{"message":"e",
                "time":1},["x"],{"message":"z"}]"#,
        )
        .expect("readable");
        assert_eq!(batch.lines.len(), 2);
        for ((place, reason), (expected, part)) in batch.refused.iter().zip([
            (1, "level: \"loud\" is no level"),
            (2, "is a number"),
            (3, "message: is missing"),
            (4, "time: \"soon\" is neither"),
            (5, "metadata: is no object"),
            (6, "logs.retention"),
            (7, "is an array"),
        ]) {
            assert_eq!(*place, expected);
            assert!(reason.contains(part), "{reason}");
        }
        assert_eq!(batch.refused.len(), 7);
    }

    #[test]
    fn a_broken_line_of_ndjson_is_refused_alone() {
        let batch =
            read("{\"message\":\"a\"}\n{\"message\":\n{\"message\":\"b\"} x\n7\n").expect("read");
        // What stood before the x was a line of its own.
        assert_eq!(batch.lines.len(), 2);
        let places: Vec<usize> = batch.refused.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, [1, 3, 4], "{:?}", batch.refused);
        let by_lines = read_json(b"oops\n{\"message\":\"b\"}", true, &LogBounds::new(NOW, 1, 1));
        assert_eq!(by_lines.expect("read").refused[0].0, 0);
    }

    #[test]
    fn what_is_no_json_or_of_another_shape_is_refused_as_a_whole() {
        let error = |body: &str| read(body).expect_err("refused").to_string();
        assert!(
            error("{\"message\":").starts_with("line 1, column 11"),
            "{}",
            error("{\"message\":")
        );
        for body in ["7", "null", "\"a\"", r#"{"logs":[],"more":1}"#] {
            assert!(error(body).starts_with("expected a line like"), "{}", error(body));
        }
        assert!(error(r#"{"logs":7}"#).contains("an array of log lines"));
        let many = format!("[{}{{}}]", "{},".repeat(LINES_MAX));
        assert_eq!(read(&many), Err(LogsError::TooMany));
    }
}
