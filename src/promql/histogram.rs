//! Classic histograms: series per bucket, told apart by the label `le`.

use std::cmp::Ordering;

use hashbrown::HashMap;

use super::eval::{
    ABSENT, Grid, Replay, Result, Run, Scalars, StepSeries, Stream, is_absent, warn_of_quantile,
};
use crate::model::{BUCKET_LABEL, Labels};

/// Relative differences between buckets up to this are rounding (`smallDeltaTolerance`).
const SMALL_DELTA: f64 = 1e-12;

/// One bucket: its upper bound and how many observations are at or below it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bucket {
    bound: f64,
    count: f64,
}

/// The buckets of one histogram: upper bounds with one count per step.
struct Histogram {
    labels: Labels,
    drop_name: bool,
    buckets: Vec<(f64, Vec<f64>)>,
}

/// `histogram_quantile(φ, b)`.
pub(super) fn quantile<'r>(
    run: &'r Run<'r>,
    q: Scalars,
    stream: Stream<'r>,
    grid: Grid,
) -> Result<Stream<'r>> {
    for step in 0..grid.len {
        warn_of_quantile(run, q.at(step));
    }
    let mut forced = false;
    let stream = per_histogram(run, stream, grid, |step, buckets| {
        let (value, was_forced) = bucket_quantile(q.at(step), buckets);
        forced |= was_forced;
        value
    })?;
    if forced {
        run.inform(
            "PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see \
             https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)"
                .to_owned(),
        );
    }
    Ok(stream)
}

/// `histogram_fraction(lower, upper, b)`.
pub(super) fn fraction<'r>(
    run: &'r Run<'r>,
    lower: Scalars,
    upper: Scalars,
    stream: Stream<'r>,
    grid: Grid,
) -> Result<Stream<'r>> {
    per_histogram(run, stream, grid, |step, buckets| {
        bucket_fraction(lower.at(step), upper.at(step), buckets)
    })
}

/// Gathers the buckets of each histogram and asks for one value per step that has any.
fn per_histogram<'r>(
    run: &'r Run<'r>,
    mut stream: Stream<'r>,
    grid: Grid,
    mut value: impl FnMut(usize, &mut Vec<Bucket>) -> f64,
) -> Result<Stream<'r>> {
    let mut held = run.hold(0)?;
    let mut histograms: Vec<Histogram> = Vec::new();
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut series = StepSeries::default();
    while stream.next(&mut series)? {
        let Some(bound) = bound_of(run, &series.labels) else { continue };
        let labels = series.labels.without(|name| name == BUCKET_LABEL);
        let place = *places.entry(labels).or_insert_with_key(|labels| {
            let labels = labels.clone();
            histograms.push(Histogram { labels, drop_name: true, buckets: Vec::new() });
            histograms.len() - 1
        });
        held.grow(series.values.len())?;
        if let Some(histogram) = histograms.get_mut(place) {
            histogram.buckets.push((bound, std::mem::take(&mut series.values)));
        }
    }
    let mut finished = Vec::with_capacity(histograms.len());
    let mut buckets = Vec::new();
    for mut histogram in histograms {
        run.check()?;
        held.grow(grid.len)?;
        histogram.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let values = (0..grid.len)
            .map(|step| {
                buckets.clear();
                buckets.extend(
                    histogram
                        .buckets
                        .iter()
                        .map(|(bound, counts)| Bucket { bound: *bound, count: counts[step] })
                        .filter(|bucket| !is_absent(bucket.count)),
                );
                if buckets.is_empty() { ABSENT } else { value(step, &mut buckets) }
            })
            .collect();
        let (labels, drop_name) = (histogram.labels, histogram.drop_name);
        finished.push(StepSeries { labels, drop_name, values, histograms: Vec::new() });
    }
    Ok(Replay::stream(finished, held))
}

fn bound_of(run: &Run<'_>, labels: &Labels) -> Option<f64> {
    let text = labels.get(BUCKET_LABEL).unwrap_or("");
    let bound = text.parse().ok();
    if bound.is_none() {
        let name = labels.metric_name().unwrap_or("");
        run.warn(format!(
            "PromQL warning: bucket label \"le\" is missing or has a malformed value of \
             \"{text}\" for metric name \"{name}\""
        ));
    }
    bound
}

