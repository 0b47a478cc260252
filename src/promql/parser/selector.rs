//! Selectors and lists of labels.

use crate::model::{METRIC_NAME, MatchOp, Matcher};

use super::super::ast::{BinaryOp, VectorSelector};
use super::super::span::Span;
use super::super::token::TokenKind;
use super::{Parser, Result};

impl Parser<'_> {
    /// `metric`, `metric{…}` or `{…}`; the word at hand begins one of them.
    pub(super) fn vector_selector(&mut self) -> Result<VectorSelector> {
        let start = self.peek().start as usize;
        let name = match self.peek().kind {
            TokenKind::LeftBrace => None,
            _ => Some(self.advance().text(self.text).to_owned()),
        };
        let mut matchers = Vec::new();
        if self.accept(TokenKind::LeftBrace).is_some() {
            self.matchers(&mut matchers)?;
        }
        if let Some(name) = &name {
            matchers.push(Matcher::equal(METRIC_NAME, name.as_str()));
        }
        let span = Span::new(start, self.previous_end());
        Ok(VectorSelector {
            name,
            matchers,
            offset_ms: 0,
            offset_expr: None,
            at: None,
            anchored: false,
            smoothed: false,
            may_match_anything: false,
            span,
        })
    }

    /// What follows an opening brace, up to and with the closing one.
    fn matchers(&mut self, matchers: &mut Vec<Matcher>) -> Result<()> {
        loop {
            if self.accept(TokenKind::RightBrace).is_some() {
                return Ok(());
            }
            matchers.push(self.matcher()?);
            if self.accept(TokenKind::RightBrace).is_some() {
                return Ok(());
            }
            if self.accept(TokenKind::Comma).is_none() {
                return Err(self.unexpected("label matching", "\",\" or \"}\""));
            }
        }
    }

    fn matcher(&mut self) -> Result<Matcher> {
        let label = self.peek();
        let quoted = label.kind == TokenKind::String;
        let name = match label.kind {
            TokenKind::Identifier => self.advance().text(self.text).to_owned(),
            TokenKind::String => self.string_value()?,
            _ => return Err(self.unexpected("label matching", "identifier or \"}\"")),
        };
        let op = match self.peek().kind {
            TokenKind::Equal => MatchOp::Equal,
            TokenKind::Operator(BinaryOp::NotEqual) => MatchOp::NotEqual,
            TokenKind::EqualRegex => MatchOp::Regex,
            TokenKind::NotEqualRegex => MatchOp::NotRegex,
            // A quoted name by itself names the metric.
            TokenKind::Comma | TokenKind::RightBrace if quoted => {
                return Ok(Matcher::equal(METRIC_NAME, name));
            }
            _ => return Err(self.unexpected("label matching", "label matching operator")),
        };
        self.advance();
        let value = self.peek();
        if value.kind != TokenKind::String {
            return Err(self.unexpected("label matching", "string"));
        }
        let text = self.string_value()?;
        Matcher::new(name, op, text).map_err(|error| {
            self.error(Self::span_of(label).to(Self::span_of(value)), error.to_string())
        })
    }

    /// `(a, b, …)` after `by`, `on` and the like.
    pub(super) fn label_list(&mut self) -> Result<Vec<String>> {
        const CONTEXT: &str = "grouping opts";
        if self.accept(TokenKind::LeftParen).is_none() {
            return Err(self.unexpected(CONTEXT, "\"(\""));
        }
        let mut labels = Vec::new();
        loop {
            if self.accept(TokenKind::RightParen).is_some() {
                return Ok(labels);
            }
            let token = self.peek();
            if token.kind == TokenKind::String {
                let name = self.string_value()?;
                if name.is_empty() {
                    let message = "invalid label name for grouping: \"\"";
                    return Err(self.error(Self::span_of(token), message));
                }
                labels.push(name);
            } else if token.is_label_name() {
                labels.push(self.advance().text(self.text).to_owned());
            } else {
                return Err(self.unexpected(CONTEXT, "label"));
            }
            if self.peek().kind == TokenKind::RightParen {
                continue;
            }
            if self.accept(TokenKind::Comma).is_none() {
                return Err(self.unexpected(CONTEXT, "\",\" or \")\""));
            }
        }
    }
}
