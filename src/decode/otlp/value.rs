//! Attribute values, and the texts that they become as label values.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::json::{optional_number, optional_whole};
use super::message::KeyValue;

/// `AnyValue`: one of several kinds.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "WireValue")]
pub(super) enum AnyValue {
    #[default]
    Empty,
    Text(String),
    Bool(bool),
    Integer(i64),
    Double(f64),
    Bytes(Vec<u8>),
    Array(Vec<AnyValue>),
    Map(Vec<KeyValue>),
}

/// The JSON form, whose field's name says the kind.
#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
struct WireValue {
    string_value: Option<String>,
    bool_value: Option<bool>,
    #[serde(deserialize_with = "optional_whole")]
    int_value: Option<i64>,
    #[serde(deserialize_with = "optional_number")]
    double_value: Option<f64>,
    /// Base64.
    bytes_value: Option<String>,
    array_value: Option<WireArray>,
    kvlist_value: Option<WireMap>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireArray {
    values: Vec<AnyValue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireMap {
    values: Vec<KeyValue>,
}

impl From<WireValue> for AnyValue {
    fn from(wire: WireValue) -> Self {
        let WireValue {
            string_value,
            bool_value,
            int_value,
            double_value,
            bytes_value,
            array_value,
            kvlist_value,
        } = wire;
        // What is no base64 stays as it is written: it is an attribute, and readable so.
        let bytes = |text: String| match STANDARD.decode(&text) {
            Ok(bytes) => AnyValue::Bytes(bytes),
            Err(_) => AnyValue::Text(text),
        };
        string_value
            .map(AnyValue::Text)
            .or(bool_value.map(AnyValue::Bool))
            .or(int_value.map(AnyValue::Integer))
            .or(double_value.map(AnyValue::Double))
            .or(bytes_value.map(bytes))
            .or(array_value.map(|array| AnyValue::Array(array.values)))
            .or(kvlist_value.map(|map| AnyValue::Map(map.values)))
            .unwrap_or_default()
    }
}

impl AnyValue {
    /// The value as a text: texts as they are, numbers as Go writes them, bytes as base64, arrays
    /// and maps as JSON (`Value.AsString` of the collector's `pdata`).
    pub(super) fn to_text(&self) -> String {
        match self {
            AnyValue::Empty => String::new(),
            AnyValue::Text(text) => text.clone(),
            AnyValue::Bool(value) => value.to_string(),
            AnyValue::Integer(value) => value.to_string(),
            AnyValue::Double(value) => double_text(*value),
            AnyValue::Bytes(bytes) => STANDARD.encode(bytes),
            AnyValue::Array(_) | AnyValue::Map(_) => {
                let mut out = String::new();
                self.push_json(&mut out);
                out
            }
        }
    }

    /// The value as JSON: bytes as base64, and numbers that JSON has no form for as texts.
    pub(super) fn into_json(self) -> Value {
        match self {
            AnyValue::Empty => Value::Null,
            AnyValue::Text(text) => Value::String(text),
            AnyValue::Bool(value) => Value::Bool(value),
            AnyValue::Integer(value) => Value::from(value),
            AnyValue::Double(value) => match serde_json::Number::from_f64(value) {
                Some(number) => Value::Number(number),
                None => Value::String(double_text(value)),
            },
            AnyValue::Bytes(bytes) => Value::String(STANDARD.encode(bytes)),
            AnyValue::Array(values) => values.into_iter().map(AnyValue::into_json).collect(),
            AnyValue::Map(pairs) => {
                pairs.into_iter().map(|pair| (pair.key, pair.value.into_json())).collect()
            }
        }
    }

    /// Go's `encoding/json`: keys sorted, and `<`, `>` and `&` escaped.
    fn push_json(&self, out: &mut String) {
        match self {
            AnyValue::Empty => out.push_str("null"),
            AnyValue::Text(text) => push_quoted(out, text),
            AnyValue::Bytes(bytes) => push_quoted(out, &STANDARD.encode(bytes)),
            AnyValue::Bool(_) | AnyValue::Integer(_) | AnyValue::Double(_) => {
                out.push_str(&self.to_text());
            }
            AnyValue::Array(values) => {
                out.push('[');
                for (place, value) in values.iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    value.push_json(out);
                }
                out.push(']');
            }
            AnyValue::Map(pairs) => {
                let mut sorted: Vec<&KeyValue> = pairs.iter().collect();
                sorted.sort_by(|a, b| a.key.cmp(&b.key));
                out.push('{');
                for (place, pair) in sorted.into_iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    push_quoted(out, &pair.key);
                    out.push(':');
                    pair.value.push_json(out);
                }
                out.push('}');
            }
        }
    }
}

fn push_quoted(out: &mut String, text: &str) {
    let quoted = serde_json::Value::from(text).to_string();
    for c in quoted.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            other => out.push(other),
        }
    }
}

/// The fewest digits that read back exactly; an exponent below 1e-6 and from 1e21 on.
fn double_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if value != 0.0 && (value.abs() < 1e-6 || value.abs() >= 1e21) {
        let text = format!("{value:e}");
        return if text.contains("e-") { text } else { text.replace('e', "e+") };
    }
    format!("{value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_json(text: &str) -> String {
        serde_json::from_str::<AnyValue>(text).expect("a value").to_text()
    }

    /// The forms are those that the collector's `pcommon.Value.AsString` documents.
    #[test]
    fn every_kind_of_value_becomes_a_text() {
        for (json, text) in [
            (r#"{"stringValue":"a\"b"}"#, "a\"b"),
            (r#"{"boolValue":true}"#, "true"),
            (r#"{"intValue":"-42"}"#, "-42"),
            (r#"{"intValue":7}"#, "7"),
            (r#"{"doubleValue":1.5}"#, "1.5"),
            (r#"{"doubleValue":3.0}"#, "3"),
            (r#"{"doubleValue":1e21}"#, "1e+21"),
            (r#"{"doubleValue":1e-7}"#, "1e-7"),
            (r#"{"doubleValue":"NaN"}"#, "NaN"),
            (r#"{"bytesValue":"AQID"}"#, "AQID"),
            (
                r#"{"arrayValue":{"values":[{"stringValue":"a<b"},{"intValue":1},{}]}}"#,
                r#"["a\u003cb",1,null]"#,
            ),
            (
                r#"{"kvlistValue":{"values":[{"key":"b","value":{"boolValue":false}},{"key":"a","value":{"doubleValue":0.5}}]}}"#,
                r#"{"a":0.5,"b":false}"#,
            ),
            (r#"{}"#, ""),
            (r#"{"someday":1}"#, ""),
        ] {
            assert_eq!(of_json(json), text, "{json}");
        }
    }
}
