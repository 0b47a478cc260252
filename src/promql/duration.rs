//! Durations that are calculated: `[5m + step()]`, `offset (2 * range())`.
//!
//! What they come to depends on the step and the range of the query, so they stay expressions
//! until [`resolve`] puts milliseconds in their place. The rules are those of
//! `promql/durations.go`.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

use super::answer::QueryError;
use super::ast::{BinaryOp, Expr, NumberLiteral};
use super::span::Span;

/// A duration that is calculated; numbers in it are seconds.
#[derive(Clone, Debug, PartialEq)]
pub enum DurationExpr {
    /// `5m`, or `300` for seconds.
    Number(NumberLiteral),
    /// `step()`: the step of the query, 0 for an instant.
    Step(Span),
    /// `range()`: from the start to the end of the query, 0 for an instant.
    Range(Span),
    /// `-a`; a plus leaves no trace.
    Negative(Box<DurationExpr>, Span),
    /// `( a )`
    Paren(Box<DurationExpr>),
    /// `min_of(a, b)`, or with `max` `max_of(a, b)`.
    Choice {
        /// Whether the larger one counts.
        max: bool,
        /// The one.
        a: Box<DurationExpr>,
        /// The other.
        b: Box<DurationExpr>,
        /// Where it stands.
        span: Span,
    },
    /// `a + b`, with one of `+ - * / % ^`.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// The left operand.
        lhs: Box<DurationExpr>,
        /// The right operand.
        rhs: Box<DurationExpr>,
    },
}

impl DurationExpr {
    /// Where it stands in the query's text.
    pub fn span(&self) -> Span {
        match self {
            DurationExpr::Number(number) => number.span,
            DurationExpr::Step(span)
            | DurationExpr::Range(span)
            | DurationExpr::Negative(_, span)
            | DurationExpr::Choice { span, .. } => *span,
            // The parentheses do not count, as in Prometheus.
            DurationExpr::Paren(inner) => inner.span(),
            DurationExpr::Binary { lhs, rhs, .. } => lhs.span().to(rhs.span()),
        }
    }

    /// Its seconds, for a query with this step and range, in seconds too.
    fn seconds(&self, step: f64, range: f64) -> Result<f64, QueryError> {
        Ok(match self {
            DurationExpr::Number(number) => number.value,
            DurationExpr::Step(_) => step,
            DurationExpr::Range(_) => range,
            DurationExpr::Negative(inner, _) => -inner.seconds(step, range)?,
            DurationExpr::Paren(inner) => inner.seconds(step, range)?,
            DurationExpr::Choice { max, a, b, .. } => {
                let (a, b) = (a.seconds(step, range)?, b.seconds(step, range)?);
                match () {
                    () if a.is_nan() || b.is_nan() => f64::NAN,
                    () if *max => a.max(b),
                    () => a.min(b),
                }
            }
            DurationExpr::Binary { op, lhs, rhs } => {
                let (a, b) = (lhs.seconds(step, range)?, rhs.seconds(step, range)?);
                match op {
                    BinaryOp::Sub => a - b,
                    BinaryOp::Mul => a * b,
                    BinaryOp::Div if b == 0.0 => return Err(self.mistake("division by zero")),
                    BinaryOp::Div => a / b,
                    BinaryOp::Mod if b == 0.0 => return Err(self.mistake("modulo by zero")),
                    BinaryOp::Mod => a % b,
                    BinaryOp::Pow => a.powf(b),
                    _ => a + b,
                }
            }
        })
    }

    /// Its milliseconds, cut off towards zero as Prometheus does.
    fn millis(&self, context: Context, signed: bool) -> Result<i64, QueryError> {
        let seconds = self.seconds(context.step, context.range)?;
        if seconds <= 0.0 && !signed {
            return Err(self.mistake("duration must be greater than 0"));
        }
        let millis = seconds * 1000.0;
        // Prometheus counts nanoseconds in an i64, and lets what does not fit wrap around.
        if millis.is_nan() || millis.abs() > i64::MAX as f64 / 1e6 {
            return Err(self.mistake("duration is out of range"));
        }
        Ok(millis as i64)
    }

    /// The complaint, with the bytes that it is about, as `promql/durations.go` writes it.
    fn mistake(&self, text: &str) -> QueryError {
        let span = self.span();
        QueryError::BadData(format!("{}:{}: {text}", span.start, span.end))
    }
}

