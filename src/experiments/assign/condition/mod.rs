//! Conditions on a unit's attributes, in the language that GrowthBook's targeting has (Mongo's
//! with a few more operators), so that what was written for its SDKs holds here.
//!
//! Source: `packages/sdk-js/src/mongrule.ts` of growthbook/growthbook. Like there, attributes are
//! compared as JavaScript compares them. Different on purpose: a condition is compiled once, and
//! what would silently never hold (an unknown operator, a broken expression, a group that we do
//! not know) is an error when it is defined; `$eq`, `$ne`, `$in` compare lists and objects by what
//! is in them, where JavaScript says that no two are the same.

mod compile;
mod javascript;
mod operator;
#[cfg(test)]
mod tests;
mod version;

use serde_json::Value;

use javascript::{number_of, same, text_of, truth_of};
use operator::Operator;

/// A condition on a unit's attributes.
#[derive(Clone, Debug)]
pub struct Condition(Vec<Clause>);

/// What must hold together.
#[derive(Clone, Debug)]
enum Clause {
    /// Any of them; none at all counts as one that holds.
    Or(Vec<Condition>),
    /// None of them.
    Nor(Vec<Condition>),
    /// All of them.
    And(Vec<Condition>),
    /// Not this one.
    Not(Condition),
    /// What is at a path of the attributes.
    At(Vec<String>, Test),
}

/// What is asked of one value.
#[derive(Clone, Debug)]
enum Test {
    /// It is written so.
    Text(String),
    /// It is this number.
    Number(f64),
    /// It counts as this.
    Flag(bool),
    /// It is absent or null.
    Null,
    /// It is just so.
    Same(Value),
    /// All of these hold.
    Operators(Vec<Operator>),
}

impl Condition {
    /// Reads a condition: an object, or null for one that always holds.
    ///
    /// # Errors
    ///
    /// Which part is wrong, and what may be there; or that it is too large or deep.
    pub fn compile(written: &Value) -> Result<Condition, String> {
        compile::compile(written)
    }

    /// Whether it holds of a unit's attributes (an object; anything else has none).
    pub fn holds(&self, attributes: &Value) -> bool {
        self.0.iter().all(|clause| clause.holds(attributes))
    }
}

impl Clause {
    fn holds(&self, attributes: &Value) -> bool {
        let any = |list: &[Condition]| {
            list.is_empty() || list.iter().any(|condition| condition.holds(attributes))
        };
        match self {
            Clause::Or(list) => any(list),
            Clause::Nor(list) => !any(list),
            Clause::And(list) => list.iter().all(|condition| condition.holds(attributes)),
            Clause::Not(condition) => !condition.holds(attributes),
            Clause::At(path, test) => test.holds(at(attributes, path)),
        }
    }
}

/// What is at a path; null where there is nothing.
fn at<'v>(value: &'v Value, path: &[String]) -> &'v Value {
    let step = |value: &'v Value, part: &String| match value {
        Value::Object(object) => object.get(part),
        Value::Array(list) => part.parse::<usize>().ok().and_then(|place| list.get(place)),
        _ => None,
    };
    path.iter().try_fold(value, step).unwrap_or(&Value::Null)
}

impl Test {
    fn holds(&self, actual: &Value) -> bool {
        match self {
            Test::Text(text) => text_of(actual) == *text,
            // Exactly, as the language compares.
            Test::Number(number) => number_of(actual).total_cmp(number).is_eq(),
            Test::Flag(flag) => !actual.is_null() && truth_of(actual) == *flag,
            Test::Null => actual.is_null(),
            Test::Same(value) => same(actual, value),
            Test::Operators(all) => all.iter().all(|operator| operator.holds(actual)),
        }
    }

    /// The same, without regard to upper and lower case where texts are compared.
    fn holds_any_case(&self, actual: &Value) -> bool {
        match self {
            Test::Text(text) => text_of(actual).to_lowercase() == text.to_lowercase(),
            _ => self.holds(actual),
        }
    }
}
