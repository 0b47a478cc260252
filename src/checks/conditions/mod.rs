//! Conditions, in Gatus's notation: `[STATUS] == 200`, `len([BODY].items) > 0`.
//!
//! The rules of comparison are those of Gatus (`config/endpoint/condition.go` and
//! `placeholder.go`), with these differences, each on the safe side:
//!
//! * A place without a value is shown as `(INVALID)`, equals nothing, and is neither less nor more
//!   than anything. Gatus orders it as 0, so that `[BODY].errors < 5` holds without a body.
//! * What is no number cannot be ordered: as text of the condition it is refused when that is
//!   read, and found in an answer it fails. Gatus takes 0.
//! * Numbers keep their fractions when they are ordered. Gatus cuts them.
//! * Lists and objects of JSON are shown and compared as compact JSON, whole numbers digit by
//!   digit. Gatus shows Go's form (`[1 2]`, `1e+06`).

mod body;
mod judge;
mod numbers;
mod operand;
mod pattern;
#[cfg(test)]
mod tests;

pub use judge::{Judge, Judgement};

use std::cmp::Ordering;

use crate::model::{ConditionOutcome, Observation, Severity, Timestamp};
use operand::{Found, Operand, Subject};

/// The longest condition that is read, in bytes.
const TEXT_MAX: usize = 1024;

/// How much of a value is shown, in characters.
const SHOWN_MAX: usize = 128;

/// The same beside `pat` and `regex`, which are asked of whole bodies (Gatus's
/// `maximumLengthBeforeTruncatingWhenComparedWithPattern`).
const SHOWN_BESIDE_PATTERN_MAX: usize = 25;

/// Why a text is no condition: what is wrong with it, where, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("condition {condition:?}: {reason}")]
pub struct ConditionError {
    /// As it is written.
    pub condition: String,
    /// What is wrong, and what to write instead.
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    AtMost,
    AtLeast,
    Above,
    Below,
}

/// Longer ones first, so that `<=` is not read as `<`.
const COMPARISONS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    (">", Comparison::Above),
    ("<", Comparison::Below),
];

/// A condition, read once and asked of any number of observations.
#[derive(Clone, Debug)]
pub struct Condition {
    text: String,
    left: Operand,
    comparison: Comparison,
    right: Operand,
}

