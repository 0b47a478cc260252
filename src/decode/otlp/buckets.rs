//! Histograms of OpenTelemetry as native histograms (`histograms.go` of Prometheus).

use super::message::{DenseBuckets, ExponentialPoint, HistogramPoint};
use crate::model::{BucketSpan, Buckets, CUSTOM_BUCKETS_SCHEMA, Histogram, ResetHint};

/// The finest resolution of native histograms; finer ones are merged down to it.
const SCHEMA_MAX: i32 = 8;
/// The coarsest; a coarser one cannot be split up.
const SCHEMA_MIN: i32 = -4;
/// The width of the zero bucket where the point says none.
const ZERO_THRESHOLD: f64 = 1e-128;
/// Buckets that a point may have. SDKs make up to a few hundred.
pub(super) const BUCKETS_MAX: usize = 10_000;
/// A gap of up to so many empty buckets is filled rather than starting a new span.
const GAP_FILLED_MAX: i64 = 2;

/// An exponential histogram. The error says what is wrong with it.
pub(super) fn exponential(point: &ExponentialPoint) -> Result<Histogram, String> {
    if point.scale < SCHEMA_MIN {
        return Err(format!(
            "cannot convert exponential to native histogram. Scale must be >= -4, was {}",
            point.scale
        ));
    }
    let scale_down = (point.scale - SCHEMA_MAX).max(0);
    // OpenTelemetry's bucket 0 begins at 1, ours ends there.
    let place = |index: i64| (index >> scale_down.min(62)) + 1;
    let observed = checked_sum(
        [point.zero_count],
        [&point.positive.bucket_counts, &point.negative.bucket_counts],
    )?;
    check_count(point.count, observed, point.sum)?;
    Ok(Histogram {
        reset_hint: ResetHint::Unknown,
        schema: point.scale.min(SCHEMA_MAX),
        zero_threshold: if point.zero_threshold > 0.0 {
            point.zero_threshold
        } else {
            ZERO_THRESHOLD
        },
        zero_count: point.zero_count as f64,
        count: point.count as f64,
        sum: point.sum.unwrap_or(0.0),
        positive: sparse(&point.positive, place)?,
        negative: sparse(&point.negative, place)?,
        custom_bounds: Vec::new(),
    })
}

/// A histogram with explicit bounds, as one with custom buckets.
pub(super) fn custom(point: &HistogramPoint) -> Result<Histogram, String> {
    let bounds = &point.explicit_bounds;
    let rising = bounds.windows(2).all(|pair| pair[0] < pair[1]);
    if !rising || bounds.iter().any(|bound| !bound.is_finite()) {
        return Err("its explicit bounds do not rise, or are not finite".to_owned());
    }
    let counts = match point.bucket_counts.as_slice() {
        // Without buckets all observations are in the one without bounds.
        [] if bounds.is_empty() => vec![point.count],
        counts if counts.len() == bounds.len() + 1 => counts.to_vec(),
        counts => {
            return Err(format!(
                "it has {} bucket counts and {} bounds; there must be one count more",
                counts.len(),
                bounds.len()
            ));
        }
    };
    check_count(point.count, checked_sum([], [&counts])?, point.sum)?;
    let dense = DenseBuckets { offset: 0, bucket_counts: counts };
    Ok(Histogram {
        schema: CUSTOM_BUCKETS_SCHEMA,
        count: point.count as f64,
        sum: point.sum.unwrap_or(0.0),
        positive: sparse(&dense, |index| index)?,
        custom_bounds: bounds.clone(),
        ..Histogram::default()
    })
}

fn checked_sum<const N: usize, const M: usize>(
    single: [u64; N],
    lists: [&Vec<u64>; M],
) -> Result<u64, String> {
    let all = single.into_iter().chain(lists.into_iter().flatten().copied());
    let mut sum = 0_u64;
    for count in all {
        sum = sum.checked_add(count).ok_or("its bucket counts add up to more than 2^64")?;
    }
    Ok(sum)
}

/// The buckets must hold all observations; where some were NaN (the sum then is) they are in
/// none (`Histogram.Validate` in `model/histogram/histogram.go`).
fn check_count(count: u64, observed: u64, sum: Option<f64>) -> Result<(), String> {
    let fits = if sum.is_some_and(f64::is_nan) { observed <= count } else { observed == count };
    if fits {
        return Ok(());
    }
    Err(format!("its count is {count}, but its buckets hold {observed} observations"))
}

