//! Outcomes: `{"outcomes":[…]}`, one outcome, an array of outcomes, or one of these per line
//! (NDJSON).

use serde::Deserialize;
use serde_json::Value;

use crate::model::Outcome;

/// What was in a body, in its order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutcomeBatch {
    /// The outcomes that have the right form.
    pub outcomes: Vec<Outcome>,
    /// Their places among all that the body has, counted from 0.
    pub places: Vec<usize>,
    /// Those that have not, by their place, and why.
    pub refused: Vec<(usize, String)>,
}

impl OutcomeBatch {
    /// How many outcomes the body has.
    pub fn len(&self) -> usize {
        self.places.len() + self.refused.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn push(&mut self, value: Value) {
        let place = self.len();
        match Outcome::deserialize(value) {
            Ok(outcome) => {
                self.outcomes.push(outcome);
                self.places.push(place);
            }
            Err(error) => self.refused.push((place, error.to_string())),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    outcomes: Vec<Outcome>,
}

/// Reads a body. An outcome of the wrong form does not keep a good one out.
///
/// # Errors
///
/// When the body is not JSON, or JSON of another shape; says where.
pub fn read_outcomes(body: &[u8]) -> Result<OutcomeBatch, String> {
    // The usual case in one go: a tree of values in between would take half of the time.
    if let Ok(Whole { outcomes }) = serde_json::from_slice(body) {
        let places = (0..outcomes.len()).collect();
        return Ok(OutcomeBatch { outcomes, places, refused: Vec::new() });
    }
    let mut batch = OutcomeBatch::default();
    for document in serde_json::Deserializer::from_slice(body).into_iter::<Value>() {
        let syntax = |error: serde_json::Error| {
            format!("line {}, column {}: {error}", error.line(), error.column())
        };
        match document.map_err(syntax)? {
            Value::Array(all) => all.into_iter().for_each(|one| batch.push(one)),
            Value::Object(mut object) => match object.remove("outcomes") {
                Some(Value::Array(all)) if object.is_empty() => {
                    all.into_iter().for_each(|one| batch.push(one));
                }
                Some(other) if object.is_empty() => return Err(shape(&other)),
                Some(other) => {
                    // Whatever it is, `outcomes` is no field of an outcome: the error says so.
                    object.insert("outcomes".to_owned(), other);
                    batch.push(Value::Object(object));
                }
                None => batch.push(Value::Object(object)),
            },
            other => return Err(shape(&other)),
        }
    }
    Ok(batch)
}

fn shape(instead: &Value) -> String {
    let found = match instead {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    format!(
        "expected an outcome like {{\"feature\":\"search\",\"ok\":true,\"latency_ms\":12}}, an \
         array of such, or {{\"outcomes\":[…]}}; found {found}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(body: &str) -> Vec<String> {
        let batch = read_outcomes(body.as_bytes()).expect("readable");
        assert!(batch.refused.is_empty(), "{:?}", batch.refused);
        batch.outcomes.iter().map(|o| o.feature.clone().expect("a feature").to_string()).collect()
    }

    #[test]
    fn outcomes_come_in_four_shapes() {
        assert_eq!(features(r#"{"feature":"a"}"#), ["a"]);
        assert_eq!(features(r#"[{"feature":"a"},{"feature":"b"}]"#), ["a", "b"]);
        assert_eq!(features(r#"{"outcomes":[{"feature":"a"},{"feature":"b"}]}"#), ["a", "b"]);
        let lines =
            "{\"feature\":\"a\"}\n{\"feature\":\"b\"}\n\n{\"outcomes\":[{\"feature\":\"c\"}]}\n";
        assert_eq!(features(lines), ["a", "b", "c"]);
        assert_eq!(features(""), [""; 0]);
    }

    #[test]
    fn a_bad_outcome_is_refused_by_its_place_and_keeps_no_good_one_out() {
        let body =
            r#"{"outcomes":[{"feature":"a"},{"feature":"A b"},{"feature":"c","latency":1}]}"#;
        let batch = read_outcomes(body.as_bytes()).expect("readable");
        assert_eq!((batch.outcomes.len(), batch.places.as_slice()), (1, [0].as_slice()));
        assert_eq!(batch.refused[0].0, 1);
        assert!(batch.refused[0].1.contains("is not a name"), "{}", batch.refused[0].1);
        assert_eq!(batch.refused[1].0, 2);
        assert!(batch.refused[1].1.contains("unknown field `latency`"), "{}", batch.refused[1].1);
    }

    #[test]
    fn what_is_no_json_or_of_another_shape_is_refused_as_a_whole() {
        let error = |body: &str| read_outcomes(body.as_bytes()).expect_err("refused");
        assert!(
            error("{\"feature\":").starts_with("line 1, column 11"),
            "{}",
            error("{\"feature\":")
        );
        assert!(error("7").contains("found a number"), "{}", error("7"));
        assert!(error("{\"outcomes\":7}").contains("found a number"));
    }
}