impl Condition {
    /// Reads a condition: two operands with a comparison between them, and spaces around that. An
    /// operand is a place (`[STATUS]`, `[BODY].path`, …), a function of one (`len`, `has`, `age`),
    /// `pat(…)`, `any(…, …)`, `regex(…)`, or else text as it stands.
    ///
    /// # Errors
    ///
    /// [`ConditionError`]
    pub fn parse(text: &str) -> Result<Condition, ConditionError> {
        let text = text.trim();
        let fail = |reason: String| ConditionError {
            condition: text.chars().take(SHOWN_MAX).collect(),
            reason,
        };
        if text.len() > TEXT_MAX {
            return Err(fail(format!("is longer than {TEXT_MAX} bytes")));
        }
        let Some((left, comparison, right)) = split(text) else {
            return Err(fail(
                "has no comparison; write one of == != < <= > >= with a space on either side and \
                 something to compare on both, as in \"[STATUS] == 200\""
                    .to_owned(),
            ));
        };
        let left_operand = Operand::parse(left).map_err(fail)?;
        let right_operand = Operand::parse(right).map_err(fail)?;
        let orders = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        for (operand, text) in [(&left_operand, left), (&right_operand, right)] {
            match operand {
                Operand::Pattern(_) | Operand::Any(_) | Operand::Regex(_) if orders => {
                    return Err(fail(format!("{text} can be compared by == and != only")));
                }
                Operand::Text(text) if orders && numbers::number(text).is_none() => {
                    return Err(fail(format!(
                        "{text:?} is neither a number nor a duration (500, 0.5, 48h), and only \
                         those are less or more; use == or != for texts"
                    )));
                }
                _ => {}
            }
        }
        if left_operand.is_matcher() && right_operand.is_matcher() {
            return Err(fail("compares two of pat, any and regex; one side needs a place".into()));
        }
        Ok(Condition {
            text: text.to_owned(),
            left: left_operand,
            comparison,
            right: right_operand,
        })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it asks for `[CONNECTED]`: then a failed connection is not a failure by itself.
    pub fn asks_connection(&self) -> bool {
        self.left.is_connection() || self.right.is_connection()
    }

    /// Whether it holds of an observation made at `now`, and with what in its places.
    pub fn evaluate(
        &self,
        observation: &Observation,
        severity: Severity,
        now: Timestamp,
    ) -> ConditionOutcome {
        self.evaluate_subject(&Subject::new(observation, now), severity)
    }

    fn evaluate_subject(&self, subject: &Subject<'_>, severity: Severity) -> ConditionOutcome {
        let left = self.left.resolve(subject);
        let right = self.right.resolve(subject);
        let holds = match self.comparison {
            Comparison::Equal => self.equal(&left, &right),
            Comparison::NotEqual => !self.equal(&left, &right),
            comparison => match (left.number(), right.number()) {
                (Some(left), Some(right)) => match comparison {
                    Comparison::AtMost => left.compare(right).is_some_and(Ordering::is_le),
                    Comparison::AtLeast => left.compare(right).is_some_and(Ordering::is_ge),
                    Comparison::Above => left.compare(right).is_some_and(Ordering::is_gt),
                    _ => left.compare(right).is_some_and(Ordering::is_lt),
                },
                _ => false,
            },
        };
        ConditionOutcome {
            condition: self.text.clone(),
            shown: self.shown(&left, &right),
            severity,
            holds,
        }
    }

    fn equal(&self, left: &Found, right: &Found) -> bool {
        match (&self.left, &self.right) {
            (matcher, _) if matcher.is_matcher() => matcher.matches(right),
            (_, matcher) if matcher.is_matcher() => matcher.matches(left),
            _ => left.equals(right),
        }
    }

    /// As Gatus's `prettify`: what a place held stands behind it in parentheses.
    fn shown(&self, left: &Found, right: &Found) -> String {
        let sign = COMPARISONS.iter().find(|(_, c)| *c == self.comparison).map_or("", |(s, _)| s);
        let orders = !matches!(self.comparison, Comparison::Equal | Comparison::NotEqual);
        let side = |operand: &Operand, found: &Found, other: &Operand| match operand {
            Operand::Place(place) => {
                let most = match other {
                    Operand::Pattern(_) | Operand::Regex(_) => SHOWN_BESIDE_PATTERN_MAX,
                    _ => SHOWN_MAX,
                };
                match found.text() {
                    None => format!("{} (INVALID)", place.text),
                    Some(text) if orders && place.is_expiration() => {
                        format!("{} ({})", place.text, numbers::duration_text(text))
                    }
                    Some(text) => format!("{} ({})", place.text, cut(text, most)),
                }
            }
            operand => operand.text().to_owned(),
        };
        let left_text = side(&self.left, left, &self.right);
        let right_text = side(&self.right, right, &self.left);
        format!("{left_text} {sign} {right_text}")
    }
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}...(truncated)", &text[..at]),
    }
}

/// The first comparison outside of parentheses, or else the first at all.
fn split(text: &str) -> Option<(&str, Comparison, &str)> {
    let mut depth = 0usize;
    let mut anywhere = None;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ' ' => {
                let rest = &text[at + 1..];
                let found = COMPARISONS.iter().find_map(|(sign, comparison)| {
                    let right = rest.strip_prefix(sign)?.strip_prefix(' ')?.trim();
                    let left = text[..at].trim();
                    let both = !left.is_empty() && !right.is_empty();
                    both.then_some((left, *comparison, right))
                });
                match found {
                    Some(found) if depth == 0 => return Some(found),
                    Some(found) => anywhere = anywhere.or(Some(found)),
                    None => {}
                }
            }
            _ => {}
        }
    }
    anywhere
}
