//! Whether a histogram is one.

use super::bounds::is_exponential_schema;
use super::{Buckets, Histogram};

/// What is wrong with a histogram. The wordings are those of `model/histogram/generic.go`.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)]
pub enum HistogramError {
    #[error(
        "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, \
         or -53 for custom buckets, got schema {0}"
    )]
    Schema(i32),
    #[error(
        "{side}span number {number} with offset {offset}: histogram has a span whose offset is \
         negative"
    )]
    SpanOffset { side: Side, number: usize, offset: i32 },
    #[error(
        "{side}spans need {need} buckets, have {have} buckets: histogram spans specify different \
         number of buckets than provided"
    )]
    SpanLength { side: Side, need: u64, have: usize },
    #[error(
        "{side}bucket number {number} has observation count of {count}: histogram has a bucket \
         whose observation count is negative"
    )]
    NegativeBucket { side: Side, number: usize, count: f64 },
    #[error(
        "zero bucket has observation count of {0}: histogram has a bucket whose observation count \
         is negative"
    )]
    NegativeZeroBucket(f64),
    #[error("observation count is {0}: histogram's observation count is negative")]
    NegativeCount(f64),
    #[error("histogram with exponential schema must not have custom bounds")]
    BoundsOfExponential,
    #[error("custom buckets: histogram custom bounds must not be NaN")]
    NanBound,
    #[error(
        "custom buckets: previous bound is {previous:.6} and current is {current:.6}: histogram \
         custom bounds must be in strictly increasing order"
    )]
    BoundsOrder { previous: f64, current: f64 },
    #[error(
        "custom buckets: last +Inf bound must not be explicitly defined: histogram custom bounds \
         must be finite"
    )]
    InfiniteBound,
    #[error(
        "custom buckets: only {bounds} custom bounds defined which is insufficient to cover total \
         span length of {length}: histogram custom bounds are too few"
    )]
    TooFewBounds { bounds: usize, length: i64 },
    #[error("custom buckets: must have zero count of 0")]
    CustomZeroCount,
    #[error("custom buckets: must have zero threshold of 0")]
    CustomZeroThreshold,
    #[error("custom buckets: must not have negative spans")]
    CustomNegativeSpans,
    #[error("custom buckets: must not have negative buckets")]
    CustomNegativeBuckets,
    #[error(
        "{buckets} observations found in buckets, but the Count field is {count}: histogram's \
         observation count should be at least the number of observations found in the buckets"
    )]
    CountTooSmall { buckets: f64, count: f64 },
    #[error(
        "{buckets} observations found in buckets, but the Count field is {count}: histogram's \
         observation count should equal the number of observations found in the buckets (in \
         absence of NaN)"
    )]
    CountMismatch { buckets: f64, count: f64 },
}

/// Which buckets are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Side {
    Positive,
    Negative,
    Custom,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Side::Positive => "positive side: ",
            Side::Negative => "negative side: ",
            Side::Custom => "custom buckets: ",
        })
    }
}

impl Histogram {
    /// Checks spans, buckets and bounds (`FloatHistogram.Validate`). Whether the count is that of
    /// the buckets is not looked at: rounding may make it differ.
    pub fn validate(&self) -> Result<(), HistogramError> {
        if self.has_custom_bounds() {
            self.check_custom()?;
        } else if is_exponential_schema(self.schema) {
            check_spans(&self.positive, Side::Positive)?;
            check_spans(&self.negative, Side::Negative)?;
            check_counts(&self.negative, Side::Negative)?;
            if self.zero_count < 0.0 {
                return Err(HistogramError::NegativeZeroBucket(self.zero_count));
            }
            if !self.custom_bounds.is_empty() {
                return Err(HistogramError::BoundsOfExponential);
            }
        } else {
            return Err(HistogramError::Schema(self.schema));
        }
        if self.count < 0.0 {
            return Err(HistogramError::NegativeCount(self.count));
        }
        check_counts(&self.positive, Side::Positive)
    }

    /// [`validate`](Self::validate) for counts that came as whole numbers: these must add up,
    /// NaN observations aside, which are in no bucket (`Histogram.Validate`).
    pub fn validate_whole(&self) -> Result<(), HistogramError> {
        self.validate()?;
        let in_buckets = |buckets: &Buckets| buckets.counts.iter().sum::<f64>();
        let buckets = in_buckets(&self.negative) + in_buckets(&self.positive) + self.zero_count;
        let count = self.count;
        if self.sum.is_nan() {
            if buckets > count {
                return Err(HistogramError::CountTooSmall { buckets, count });
            }
        } else if buckets != count {
            return Err(HistogramError::CountMismatch { buckets, count });
        }
        Ok(())
    }

