//! `histogram_quantile` and `histogram_fraction`: of classic histograms, which are series per
//! bucket told apart by the label `le`, and of native ones.

use std::cmp::Ordering;

use hashbrown::HashMap;

use super::annotations::{Annotation, MonotonicityFix};
use super::eval::{
    ABSENT, Grid, Replay, Result, Run, Scalars, StepSeries, Stream, is_absent, warn_of_quantile,
};
use super::native;
use super::span::Span;
use crate::model::{self, BUCKET_LABEL, Labels};

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

impl Histogram {
    /// Takes away the buckets of a step and says whether there were any.
    fn take(&mut self, step: usize) -> bool {
        let mut any = false;
        for slot in self.buckets.iter_mut().filter_map(|(_, counts)| counts.get_mut(step)) {
            any |= !is_absent(std::mem::replace(slot, ABSENT));
        }
        any
    }
}

/// Where the parts of a call stand that annotations speak of.
#[derive(Clone, Copy)]
pub(super) struct Spans {
    /// Of the quantile.
    pub quantile: Span,
    /// To which NaN observations of native histograms are put down.
    pub native: Span,
    /// Of the vector with the buckets.
    pub buckets: Span,
    /// To which raised buckets are put down.
    pub monotonicity: Span,
}

/// `histogram_quantile(φ, b)`.
pub(super) fn quantile<'r>(
    run: &'r Run<'r>,
    q: Scalars,
    stream: Stream<'r>,
    grid: Grid,
    spans: Spans,
) -> Result<Stream<'r>> {
    for step in 0..grid.len {
        warn_of_quantile(run, q.at(step), spans.quantile);
    }
    let of_buckets = |step: usize, buckets: &mut Vec<Bucket>| {
        let (value, fix) = bucket_quantile(q.at(step), buckets);
        if let Some(raised) = fix {
            note_raised(run, raised, grid.at(step), spans.monotonicity);
        }
        value
    };
    let of_native = |step: usize, histogram: &model::Histogram| {
        // The name is gone by then, as for raised buckets.
        let (value, note) = native::quantile(q.at(step), histogram, "");
        if let Some(note) = note {
            run.note(note, spans.native);
        }
        value
    };
    per_histogram(run, stream, grid, spans.buckets, of_buckets, of_native)
}

/// Without the metric's name, which is gone by then (Prometheus names it only with the feature
/// "delayed name removal").
fn note_raised(run: &Run<'_>, raised: Raised, at: i64, span: Span) {
    let fix = MonotonicityFix {
        times: (at, at),
        buckets: raised.buckets,
        max_difference: raised.max_difference,
        count: 1,
    };
    run.note(Annotation::ForcedMonotonicity { metric: String::new(), fix }, span);
}

/// `histogram_fraction(lower, upper, b)`; where `lower` and `b` stand.
pub(super) fn fraction<'r>(
    run: &'r Run<'r>,
    lower: Scalars,
    upper: Scalars,
    stream: Stream<'r>,
    grid: Grid,
    (lower_span, span): (Span, Span),
) -> Result<Stream<'r>> {
    let of_buckets = |step: usize, buckets: &mut Vec<Bucket>| {
        bucket_fraction(lower.at(step), upper.at(step), buckets)
    };
    let of_native = |step: usize, histogram: &model::Histogram| {
        let (value, note) = native::fraction(lower.at(step), upper.at(step), histogram, "");
        if let Some(note) = note {
            run.note(note, lower_span);
        }
        value
    };
    per_histogram(run, stream, grid, span, of_buckets, of_native)
}

