//! Warnings and infos of an evaluation. Kinds, wordings and how they merge are those of
//! `util/annotations/annotations.go` in Prometheus 3, but for the one that only its feature flag
//! "type-and-unit-labels" brings about.

use super::print::{format_rounded, format_short};
use super::quote::quote;
use super::span::Span;

/// What may be noted about a result. Metric names may be empty: then they are left out.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Annotation {
    /// A quantile outside of 0 to 1, or NaN.
    InvalidQuantile { q: f64 },
    /// A ratio outside of -1 to 1, and what it is taken for.
    InvalidRatio { ratio: f64, capped: f64 },
    /// A series given to a histogram function has no usable `le`.
    BadBucketLabel { metric: String, label: String },
    /// A range holds both floats and histograms.
    MixedFloatsHistograms { metric: String },
    /// An aggregation saw both floats and histograms.
    MixedFloatsHistogramsAggregation,
    /// A classic and a native histogram of the same labels.
    MixedClassicNative { metric: String },
    /// `rate` and the like of a gauge histogram.
    HistogramNotCounter { metric: String },
    /// `delta` and the like of a counter histogram.
    HistogramNotGauge { metric: String },
    /// Exponential and custom buckets together.
    MixedExponentialCustom { metric: String },
    /// An operator between histograms whose buckets do not fit together.
    IncompatibleBucketLayout { operator: &'static str },
    /// Counter resets that contradict each other.
    CounterResetCollision { operation: HistogramOperation },
    /// `sort` in a range query.
    SortInRangeQuery,
    /// `rate` or `increase` of floats whose name is not that of a counter.
    PossibleNonCounter { metric: String },
    /// Buckets of a classic histogram that fell with rising bounds.
    ForcedMonotonicity { metric: String, fix: MonotonicityFix },
    /// An operator that does not exist between these types of samples.
    IncompatibleTypes { left: &'static str, operator: &'static str, right: &'static str },
    /// An aggregation that leaves histograms out.
    HistogramIgnoredInAggregation { aggregation: &'static str },
    /// A function that leaves the histograms of a mixed range out.
    HistogramIgnoredInMixedRange { metric: String },
    /// A quantile of a histogram with NaN observations that is NaN.
    QuantileNanResult { metric: String },
    /// A quantile of a histogram with NaN observations.
    QuantileNanSkew { metric: String },
    /// A fraction of a histogram with NaN observations.
    FractionNans { metric: String },
    /// Custom buckets that had to be brought together.
    MismatchedCustomBuckets { operation: HistogramOperation },
}

/// What histograms were combined by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HistogramOperation {
    Addition,
    Subtraction,
    Aggregation,
}

impl HistogramOperation {
    fn as_str(self) -> &'static str {
        match self {
            HistogramOperation::Addition => "addition",
            HistogramOperation::Subtraction => "subtraction",
            HistogramOperation::Aggregation => "aggregation",
        }
    }
}

/// Where and how much the buckets of a classic histogram had to be raised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct MonotonicityFix {
    /// The first and the last step, Unix milliseconds.
    pub times: (i64, i64),
    /// The lowest and the highest bound of a raised bucket.
    pub buckets: (f64, f64),
    /// By how much the worst was raised.
    pub max_difference: f64,
    /// In how many histograms of a step.
    pub count: u64,
}

impl MonotonicityFix {
    fn widen(&mut self, other: &MonotonicityFix) {
        self.times = (self.times.0.min(other.times.0), self.times.1.max(other.times.1));
        self.buckets = (self.buckets.0.min(other.buckets.0), self.buckets.1.max(other.buckets.1));
        self.max_difference = self.max_difference.max(other.max_difference);
        self.count += other.count;
    }
}

impl Annotation {
    fn is_info(&self) -> bool {
        matches!(
            self,
            Annotation::PossibleNonCounter { .. }
                | Annotation::ForcedMonotonicity { .. }
                | Annotation::IncompatibleTypes { .. }
                | Annotation::HistogramIgnoredInAggregation { .. }
                | Annotation::HistogramIgnoredInMixedRange { .. }
                | Annotation::QuantileNanResult { .. }
                | Annotation::QuantileNanSkew { .. }
                | Annotation::FractionNans { .. }
                | Annotation::MismatchedCustomBuckets { .. }
        )
    }

