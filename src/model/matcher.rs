//! A condition on one label.

use std::fmt;

use regex::Regex;

use super::go_regexp::translate;
use super::{Labels, is_classic_label_name};

/// How a matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

impl MatchOp {
    /// The operator as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Regex => "=~",
            MatchOp::NotRegex => "!~",
        }
    }
}

/// Why a matcher cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("error parsing regexp: {reason}")]
pub struct MatcherError {
    /// The expression as it was given.
    pub pattern: String,
    /// What is wrong with it, and where, in the words of Go's `regexp/syntax`.
    pub reason: String,
}

/// A condition on one label. A label that is absent has the empty value. Regular expressions
/// are anchored at both ends and `.` matches a newline, as in Prometheus.
#[derive(Clone)]
pub struct Matcher {
    name: String,
    op: MatchOp,
    value: String,
    regex: Option<Regex>,
}

/// Bounds the compiled size of one regular expression, in bytes.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// Compiles an expression of Go's syntax, anchored at both ends, `.` matching newlines too: what
/// matchers, `label_replace` and relabelling mean by an expression (`NewFastRegexMatcher` in
/// `model/labels/regexp.go`, `NewRegexp` in `model/relabel/relabel.go`).
pub fn anchored_regex(pattern: &str) -> Result<Regex, MatcherError> {
    compile(pattern, ANCHORED_START, ANCHORED_END)
}

/// Compiles an expression of Go's syntax as Go's `regexp.MustCompile` reads it: found anywhere in
/// a text, `.` not matching newlines.
pub fn unanchored_regex(pattern: &str) -> Result<Regex, MatcherError> {
    compile(pattern, "", "")
}

fn compile(pattern: &str, before: &str, after: &str) -> Result<Regex, MatcherError> {
    let failed = |reason| MatcherError { pattern: pattern.to_owned(), reason };
    let written = translate(pattern).map_err(failed)?;
    regex::RegexBuilder::new(&format!("{before}{written}{after}"))
        .size_limit(REGEX_BYTES_MAX)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => failed(format!("expression too large: `{pattern}`")),
            error => failed(format!("{}: `{pattern}`", last_line(&error.to_string()))),
        })
}

const ANCHORED_START: &str = "^(?s:";
const ANCHORED_END: &str = ")$";

impl Matcher {
    /// A matcher on the label `name`; compiles the expression where there is one.
    pub fn new(
        name: impl Into<String>,
        op: MatchOp,
        value: impl Into<String>,
    ) -> Result<Self, MatcherError> {
        let value = value.into();
        let regex = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Regex | MatchOp::NotRegex => Some(anchored_regex(&value)?),
        };
        Ok(Matcher { name: name.into(), op, value, regex })
    }

    /// A matcher for equality, which cannot fail.
    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Self {
        Matcher { name: name.into(), op: MatchOp::Equal, value: value.into(), regex: None }
    }

    /// The label that it looks at.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it compares.
    pub fn op(&self) -> MatchOp {
        self.op
    }

    /// The value or expression as it was written.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The expression without its anchors, in the syntax of the `regex` crate (`value` is in Go's).
    pub fn expression(&self) -> Option<&str> {
        let written = self.regex.as_ref()?.as_str();
        written.strip_prefix(ANCHORED_START)?.strip_suffix(ANCHORED_END)
    }

    /// Whether a label of this value satisfies it (the empty text where the label is absent).
    pub fn matches(&self, value: &str) -> bool {
        match (&self.regex, self.op) {
            (Some(regex), MatchOp::NotRegex) => !regex.is_match(value),
            (Some(regex), _) => regex.is_match(value),
            (None, MatchOp::NotEqual) => self.value != value,
            (None, _) => self.value == value,
        }
    }

    /// Whether a set of labels satisfies it.
    pub fn matches_labels(&self, labels: &Labels) -> bool {
        self.matches(labels.get(&self.name).unwrap_or(""))
    }
}

fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or(text).trim().trim_start_matches("error: ").to_owned()
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.op == other.op && self.value == other.value
    }
}

impl Eq for Matcher {}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_classic_label_name(&self.name) {
            write!(f, "{}{}{:?}", self.name, self.op.as_str(), self.value)
        } else {
            write!(f, "{:?}{}{:?}", self.name, self.op.as_str(), self.value)
        }
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_anchored_and_cross_lines() {
        let matcher = Matcher::new("a", MatchOp::Regex, "b.*|c").expect("valid");
        assert!(matcher.matches("b\nx"));
        assert!(matcher.matches("c"));
        assert!(!matcher.matches("xc"));
        assert!(!matcher.matches("cx"));
    }

    #[test]
    fn an_absent_label_is_empty() {
        let labels = Labels::from_pairs([("a", "1")]).expect("valid");
        assert!(Matcher::equal("b", "").matches_labels(&labels));
        assert!(Matcher::new("b", MatchOp::NotEqual, "x").expect("valid").matches_labels(&labels));
        assert!(!Matcher::new("b", MatchOp::Regex, ".+").expect("valid").matches_labels(&labels));
    }

    #[test]
    fn a_broken_expression_is_named() {
        let error = Matcher::new("a", MatchOp::Regex, "(").expect_err("unclosed");
        assert_eq!(error.pattern, "(");
        assert_eq!(error.to_string(), "error parsing regexp: missing closing ): `(`");
    }
}
