//! PromQL with Prometheus 3 semantics, over any [`Source`].
//!
//! Owns: lexer, parser, type checks, printer, evaluator. Never: storage, clocks, HTTP. Start
//! reading at [`parse`], [`instant`] and [`range`].

mod aggregate;
mod annotations;
mod answer;
mod ast;
mod binary;
mod duration;
mod eval;
mod functions;
mod histogram;
mod lexer;
mod native;
mod notation;
mod operators;
mod parser;
mod prettify;
mod print;
mod quote;
mod selectors;
mod signature;
mod source;
mod span;
mod token;
mod typecheck;

pub use annotations::Annotations;
pub use answer::{Answer, Blame, MatrixSeries, Options, QueryError, Stop, Value, VectorSample};
pub use ast::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Call, Cardinality, DurationExpr, Expr, Matching,
    MatrixSelector, NumberLiteral, Paren, StringLiteral, Subquery, Unary, ValueType,
    VectorSelector,
};
pub use eval::{instant, range};
pub use functions::Function;
pub use native::histogram_quantile;
pub use notation::{
    NOTED_VALUES_MAX, NotedSeries, parse_histogram, parse_series, parse_values, write_histogram,
};
pub use parser::{parse, parse_selector};
pub use prettify::prettify;
pub use quote::quote;
pub use selectors::selectors;
pub use source::{Hints, Samples, Selection, SeriesCursor, Source, SourceError};
pub use span::{ParseError, Span};
