//! What a query says, as a tree.

use crate::model::{METRIC_NAME, MatchOp, Matcher};

pub use super::duration::DurationExpr;
use super::functions::Function;
pub use super::operators::{AggregateOp, BinaryOp, Cardinality};
use super::span::Span;

/// What an expression gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// One number per step.
    Scalar,
    /// A text.
    String,
    /// Series with one value per step.
    Vector,
    /// Series with a range of samples per step.
    Matrix,
}

impl ValueType {
    /// The name that Prometheus's messages and documentation use.
    pub const fn documented(self) -> &'static str {
        match self {
            ValueType::Scalar => "scalar",
            ValueType::String => "string",
            ValueType::Vector => "instant vector",
            ValueType::Matrix => "range vector",
        }
    }

    /// The name in answers of the HTTP API (`resultType`).
    pub const fn as_str(self) -> &'static str {
        match self {
            ValueType::Scalar => "scalar",
            ValueType::String => "string",
            ValueType::Vector => "vector",
            ValueType::Matrix => "matrix",
        }
    }
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// `42`, or `5m` for its seconds.
    Number(NumberLiteral),
    /// `"text"`
    String(StringLiteral),
    /// `metric{label="value"}`
    Vector(VectorSelector),
    /// `metric[5m]`
    Matrix(MatrixSelector),
    /// `expression[1h:5m]`
    Subquery(Box<Subquery>),
    /// `sum by (job) (…)`
    Aggregate(Box<Aggregate>),
    /// `a + b`
    Binary(Box<Binary>),
    /// `rate(…)`
    Call(Call),
    /// `( … )`
    Paren(Box<Paren>),
    /// `-a`
    Unary(Box<Unary>),
}

/// A number.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberLiteral {
    /// Its value; of a duration its seconds.
    pub value: f64,
    /// Whether it was written as a duration.
    pub is_duration: bool,
    /// Where it stands.
    pub span: Span,
}

/// A text.
#[derive(Clone, Debug, PartialEq)]
pub struct StringLiteral {
    /// The text, escapes resolved.
    pub value: String,
    /// Where it stands.
    pub span: Span,
}

/// A fixed time of evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// `@ 1609746000`: Unix milliseconds.
    Time(i64),
    /// `@ start()`: the start of the query.
    Start,
    /// `@ end()`: the end of the query.
    End,
}

/// Selects series; at each step their latest sample within the lookback. The order of the
/// conditions does not matter, for equality neither.
#[derive(Clone, Debug)]
pub struct VectorSelector {
    /// The metric's name where it is written outside the braces.
    pub name: Option<String>,
    /// All conditions; the name outside the braces is the last of them.
    pub matchers: Vec<Matcher>,
    /// How far back to look, in milliseconds; negative looks ahead.
    pub offset_ms: i64,
    /// How far back to look, where that is calculated.
    pub offset_expr: Option<Box<DurationExpr>>,
    /// The fixed time, if any.
    pub at: Option<At>,
    /// Whether only samples at the very ends of the range count (`anchored`).
    pub anchored: bool,
    /// Whether values between samples are interpolated (`smoothed`).
    pub smoothed: bool,
    /// Whether every condition may hold for an empty value: in the second argument of `info`.
    pub may_match_anything: bool,
    /// Where it stands.
    pub span: Span,
}

impl PartialEq for VectorSelector {
    fn eq(&self, other: &Self) -> bool {
        let holds_all = |a: &Self, b: &Self| a.matchers.iter().all(|m| b.matchers.contains(m));
        self.name == other.name
            && self.matchers.len() == other.matchers.len()
            && holds_all(self, other)
            && holds_all(other, self)
            && self.offset_ms == other.offset_ms
            && self.offset_expr == other.offset_expr
            && self.at == other.at
            && self.anchored == other.anchored
            && self.smoothed == other.smoothed
    }
}

impl VectorSelector {
    /// The metric that it names by equality, outside or inside the braces.
    pub fn metric_name(&self) -> Option<&str> {
        self.matchers
            .iter()
            .find(|m| m.name() == METRIC_NAME && m.op() == MatchOp::Equal)
            .map(Matcher::value)
    }
}

/// Selects series; at each step their samples of a range.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixSelector {
    /// Which series, when.
    pub selector: VectorSelector,
    /// The width of the range in milliseconds, above 0; meaningless where it is calculated, until
    /// it was.
    pub range_ms: i64,
    /// The width of the range, where it is calculated.
    pub range_expr: Option<Box<DurationExpr>>,
    /// Where it stands.
    pub span: Span,
}

