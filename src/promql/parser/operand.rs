//! Operands: literals, selectors, calls, aggregations, parentheses, and what may follow them
//! (ranges, `offset`, `@`).

use crate::model::unquote;

use super::super::ast::{
    Aggregate, AggregateOp, At, BinaryOp, Call, Expr, MatrixSelector, Paren, StringLiteral,
    Subquery,
};
use super::super::functions;
use super::super::print::format_value;
use super::super::quote::quote;
use super::super::span::Span;
use super::super::token::{Token, TokenKind};
use super::duration::{Duration, WANTED};
use super::{NESTING_MAX, Parsed, Parser, Result};

impl Parser<'_> {
    pub(super) fn operand(&mut self, level: usize) -> Result<Parsed> {
        let primary = self.primary(level)?;
        self.suffixes(primary)
    }

    fn primary(&mut self, level: usize) -> Result<Parsed> {
        let token = self.peek();
        let leaf = |expr| Ok(Parsed { expr, height: 1 });
        match token.kind {
            TokenKind::Number | TokenKind::Duration => {
                let number = self.number_literal()?;
                leaf(Expr::Number(number))
            }
            TokenKind::String => {
                let value = self.string_value()?;
                leaf(Expr::String(StringLiteral { value, span: Self::span_of(token) }))
            }
            TokenKind::LeftParen => {
                self.advance();
                let inner = self.expression(0, level + 1)?;
                let Some(close) = self.accept(TokenKind::RightParen) else {
                    return Err(self.unexpected("", ""));
                };
                let span = Self::span_of(token).to(Self::span_of(close));
                let paren = Paren { expr: inner.expr, span };
                Ok(Parsed { expr: Expr::Paren(Box::new(paren)), height: inner.height + 1 })
            }
            TokenKind::Aggregate(op)
                if matches!(
                    self.peek_ahead(1).kind,
                    TokenKind::LeftParen | TokenKind::By | TokenKind::Without
                ) =>
            {
                self.advance();
                self.open_aggregations += 1;
                let aggregate = self.aggregate(op, token, level)?;
                self.open_aggregations -= 1;
                Ok(aggregate)
            }
            _ if token.is_function_name() && self.peek_ahead(1).kind == TokenKind::LeftParen => {
                self.call(level)
            }
            TokenKind::LeftBrace => leaf(Expr::Vector(self.vector_selector()?)),
            _ if token.is_metric_name() => leaf(Expr::Vector(self.vector_selector()?)),
            _ => Err(self.unexpected("", "")),
        }
    }

    /// The text of the string at hand.
    pub(super) fn string_value(&mut self) -> Result<String> {
        let token = self.advance();
        let text = token.text(self.text);
        unquote(text).ok_or_else(|| {
            let message = format!("error unquoting string {}: invalid UTF-8", quote(text));
            self.error(Self::span_of(token), message)
        })
    }

    fn call(&mut self, level: usize) -> Result<Parsed> {
        let name = self.advance();
        let (args, height) = self.arguments(level)?;
        let text = name.text(self.text);
        let Some(function) = functions::find(text) else {
            let message = format!("unknown function with name {}", quote(text));
            return Err(self.error(Self::span_of(name), message));
        };
        let span = Span::new(name.start as usize, self.previous_end());
        Ok(Parsed { expr: Expr::Call(Call { function, args, span }), height: height + 1 })
    }

    /// `( a, b, … )`: the arguments and how high the highest of them is.
    fn arguments(&mut self, level: usize) -> Result<(Vec<Expr>, usize)> {
        let mut args = Vec::new();
        let mut height = 0;
        self.advance();
        if self.accept(TokenKind::RightParen).is_some() {
            return Ok((args, height));
        }
        let mut comma = None;
        loop {
            let first = self.at;
            let arg = match (self.expression(0, level + 1), comma) {
                // Prometheus's grammar takes a comma for a trailing one before it looks at what
                // follows and cannot begin an argument.
                (Err(_), Some(comma)) if self.at == first && !self.is_lex_error() => {
                    let message = "trailing commas not allowed in function call args";
                    return Err(self.error(Self::span_of(comma), message));
                }
                (arg, _) => arg?,
            };
            height = height.max(arg.height);
            args.push(arg.expr);
            comma = self.accept(TokenKind::Comma);
            if comma.is_none() {
                break;
            }
        }
        if self.accept(TokenKind::RightParen).is_none() {
            return Err(self.unexpected("", ""));
        }
        Ok((args, height))
    }

    fn aggregate(&mut self, op: AggregateOp, start: Token, level: usize) -> Result<Parsed> {
        let mut grouping = self.grouping()?;
        let may_follow = grouping.is_none();
        if self.peek().kind != TokenKind::LeftParen {
            return Err(self.unexpected("aggregation", ""));
        }
        let (mut args, height) = self.arguments(level)?;
        if grouping.is_none() {
            grouping = self.grouping()?;
        }
        let (without, grouping) = grouping.unwrap_or((false, Vec::new()));
        let span = Span::new(start.start as usize, self.previous_end());
        let wanted = if op.has_param() { 2 } else { 1 };
        // The grammar looks one word further before it counts: a grouping might follow.
        if may_follow && self.is_lex_error() {
            return Err(self.unexpected("", ""));
        }
        if args.is_empty() {
            return Err(self.error(span, "no arguments for aggregate expression provided"));
        }
        if args.len() != wanted {
            let message = format!(
                "wrong number of arguments for aggregate expression provided, expected {wanted}, got {}",
                args.len()
            );
            return Err(self.error(span, message));
        }
        let expr = args.pop();
        let param = args.pop();
        let Some(expr) = expr else { return Err(self.unexpected("aggregation", "")) };
        let aggregate = Aggregate { op, param, expr, grouping, without, span };
        Ok(Parsed { expr: Expr::Aggregate(Box::new(aggregate)), height: height + 1 })
    }

    /// `by (…)` or `without (…)`, if it stands here.
    fn grouping(&mut self) -> Result<Option<(bool, Vec<String>)>> {
        let without = match self.peek().kind {
            TokenKind::By => false,
            TokenKind::Without => true,
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some((without, self.label_list()?)))
    }

    fn suffixes(&mut self, mut parsed: Parsed) -> Result<Parsed> {
        loop {
            parsed = match self.peek().kind {
                TokenKind::LeftBracket => self.brackets(parsed)?,
                TokenKind::Offset => {
                    self.advance();
                    self.offset(parsed)?
                }
                TokenKind::At => {
                    self.advance();
                    self.at_time(parsed)?
                }
                TokenKind::Anchored | TokenKind::Smoothed => self.ends(parsed)?,
                _ => return Ok(parsed),
            };
            if parsed.height > NESTING_MAX {
                return Err(self.too_deep());
            }
        }
    }

    /// `[5m]` or `[1h:5m]`.
    fn brackets(&mut self, parsed: Parsed) -> Result<Parsed> {
        let open = self.advance();
        let range = self.positive_duration("subquery or range selector", WANTED)?;
        if self.accept(TokenKind::Colon).is_some() {
            let step = match self.peek().kind {
                TokenKind::RightBracket => None,
                _ => {
                    let wanted = "number, duration, step(), range(), or \"]\"";
                    Some(self.positive_duration("subquery selector", wanted)?)
                }
            };
            let Some(close) = self.accept(TokenKind::RightBracket) else {
                return Err(self.unexpected("subquery selector", "\"]\""));
            };
            let span = parsed.expr.span().to(Self::span_of(close));
            let (step_ms, step_expr) = match step {
                Some(Duration { millis, expr: None }) => (Some(millis), None),
                Some(Duration { expr, .. }) => (None, expr),
                None => (None, None),
            };
            let subquery = Subquery {
                expr: parsed.expr,
                range_ms: range.millis,
                range_expr: range.expr,
                step_ms,
                step_expr,
                offset_ms: 0,
                offset_expr: None,
                at: None,
                span,
            };
            let height = parsed.height + 1;
            return Ok(Parsed { expr: Expr::Subquery(Box::new(subquery)), height });
        }
        let Some(close) = self.accept(TokenKind::RightBracket) else {
            return Err(self.unexpected("subquery or range", "\":\" or \"]\""));
        };
        let brackets = Self::span_of(open).to(Self::span_of(close));
        let span = parsed.expr.span().to(Self::span_of(close));
        let Expr::Vector(selector) = parsed.expr else {
            return Err(self.error(brackets, "ranges only allowed for vector selectors"));
        };
        if selector.offset_ms != 0 || selector.offset_expr.is_some() {
            return Err(self.error(brackets, "no offset modifiers allowed before range"));
        }
        if selector.at.is_some() {
            return Err(self.error(brackets, "no @ modifiers allowed before range"));
        }
        let (range_ms, range_expr) = (range.millis, range.expr);
        let matrix = MatrixSelector { selector, range_ms, range_expr, span };
        Ok(Parsed { expr: Expr::Matrix(matrix), height: 1 })
    }

    fn offset(&mut self, mut parsed: Parsed) -> Result<Parsed> {
        let offset = self.offset_duration()?;
        let end = self.previous_end();
        let whole = parsed.expr.span();
        let (millis, expr, span) = match &mut parsed.expr {
            Expr::Vector(s) => (&mut s.offset_ms, &mut s.offset_expr, &mut s.span),
            Expr::Matrix(m) => {
                (&mut m.selector.offset_ms, &mut m.selector.offset_expr, &mut m.span)
            }
            Expr::Subquery(s) => (&mut s.offset_ms, &mut s.offset_expr, &mut s.span),
            _ => {
                let message = "offset modifier must be preceded by an instant vector selector or \
                               range vector selector or a subquery";
                return Err(self.error(whole, message));
            }
        };
        if *millis != 0 || expr.is_some() {
            return Err(self.error(whole, "offset may not be set multiple times"));
        }
        (*millis, *expr) = (offset.millis, offset.expr);
        span.end = end;
        Ok(parsed)
    }

    /// `anchored` or `smoothed` behind a selector.
    fn ends(&mut self, mut parsed: Parsed) -> Result<Parsed> {
        let token = self.advance();
        let whole = parsed.expr.span();
        // The node's place in the text stays what it was, as in Prometheus.
        let selector = match &mut parsed.expr {
            Expr::Vector(selector) => selector,
            Expr::Matrix(matrix) => &mut matrix.selector,
            other => {
                let what = match other {
                    Expr::Subquery(_) => "is not supported for subqueries",
                    _ => "not implemented",
                };
                let word = match token.kind {
                    TokenKind::Anchored => "anchored",
                    _ => "smoothed",
                };
                return Err(self.error(whole, format!("{word} modifier {what}")));
            }
        };
        match token.kind {
            TokenKind::Anchored => selector.anchored = true,
            _ => selector.smoothed = true,
        }
        let both = selector.anchored && selector.smoothed;
        if both {
            let message = "anchored and smoothed modifiers cannot be used together";
            return Err(self.error(whole, message));
        }
        Ok(parsed)
    }

    fn at_time(&mut self, mut parsed: Parsed) -> Result<Parsed> {
        let whole = parsed.expr.span();
        let token = self.peek();
        let time = match token.kind {
            TokenKind::Start | TokenKind::End => {
                self.advance();
                for paren in [TokenKind::LeftParen, TokenKind::RightParen] {
                    if self.accept(paren).is_none() {
                        return Err(self.unexpected("@", "timestamp"));
                    }
                }
                if token.kind == TokenKind::Start { At::Start } else { At::End }
            }
            _ => {
                let sign = self.sign();
                if !matches!(self.peek().kind, TokenKind::Number | TokenKind::Duration) {
                    return Err(self.unexpected("@", "timestamp"));
                }
                let seconds = sign * self.number_literal()?.value;
                // The bounds are those of an i64 of seconds, as in Prometheus.
                if !(-9.2e18..9.2e18).contains(&seconds) {
                    let shown = match seconds {
                        s if s.is_finite() => format!("{s:.6}"),
                        s => format_value(s),
                    };
                    let message = format!("timestamp out of bounds for @ modifier: {shown}");
                    return Err(self.error(whole, message));
                }
                At::Time((seconds * 1000.0).round() as i64)
            }
        };
        let end = self.previous_end();
        let (slot, span) = match &mut parsed.expr {
            Expr::Vector(selector) => (&mut selector.at, &mut selector.span),
            Expr::Matrix(matrix) => (&mut matrix.selector.at, &mut matrix.span),
            Expr::Subquery(subquery) => (&mut subquery.at, &mut subquery.span),
            _ => {
                let message = "@ modifier must be preceded by an instant vector selector or range \
                               vector selector or a subquery";
                return Err(self.error(whole, message));
            }
        };
        if slot.is_some() {
            return Err(self.error(whole, "@ <timestamp> may not be set multiple times"));
        }
        *slot = Some(time);
        span.end = end;
        Ok(parsed)
    }

    /// A sign before a number: 1 or -1.
    pub(super) fn sign(&mut self) -> f64 {
        match self.peek().kind {
            TokenKind::Operator(BinaryOp::Add) => {
                self.advance();
                1.0
            }
            TokenKind::Operator(BinaryOp::Sub) => {
                self.advance();
                -1.0
            }
            _ => 1.0,
        }
    }
}
