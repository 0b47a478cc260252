//! How JavaScript takes one kind of value for another (ECMA-262, section 7.1), as far as JSON has
//! them.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Number, Value};

/// `value + ""`.
pub(super) fn text_of(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed("null"),
        Value::Bool(true) => Cow::Borrowed("true"),
        Value::Bool(false) => Cow::Borrowed("false"),
        Value::Number(number) => Cow::Owned(number_text(number)),
        Value::String(text) => Cow::Borrowed(text),
        Value::Array(list) => {
            let item = |value: &Value| match value {
                Value::Null => String::new(),
                other => text_of(other).into_owned(),
            };
            Cow::Owned(list.iter().map(item).collect::<Vec<_>>().join(","))
        }
        Value::Object(_) => Cow::Borrowed("[object Object]"),
    }
}

/// Numbers are doubles there: 3.0 is written as 3.
fn number_text(number: &Number) -> String {
    let double = number.as_f64().unwrap_or(f64::NAN);
    // Up to here it writes whole numbers out.
    if double.fract() == 0.0 && double.abs() < 1e21 {
        // Adding 0 makes -0 a 0, which it writes without the sign.
        return format!("{:.0}", double + 0.0);
    }
    number.to_string()
}

/// `value * 1`; NaN for what is no number. -0 is 0.
pub(super) fn number_of(value: &Value) -> f64 {
    let number = match value {
        Value::Null => 0.0,
        Value::Bool(flag) => f64::from(u8::from(*flag)),
        Value::Number(number) => number.as_f64().unwrap_or(f64::NAN),
        Value::String(text) => number_of_text(text),
        Value::Array(_) => number_of_text(&text_of(value)),
        Value::Object(_) => f64::NAN,
    };
    number + 0.0
}

fn number_of_text(text: &str) -> f64 {
    let text = text.trim();
    if text.is_empty() {
        return 0.0;
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        let lower = text.to_ascii_lowercase();
        if let Some(digits) = lower.strip_prefix(prefix) {
            return u64::from_str_radix(digits, radix).map_or(f64::NAN, |whole| whole as f64);
        }
    }
    // Rust reads words besides (`inf`, `nan`); JavaScript one of its own.
    match text.trim_start_matches(['+', '-']) {
        "Infinity" => text.parse().unwrap_or(f64::NAN),
        rest if rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
            text.parse().unwrap_or(f64::NAN)
        }
        _ => f64::NAN,
    }
}

/// `!!value`.
pub(super) fn truth_of(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

/// Whether two values are the same: of the same type, numbers by their value, lists and objects
/// by what is in them.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let fits = |(name, value): (&String, &Value)| {
                b.get(name).is_some_and(|other| same(value, other))
            };
            a.len() == b.len() && a.iter().all(fits)
        }
        _ => a == b,
    }
}

/// `a < b` and the like: texts by their UTF-16 code units, all else as numbers; `None` where one
/// is no number.
pub(super) fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    let textual = |value: &Value| matches!(value, Value::String(_) | Value::Array(_));
    if textual(a) && textual(b) {
        return Some(text_of(a).encode_utf16().cmp(text_of(b).encode_utf16()));
    }
    number_of(a).partial_cmp(&number_of(b))
}

/// `typeof`, with `null` and `array` told apart.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
