//! PromQL with Prometheus 3 semantics, over any [`Source`].
//!
//! Owns: lexer, parser, type checks, printer, evaluator. Never: storage, clocks, HTTP. Start
//! reading at [`parse`], [`instant`] and [`range`].

mod ast;
mod functions;
mod lexer;
mod parser;
mod print;
mod source;
mod span;
mod token;
mod typecheck;

pub use ast::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Call, Cardinality, Expr, Matching,
    MatrixSelector, NumberLiteral, Paren, StringLiteral, Subquery, Unary, ValueType,
    VectorSelector,
};
pub use functions::Function;
pub use parser::{parse, parse_selector};
pub use source::{Hints, Samples, Selection, SeriesCursor, Source, SourceError};
pub use span::{ParseError, Span};
