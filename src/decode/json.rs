//! Our own JSON samples: `{"samples":[…]}`, one sample, an array of samples, or one of these per
//! line (NDJSON).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::admit::{Reason, Refusals, TimeBounds, admit_labels};
use crate::config::Limits;
use crate::model::{METRIC_NAME, MetricType, Row, Timestamp};

/// What was in a body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JsonBatch {
    /// The samples that may come in.
    pub rows: Vec<Row>,
    /// The types that samples named, by metric, the last one winning.
    pub kinds: BTreeMap<String, MetricType>,
    /// The samples that may not, by their place in the body counted from 0.
    pub refusals: Refusals,
}

/// Why a body as a whole is not JSON samples.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON.
    #[error("line {line}, column {column}: {what}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What the JSON reader says.
        what: String,
    },
    /// JSON, but of another shape.
    #[error(
        "expected an object with \"name\" and \"value\", an array of such, or \
         {{\"samples\":[…]}}; found {found}"
    )]
    Shape {
        /// What was found instead.
        found: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSample {
    name: String,
    value: Value,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    at: Option<Value>,
}

/// Reads a body. A sample without `at` gets `now`; every sample is held against the limits and
/// the bounds, and a bad one does not keep a good one out.
pub fn read_samples(
    body: &[u8],
    now: Timestamp,
    limits: &Limits,
    bounds: &TimeBounds,
) -> Result<JsonBatch, JsonError> {
    let mut batch = JsonBatch::default();
    let mut index = 0;
    for document in serde_json::Deserializer::from_slice(body).into_iter::<Value>() {
        let document = document.map_err(|error| JsonError::Syntax {
            line: error.line(),
            column: error.column(),
            what: error.to_string(),
        })?;
        for sample in samples_of(document)? {
            read_one(sample, now, limits, bounds).map_or_else(
                |(name, reason)| {
                    let what = || match name {
                        Some(name) => format!("sample {index} ({name})"),
                        None => format!("sample {index}"),
                    };
                    batch.refusals.add(1, what, reason);
                },
                |(row, kind)| {
                    if let (Some(kind), Some(name)) = (kind, row.labels.metric_name()) {
                        batch.kinds.insert(name.to_owned(), kind);
                    }
                    batch.rows.push(row);
                },
            );
            index += 1;
        }
    }
    Ok(batch)
}

fn samples_of(document: Value) -> Result<Vec<Value>, JsonError> {
    match document {
        Value::Array(samples) => Ok(samples),
        Value::Object(mut object) if object.contains_key("samples") => {
            match object.remove("samples") {
                Some(Value::Array(samples)) if object.is_empty() => Ok(samples),
                Some(Value::Array(_)) => {
                    Err(JsonError::Shape { found: "other keys beside \"samples\"" })
                }
                _ => Err(JsonError::Shape { found: "\"samples\" that is not an array" }),
            }
        }
        Value::Object(object) => Ok(vec![Value::Object(object)]),
        Value::Null => Err(JsonError::Shape { found: "null" }),
        Value::Bool(_) => Err(JsonError::Shape { found: "a boolean" }),
        Value::Number(_) => Err(JsonError::Shape { found: "a number" }),
        Value::String(_) => Err(JsonError::Shape { found: "a string" }),
    }
}

type Unfit = (Option<String>, Reason);

fn read_one(
    sample: Value,
    now: Timestamp,
    limits: &Limits,
    bounds: &TimeBounds,
) -> Result<(Row, Option<MetricType>), Unfit> {
    let sample: WireSample = serde_json::from_value(sample)
        .map_err(|error| (None, Reason::Malformed(error.to_string())))?;
    let WireSample { name, value, labels, kind, at } = sample;
    let fit = || {
        let malformed = |text: String| Err(Reason::Malformed(text));
        let value = match read_value(&value) {
            Some(value) => value,
            None => return malformed(format!("value {value} is not a number")),
        };
        let at = match &at {
            None | Some(Value::Null) => now,
            Some(at) => match read_time(at) {
                Some(at) => at,
                None => {
                    return malformed(format!(
                        "at {at} is neither RFC 3339 nor Unix milliseconds as a whole number"
                    ));
                }
            },
        };
        let kind = match kind.as_deref() {
            None => None,
            Some(text) => match MetricType::from_name(text) {
                Some(kind) => Some(kind),
                None => return malformed(format!("type {text:?} is not a metric type")),
            },
        };
        bounds.admit(at)?;
        if labels.contains_key(METRIC_NAME) {
            return Err(Reason::DuplicateLabel(METRIC_NAME.to_owned()));
        }
        let mut pairs: Vec<(&str, &str)> = vec![(METRIC_NAME, &name)];
        pairs.extend(labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        Ok((Row { labels: admit_labels(&pairs, limits)?, at, value: value.into() }, kind))
    };
    fit().map_err(|reason| (Some(name.clone()), reason))
}

/// A JSON number, or what JSON has no number for as text: `NaN`, `+Inf`, `-Inf`, `Inf`.
fn read_value(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "+Inf" | "Inf" => Some(f64::INFINITY),
            "-Inf" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

fn read_time(at: &Value) -> Option<Timestamp> {
    match at {
        Value::Number(millis) => millis.as_i64().map(Timestamp::from_millis),
        Value::String(text) => {
            let time: jiff::Timestamp = text.parse().ok()?;
            Some(Timestamp::from_millis(time.as_millisecond()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Labels;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn read(body: &str) -> Result<JsonBatch, JsonError> {
        let limits = Limits::default();
        let bounds = TimeBounds::new(NOW, Timestamp::from_millis(0), &limits);
        read_samples(body.as_bytes(), NOW, &limits, &bounds)
    }

    fn row(name: &str, value: f64, at: Timestamp) -> Row {
        let labels = Labels::from_pairs([("__name__", name)]).expect("valid");
        Row { labels, at, value: value.into() }
    }

    #[test]
    fn every_shape_gives_the_same_samples() {
        let one = r#"{"name":"a","value":1}"#;
        let two = r#"{"name":"b","value":2.5}"#;
        for body in [
            format!(r#"{{"samples":[{one},{two}]}}"#),
            format!("[{one},{two}]"),
            format!("{one}\n{two}\n"),
            format!("[{one}]\n{{\"samples\":[{two}]}}"),
        ] {
            let batch = read(&body).expect("valid");
            assert_eq!(batch.rows, [row("a", 1.0, NOW), row("b", 2.5, NOW)], "{body}");
        }
        assert_eq!(read(one).expect("valid").rows.len(), 1);
        assert_eq!(read("").expect("nothing is nothing").rows, []);
    }

    #[test]
    fn a_sample_has_labels_a_type_and_a_time() {
        let batch = read(
            r#"[{"name":"queue_depth","value":42,"labels":{"job":"orders"},"type":"gauge",
                 "at":"2026-09-21T15:53:20.250+02:00"},
                {"name":"queue_depth","value":"-Inf","at":1500}]"#,
        )
        .expect("valid");
        assert_eq!(batch.rows[0].labels.get("job"), Some("orders"));
        // By `date -u -d 2026-09-21T15:53:20+02:00 +%s`.
        assert_eq!(batch.rows[0].at, Timestamp::from_millis(1_789_998_800_250));
        assert_eq!(batch.rows[1].at, Timestamp::from_millis(1500));
        assert_eq!(batch.rows[1].value.as_float(), Some(f64::NEG_INFINITY));
        assert_eq!(batch.kinds["queue_depth"], MetricType::Gauge);
    }

    #[test]
    fn a_bad_sample_is_named_and_the_good_ones_are_kept() {
        let batch = read(
            r#"[{"name":"a","value":1},
                {"name":"b","value":"many"},
                {"name":"","value":1},
                {"value":1},
                {"name":"c","value":1,"label":{}},
                {"name":"d","value":1,"at":"yesterday"},
                {"name":"e","value":1,"at":1.5},
                {"name":"f","value":1,"at":-1},
                {"name":"g","value":1,"type":"dial"},
                {"name":"h","value":1,"labels":{"__name__":"i"}},
                7,
                {"name":"z","value":1}]"#,
        )
        .expect("valid JSON");
        assert_eq!(batch.rows, [row("a", 1.0, NOW), row("z", 1.0, NOW)]);
        assert_eq!(batch.refusals.total(), 10);
        let first = batch.refusals.kept()[0].to_string();
        assert!(first.starts_with("sample 1 (b): value \"many\" is not a number"), "{first}");
    }

    #[test]
    fn a_bad_sample_is_refused_with_its_reason() {
        for (sample, reason) in [
            (r#"{"name":"","value":1}"#, "no metric name"),
            (r#"{"name":"c","value":1,"label":{}}"#, "unknown field `label`"),
            (r#"{"name":"e","value":1,"at":-1}"#, "retention.raw"),
            ("[7]", "sample 0:"),
        ] {
            let batch = read(sample).expect("valid JSON");
            let text = batch.refusals.kept()[0].to_string();
            assert!(text.contains(reason), "{sample}: {text}");
        }
    }

    #[test]
    fn what_is_not_json_or_not_samples_is_refused_as_a_whole() {
        let error = read("{\"name\":\"a\",\n\"value\":}").expect_err("broken");
        assert!(error.to_string().starts_with("line 2, column 9"), "{error}");
        for body in ["null", "\"a\"", "{\"samples\":1}", "{\"samples\":[],\"more\":1}"] {
            assert!(matches!(read(body), Err(JsonError::Shape { .. })), "{body}");
        }
    }
}