/// Adds up buckets of the same bound; they are sorted.
fn coalesce(buckets: &mut Vec<Bucket>) {
    buckets.dedup_by(|later, kept| {
        let same = later.bound == kept.bound;
        if same {
            kept.count += later.count;
        }
        same
    });
}

/// The quantile, and whether counts had to be raised so that they never fall
/// (`BucketQuantile` in `promql/quantile.go`). Buckets are sorted and not empty.
fn bucket_quantile(q: f64, buckets: &mut Vec<Bucket>) -> (f64, bool) {
    if q.is_nan() {
        return (f64::NAN, false);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, false);
    }
    if q > 1.0 {
        return (f64::INFINITY, false);
    }
    if buckets.last().is_none_or(|b| b.bound != f64::INFINITY) {
        return (f64::NAN, false);
    }
    coalesce(buckets);
    let forced = ensure_monotonic(buckets);
    let [.., before_last, last] = buckets.as_slice() else { return (f64::NAN, false) };
    if last.count == 0.0 {
        return (f64::NAN, false);
    }
    let rank = q * last.count;
    // The search of Go: the first of all but the last bucket that reaches the rank.
    let place = buckets[..buckets.len() - 1].partition_point(|b| {
        // NaN reaches no rank.
        b.count.partial_cmp(&rank).is_none_or(Ordering::is_lt)
    });
    if place == buckets.len() - 1 {
        return (before_last.bound, forced);
    }
    let bucket = buckets[place];
    if place == 0 {
        if bucket.bound <= 0.0 {
            return (bucket.bound, forced);
        }
        return (bucket.bound * (rank / bucket.count), forced);
    }
    let below = buckets[place - 1];
    let share = (rank - below.count) / (bucket.count - below.count);
    (below.bound + (bucket.bound - below.bound) * share, forced)
}

/// Raises counts that fall; ignores differences that are rounding, in either direction.
fn ensure_monotonic(buckets: &mut [Bucket]) -> bool {
    let mut forced = false;
    let mut previous = buckets.first().map_or(0.0, |b| b.count);
    for bucket in buckets.iter_mut().skip(1) {
        if bucket.count == previous {
            continue;
        }
        if almost_equal(previous, bucket.count) {
            bucket.count = previous;
        } else if bucket.count < previous {
            bucket.count = previous;
            forced = true;
        } else {
            previous = bucket.count;
        }
    }
    forced
}

/// `almost.Equal` of Prometheus (`util/almost`).
fn almost_equal(a: f64, b: f64) -> bool {
    if a.is_nan() && b.is_nan() {
        return true;
    }
    let (sum, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < SMALL_DELTA * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < SMALL_DELTA
}

/// The share of observations between two bounds (`BucketFraction`).
fn bucket_fraction(lower: f64, upper: f64, buckets: &mut Vec<Bucket>) -> f64 {
    if buckets.last().is_none_or(|b| b.bound != f64::INFINITY) {
        return f64::NAN;
    }
    coalesce(buckets);
    let total = buckets.last().map_or(0.0, |b| b.count);
    if total == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    (rank_of(upper, buckets, total) - rank_of(lower, buckets, total)) / total
}

/// How many observations are below a value, linear within its bucket.
fn rank_of(value: f64, buckets: &[Bucket], total: f64) -> f64 {
    let mut rank: f64 = 0.0;
    let mut start = f64::NEG_INFINITY;
    for (place, bucket) in buckets.iter().enumerate() {
        // The lowest bucket begins at zero where its bound is above.
        if place == 0 && bucket.bound > 0.0 {
            start = 0.0;
        }
        if start >= value {
            return rank.min(total);
        }
        if bucket.bound > value {
            if start == f64::NEG_INFINITY {
                return bucket.count.min(total);
            }
            let part = (bucket.count - rank) * (value - start) / (bucket.bound - start);
            let inside = rank + part;
            return if inside > total { total } else { inside };
        }
        rank = bucket.count;
        start = bucket.bound;
    }
    total
}
