//! What a database answered, for conditions.

use serde_json::{Map, Value};

use super::attempt::Attempt;

/// A row: columns by name, in their order.
pub(super) type Row = Vec<(String, Value)>;

/// One value as JSON: a number if its column is one and JSON can say it, a text otherwise.
pub(super) fn cell(text: &[u8], numeric: bool) -> Value {
    let text = String::from_utf8_lossy(text);
    if numeric {
        // Whole numbers stay exact.
        if let Ok(number) = text.parse::<i64>() {
            return number.into();
        }
        if let Some(number) = text.parse().ok().and_then(serde_json::Number::from_f64) {
            return number.into();
        }
    }
    text.into_owned().into()
}

/// Notes an answer: the first row as body (a JSON object by column), its first value as `VALUE` if
/// it is a number, and how many rows there were as `ROWS`, if all of them came.
pub(super) fn show_row(attempt: &mut Attempt, rows: usize, all_rows: bool, first: Option<Row>) {
    if all_rows {
        attempt.seen.values.insert("ROWS".to_owned(), rows as f64);
    } else {
        attempt.note("rows", format!("more than {rows}; the rest was not read"));
    }
    let Some(first) = first else { return };
    if let Some(number) = first.first().and_then(|(_, value)| number(value)) {
        attempt.seen.values.insert("VALUE".to_owned(), number);
    }
    let object: Map<String, Value> = first.into_iter().collect();
    attempt.seen.body = Value::Object(object).to_string().into_bytes();
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(yes) => Some(f64::from(u8::from(*yes))),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        other => other.as_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_exact_and_the_rest_is_text() {
        assert_eq!(cell(b"9007199254740993", true), Value::from(9_007_199_254_740_993_i64));
        assert_eq!(cell(b"1.5", true), Value::from(1.5));
        assert_eq!(cell(b"NaN", true), Value::from("NaN"));
        assert_eq!(cell(b"12", false), Value::from("12"));
    }
}