/// Evaluates an expression at steps of its own over a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Subquery {
    /// What to evaluate.
    pub expr: Expr,
    /// The width of the range in milliseconds, above 0; meaningless where it is calculated, until
    /// it was.
    pub range_ms: i64,
    /// The width of the range, where it is calculated.
    pub range_expr: Option<Box<DurationExpr>>,
    /// The distance of the steps in milliseconds; none for the default.
    pub step_ms: Option<i64>,
    /// The distance of the steps, where it is calculated.
    pub step_expr: Option<Box<DurationExpr>>,
    /// How far back to look, in milliseconds.
    pub offset_ms: i64,
    /// How far back to look, where that is calculated.
    pub offset_expr: Option<Box<DurationExpr>>,
    /// The fixed time, if any.
    pub at: Option<At>,
    /// Where it stands.
    pub span: Span,
}

/// Folds series together.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// How.
    pub op: AggregateOp,
    /// The parameter of those that take one.
    pub param: Option<Expr>,
    /// What to fold.
    pub expr: Expr,
    /// The labels to keep, or with `without` those to drop.
    pub grouping: Vec<String>,
    /// Whether `grouping` says what to drop.
    pub without: bool,
    /// Where it stands.
    pub span: Span,
}

/// Which series of two vectors belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Matching {
    /// How many on each side.
    pub cardinality: Cardinality,
    /// The labels that must be equal (`on`), or that need not be (`ignoring`).
    pub labels: Vec<String>,
    /// Whether `labels` came with `on`.
    pub on: bool,
    /// The labels taken over from the "one" side.
    pub include: Vec<String>,
    /// What stands for a series that only the right side has (`fill`, `fill_left`).
    pub fill_left: Option<f64>,
    /// What stands for a series that only the left side has (`fill`, `fill_right`).
    pub fill_right: Option<f64>,
}

/// Two operands.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    /// The operator.
    pub op: BinaryOp,
    /// The left operand.
    pub lhs: Expr,
    /// The right operand.
    pub rhs: Expr,
    /// How series are matched; none unless both sides are vectors.
    pub matching: Option<Matching>,
    /// Whether a comparison gives 0 or 1 instead of filtering.
    pub return_bool: bool,
}

/// A call of a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Which function.
    pub function: &'static Function,
    /// Its arguments.
    pub args: Vec<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// An expression in parentheses.
#[derive(Clone, Debug, PartialEq)]
pub struct Paren {
    /// What is inside.
    pub expr: Expr,
    /// Where it stands.
    pub span: Span,
}

/// A signed expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Unary {
    /// Whether the sign is a minus.
    pub negative: bool,
    /// What it applies to.
    pub expr: Expr,
    /// Where it stands.
    pub span: Span,
}

impl Expr {
    /// What it gives.
    pub fn value_type(&self) -> ValueType {
        match self {
            Expr::Number(_) => ValueType::Scalar,
            Expr::String(_) => ValueType::String,
            Expr::Vector(_) | Expr::Aggregate(_) => ValueType::Vector,
            Expr::Matrix(_) | Expr::Subquery(_) => ValueType::Matrix,
            Expr::Binary(binary) => {
                if binary.lhs.value_type() == ValueType::Scalar
                    && binary.rhs.value_type() == ValueType::Scalar
                {
                    ValueType::Scalar
                } else {
                    ValueType::Vector
                }
            }
            Expr::Call(call) => call.function.returns,
            Expr::Paren(paren) => paren.expr.value_type(),
            Expr::Unary(unary) => unary.expr.value_type(),
        }
    }

    /// Where it stands in the query's text.
    pub fn span(&self) -> Span {
        match self {
            Expr::Number(number) => number.span,
            Expr::String(string) => string.span,
            Expr::Vector(selector) => selector.span,
            Expr::Matrix(matrix) => matrix.span,
            Expr::Subquery(subquery) => subquery.span,
            Expr::Aggregate(aggregate) => aggregate.span,
            Expr::Binary(binary) => binary.lhs.span().to(binary.rhs.span()),
            Expr::Call(call) => call.span,
            Expr::Paren(paren) => paren.span,
            Expr::Unary(unary) => unary.span,
        }
    }

    /// The expression without the parentheses around it.
    pub fn unwrap_parens(&self) -> &Expr {
        let mut expr = self;
        while let Expr::Paren(paren) = expr {
            expr = &paren.expr;
        }
        expr
    }
}
