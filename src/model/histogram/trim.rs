//! Cuts histograms at a value: the operators `</` and `>/` (`TrimBuckets` in
//! `model/histogram/float_histogram.go`).

use super::{BoundedBucket, Histogram};

/// Which part stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trim {
    /// What is at most the value (`</`).
    Upper,
    /// What is at least the value (`>/`).
    Lower,
}

/// How buckets are interpolated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Linear,
    Positive,
    Negative,
}

/// What is left of all buckets.
#[derive(Default)]
struct Kept {
    count: f64,
    sum: f64,
    changed: bool,
}

impl Histogram {
    /// The histogram without the observations above or below `at`. Within a bucket they are
    /// taken to be distributed as quantiles take them to be. Count and sum become those that the
    /// buckets tell, unless nothing was cut off.
    pub fn trimmed(&self, at: f64, trim: Trim) -> Histogram {
        let mut result = self.clone();
        let mut kept = Kept::default();
        let above = if self.has_custom_bounds() { Shape::Linear } else { Shape::Positive };
        let positive: Vec<BoundedBucket> = self.positive_buckets().collect();
        let negative: Vec<BoundedBucket> = self.negative_buckets().collect();
        let any_positive = kept.cut(&mut result.positive.counts, &positive, at, trim, above);
        let any_negative =
            kept.cut(&mut result.negative.counts, &negative, at, trim, Shape::Negative);
        if self.zero_count > 0.0 {
            let mut zero = self.zero_bucket();
            // Without observations on one side, the zero bucket has none there either.
            match (any_negative, any_positive) {
                (true, false) => zero.upper = 0.0,
                (false, true) => zero.lower = 0.0,
                _ => {}
            }
            let (count, middle) = cut_zero(&zero, at, trim);
            kept.changed |= count != self.zero_count;
            result.zero_count = count;
            kept.sum += middle * count;
            kept.count += count;
        }
        if kept.changed {
            (result.count, result.sum) = (kept.count, kept.sum);
            result.compact();
        }
        result
    }
}

impl Kept {
    /// Cuts one side's buckets and says whether any was populated.
    fn cut(
        &mut self,
        counts: &mut [f64],
        buckets: &[BoundedBucket],
        at: f64,
        trim: Trim,
        shape: Shape,
    ) -> bool {
        let mut any = false;
        for (slot, bucket) in counts.iter_mut().zip(buckets) {
            if bucket.count == 0.0 {
                continue;
            }
            any = true;
            let (whole, part) = match trim {
                Trim::Upper => (bucket.upper <= at, bucket.lower < at),
                Trim::Lower => (bucket.lower >= at, bucket.upper > at),
            };
            if whole {
                self.count += bucket.count;
                self.sum += middle(bucket.lower, bucket.upper, shape) * bucket.count;
            } else if part {
                let (count, middle) = cut_bucket(bucket, at, trim, shape);
                self.count += count;
                self.sum += middle * count;
                self.changed |= *slot != count;
                *slot = count;
            } else {
                *slot = 0.0;
                self.changed = true;
            }
        }
        any
    }
}

/// What stays of a bucket around `at`, and the value that stands for it.
fn cut_bucket(bucket: &BoundedBucket, at: f64, trim: Trim, shape: Shape) -> (f64, f64) {
    let (lower, upper) = (bucket.lower, bucket.upper);
    if lower == f64::NEG_INFINITY || upper == f64::INFINITY {
        return cut_infinite(bucket, at, trim);
    }
    let below = bucket.count * share_below(lower, upper, at, shape);
    match trim {
        Trim::Upper => (below, middle(lower, at, shape)),
        Trim::Lower => (bucket.count - below, middle(at, upper, shape)),
    }
}

/// The share of a bucket that is below a value inside.
fn share_below(lower: f64, upper: f64, at: f64, shape: Shape) -> f64 {
    let log = |value: f64| value.abs().log2();
    match shape {
        Shape::Linear => (at - lower) / (upper - lower),
        Shape::Positive => (log(at) - log(lower)) / (log(upper) - log(lower)),
        Shape::Negative => 1.0 - (log(at) - log(upper)) / (log(lower) - log(upper)),
    }
}

/// Of a bucket without an end nobody knows how its observations are distributed; only the lowest
/// custom bucket is taken to begin at zero where it ends above.
fn cut_infinite(bucket: &BoundedBucket, at: f64, trim: Trim) -> (f64, f64) {
    let (lower, upper, count) = (bucket.lower, bucket.upper, bucket.count);
    let finite = |value: f64| if value.is_infinite() { 0.0 } else { value };
    if lower != f64::NEG_INFINITY {
        return match trim {
            Trim::Lower if at >= lower => (count, at),
            _ => (0.0, finite(lower)),
        };
    }
    let from_zero = upper > 0.0 && upper.is_finite();
    match trim {
        Trim::Upper if at >= upper => (count, 0.0),
        Trim::Upper if at > 0.0 && from_zero => (count * at / upper, at / 2.0),
        Trim::Upper if upper <= 0.0 => (count, at),
        Trim::Lower if at <= lower => (count, 0.0),
        Trim::Lower if at >= 0.0 && upper > at && upper.is_finite() => {
            (count * (1.0 - at / upper), (at + upper) / 2.0)
        }
        _ => (0.0, finite(upper)),
    }
}

