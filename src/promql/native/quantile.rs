//! `histogram_quantile` and `histogram_fraction` of native histograms.

use super::super::annotations::Annotation;
use crate::model::{BoundedBucket, Histogram};

/// The quantile (0 to 1) of a native histogram, as `histogram_quantile` has it; NaN of an empty
/// one.
pub fn histogram_quantile(q: f64, histogram: &Histogram) -> f64 {
    quantile(q, histogram, "").0
}

/// The quantile, and what is to be noted about it (`HistogramQuantile` in
/// `promql/quantile.go`): exponential within exponential buckets, linear within custom ones and
/// the zero bucket.
pub(in crate::promql) fn quantile(
    q: f64,
    histogram: &Histogram,
    metric: &str,
) -> (f64, Option<Annotation>) {
    if q < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if q > 1.0 {
        return (f64::INFINITY, None);
    }
    if histogram.count == 0.0 || q.is_nan() {
        return (f64::NAN, None);
    }
    let has_nan = histogram.sum.is_nan();
    let forward = has_nan || q < 0.5;
    let mut rank = if forward { q } else { 1.0 - q } * histogram.count;
    let buckets = histogram.all_buckets();
    let mut buckets: Box<dyn Iterator<Item = BoundedBucket> + '_> =
        if forward { Box::new(buckets) } else { Box::new(buckets.rev()) };
    let mut bucket = BoundedBucket { rule: 2, lower: 0.0, upper: 0.0, count: 0.0 };
    let mut count = 0.0;
    for next in buckets.by_ref() {
        bucket = next;
        if bucket.count == 0.0 {
            continue;
        }
        count += bucket.count;
        if count >= rank {
            break;
        }
    }
    if !histogram.has_custom_bounds() {
        if bucket.lower < 0.0 && bucket.upper > 0.0 {
            cut_at_zero(histogram, &mut bucket);
        }
    } else if bucket.lower == f64::NEG_INFINITY {
        if bucket.upper <= 0.0 {
            return (bucket.upper, None);
        }
        bucket.lower = 0.0;
    } else if bucket.upper == f64::INFINITY {
        return (bucket.lower, None);
    }
    // Rounding may have made it more.
    if count > histogram.count {
        count = histogram.count;
    }
    let metric = metric.to_owned();
    if count < rank {
        // The rank is among NaN observations, which are in no bucket.
        return match has_nan {
            true => (f64::NAN, Some(Annotation::QuantileNanResult { metric })),
            false => (bucket.upper, None),
        };
    }
    rank = if forward { rank - (count - bucket.count) } else { count - rank };
    let mut note = None;
    if has_nan {
        for next in buckets {
            // Prometheus goes on with the last bucket here, and so do we.
            bucket = next;
            count += bucket.count;
        }
        if count < histogram.count {
            note = Some(Annotation::QuantileNanSkew { metric });
        }
    }
    let share = rank / bucket.count;
    let (lower, upper) = (bucket.lower, bucket.upper);
    if histogram.has_custom_bounds() || (lower <= 0.0 && upper >= 0.0) {
        return (lower + (upper - lower) * share, note);
    }
    let (log_lower, log_upper) = (lower.abs().log2(), upper.abs().log2());
    let value = if lower > 0.0 {
        (log_lower + (log_upper - log_lower) * share).exp2()
    } else {
        -(log_upper + (log_lower - log_upper) * (1.0 - share)).exp2()
    };
    (value, note)
}

/// Where all observations are on one side of zero, so are those of the zero bucket.
fn cut_at_zero(histogram: &Histogram, bucket: &mut BoundedBucket) {
    match (histogram.negative.is_empty(), histogram.positive.is_empty()) {
        (true, false) => bucket.lower = 0.0,
        (false, true) => bucket.upper = 0.0,
        _ => {}
    }
}

/// The share of observations between two values, and what is to be noted about it
/// (`HistogramFraction`).
pub(in crate::promql) fn fraction(
    lower: f64,
    upper: f64,
    histogram: &Histogram,
    metric: &str,
) -> (f64, Option<Annotation>) {
    if histogram.count == 0.0 || lower.is_nan() || upper.is_nan() {
        return (f64::NAN, None);
    }
    if lower >= upper {
        return (0.0, None);
    }
    let (mut lower_rank, mut upper_rank) = (None, None);
    let (mut rank, mut in_buckets) = (0.0, 0.0);
    for mut bucket in histogram.all_buckets() {
        in_buckets += bucket.count;
        let is_zero = bucket.lower <= 0.0 && bucket.upper >= 0.0;
        if is_zero {
            cut_at_zero(histogram, &mut bucket);
        }
        let linear = is_zero || histogram.has_custom_bounds();
        for (value, slot) in [(lower, &mut lower_rank), (upper, &mut upper_rank)] {
            if slot.is_some() {
            } else if bucket.lower >= value {
                *slot = Some(rank);
            } else if bucket.upper > value {
                *slot = Some(rank_inside(&bucket, value, rank, linear));
            }
        }
        rank += bucket.count;
    }
    let mut note = None;
    let mut count = histogram.count;
    if histogram.sum.is_nan() {
        count = in_buckets;
        if count < histogram.count {
            note = Some(Annotation::FractionNans { metric: metric.to_owned() });
        }
    }
    let capped = |rank: Option<f64>| rank.filter(|rank| *rank <= count).unwrap_or(count);
    ((capped(upper_rank) - capped(lower_rank)) / histogram.count, note)
}

