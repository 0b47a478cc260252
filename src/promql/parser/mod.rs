//! Reads a query: a Pratt parser over the words of the lexer.
//!
//! Precedence, associativity and the wording of errors are those of Prometheus's grammar
//! (`promql/parser/generated_parser.y`). The first mistake ends the reading.

mod duration;
mod literal;
mod operand;
mod selector;

use crate::model::Matcher;

use super::ast::{Binary, BinaryOp, Cardinality, Expr, Matching, Unary};
use super::lexer::{LexError, lex};
use super::span::{ParseError, Span};
use super::token::{FillSide, Token, TokenKind};
use super::typecheck;

/// The longest query, in bytes: dashboards with generated alternations stay far below.
const QUERY_BYTES_MAX: usize = 1 << 20;

/// How high the tree of an expression may be, chains of operators included. Checking, printing
/// and evaluating recurse; so many levels fit into a thread's 2 MiB of stack even unoptimised.
pub(super) const NESTING_MAX: usize = 200;

/// How deep parentheses, arguments and right operands may nest: reading them takes more stack.
const LEVELS_MAX: usize = 100;

/// Reads a query and checks its types.
///
/// The error names the line, the column and the mistake in Prometheus's words.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    let mut parser = Parser::new(text)?;
    if parser.peek().kind == TokenKind::Eof {
        return Err(ParseError::new(text, Span::new(0, 0), "no expression found in input"));
    }
    let mut expr = parser.expression(0, 0)?.expr;
    if parser.peek().kind != TokenKind::Eof {
        return Err(parser.unexpected("", ""));
    }
    typecheck::check(text, &mut expr)?;
    Ok(expr)
}

/// Reads the selector of a `match[]` parameter: conditions, all of which must hold, at least one
/// of which refuses the empty value.
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>, ParseError> {
    let mut parser = Parser::new(text)?;
    if !parser.peek().is_metric_name() && parser.peek().kind != TokenKind::LeftBrace {
        return Err(parser.unexpected("", ""));
    }
    let selector = parser.vector_selector()?;
    if parser.peek().kind != TokenKind::Eof {
        return Err(parser.unexpected("", ""));
    }
    typecheck::check_selector(text, &selector)?;
    Ok(selector.matchers)
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    lex_error: Option<LexError>,
    at: usize,
    /// How many aggregations are open: the grammar names them as the place of a mistake.
    open_aggregations: usize,
}

/// An expression and how many levels it is high.
struct Parsed {
    expr: Expr,
    height: usize,
}

