//! The words of the language.

use super::ast::{AggregateOp, BinaryOp};
use super::quote::quote;

/// Which kind of word a token is. Keywords that may also be names (`by`, `sum`, `start`, …)
/// keep their own kind: the parser decides by what stands around them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Eof,
    /// The text could not be read; the message is beside the tokens.
    Error,
    Identifier,
    /// An identifier with a colon in it: a metric name, never a label.
    MetricIdentifier,
    Number,
    Duration,
    String,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    /// `=`
    Equal,
    /// `=~`
    EqualRegex,
    /// `!~`
    NotEqualRegex,
    At,
    /// A binary operator, words (`and`, `atan2`) included. `!=` is one too.
    Operator(BinaryOp),
    Aggregate(AggregateOp),
    By,
    Without,
    On,
    Ignoring,
    GroupLeft,
    GroupRight,
    Bool,
    Offset,
    Anchored,
    Smoothed,
    /// `fill`, `fill_left`, `fill_right` before a parenthesis.
    Fill(FillSide),
    Start,
    End,
    Step,
    Range,
    MinOf,
    MaxOf,
}

/// Which missing series a fill modifier stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FillSide {
    Both,
    Left,
    Right,
}

/// One word: its kind and the bytes that it takes in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: TokenKind,
    pub start: u32,
    pub end: u32,
}

impl Token {
    /// The word as it is written.
    pub(super) fn text<'t>(&self, input: &'t str) -> &'t str {
        input.get(self.start as usize..self.end as usize).unwrap_or("")
    }

    /// How an error message names this word; the forms are those of `promql/parser/lex.go`.
    pub(super) fn describe(&self, input: &str) -> String {
        let text = self.text(input);
        match self.kind {
            TokenKind::Eof => "end of input".to_owned(),
            TokenKind::Error => "error".to_owned(),
            TokenKind::Identifier => format!("identifier {}", quote(text)),
            TokenKind::MetricIdentifier => format!("metric identifier {}", quote(text)),
            TokenKind::Number => format!("number {}", shortened(text)),
            TokenKind::Duration => format!("duration {}", shortened(text)),
            TokenKind::String => format!("string {}", shortened(text)),
            TokenKind::Operator(_)
            | TokenKind::At
            | TokenKind::EqualRegex
            | TokenKind::NotEqualRegex => format!("<op:{text}>"),
            TokenKind::Aggregate(_) => format!("<aggr:{text}>"),
            TokenKind::By
            | TokenKind::Without
            | TokenKind::On
            | TokenKind::Ignoring
            | TokenKind::GroupLeft
            | TokenKind::GroupRight
            | TokenKind::Bool
            | TokenKind::Anchored
            | TokenKind::Smoothed
            | TokenKind::Fill(_)
            | TokenKind::Offset => format!("<{text}>"),
            _ => quote(text),
        }
    }

    /// Whether the word can stand for a metric's name outside braces.
    pub(super) fn is_metric_name(&self) -> bool {
        matches!(
            self.kind,
            TokenKind::Identifier
                | TokenKind::MetricIdentifier
                | TokenKind::Aggregate(_)
                | TokenKind::By
                | TokenKind::Without
                | TokenKind::Offset
                | TokenKind::Anchored
                | TokenKind::Smoothed
                | TokenKind::Start
                | TokenKind::End
                | TokenKind::Step
                | TokenKind::Range
                | TokenKind::MinOf
                | TokenKind::MaxOf
                | TokenKind::Operator(BinaryOp::And | BinaryOp::Or | BinaryOp::Unless)
        )
    }

    /// Whether the word may follow `group_left` without labels: it begins an operand or a fill.
    pub(super) fn follows_group(&self) -> bool {
        self.is_metric_name()
            || matches!(
                self.kind,
                TokenKind::Number
                    | TokenKind::Duration
                    | TokenKind::String
                    | TokenKind::LeftBrace
                    | TokenKind::Fill(_)
                    | TokenKind::Operator(BinaryOp::Add | BinaryOp::Sub)
            )
    }

    /// Whether the word names a function when a parenthesis follows.
    pub(super) fn is_function_name(&self) -> bool {
        matches!(
            self.kind,
            TokenKind::Identifier
                | TokenKind::Start
                | TokenKind::End
                | TokenKind::Step
                | TokenKind::Range
                | TokenKind::MinOf
                | TokenKind::MaxOf
        )
    }

    /// Whether the word can stand for a label in `by (…)`, `on (…)` and the like.
    pub(super) fn is_label_name(&self) -> bool {
        self.is_metric_name() && self.kind != TokenKind::Without
            || matches!(
                self.kind,
                TokenKind::On
                    | TokenKind::Ignoring
                    | TokenKind::GroupLeft
                    | TokenKind::GroupRight
                    | TokenKind::Bool
                    | TokenKind::Operator(BinaryOp::Atan2)
            )
    }
}

fn shortened(text: &str) -> String {
    if text.len() > 10 {
        let head: String = text.chars().take(10).collect();
        format!("{}...", quote(&head))
    } else {
        quote(text)
    }
}

/// The kind of a word made of letters. Case does not matter, as in Prometheus.
pub(super) fn keyword(word: &str) -> Option<TokenKind> {
    // The longest keyword has twelve letters; longer words need no lower-casing.
    if word.len() > 12 {
        return None;
    }
    let lower = word.to_ascii_lowercase();
    if let Some(op) = AggregateOp::from_name(&lower) {
        return Some(TokenKind::Aggregate(op));
    }
    Some(match lower.as_str() {
        "and" => TokenKind::Operator(BinaryOp::And),
        "or" => TokenKind::Operator(BinaryOp::Or),
        "unless" => TokenKind::Operator(BinaryOp::Unless),
        "atan2" => TokenKind::Operator(BinaryOp::Atan2),
        "by" => TokenKind::By,
        "without" => TokenKind::Without,
        "on" => TokenKind::On,
        "ignoring" => TokenKind::Ignoring,
        "group_left" => TokenKind::GroupLeft,
        "group_right" => TokenKind::GroupRight,
        "bool" => TokenKind::Bool,
        "offset" => TokenKind::Offset,
        "anchored" => TokenKind::Anchored,
        "smoothed" => TokenKind::Smoothed,
        "fill" => TokenKind::Fill(FillSide::Both),
        "fill_left" => TokenKind::Fill(FillSide::Left),
        "fill_right" => TokenKind::Fill(FillSide::Right),
        "step" => TokenKind::Step,
        "range" => TokenKind::Range,
        "min_of" => TokenKind::MinOf,
        "max_of" => TokenKind::MaxOf,
        "start" => TokenKind::Start,
        "end" => TokenKind::End,
        "inf" | "nan" => TokenKind::Number,
        _ => return None,
    })
}