/// How many observations are below a value within a bucket, given how many are below it.
fn rank_inside(bucket: &BoundedBucket, value: f64, rank: f64, linear: bool) -> f64 {
    let (lower, upper) = (bucket.lower, bucket.upper);
    if linear {
        // Nothing is known of a bucket without a beginning.
        return if lower == f64::NEG_INFINITY {
            bucket.count
        } else {
            rank + bucket.count * (value - lower) / (upper - lower)
        };
    }
    let log = |value: f64| value.abs().log2();
    let share = if value > 0.0 {
        (log(value) - log(lower)) / (log(upper) - log(lower))
    } else {
        1.0 - (log(value) - log(upper)) / (log(lower) - log(upper))
    };
    rank + bucket.count * share
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Buckets, CUSTOM_BUCKETS_SCHEMA};

    /// [-2,-1): 2, [-0.001,0.001]: 2, (1,2]: 4
    fn both_sides() -> Histogram {
        Histogram {
            count: 8.0,
            sum: 3.0,
            zero_count: 2.0,
            zero_threshold: 0.001,
            positive: Buckets::from_pairs([(1, 4.0)]),
            negative: Buckets::from_pairs([(1, 2.0)]),
            ..Histogram::default()
        }
    }

    fn quantile_of(q: f64, histogram: &Histogram) -> f64 {
        quantile(q, histogram, "").0
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-12
    }

    #[test]
    fn quantiles_are_interpolated_on_the_scale_of_the_buckets() {
        let histogram = both_sides();
        let root = std::f64::consts::SQRT_2;
        // Rank 6 of 8: half of (1, 2], on a logarithmic scale.
        assert!(near(quantile_of(0.75, &histogram), root));
        // Rank 1: half of [-2, -1).
        assert!(near(quantile_of(0.125, &histogram), -root));
        // Rank 3: the middle of the zero bucket.
        assert!(near(quantile_of(0.375, &histogram), 0.0));
        assert_eq!(quantile_of(0.0, &histogram), -2.0);
        assert_eq!(quantile_of(1.0, &histogram), 2.0);
        assert_eq!(quantile_of(-1.0, &histogram), f64::NEG_INFINITY);
        assert_eq!(quantile_of(1.1, &histogram), f64::INFINITY);
        assert!(quantile_of(f64::NAN, &histogram).is_nan());
        assert!(quantile_of(0.5, &Histogram::default()).is_nan());
    }

    #[test]
    fn the_zero_bucket_lies_on_the_side_of_the_others() {
        let mut histogram = both_sides();
        histogram.negative = Buckets::default();
        histogram.count = 6.0;
        // Rank 1 of 6: half of [0, 0.001].
        assert!(near(quantile_of(1.0 / 6.0, &histogram), 0.0005));
    }

    #[test]
    fn custom_buckets_are_interpolated_like_classic_ones() {
        let histogram = Histogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: 10.0,
            sum: 1.0,
            positive: Buckets::from_pairs([(0, 4.0), (1, 4.0), (2, 2.0)]),
            custom_bounds: vec![5.0, 15.0],
            ..Histogram::default()
        };
        assert!(near(quantile_of(0.2, &histogram), 2.5));
        assert!(near(quantile_of(0.6, &histogram), 10.0));
        assert_eq!(quantile_of(0.95, &histogram), 15.0, "the end of the last that has one");
        assert!(near(fraction(f64::NEG_INFINITY, 10.0, &histogram, "").0, 0.6));
        assert!(near(fraction(15.0, f64::INFINITY, &histogram, "").0, 0.2));
    }

    #[test]
    fn fractions_are_the_inverse_of_quantiles() {
        let histogram = both_sides();
        for q in [0.05, 0.125, 0.2, 0.375, 0.55, 0.75, 0.9] {
            let value = quantile_of(q, &histogram);
            let found = fraction(f64::NEG_INFINITY, value, &histogram, "").0;
            assert!(near(found, q), "{q}: {value} {found}");
        }
        assert_eq!(fraction(2.0, 1.0, &histogram, "").0, 0.0);
        assert_eq!(fraction(-1.0, 1.0, &histogram, "").0, 0.25);
        assert!(fraction(f64::NAN, 1.0, &histogram, "").0.is_nan());
    }

    #[test]
    fn observations_of_nan_are_told() {
        let mut histogram = both_sides();
        (histogram.sum, histogram.count) = (f64::NAN, 16.0);
        let (value, note) = quantile(0.9, &histogram, "h");
        assert!(value.is_nan());
        assert_eq!(note, Some(Annotation::QuantileNanResult { metric: "h".to_owned() }));
        let (_, note) = quantile(0.1, &histogram, "h");
        assert_eq!(note, Some(Annotation::QuantileNanSkew { metric: "h".to_owned() }));
        let (value, note) = fraction(f64::NEG_INFINITY, f64::INFINITY, &histogram, "h");
        assert_eq!((value, note.is_some()), (0.5, true));
    }
}
