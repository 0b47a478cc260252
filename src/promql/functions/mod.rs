//! Which functions there are, and what they take. How they are evaluated stands in the files
//! beside this one and in `eval`.

pub(super) mod absent;
mod dates;
pub(super) mod info;
pub(super) mod labels;
pub(super) mod sort;
mod table;

use super::ast::ValueType;
use crate::model::Histogram;

pub(super) use dates::{DatePart, rfc3339};
pub(super) use table::find;

/// A function of the language.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// The types of its arguments; the last stands for the optional ones too.
    pub args: &'static [ValueType],
    /// 0: exactly `args`. Above 0: the last of `args` is optional and may come that often.
    /// Below 0: the last may come any number of times.
    pub variadic: i8,
    /// What it gives.
    pub returns: ValueType,
    /// Whether Prometheus has it only behind a feature flag.
    pub experimental: bool,
    pub(super) kind: Kind,
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Function {}

/// How a function is evaluated.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Each value by itself.
    Map(fn(f64) -> f64),
    Round,
    Clamp,
    ClampMin,
    ClampMax,
    Date(DatePart),
    Time,
    Pi,
    /// The start of the whole query in seconds.
    Start,
    /// The end of the whole query in seconds.
    End,
    /// The step of the whole query in seconds, 0 for an instant.
    Step,
    /// From the start to the end of the whole query, in seconds.
    QueryRange,
    /// The smaller of two scalars.
    MinOf,
    /// The larger of two scalars.
    MaxOf,
    Scalar,
    Vector,
    Timestamp,
    Absent,
    AbsentOverTime,
    Range(RangeKind),
    HistogramQuantile,
    HistogramQuantiles,
    HistogramFraction,
    /// Adds the labels of info metrics.
    Info,
    /// A number of each native histogram; nothing for numbers.
    NativeHistogram(fn(&Histogram) -> f64),
    LabelReplace,
    LabelJoin,
    Sort,
    SortDesc,
    SortByLabel,
    SortByLabelDesc,
}

/// The functions of a range of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RangeKind {
    Rate,
    Increase,
    Delta,
    Irate,
    Idelta,
    Deriv,
    PredictLinear,
    Changes,
    Resets,
    Smoothing,
    Avg,
    Min,
    Max,
    Sum,
    Count,
    Quantile,
    Stddev,
    Stdvar,
    Last,
    First,
    Present,
    Mad,
    TimeOfFirst,
    TimeOfLast,
    TimeOfMin,
    TimeOfMax,
}

impl RangeKind {
    /// Whether the metric keeps its name: these give one of its own samples.
    pub(super) fn keeps_name(self) -> bool {
        matches!(self, RangeKind::Last | RangeKind::First)
    }
}
