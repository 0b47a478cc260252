//! Compares two answers.

use std::collections::BTreeMap;

use serde_json::Value;

/// The first way in which two answers differ; printed where it counts.
#[derive(Clone, Debug)]
#[allow(dead_code)]
pub(crate) enum Difference {
    /// Only one side failed, or both with different errors: type and message, cleaned.
    Failed { ours: Option<String>, theirs: Option<String> },
    /// The result is of another type.
    Kind { ours: String, theirs: String },
    /// A series that only one side has.
    Series { labels: String, only_ours: bool },
    /// A time at which only one side has a value.
    Time { labels: String, at: String, only_ours: bool },
    /// A value.
    Value { labels: String, at: String, ours: f64, theirs: f64 },
}

/// Series by their labels; values by their time.
type Result = BTreeMap<String, Vec<(String, f64)>>;

fn result(answer: &Value) -> Result {
    let parse = |value: &Value| -> (String, f64) {
        (value[0].to_string(), value[1].as_str().and_then(|v| v.parse().ok()).expect("a value"))
    };
    let data = &answer["data"]["result"];
    if answer["data"]["resultType"] == "string" {
        return Result::from([(data[1].to_string(), vec![(data[0].to_string(), 0.0)])]);
    }
    if answer["data"]["resultType"] == "scalar" {
        return Result::from([("scalar".to_owned(), vec![parse(data)])]);
    }
    let series = data.as_array().expect("a list").iter().map(|one| {
        let labels: BTreeMap<String, String> =
            serde_json::from_value(one["metric"].clone()).expect("labels");
        let values = match one.get("values") {
            Some(values) => values.as_array().expect("a list").iter().map(parse).collect(),
            None => vec![parse(&one["value"])],
        };
        (format!("{labels:?}"), values)
    });
    series.collect()
}

/// Equal to the last bit (all NaN are one), or apart by no more than additions in another order
/// explain; where they cancel each other out, that is what is left of values of about 1.
fn equal(exact: bool, a: f64, b: f64) -> bool {
    let greater = a.abs().max(b.abs());
    a == b
        || (a.is_nan() && b.is_nan())
        || (!exact && ((a - b).abs() <= 1e-9 * greater || greater < 1e-12))
}

/// Type and message of an error, without the label sets in it: which of several series is named
/// depends on the order in which a store has them.
fn error(answer: &Value) -> Option<String> {
    if answer["status"] == "success" {
        return None;
    }
    let message = answer["error"].as_str().unwrap_or("");
    let mut out = format!("{}: ", answer["errorType"].as_str().unwrap_or("?"));
    let mut depth = 0;
    for character in message.chars() {
        depth += i32::from(character == '{');
        if depth == 0 {
            out.push(character);
        }
        depth -= i32::from(character == '}');
    }
    Some(out)
}

/// The first difference between two answers of the API. `exact`: to the last bit.
pub(crate) fn difference(exact: bool, ours: &Value, theirs: &Value) -> Option<Difference> {
    let failed = (error(ours), error(theirs));
    match failed {
        (None, None) => {}
        (ours, theirs) => return (ours != theirs).then_some(Difference::Failed { ours, theirs }),
    }
    let kind = |answer: &Value| answer["data"]["resultType"].to_string();
    if kind(ours) != kind(theirs) {
        return Some(Difference::Kind { ours: kind(ours), theirs: kind(theirs) });
    }
    let (ours, theirs) = (result(ours), result(theirs));
    for labels in ours.keys().chain(theirs.keys()) {
        let (Some(a), Some(b)) = (ours.get(labels), theirs.get(labels)) else {
            let only_ours = ours.contains_key(labels);
            return Some(Difference::Series { labels: labels.clone(), only_ours });
        };
        let labels = labels.clone();
        let mut b = b.iter().peekable();
        for (at, ours) in a {
            match b.next() {
                Some((other, theirs)) if other == at => {
                    if !equal(exact, *ours, *theirs) {
                        let (ours, theirs, at) = (*ours, *theirs, at.clone());
                        return Some(Difference::Value { labels, at, ours, theirs });
                    }
                }
                other => {
                    // The earlier of the two times is on one side only.
                    let seconds = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
                    let theirs = other.map(|(at, _)| at.clone());
                    let earlier = theirs.filter(|other| seconds(other) < seconds(at));
                    let only_ours = earlier.is_none();
                    let at = earlier.unwrap_or_else(|| at.clone());
                    return Some(Difference::Time { labels, at, only_ours });
                }
            }
        }
        if let Some((at, _)) = b.next() {
            return Some(Difference::Time { labels, at: at.clone(), only_ours: false });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(values: &Value) -> Value {
        let result = json!([{"metric": {"a": "1"}, "values": values}]);
        json!({"status": "success", "data": {"resultType": "matrix", "result": result}})
    }

    #[test]
    fn differences_are_found() {
        let whole = answer(&json!([[1, "1"], [2, "2"]]));
        assert!(difference(true, &whole, &whole).is_none());
        let shorter = answer(&json!([[2, "2"]]));
        let found = difference(true, &whole, &shorter);
        assert!(matches!(found, Some(Difference::Time { at, only_ours: true, .. }) if at == "1"));
        let found = difference(true, &shorter, &whole);
        assert!(matches!(found, Some(Difference::Time { at, only_ours: false, .. }) if at == "1"));
        let nearly = answer(&json!([[1, "1"], [2, "2.0000000000000004"]]));
        let found = difference(true, &whole, &nearly);
        assert!(matches!(found, Some(Difference::Value { .. })));
        assert!(difference(false, &whole, &nearly).is_none());
        let failed = json!({"status": "error", "errorType": "execution", "error": "a {b=\"1\"} c"});
        let alike = json!({"status": "error", "errorType": "execution", "error": "a {b=\"2\"} c"});
        assert!(difference(true, &failed, &alike).is_none());
        assert!(matches!(difference(true, &failed, &whole), Some(Difference::Failed { .. })));
    }
}