    /// The text without what depends on steps and places: annotations of equal text are one.
    fn text(&self) -> String {
        let kind = if self.is_info() { "PromQL info" } else { "PromQL warning" };
        format!("{kind}: {}", self.message())
    }

    fn message(&self) -> String {
        let named = |text: &str, metric: &str| {
            if metric.is_empty() {
                text.to_owned()
            } else {
                format!("{text} for metric name {}", quote(metric))
            }
        };
        match self {
            Annotation::InvalidQuantile { q } => {
                format!("quantile value should be between 0 and 1, got {}", format_short(*q))
            }
            Annotation::InvalidRatio { ratio, capped } => format!(
                "ratio value should be between -1 and 1, got {}, capping to {}",
                format_short(*ratio),
                format_short(*capped),
            ),
            Annotation::BadBucketLabel { metric, label } => named(
                &format!(
                    "bucket label \"le\" is missing or has a malformed value of {}",
                    quote(label)
                ),
                metric,
            ),
            Annotation::MixedFloatsHistograms { metric } => format!(
                "encountered a mix of histograms and floats for metric name {}",
                quote(metric)
            ),
            Annotation::MixedFloatsHistogramsAggregation => {
                "encountered a mix of histograms and floats for aggregation".to_owned()
            }
            Annotation::MixedClassicNative { metric } => {
                named("vector contains a mix of classic and native histograms", metric)
            }
            Annotation::HistogramNotCounter { metric } => {
                format!("this native histogram metric is not a counter: {}", quote(metric))
            }
            Annotation::HistogramNotGauge { metric } => {
                format!("this native histogram metric is not a gauge: {}", quote(metric))
            }
            Annotation::MixedExponentialCustom { metric } => format!(
                "vector contains a mix of histograms with exponential and custom buckets schemas \
                 for metric name {}",
                quote(metric)
            ),
            Annotation::IncompatibleBucketLayout { operator } => {
                format!("incompatible bucket layout encountered for binary operator {operator}")
            }
            Annotation::CounterResetCollision { operation } => {
                format!("conflicting counter resets during histogram {}", operation.as_str())
            }
            Annotation::SortInRangeQuery => {
                "sort is ineffective for range queries since results are always ordered by labels"
                    .to_owned()
            }
            Annotation::PossibleNonCounter { metric } => format!(
                "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {}",
                quote(metric)
            ),
            Annotation::ForcedMonotonicity { metric, .. } => named(
                "input to histogram_quantile needed to be fixed for monotonicity (see \
                 https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)",
                metric,
            ),
            Annotation::IncompatibleTypes { left, operator, right } => format!(
                "incompatible sample types encountered for binary operator {}: {left} {operator} \
                 {right}",
                quote(operator)
            ),
            Annotation::HistogramIgnoredInAggregation { aggregation } => {
                format!("ignored histogram in {aggregation} aggregation")
            }
            Annotation::HistogramIgnoredInMixedRange { metric } => format!(
                "ignored histograms in a range containing both floats and histograms for metric \
                 name {}",
                quote(metric)
            ),
            Annotation::QuantileNanResult { metric } => {
                named("input to histogram_quantile has NaN observations, result is NaN", metric)
            }
            Annotation::QuantileNanSkew { metric } => named(
                "input to histogram_quantile has NaN observations, result is skewed higher",
                metric,
            ),
            Annotation::FractionNans { metric } => named(
                "input to histogram_fraction has NaN observations, which are excluded from all \
                 fractions",
                metric,
            ),
            Annotation::MismatchedCustomBuckets { operation } => {
                format!("mismatched custom buckets were reconciled during {}", operation.as_str())
            }
        }
    }

