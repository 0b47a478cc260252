//! Durations: after `offset` and in brackets. A literal stays a number; everything else is kept
//! as an expression for `duration::resolve`.

use super::super::ast::{BinaryOp, DurationExpr, NumberLiteral};
use super::super::span::Span;
use super::super::token::{Token, TokenKind};
use super::{LEVELS_MAX, NESTING_MAX, Parser, Result};

/// What is said to be wanted where a duration is missing.
pub(super) const WANTED: &str = "number, duration, step(), or range()";

/// A duration: known milliseconds, or milliseconds that are only known with the query's times.
pub(super) struct Duration {
    pub millis: i64,
    pub expr: Option<Box<DurationExpr>>,
}

/// A duration expression and how many levels it is high.
struct Height {
    expr: DurationExpr,
    height: usize,
}

impl From<DurationExpr> for Height {
    fn from(expr: DurationExpr) -> Self {
        Height { expr, height: 1 }
    }
}

impl Parser<'_> {
    /// A duration above zero, for the width of a range or the step of a subquery. What is wrong
    /// inside is told with `context` and what is `wanted` there.
    pub(super) fn positive_duration(&mut self, context: &str, wanted: &str) -> Result<Duration> {
        let expr = self.duration_expr(0, 0, context, wanted)?.expr;
        let span = expr.span();
        let duration = Self::finish_duration(expr);
        // Less than a millisecond is nothing here: it could not be written down again.
        if duration.expr.is_none() && duration.millis <= 0 {
            return Err(self.error(span, "duration must be greater than 0"));
        }
        Ok(duration)
    }

    /// A duration after `offset`: a signed literal ends it, so that `x offset 1m + 1` is a sum.
    pub(super) fn offset_duration(&mut self) -> Result<Duration> {
        let expr = match self.unary_sign() {
            None => self.duration_primary(0, "offset", WANTED)?.expr,
            Some(sign) => {
                let inner = match self.peek().kind {
                    // What does not fit is told of the sign and not of the number.
                    TokenKind::Number | TokenKind::Duration => {
                        DurationExpr::Number(self.number_literal()?)
                    }
                    _ => self.duration_primary(0, "offset", WANTED)?.expr,
                };
                self.signed_duration(sign, inner)?
            }
        };
        Ok(Self::finish_duration(expr))
    }

    fn finish_duration(expr: DurationExpr) -> Duration {
        match expr {
            DurationExpr::Number(number) => {
                // Nanoseconds are rounded, milliseconds cut off, as Prometheus does.
                let millis = ((number.value * 1e9).round() / 1e6) as i64;
                Duration { millis, expr: None }
            }
            expr => Duration { millis: 0, expr: Some(Box::new(expr)) },
        }
    }

    fn unary_sign(&mut self) -> Option<Token> {
        match self.peek().kind {
            TokenKind::Operator(BinaryOp::Add | BinaryOp::Sub) => Some(self.advance()),
            _ => None,
        }
    }

    fn signed_duration(&self, sign: Token, inner: DurationExpr) -> Result<DurationExpr> {
        let negative = sign.kind == TokenKind::Operator(BinaryOp::Sub);
        let span = Self::span_of(sign).to(inner.span());
        match inner {
            DurationExpr::Number(number) => {
                let value = if negative { -number.value } else { number.value };
                let number = NumberLiteral { value, span, ..number };
                self.check_seconds(number.value, Self::span_of(sign))?;
                Ok(DurationExpr::Number(number))
            }
            inner if negative => Ok(DurationExpr::Negative(Box::new(inner), span)),
            inner => Ok(inner),
        }
    }

    /// Refuses what a Go `time.Duration`, an i64 of nanoseconds, cannot hold.
    fn check_seconds(&self, seconds: f64, span: Span) -> Result<()> {
        let most = i64::MAX as f64 / 1e9;
        // Prometheus lets NaN through here and then calculates nonsense with it.
        if seconds.is_nan() || seconds.abs() > most {
            return Err(self.error(span, "duration out of range"));
        }
        Ok(())
    }

    /// An expression of operators that bind tighter than `floor`.
    fn duration_expr(
        &mut self,
        floor: u8,
        level: usize,
        context: &str,
        wanted: &str,
    ) -> Result<Height> {
        if level > LEVELS_MAX {
            return Err(self.too_deep());
        }
        let mut left = match self.unary_sign() {
            None => self.duration_primary(level, context, wanted)?,
            Some(sign) => {
                let tight = BinaryOp::Mul.precedence();
                let inner = self.duration_expr(tight, level + 1, context, wanted)?;
                let expr = self.signed_duration(sign, inner.expr)?;
                Height { expr, height: inner.height + 1 }
            }
        };
        loop {
            let token = self.peek();
            let TokenKind::Operator(op) = token.kind else { return Ok(left) };
            let calculates = matches!(
                op,
                BinaryOp::Add
                    | BinaryOp::Sub
                    | BinaryOp::Mul
                    | BinaryOp::Div
                    | BinaryOp::Mod
                    | BinaryOp::Pow
            );
            let precedence = op.precedence();
            if !calculates || precedence <= floor {
                return Ok(left);
            }
            self.advance();
            let right_floor = if op == BinaryOp::Pow { precedence - 1 } else { precedence };
            let right = self.duration_expr(right_floor, level + 1, context, wanted)?;
            let is_zero = matches!(&right.expr, DurationExpr::Number(n) if n.value == 0.0);
            match op {
                BinaryOp::Div if is_zero => {
                    return Err(self.error(Self::span_of(token), "division by zero"));
                }
                BinaryOp::Mod if is_zero => {
                    return Err(self.error(Self::span_of(token), "modulo by zero"));
                }
                _ => {}
            }
            let height = left.height.max(right.height) + 1;
            if height > NESTING_MAX {
                return Err(self.too_deep());
            }
            let (lhs, rhs) = (Box::new(left.expr), Box::new(right.expr));
            left = Height { expr: DurationExpr::Binary { op, lhs, rhs }, height };
        }
    }

    fn duration_primary(&mut self, level: usize, context: &str, wanted: &str) -> Result<Height> {
        let token = self.peek();
        let start = Self::span_of(token);
        match token.kind {
            TokenKind::Number | TokenKind::Duration => {
                let number = self.number_literal()?;
                self.check_seconds(number.value, number.span)?;
                Ok(DurationExpr::Number(number).into())
            }
            TokenKind::Step | TokenKind::Range => {
                self.advance();
                self.expect(TokenKind::LeftParen, context, wanted)?;
                let close = self.expect(TokenKind::RightParen, context, wanted)?;
                let span = start.to(close);
                Ok(match token.kind {
                    TokenKind::Step => DurationExpr::Step(span).into(),
                    _ => DurationExpr::Range(span).into(),
                })
            }
            TokenKind::MinOf | TokenKind::MaxOf => {
                self.advance();
                self.expect(TokenKind::LeftParen, context, wanted)?;
                let a = self.duration_expr(0, level + 1, context, wanted)?;
                self.expect(TokenKind::Comma, context, wanted)?;
                let b = self.duration_expr(0, level + 1, context, wanted)?;
                let span = start.to(self.expect(TokenKind::RightParen, context, wanted)?);
                let max = token.kind == TokenKind::MaxOf;
                let height = a.height.max(b.height) + 1;
                let (a, b) = (Box::new(a.expr), Box::new(b.expr));
                Ok(Height { expr: DurationExpr::Choice { max, a, b, span }, height })
            }
            TokenKind::LeftParen => {
                self.advance();
                let inner = self.duration_expr(0, level + 1, context, wanted)?;
                self.expect(TokenKind::RightParen, context, wanted)?;
                // More parentheses say nothing more.
                Ok(match inner.expr {
                    paren @ DurationExpr::Paren(..) => Height { expr: paren, ..inner },
                    expr => {
                        let expr = DurationExpr::Paren(Box::new(expr));
                        Height { expr, height: inner.height + 1 }
                    }
                })
            }
            _ => Err(self.unexpected(context, wanted)),
        }
    }

    fn expect(&mut self, kind: TokenKind, context: &str, wanted: &str) -> Result<Span> {
        match self.accept(kind) {
            Some(token) => Ok(Self::span_of(token)),
            None => Err(self.unexpected(context, wanted)),
        }
    }
}
