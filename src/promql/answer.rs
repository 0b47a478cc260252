//! What a query is asked with and what it answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::model::{Histogram, Labels, Sample, Timestamp};

use super::annotations::Annotations;
use super::source::Samples;
use super::span::Span;

/// Bounds and defaults of one evaluation.
#[derive(Clone, Debug)]
pub struct Options {
    /// How far back an instant selector looks for a sample, in milliseconds.
    pub lookback_ms: i64,
    /// How many samples and values of steps may be held at one time.
    pub max_samples: u64,
    /// The distance of the steps of subqueries that do not say theirs, in milliseconds.
    pub default_subquery_step_ms: i64,
    /// Whether to count the samples that each step looks at.
    pub count_samples: bool,
    /// Ends the evaluation from outside.
    pub stop: Arc<Stop>,
}

impl Default for Options {
    /// Prometheus's defaults: 5 minutes, 50 million samples, 1 minute.
    fn default() -> Self {
        Options {
            lookback_ms: 300_000,
            max_samples: 50_000_000,
            default_subquery_step_ms: 60_000,
            count_samples: false,
            stop: Arc::default(),
        }
    }
}

/// A switch by which another thread ends an evaluation. The first call wins.
#[derive(Debug, Default)]
pub struct Stop(AtomicU8);

impl Stop {
    const RUNNING: u8 = 0;
    const CANCELLED: u8 = 1;
    const TIMED_OUT: u8 = 2;

    /// Nobody waits for the answer any more.
    pub fn cancel(&self) {
        self.set(Self::CANCELLED);
    }

    /// The time is up.
    pub fn time_out(&self) {
        self.set(Self::TIMED_OUT);
    }

    fn set(&self, state: u8) {
        // A failed exchange means that it was stopped before: that reason stays.
        let _ = self.0.compare_exchange(Self::RUNNING, state, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Whether the evaluation should end, and why; stores may ask it in their own loops.
    pub fn check(&self) -> Result<(), QueryError> {
        match self.0.load(Ordering::Relaxed) {
            Self::RUNNING => Ok(()),
            Self::CANCELLED => Err(QueryError::Cancelled),
            _ => Err(QueryError::Timeout),
        }
    }
}

/// Why there is no answer. The wordings are Prometheus's (`promql/engine.go`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The query or its parameters make no sense (`bad_data`).
    #[error("{0}")]
    BadData(String),
    /// The evaluation failed on the data (`execution`).
    #[error("{0}")]
    Execution(String),
    /// It would hold more than `Options::max_samples` (`execution`). The words after
    /// Prometheus's say which part of the query is to blame.
    #[error("query processing would load too many samples into memory in query execution: {0}")]
    TooManySamples(Blame),
    /// The time is up (`timeout`).
    #[error("query timed out in expression evaluation")]
    Timeout,
    /// Nobody waits for the answer (`canceled`).
    #[error("query was canceled in expression evaluation")]
    Cancelled,
    /// The store failed (`internal`).
    #[error("{0}")]
    Storage(String),
}

/// Which selector read most when a query came to hold too much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blame {
    /// The selector as it would be written, and how many samples it read; none where the steps
    /// alone are too many.
    pub selector: Option<(String, u64)>,
    /// Where that stands in the query.
    pub span: Span,
    /// `line:column` of that, as soon as somebody with the text says so ([`QueryError::located`]).
    pub place: Option<(usize, usize)>,
    /// How many samples were allowed at once (`query.max_samples`).
    pub allowed: u64,
}

impl std::fmt::Display for Blame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some((selector, samples)) = &self.selector else {
            return write!(
                f,
                "its steps alone are more than the {} that may be held at once; ask for fewer \
                 steps, or raise query.max_samples",
                self.allowed
            );
        };
        write!(f, "most of them by {selector}")?;
        if let Some((line, column)) = self.place {
            write!(f, " ({line}:{column})")?;
        }
        write!(
            f,
            ", which had read {samples} when the {} that may be held at once were exceeded; select \
             fewer series or a shorter time, aggregate, or raise query.max_samples",
            self.allowed
        )
    }
}

impl QueryError {
    /// With the place of its cause as `line:column` of the query's text, where it has one.
    #[must_use]
    pub fn located(mut self, query: &str) -> Self {
        if let QueryError::TooManySamples(blame) = &mut self
            && blame.selector.is_some()
        {
            blame.place = Some(blame.span.line_and_column(query));
        }
        self
    }
}

/// The answer to a query.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What came out.
    pub value: Value,
    /// What is probably wrong with the result, and what is worth knowing about it.
    pub annotations: Annotations,
    /// How many samples were read from the source.
    pub samples_read: u64,
    /// The largest number of samples and values of steps held at one time.
    pub samples_peak: u64,
    /// The time of each step in Unix milliseconds and how many samples it looked at; a sample
    /// that several steps see counts for each. Empty unless `Options::count_samples` asks for it.
    pub samples_per_step: Vec<(i64, u64)>,
}

/// The result of a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// One number.
    Scalar(Sample),
    /// A text, and the time of evaluation.
    String {
        /// The time of evaluation.
        at: Timestamp,
        /// The text.
        text: String,
    },
    /// Series with one value each; sorted by labels unless the query sorts.
    Vector(Vec<VectorSample>),
    /// Series with samples, sorted by labels.
    Matrix(Vec<MatrixSeries>),
}

/// One series of an instant answer.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorSample {
    /// The series.
    pub labels: Labels,
    /// Its value, at the time of evaluation; a mark if it is a histogram.
    pub sample: Sample,
    /// Its value if it is a histogram.
    pub histogram: Option<Arc<Histogram>>,
}

/// One series of a range answer.
#[derive(Clone, Debug)]
pub struct MatrixSeries {
    /// The series.
    pub labels: Labels,
    /// Its samples, at least one.
    pub samples: Samples,
}

impl PartialEq for MatrixSeries {
    fn eq(&self, other: &Self) -> bool {
        self.labels == other.labels
            && self.samples.times == other.samples.times
            && self.samples.values == other.samples.values
            && self.samples.histograms == other.samples.histograms
    }
}
