//! Where in a query something stands, and errors that say so.

use std::fmt;

/// A range of bytes in the text of a query, end exclusive.
///
/// Two spans always compare as equal: where an expression stands is no part of what it says, so
/// that expressions can be compared by meaning.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// The bytes from `start` up to `end`.
    pub const fn new(start: usize, end: usize) -> Self {
        Span { start, end }
    }

    /// From the start of this span to the end of `other`.
    #[must_use]
    pub const fn to(self, other: Span) -> Span {
        Span { start: self.start, end: other.end }
    }

    /// `line:column` of the first byte, both from 1, columns in bytes (as Prometheus counts).
    pub fn line_and_column(self, text: &str) -> (usize, usize) {
        let before = &text.as_bytes()[..self.start.min(text.len())];
        let line = 1 + before.iter().filter(|b| **b == b'\n').count();
        let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        (line, before.len() - line_start + 1)
    }
}

impl PartialEq for Span {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Span {}

/// Why a text is not a query. Shown as Prometheus shows it: `1:5: parse error: …`.
#[derive(Clone, Debug)]
pub struct ParseError {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes of the query's text.
    pub span: Span,
    /// The line of the first byte, from 1; 0 where there is no text to count in.
    pub line: usize,
    /// The column of the first byte, from 1, in bytes.
    pub column: usize,
}

impl ParseError {
    pub(super) fn new(text: &str, span: Span, message: impl Into<String>) -> Self {
        let (line, column) = if text.is_empty() { (0, 0) } else { span.line_and_column(text) };
        ParseError { message: message.into(), span, line, column }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `StartPosInput` in `promql/parser/posrange/posrange.go`.
        if self.line == 0 {
            return write!(f, "unknown position: parse error: {}", self.message);
        }
        write!(f, "{}:{}: parse error: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for ParseError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_start_at_one() {
        assert_eq!(Span::new(0, 1).line_and_column("abc"), (1, 1));
        assert_eq!(Span::new(2, 3).line_and_column("a\nbc"), (2, 1));
        assert_eq!(Span::new(3, 3).line_and_column("a\nb"), (2, 2));
        assert_eq!(Span::new(99, 99).line_and_column("ab"), (1, 3));
    }
}