impl Display for DurationExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            DurationExpr::Number(number) => number.fmt(f),
            DurationExpr::Step(_) => f.write_str("step()"),
            DurationExpr::Range(_) => f.write_str("range()"),
            DurationExpr::Negative(inner, _) => write!(f, "-{inner}"),
            DurationExpr::Paren(inner) => write!(f, "({inner})"),
            DurationExpr::Choice { max, a, b, .. } => {
                write!(f, "{}({a}, {b})", if *max { "max_of" } else { "min_of" })
            }
            DurationExpr::Binary { op, lhs, rhs } => write!(f, "{lhs} {} {rhs}", op.as_str()),
        }
    }
}

/// The step and the range of a query, in seconds.
#[derive(Clone, Copy)]
struct Context {
    step: f64,
    range: f64,
}

/// The expression with milliseconds in place of every calculated duration, for a query with this
/// step and range (both 0 for an instant).
///
/// Fails where one comes to nothing or less, does not fit, or divides by zero.
pub(super) fn resolve(
    expr: &Expr,
    step_ms: i64,
    range_ms: i64,
) -> Result<Cow<'_, Expr>, QueryError> {
    if !is_calculated(expr) {
        return Ok(Cow::Borrowed(expr));
    }
    let context = Context { step: step_ms as f64 / 1000.0, range: range_ms as f64 / 1000.0 };
    let mut expr = expr.clone();
    put(&mut expr, context)?;
    Ok(Cow::Owned(expr))
}

fn is_calculated(expr: &Expr) -> bool {
    match expr {
        Expr::Number(_) | Expr::String(_) => false,
        Expr::Vector(selector) => selector.offset_expr.is_some(),
        Expr::Matrix(matrix) => {
            matrix.range_expr.is_some() || matrix.selector.offset_expr.is_some()
        }
        Expr::Subquery(subquery) => {
            subquery.range_expr.is_some()
                || subquery.step_expr.is_some()
                || subquery.offset_expr.is_some()
                || is_calculated(&subquery.expr)
        }
        Expr::Aggregate(aggregate) => {
            is_calculated(&aggregate.expr) || aggregate.param.as_ref().is_some_and(is_calculated)
        }
        Expr::Binary(binary) => is_calculated(&binary.lhs) || is_calculated(&binary.rhs),
        Expr::Call(call) => call.args.iter().any(is_calculated),
        Expr::Paren(paren) => is_calculated(&paren.expr),
        Expr::Unary(unary) => is_calculated(&unary.expr),
    }
}

/// Calculates top-down and, within one node, in Prometheus's order, so that the same mistake is
/// the first.
fn put(expr: &mut Expr, context: Context) -> Result<(), QueryError> {
    let offset = |from: &Option<Box<DurationExpr>>, to: &mut i64| {
        let millis = from.as_ref().map(|e| e.millis(context, true)).transpose()?;
        *to = millis.unwrap_or(*to);
        Ok::<(), QueryError>(())
    };
    let positive = |from: &Option<Box<DurationExpr>>| {
        from.as_ref().map(|e| e.millis(context, false)).transpose()
    };
    match expr {
        Expr::Number(_) | Expr::String(_) => Ok(()),
        Expr::Vector(selector) => offset(&selector.offset_expr, &mut selector.offset_ms),
        Expr::Matrix(matrix) => {
            matrix.range_ms = positive(&matrix.range_expr)?.unwrap_or(matrix.range_ms);
            offset(&matrix.selector.offset_expr, &mut matrix.selector.offset_ms)
        }
        Expr::Subquery(subquery) => {
            offset(&subquery.offset_expr, &mut subquery.offset_ms)?;
            subquery.step_ms = positive(&subquery.step_expr)?.or(subquery.step_ms);
            subquery.range_ms = positive(&subquery.range_expr)?.unwrap_or(subquery.range_ms);
            put(&mut subquery.expr, context)
        }
        Expr::Aggregate(aggregate) => {
            put(&mut aggregate.expr, context)?;
            aggregate.param.as_mut().map_or(Ok(()), |param| put(param, context))
        }
        Expr::Binary(binary) => {
            put(&mut binary.lhs, context)?;
            put(&mut binary.rhs, context)
        }
        Expr::Call(call) => call.args.iter_mut().try_for_each(|arg| put(arg, context)),
        Expr::Paren(paren) => put(&mut paren.expr, context),
        Expr::Unary(unary) => put(&mut unary.expr, context),
    }
}