/// Brings counts of neighbouring buckets to runs: `place` says where a bucket's count belongs.
/// Empty buckets at either end are left out.
fn sparse(dense: &DenseBuckets, place: impl Fn(i64) -> i64) -> Result<Buckets, String> {
    if dense.bucket_counts.len() > BUCKETS_MAX {
        return Err(format!("it has more than {BUCKETS_MAX} buckets"));
    }
    let mut buckets = Buckets::default();
    let mut last: Option<i64> = None;
    for (index, count) in dense.bucket_counts.iter().enumerate() {
        if *count == 0 {
            continue;
        }
        let at = place(i64::from(dense.offset) + index as i64);
        let gap = match last {
            Some(last) if last == at => {
                if let Some(merged) = buckets.counts.last_mut() {
                    *merged += *count as f64;
                }
                continue;
            }
            Some(last) => at - last - 1,
            None => at,
        };
        match buckets.spans.last_mut() {
            Some(span) if gap <= GAP_FILLED_MAX => {
                span.length += gap as u32 + 1;
                buckets.counts.extend((0..gap).map(|_| 0.0));
            }
            _ => {
                let offset =
                    i32::try_from(gap).map_err(|_| "its bucket offset is too large".to_owned())?;
                buckets.spans.push(BucketSpan { offset, length: 1 });
            }
        }
        buckets.counts.push(*count as f64);
        last = Some(at);
    }
    Ok(buckets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(buckets: &Buckets) -> Vec<(i32, u32)> {
        buckets.spans.iter().map(|span| (span.offset, span.length)).collect()
    }

    fn dense(offset: i32, counts: &[u64]) -> DenseBuckets {
        DenseBuckets { offset, bucket_counts: counts.to_vec() }
    }

    /// Bucket i of scale s covers (2^(i/2^s), 2^((i+1)/2^s)] in OpenTelemetry; bucket j of schema
    /// s has the upper bound 2^(j/2^s): j = i + 1.
    #[test]
    fn indexes_move_by_one() {
        let point = ExponentialPoint {
            scale: 1,
            count: 6,
            zero_count: 1,
            sum: Some(9.5),
            positive: dense(-2, &[1, 0, 0, 2]),
            negative: dense(0, &[2]),
            ..ExponentialPoint::default()
        };
        let histogram = exponential(&point).expect("fits");
        assert_eq!((histogram.schema, histogram.zero_threshold), (1, 1e-128));
        assert_eq!((histogram.count, histogram.zero_count, histogram.sum), (6.0, 1.0, 9.5));
        assert_eq!(spans(&histogram.positive), [(-1, 4)]);
        assert_eq!(histogram.positive.counts, [1.0, 0.0, 0.0, 2.0]);
        assert_eq!(spans(&histogram.negative), [(1, 1)]);
        assert_eq!(histogram.negative.counts, [2.0]);
    }

    #[test]
    fn wide_gaps_begin_a_new_span() {
        let buckets = sparse(&dense(0, &[1, 0, 0, 0, 5, 0]), |index| index).expect("fits");
        assert_eq!(spans(&buckets), [(0, 1), (3, 1)]);
        assert_eq!(buckets.counts, [1.0, 5.0]);
    }

    /// At scale 10 four neighbours make one bucket of schema 8: indexes −1 and below belong to
    /// bucket 0, 0 to 3 to bucket 1, 4 to bucket 2.
    #[test]
    fn finer_scales_are_merged() {
        let point = ExponentialPoint {
            scale: 10,
            count: 21,
            positive: dense(-1, &[1, 2, 3, 4, 5, 6]),
            ..ExponentialPoint::default()
        };
        let histogram = exponential(&point).expect("fits");
        assert_eq!(histogram.schema, 8);
        assert_eq!(spans(&histogram.positive), [(0, 3)]);
        assert_eq!(histogram.positive.counts, [1.0, 14.0, 6.0]);
    }

    #[test]
    fn what_cannot_be_told_rightly_is_refused() {
        let fine = ExponentialPoint { scale: -4, ..ExponentialPoint::default() };
        assert!(exponential(&fine).is_ok());
        let coarse = ExponentialPoint { scale: -5, ..ExponentialPoint::default() };
        assert!(exponential(&coarse).expect_err("too coarse").contains("Scale must be >= -4"));
        let miscounted =
            ExponentialPoint { count: 2, positive: dense(0, &[1]), ..ExponentialPoint::default() };
        assert!(exponential(&miscounted).is_err());
        let with_nan = ExponentialPoint { sum: Some(f64::NAN), ..miscounted };
        assert!(exponential(&with_nan).is_ok());
        let overflowing = ExponentialPoint {
            positive: dense(i32::MAX, &[u64::MAX, 1]),
            ..ExponentialPoint::default()
        };
        assert!(exponential(&overflowing).is_err());
        let extreme = ExponentialPoint {
            scale: i32::MAX,
            count: 2,
            positive: dense(i32::MIN, &[2]),
            ..ExponentialPoint::default()
        };
        assert_eq!(spans(&exponential(&extreme).expect("fits").positive), [(0, 1)]);
    }

    #[test]
    fn explicit_bounds_become_custom_ones() {
        let point = HistogramPoint {
            count: 7,
            sum: Some(12.0),
            bucket_counts: vec![0, 3, 0, 4],
            explicit_bounds: vec![1.0, 2.5, 10.0],
            ..HistogramPoint::default()
        };
        let histogram = custom(&point).expect("fits");
        assert!(histogram.has_custom_bounds());
        assert_eq!(histogram.custom_bounds, [1.0, 2.5, 10.0]);
        assert_eq!(spans(&histogram.positive), [(1, 3)]);
        assert_eq!(histogram.positive.counts, [3.0, 0.0, 4.0]);
        for (counts, bounds) in [(vec![7], vec![1.0]), (vec![3, 4, 0], vec![2.0, 1.0])] {
            let point = HistogramPoint {
                count: 7,
                bucket_counts: counts,
                explicit_bounds: bounds,
                ..HistogramPoint::default()
            };
            assert!(custom(&point).is_err());
        }
    }
}
