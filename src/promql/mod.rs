//! PromQL with Prometheus 3 semantics, over any [`Source`].
//!
//! Owns: lexer, parser, evaluator. Never: storage, clocks, HTTP. Start reading at [`Source`].

mod source;

pub use source::{Hints, Samples, Selection, SeriesCursor, Source, SourceError};