    /// What follows the text once all is known.
    fn detail(&self) -> String {
        let Annotation::ForcedMonotonicity { fix, .. } = self else { return String::new() };
        // Go's division cuts off towards zero.
        let at = |ms: i64| super::functions::rfc3339(ms / 1000);
        format!(
            ", from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
            format_short(fix.buckets.0),
            format_short(fix.buckets.1),
            format_rounded(fix.max_difference, 2),
            fix.count,
            at(fix.times.0),
            at(fix.times.1),
        )
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Noted {
    annotation: Annotation,
    text: String,
    span: Span,
}

/// The annotations of an answer: each text once, in order of appearance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Annotations(Vec<Noted>);

/// More different texts than this are counted only.
const KEPT_MAX: usize = 1000;

impl Annotations {
    /// Notes something at a place. Of equal texts the place furthest to the right stays: it is
    /// the one that Prometheus evaluates last, and there the last wins.
    pub(super) fn add(&mut self, annotation: Annotation, span: Span) {
        let text = annotation.text();
        let Some(noted) = self.0.iter_mut().find(|noted| noted.text == text) else {
            if self.0.len() < KEPT_MAX {
                self.0.push(Noted { annotation, text, span });
            }
            return;
        };
        if let (
            Annotation::ForcedMonotonicity { fix, .. },
            Annotation::ForcedMonotonicity { fix: other, .. },
        ) = (&mut noted.annotation, &annotation)
        {
            // These keep the place of the first.
            fix.widen(other);
        } else if span.start > noted.span.start {
            noted.span = span;
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The warnings and the infos as Prometheus's API gives them (`AsStrings`): each with the
    /// `line:column` of its cause in the text of the query, at most `max` of each, and then a
    /// line that says how many there were besides. Without a query there are neither places nor
    /// details; a `max` of 0 is no limit.
    pub fn as_strings(&self, query: &str, max: usize) -> (Vec<String>, Vec<String>) {
        let (mut warnings, mut infos) = (Vec::new(), Vec::new());
        let (mut warnings_more, mut infos_more) = (0_usize, 0_usize);
        for Noted { annotation, text, span } in &self.0 {
            let (texts, more) = if annotation.is_info() {
                (&mut infos, &mut infos_more)
            } else {
                (&mut warnings, &mut warnings_more)
            };
            if max > 0 && texts.len() >= max {
                *more += 1;
            } else if query.is_empty() {
                texts.push(text.clone());
            } else {
                let (line, column) = span.line_and_column(query);
                texts.push(format!("{text}{} ({line}:{column})", annotation.detail()));
            }
        }
        if warnings_more > 0 {
            warnings.push(format!("{warnings_more} more warning annotations omitted"));
        }
        if infos_more > 0 {
            infos.push(format!("{infos_more} more info annotations omitted"));
        }
        (warnings, infos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one_and_say_the_last_place() {
        let mut notes = Annotations::default();
        notes.add(Annotation::InvalidQuantile { q: 2.0 }, Span::new(5, 6));
        notes.add(Annotation::InvalidQuantile { q: 2.0 }, Span::new(9, 10));
        notes.add(Annotation::InvalidQuantile { q: 2.0 }, Span::new(0, 1));
        notes.add(Annotation::PossibleNonCounter { metric: "a\"b".to_owned() }, Span::new(2, 3));
        let (warnings, infos) = notes.as_strings("one\nline of text", 10);
        assert_eq!(
            warnings,
            ["PromQL warning: quantile value should be between 0 and 1, got 2 (2:6)"]
        );
        assert_eq!(
            infos,
            ["PromQL info: metric might not be a counter, name does not end in \
                 _total/_sum/_count/_bucket: \"a\\\"b\" (1:3)"]
        );
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let mut notes = Annotations::default();
        for q in 2..15 {
            notes.add(Annotation::InvalidQuantile { q: f64::from(q) }, Span::default());
        }
        let (warnings, infos) = notes.as_strings("x", 10);
        assert_eq!((warnings.len(), infos.len()), (11, 0));
        assert_eq!(warnings[10], "3 more warning annotations omitted");
        assert_eq!(notes.as_strings("x", 0).0.len(), 13);
    }

    #[test]
    fn fixes_of_monotonicity_add_up() {
        let fix = |at, bound, max_difference| Annotation::ForcedMonotonicity {
            metric: String::new(),
            fix: MonotonicityFix {
                times: (at, at),
                buckets: (bound, bound),
                max_difference,
                count: 1,
            },
        };
        let mut notes = Annotations::default();
        notes.add(fix(60_000, 0.5, 0.126), Span::new(0, 1));
        notes.add(fix(120_999, f64::INFINITY, 0.1), Span::new(0, 1));
        assert_eq!(
            notes.as_strings("x", 10).1,
            ["PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see \
                 https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile), \
                 from buckets 0.5 to +Inf, with a max diff of 0.13, over 2 samples from \
                 1970-01-01T00:01:00Z to 1970-01-01T00:02:00Z (1:1)"]
        );
    }
}