/// Gathers the buckets of each histogram and asks for one value per step that has any.
fn per_histogram<'r>(
    run: &'r Run<'r>,
    mut stream: Stream<'r>,
    grid: Grid,
    span: Span,
    mut value: impl FnMut(usize, &mut Vec<Bucket>) -> f64,
    of_native: impl Fn(usize, &model::Histogram) -> f64,
) -> Result<Stream<'r>> {
    let mut held = run.hold(0)?;
    let mut histograms: Vec<Histogram> = Vec::new();
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut series = StepSeries::default();
    let mut natives: Vec<StepSeries> = Vec::new();
    while stream.next(&mut series)? {
        if series.has_histograms() {
            held.grow(series.samples())?;
            let mut native = series.clone();
            native.drop_numbers();
            natives.push(native);
            series.drop_histograms();
            if !series.has_values() {
                continue;
            }
        }
        let Some(bound) = bound_of(run, &series.labels, span) else { continue };
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
    let mut finished = Vec::with_capacity(histograms.len() + natives.len());
    for mut series in natives {
        run.check()?;
        let place = places.get(&series.labels).copied();
        let mut classic = place.and_then(|place| histograms.get_mut(place));
        for step in 0..series.values.len() {
            let Some(histogram) = series.histogram(step) else { continue };
            // Of a classic and a native histogram of the same name and labels neither counts.
            let number = if classic.as_mut().is_some_and(|classic| classic.take(step)) {
                let metric = series.labels.metric_name().unwrap_or("").to_owned();
                run.note(Annotation::MixedClassicNative { metric }, span);
                ABSENT
            } else {
                of_native(step, histogram)
            };
            if let Some(slot) = series.values.get_mut(step) {
                *slot = number;
            }
        }
        series.histograms.clear();
        series.drop_name = true;
        finished.push(series);
    }
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

fn bound_of(run: &Run<'_>, labels: &Labels, span: Span) -> Option<f64> {
    let text = labels.get(BUCKET_LABEL).unwrap_or("");
    // Go calls a number too large for a float malformed.
    let is_range_error =
        |bound: &f64| bound.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit());
    let bound = text.parse().ok().filter(|bound| !is_range_error(bound));
    if bound.is_none() {
        let (metric, label) = (String::new(), text.to_owned());
        run.note(Annotation::BadBucketLabel { metric, label }, span);
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

/// Buckets that had to be raised so that counts never fall with rising bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Raised {
    /// The lowest and the highest bound among them.
    buckets: (f64, f64),
    /// By how much the worst was raised.
    max_difference: f64,
}

/// The quantile, and which counts had to be raised
/// (`BucketQuantile` in `promql/quantile.go`). Buckets are sorted and not empty.
fn bucket_quantile(q: f64, buckets: &mut Vec<Bucket>) -> (f64, Option<Raised>) {
    if q.is_nan() {
        return (f64::NAN, None);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if q > 1.0 {
        return (f64::INFINITY, None);
    }
    if buckets.last().is_none_or(|b| b.bound != f64::INFINITY) {
        return (f64::NAN, None);
    }
    coalesce(buckets);
    let raised = ensure_monotonic(buckets);
    let [.., before_last, last] = buckets.as_slice() else { return (f64::NAN, None) };
    if last.count == 0.0 {
        return (f64::NAN, None);
    }
    let rank = q * last.count;
    // The search of Go: the first of all but the last bucket that reaches the rank.
    let place = buckets[..buckets.len() - 1].partition_point(|b| {
        // NaN reaches no rank.
        b.count.partial_cmp(&rank).is_none_or(Ordering::is_lt)
    });
    if place == buckets.len() - 1 {
        return (before_last.bound, raised);
    }
    let bucket = buckets[place];
    if place == 0 {
        if bucket.bound <= 0.0 {
            return (bucket.bound, raised);
        }
        return (bucket.bound * (rank / bucket.count), raised);
    }
    let below = buckets[place - 1];
    let share = (rank - below.count) / (bucket.count - below.count);
    (below.bound + (bucket.bound - below.bound) * share, raised)
}

/// Raises counts that fall; ignores differences that are rounding, in either direction.
fn ensure_monotonic(buckets: &mut [Bucket]) -> Option<Raised> {
    let mut raised: Option<Raised> = None;
    let mut previous = buckets.first().map_or(0.0, |b| b.count);
    for bucket in buckets.iter_mut().skip(1) {
        if bucket.count == previous {
            continue;
        }
        if almost_equal(previous, bucket.count) {
            bucket.count = previous;
        } else if bucket.count < previous {
            let difference = previous - bucket.count;
            bucket.count = previous;
            let so_far = raised
                .unwrap_or(Raised { buckets: (bucket.bound, bucket.bound), max_difference: 0.0 });
            raised = Some(Raised {
                buckets: (so_far.buckets.0, bucket.bound),
                max_difference: so_far.max_difference.max(difference),
            });
        } else {
            previous = bucket.count;
        }
    }
    raised
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
