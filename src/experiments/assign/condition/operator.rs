//! What may be asked of a value: the words that begin with `$`.

use std::cmp::Ordering;

use regex::Regex;
use serde_json::{Number, Value};

use super::javascript::{compare, same, text_of, truth_of, type_of};
use super::version::padded;
use super::{Condition, Test};

/// One question.
#[derive(Clone, Debug)]
pub(super) enum Operator {
    Equal(Value),
    NotEqual(Value),
    Less(Value),
    AtMost(Value),
    Greater(Value),
    AtLeast(Value),
    Version(Which, String),
    Exists(bool),
    In { list: Vec<Value>, any_case: bool, not: bool },
    All { list: Vec<Test>, any_case: bool },
    Not(Box<Test>),
    Size(Box<Test>),
    ElementTest(Box<Test>),
    ElementCondition(Box<Condition>),
    Matches { pattern: Box<Regex>, not: bool },
    Type(String),
}

/// How versions compare.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Which {
    fn fits(self, order: Ordering) -> bool {
        match self {
            Which::Equal => order.is_eq(),
            Which::NotEqual => order.is_ne(),
            Which::Less => order.is_lt(),
            Which::AtMost => order.is_le(),
            Which::Greater => order.is_gt(),
            Which::AtLeast => order.is_ge(),
        }
    }
}

impl Operator {
    pub(super) fn holds(&self, actual: &Value) -> bool {
        let ordered = |other: &Value, which: Which| {
            compare(actual, other).is_some_and(|order| which.fits(order))
        };
        let elements = || actual.as_array().map_or(&[][..], Vec::as_slice);
        match self {
            Operator::Equal(value) => same(actual, value),
            Operator::NotEqual(value) => !same(actual, value),
            Operator::Less(value) => ordered(value, Which::Less),
            Operator::AtMost(value) => ordered(value, Which::AtMost),
            Operator::Greater(value) => ordered(value, Which::Greater),
            Operator::AtLeast(value) => ordered(value, Which::AtLeast),
            Operator::Version(which, version) => which.fits(padded(actual).cmp(version)),
            Operator::Exists(expected) => actual.is_null() != *expected,
            Operator::In { list, any_case, not } => is_in(actual, list, *any_case) != *not,
            Operator::All { list, any_case } => {
                let fits = |test: &Test, value: &Value| match any_case {
                    true => test.holds_any_case(value),
                    false => test.holds(value),
                };
                actual.is_array()
                    && list.iter().all(|test| elements().iter().any(|value| fits(test, value)))
            }
            Operator::Not(test) => !test.holds(actual),
            Operator::Size(test) => actual
                .as_array()
                .is_some_and(|list| test.holds(&Value::Number(Number::from(list.len())))),
            Operator::ElementTest(test) => {
                elements().iter().any(|value| truth_of(value) && test.holds(value))
            }
            Operator::ElementCondition(condition) => {
                elements().iter().any(|value| truth_of(value) && condition.holds(value))
            }
            Operator::Matches { pattern, not } => pattern.is_match(&text_of(actual)) != *not,
            Operator::Type(name) => type_of(actual) == name,
        }
    }
}

/// Whether a value is in the list; of a list: whether any of it is.
fn is_in(actual: &Value, list: &[Value], any_case: bool) -> bool {
    let folded = |value: &Value| match value {
        Value::String(text) if any_case => Value::String(text.to_lowercase()),
        other => other.clone(),
    };
    let among = |value: &Value| match value {
        Value::String(_) if any_case => {
            let value = folded(value);
            list.iter().any(|other| same(&value, &folded(other)))
        }
        _ => list.iter().any(|other| same(value, other)),
    };
    match actual {
        Value::Array(all) => all.iter().any(among),
        one => among(one),
    }
}