type Result<T, E = ParseError> = std::result::Result<T, E>;

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Result<Self> {
        if text.len() > QUERY_BYTES_MAX {
            let message = format!(
                "query is {} bytes long, at most {QUERY_BYTES_MAX} are allowed",
                text.len()
            );
            return Err(ParseError::new(text, Span::new(0, 0), message));
        }
        let words = lex(text);
        Ok(Parser {
            text,
            tokens: words.tokens,
            lex_error: words.error,
            at: 0,
            open_aggregations: 0,
        })
    }

    /// The word at hand. The last word stays there for ever.
    fn peek(&self) -> Token {
        self.peek_ahead(0)
    }

    fn peek_ahead(&self, by: usize) -> Token {
        let last = self.tokens.len().saturating_sub(1);
        self.tokens.get((self.at + by).min(last)).copied().unwrap_or(Token {
            kind: TokenKind::Eof,
            start: 0,
            end: 0,
        })
    }

    fn advance(&mut self) -> Token {
        let token = self.peek();
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        token
    }

    fn accept(&mut self, kind: TokenKind) -> Option<Token> {
        (self.peek().kind == kind).then(|| self.advance())
    }

    fn span_of(token: Token) -> Span {
        Span::new(token.start as usize, token.end as usize)
    }

    /// Where the word before the one at hand ends.
    fn previous_end(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(0, |t| t.end as usize)
    }

    fn previous_kind(&self) -> TokenKind {
        let previous = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        previous.map_or(TokenKind::Eof, |token| token.kind)
    }

    fn error(&self, span: Span, message: impl Into<String>) -> ParseError {
        ParseError::new(self.text, span, message)
    }

    /// Whether the lexer could not go on at the word at hand.
    fn is_lex_error(&self) -> bool {
        self.peek().kind == TokenKind::Error
    }

    /// The complaint about the word at hand; what the lexer had to say comes first.
    fn unexpected(&self, context: &str, expected: &str) -> ParseError {
        let token = self.peek();
        if let (TokenKind::Error, Some(error)) = (token.kind, &self.lex_error) {
            return self.error(error.span, error.message.clone());
        }
        let context = match context {
            "" if self.open_aggregations > 0 => "aggregation",
            other => other,
        };
        let mut message = format!("unexpected {}", token.describe(self.text));
        if !context.is_empty() {
            message.push_str(" in ");
            message.push_str(context);
        }
        if !expected.is_empty() {
            message.push_str(", expected ");
            message.push_str(expected);
        }
        self.error(Self::span_of(token), message)
    }

    fn too_deep(&self) -> ParseError {
        self.error(Self::span_of(self.peek()), "expression is nested too deeply")
    }

    /// An expression of operators that bind tighter than `floor`.
    fn expression(&mut self, floor: u8, level: usize) -> Result<Parsed> {
        if level > LEVELS_MAX {
            return Err(self.too_deep());
        }
        let mut left = self.signed(level)?;
        loop {
            let TokenKind::Operator(op) = self.peek().kind else { return Ok(left) };
            let precedence = op.precedence();
            if precedence <= floor {
                return Ok(left);
            }
            self.advance();
            let (return_bool, matching) = self.modifiers()?;
            // A power binds to the right: what follows may be of its own level.
            let right_floor = if op == BinaryOp::Pow { precedence - 1 } else { precedence };
            let after = self.previous_kind();
            let first = self.at;
            let right = match self.expression(right_floor, level + 1) {
                // Labels were possible too, and that is what the grammar misses.
                Err(_)
                    if self.at == first
                        && matches!(after, TokenKind::GroupLeft | TokenKind::GroupRight)
                        && !self.is_lex_error() =>
                {
                    return Err(self.unexpected("grouping opts", "\"(\""));
                }
                right => right?,
            };
            let height = left.height.max(right.height) + 1;
            if height > NESTING_MAX {
                return Err(self.too_deep());
            }
            let (lhs, rhs) = (left.expr, right.expr);
            let binary = Binary { op, lhs, rhs, matching: Some(matching), return_bool };
            left = Parsed { expr: Expr::Binary(Box::new(binary)), height };
        }
    }

    /// An operand with the signs before it. A sign binds as tightly as a multiplication, so that
    /// `-1 ^ 2` is `-(1 ^ 2)`.
    fn signed(&mut self, level: usize) -> Result<Parsed> {
        let token = self.peek();
        let negative = match token.kind {
            TokenKind::Operator(BinaryOp::Add) => false,
            TokenKind::Operator(BinaryOp::Sub) => true,
            _ => return self.operand(level),
        };
        self.advance();
        let inner = self.expression(BinaryOp::Mul.precedence(), level + 1)?;
        let span = Self::span_of(token).to(inner.expr.span());
        let expr = match inner.expr {
            Expr::Number(mut number) => {
                if negative {
                    number.value = -number.value;
                }
                number.span = span;
                Expr::Number(number)
            }
            expr => Expr::Unary(Box::new(Unary { negative, expr, span })),
        };
        let height = inner.height + 1;
        if height > NESTING_MAX {
            return Err(self.too_deep());
        }
        Ok(Parsed { expr, height })
    }

    /// `bool`, `on (…)`, `ignoring (…)`, `group_left (…)`, `fill (…)` after an operator.
    fn modifiers(&mut self) -> Result<(bool, Matching)> {
        let return_bool = self.accept(TokenKind::Bool).is_some();
        let mut matching = Matching {
            cardinality: Cardinality::OneToOne,
            labels: Vec::new(),
            on: false,
            include: Vec::new(),
            fill_left: None,
            fill_right: None,
        };
        matching.on = self.peek().kind == TokenKind::On;
        if matching.on || self.peek().kind == TokenKind::Ignoring {
            self.advance();
            matching.labels = self.label_list()?;
            matching.cardinality = match self.peek().kind {
                TokenKind::GroupLeft => Cardinality::ManyToOne,
                TokenKind::GroupRight => Cardinality::OneToMany,
                _ => Cardinality::OneToOne,
            };
            if matching.cardinality != Cardinality::OneToOne {
                self.advance();
                let next = self.peek();
                // Only where an operand or a fill follows, the labels may be left out.
                if next.kind == TokenKind::LeftParen || !next.follows_group() {
                    matching.include = self.label_list()?;
                }
            }
        }
        self.fills(&mut matching)?;
        Ok((return_bool, matching))
    }

    /// `fill (0)`, or `fill_left (0)` and `fill_right (0)` in any order.
    fn fills(&mut self, matching: &mut Matching) -> Result<()> {
        while let TokenKind::Fill(side) = self.peek().kind {
            match side {
                FillSide::Both if matching.fill_left.or(matching.fill_right).is_none() => {
                    let value = self.fill_value()?;
                    (matching.fill_left, matching.fill_right) = (Some(value), Some(value));
                    return Ok(());
                }
                FillSide::Left if matching.fill_left.is_none() => {
                    matching.fill_left = Some(self.fill_value()?);
                }
                FillSide::Right if matching.fill_right.is_none() => {
                    matching.fill_right = Some(self.fill_value()?);
                }
                _ => return Err(self.unexpected("", "")),
            }
        }
        Ok(())
    }

    fn fill_value(&mut self) -> Result<f64> {
        self.advance();
        if self.accept(TokenKind::LeftParen).is_none() {
            return Err(self.unexpected("", ""));
        }
        let sign = self.sign();
        if !matches!(self.peek().kind, TokenKind::Number | TokenKind::Duration) {
            return Err(self.unexpected("", ""));
        }
        let value = sign * self.number_literal()?.value;
        if self.accept(TokenKind::RightParen).is_none() {
            return Err(self.unexpected("", ""));
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests;