    fn check_custom(&self) -> Result<(), HistogramError> {
        let mut previous = f64::NEG_INFINITY;
        for (place, current) in self.custom_bounds.iter().copied().enumerate() {
            if current.is_nan() {
                return Err(HistogramError::NanBound);
            }
            if current < previous || (place > 0 && current == previous) {
                return Err(HistogramError::BoundsOrder { previous, current });
            }
            previous = current;
        }
        if self.custom_bounds.iter().any(|bound| bound.is_infinite()) {
            return Err(HistogramError::InfiniteBound);
        }
        if let Some((place, span)) =
            self.positive.spans.iter().enumerate().find(|(_, span)| span.offset < 0)
        {
            let (number, offset) = (place + 1, span.offset);
            return Err(HistogramError::SpanOffset { side: Side::Custom, number, offset });
        }
        check_spans(&self.positive, Side::Custom)?;
        let length: i64 =
            self.positive.spans.iter().map(|s| i64::from(s.offset) + i64::from(s.length)).sum();
        let bounds = self.custom_bounds.len();
        if (bounds as i64) + 1 < length {
            return Err(HistogramError::TooFewBounds { bounds, length });
        }
        if self.zero_count != 0.0 {
            return Err(HistogramError::CustomZeroCount);
        }
        if self.zero_threshold != 0.0 {
            return Err(HistogramError::CustomZeroThreshold);
        }
        if !self.negative.spans.is_empty() {
            return Err(HistogramError::CustomNegativeSpans);
        }
        if !self.negative.counts.is_empty() {
            return Err(HistogramError::CustomNegativeBuckets);
        }
        Ok(())
    }
}

fn check_spans(buckets: &Buckets, side: Side) -> Result<(), HistogramError> {
    for (place, span) in buckets.spans.iter().enumerate().skip(1) {
        if span.offset < 0 {
            let (number, offset) = (place + 1, span.offset);
            return Err(HistogramError::SpanOffset { side, number, offset });
        }
    }
    let need: u64 = buckets.spans.iter().map(|span| u64::from(span.length)).sum();
    let have = buckets.counts.len();
    if need != have as u64 {
        return Err(HistogramError::SpanLength { side, need, have });
    }
    Ok(())
}

fn check_counts(buckets: &Buckets, side: Side) -> Result<(), HistogramError> {
    match buckets.counts.iter().position(|count| *count < 0.0) {
        Some(place) => {
            let count = buckets.counts.get(place).copied().unwrap_or(f64::NAN);
            Err(HistogramError::NegativeBucket { side, number: place + 1, count })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BucketSpan, CUSTOM_BUCKETS_SCHEMA};
    use super::*;

    fn valid() -> Histogram {
        let buckets = || Buckets {
            spans: vec![BucketSpan { offset: -3, length: 2 }],
            counts: vec![1.0, 2.0],
        };
        Histogram {
            zero_count: 1.0,
            count: 7.0,
            sum: 3.0,
            positive: buckets(),
            negative: buckets(),
            ..Histogram::default()
        }
    }

    fn custom() -> Histogram {
        let span = BucketSpan { offset: 0, length: 2 };
        Histogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: 3.0,
            positive: Buckets { spans: vec![span], counts: vec![1.0, 2.0] },
            custom_bounds: vec![1.0, 2.0],
            ..Histogram::default()
        }
    }

    fn refused(base: Histogram, change: impl Fn(&mut Histogram)) -> String {
        let mut histogram = base;
        change(&mut histogram);
        histogram.validate_whole().expect_err("invalid").to_string()
    }

    #[test]
    fn each_mistake_is_named() {
        valid().validate_whole().expect("valid");
        custom().validate_whole().expect("valid");
        let span = BucketSpan { offset: -1, length: 0 };
        for (base, change, wanted) in [
            (valid(), (|h| h.schema = 9) as fn(&mut Histogram), "got schema 9"),
            (valid(), |h| h.positive.counts[1] = -1.0, "positive side: bucket number 2 has"),
            (valid(), |h| h.negative.counts.push(1.0), "negative side: spans need 2 buckets"),
            (valid(), |h| h.zero_count = -1.0, "zero bucket has observation count of -1"),
            (valid(), |h| h.count = -1.0, "observation count is -1"),
            (valid(), |h| h.count = 8.0, "7 observations found in buckets, but the Count field"),
            (valid(), |h| h.custom_bounds = vec![1.0], "must not have custom bounds"),
            (custom(), |h| h.custom_bounds[1] = 1.0, "in strictly increasing order"),
            (custom(), |h| h.custom_bounds[1] = f64::NAN, "must not be NaN"),
            (custom(), |h| h.custom_bounds[1] = f64::INFINITY, "must be finite"),
            (custom(), |h| h.custom_bounds = vec![], "only 0 custom bounds defined"),
            (custom(), |h| h.zero_count = 1.0, "must have zero count of 0"),
            (custom(), |h| h.positive.spans[0].offset = -1, "span number 1 with offset -1"),
        ] {
            let found = refused(base, change);
            assert!(found.contains(wanted), "{found:?} has no {wanted:?}");
        }
        let mut histogram = valid();
        histogram.negative.spans.push(span);
        assert!(histogram.validate().is_err());
    }

    #[test]
    fn observations_of_nan_are_in_no_bucket() {
        let mut histogram = valid();
        (histogram.sum, histogram.count) = (f64::NAN, 9.0);
        histogram.validate_whole().expect("two of nine are NaN");
        histogram.count = 6.0;
        assert!(histogram.validate_whole().is_err());
    }
}