fn cut_zero(zero: &BoundedBucket, at: f64, trim: Trim) -> (f64, f64) {
    let (lower, upper, count) = (zero.lower, zero.upper, zero.count);
    let whole = (count, (lower + upper) / 2.0);
    let width = upper - lower;
    match trim {
        Trim::Upper if at <= lower => (0.0, 0.0),
        Trim::Upper if at >= upper => whole,
        Trim::Upper => (count * ((at - lower) / width), (lower + at) / 2.0),
        Trim::Lower if at <= lower => whole,
        Trim::Lower if at >= upper => (0.0, 0.0),
        Trim::Lower => (count * ((upper - at) / width), (at + upper) / 2.0),
    }
}

/// The value that stands for all between two bounds: the geometric mean where buckets are
/// exponential.
fn middle(lower: f64, upper: f64, shape: Shape) -> f64 {
    if lower.is_infinite() {
        return if upper.is_infinite() {
            0.0
        } else if upper > 0.0 {
            upper / 2.0
        } else {
            upper
        };
    }
    if upper.is_infinite() {
        return lower;
    }
    match shape {
        Shape::Linear => (lower + upper) / 2.0,
        Shape::Positive => (lower * upper).abs().sqrt(),
        Shape::Negative => -(lower * upper).abs().sqrt(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Buckets, CUSTOM_BUCKETS_SCHEMA};
    use super::*;

    fn exponential() -> Histogram {
        // (0.5, 1]: 1, (1, 2]: 2, (2, 4]: 4
        Histogram {
            count: 7.0,
            sum: 123.75,
            positive: Buckets::from_pairs([(0, 1.0), (1, 2.0), (2, 4.0)]),
            ..Histogram::default()
        }
    }

    #[test]
    fn where_nothing_is_cut_off_nothing_changes() {
        let histogram = exponential();
        for (at, trim) in [(f64::NEG_INFINITY, Trim::Lower), (4.0, Trim::Upper), (0.5, Trim::Lower)]
        {
            assert_eq!(histogram.trimmed(at, trim), histogram);
        }
    }

    #[test]
    fn exponential_buckets_are_split_on_a_logarithmic_scale() {
        let root = std::f64::consts::SQRT_2;
        // √2 is half of (1, 2] on that scale. The middles: √0.5 and √√2.
        let upper = exponential().trimmed(root, Trim::Upper);
        assert_eq!(upper.positive.iter().map(|b| b.0).collect::<Vec<_>>(), [0, 1]);
        assert!((upper.positive.counts[1] - 1.0).abs() < 1e-12);
        assert!((upper.count - 2.0).abs() < 1e-12);
        assert!((upper.sum - (0.5_f64.sqrt() + root.sqrt())).abs() < 1e-12);
        // The middles: √(2√2) and √8.
        let lower = exponential().trimmed(root, Trim::Lower);
        assert!((lower.count - 5.0).abs() < 1e-12);
        assert!((lower.sum - ((2.0 * root).sqrt() + 4.0 * 8_f64.sqrt())).abs() < 1e-12);
    }

    #[test]
    fn below_zero_the_scale_is_mirrored() {
        let histogram = Histogram {
            count: 2.0,
            negative: Buckets::from_pairs([(1, 2.0)]),
            ..Histogram::default()
        };
        // [-2, -1) at -√2: half of it on each side.
        let at = -std::f64::consts::SQRT_2;
        for trim in [Trim::Upper, Trim::Lower] {
            assert!((histogram.trimmed(at, trim).count - 1.0).abs() < 1e-12);
        }
        assert!(histogram.trimmed(at, Trim::Upper).sum < at);
    }

    #[test]
    fn the_zero_bucket_lies_where_observations_are() {
        let mut histogram = exponential();
        (histogram.zero_threshold, histogram.zero_count, histogram.count) = (0.5, 4.0, 11.0);
        // Only positive ones: it is [0, 0.5].
        let trimmed = histogram.trimmed(0.125, Trim::Upper);
        assert_eq!((trimmed.zero_count, trimmed.count, trimmed.sum), (1.0, 1.0, 0.0625));
        histogram.negative = Buckets::from_pairs([(1, 1.0)]);
        assert_eq!(histogram.trimmed(0.0, Trim::Lower).zero_count, 2.0);
    }

    #[test]
    fn custom_buckets_are_split_in_proportion() {
        let histogram = Histogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: 15.0,
            positive: Buckets::from_pairs([(0, 4.0), (1, 5.0), (2, 6.0)]),
            custom_bounds: vec![2.0, 12.0],
            ..Histogram::default()
        };
        let counts = |at, trim| histogram.trimmed(at, trim).positive.counts;
        assert_eq!(counts(4.0, Trim::Upper), [4.0, 1.0]);
        assert_eq!(counts(4.0, Trim::Lower), [4.0, 6.0]);
        assert_eq!(counts(0.5, Trim::Upper), [1.0], "the lowest begins at zero");
        assert_eq!(counts(0.5, Trim::Lower), [3.0, 5.0, 6.0]);
        assert_eq!(counts(20.0, Trim::Upper), [4.0, 5.0], "who knows what is above 12");
        assert_eq!(counts(20.0, Trim::Lower), [6.0]);
        // 1 at 1 and 5 at 7 and 6 at 12
        assert_eq!(histogram.trimmed(1.0, Trim::Lower).sum, 2.0 * 1.5 + 5.0 * 7.0 + 6.0 * 12.0);
    }
}
