//! Rates and differences, as `promql/functions.go` computes them.

use super::grid::ABSENT;
use super::range_call::Window;

/// Fills `counts[i]` with the number of falls up to and with sample `i`, so that the falls
/// inside any window are one subtraction.
pub(super) fn count_resets(values: &[f64], counts: &mut Vec<u32>) {
    count(values, counts, |before, now| now < before);
}

/// The same for changes; from NaN to NaN nothing changes.
pub(super) fn count_changes(values: &[f64], counts: &mut Vec<u32>) {
    count(values, counts, |before, now| now != before && !(now.is_nan() && before.is_nan()));
}

fn count(values: &[f64], counts: &mut Vec<u32>, differs: impl Fn(f64, f64) -> bool) {
    counts.clear();
    counts.reserve(values.len());
    let mut total = 0;
    let mut before = values.first().copied().unwrap_or(0.0);
    for value in values {
        total += u32::from(differs(before, *value));
        before = *value;
        counts.push(total);
    }
}

/// `resets` and `changes`.
pub(super) fn counted(w: &Window<'_>, counts: &[u32]) -> f64 {
    f64::from(counts[w.to - 1] - counts[w.from])
}

/// `rate` (with the width of the range in seconds) and `increase`.
pub(super) fn counter(w: &Window<'_>, resets: &[u32], per_seconds: Option<f64>) -> f64 {
    let values = w.values();
    if values.len() < 2 {
        return ABSENT;
    }
    let mut increase = values[values.len() - 1] - values[0];
    if resets[w.to - 1] != resets[w.from] {
        for pair in values.windows(2) {
            if pair[1] < pair[0] {
                increase += pair[0];
            }
        }
    }
    extrapolate(w, increase, true, per_seconds)
}

/// `delta`.
pub(super) fn gauge(w: &Window<'_>) -> f64 {
    let values = w.values();
    if values.len() < 2 {
        return ABSENT;
    }
    extrapolate(w, values[values.len() - 1] - values[0], false, None)
}

#[inline]
fn extrapolate(w: &Window<'_>, difference: f64, is_counter: bool, per_seconds: Option<f64>) -> f64 {
    let (times, values) = (w.times(), w.values());
    let sampled = (times[0], times[times.len() - 1]);
    let counter = is_counter.then(|| (values[0], difference));
    difference * factor(sampled, times.len() - 1, (w.start, w.end), counter, per_seconds)
}

/// By how much to stretch a difference from the time between the first and the last sample,
/// `distances` apart, to the whole window: to its ends where samples come close (1.1 of their
/// mean distance), else by half that distance; and for a counter (its first value and its
/// increase) never beyond where it would have been zero (`extrapolatedRate`). With `per_seconds`
/// the result is divided by it.
#[inline]
pub(super) fn factor(
    (first, last): (i64, i64),
    distances: usize,
    (start, end): (i64, i64),
    counter: Option<(f64, f64)>,
    per_seconds: Option<f64>,
) -> f64 {
    let mut to_start = (first - start) as f64 / 1000.0;
    let mut to_end = (end - last) as f64 / 1000.0;
    let sampled = (last - first) as f64 / 1000.0;
    let mean_distance = sampled / distances as f64;
    let threshold = mean_distance * 1.1;
    if to_start >= threshold {
        to_start = mean_distance / 2.0;
    }
    if let Some((first_value, increase)) = counter
        && increase > 0.0
        && first_value >= 0.0
    {
        let to_zero = sampled * (first_value / increase);
        if to_zero < to_start {
            to_start = to_zero;
        }
    }
    if to_end >= threshold {
        to_end = mean_distance / 2.0;
    }
    let mut factor = (sampled + to_start + to_end) / sampled;
    if let Some(seconds) = per_seconds {
        factor /= seconds;
    }
    factor
}

/// `irate` and `idelta`: from the last two samples.
pub(super) fn last_two(w: &Window<'_>, is_rate: bool) -> f64 {
    let ([.., t0, t1], [.., v0, v1]) = (w.times(), w.values()) else { return ABSENT };
    let value = if is_rate && v1 < v0 { *v1 } else { v1 - v0 };
    if is_rate { value / ((t1 - t0) as f64 / 1000.0) } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kahan_add;

    #[test]
    fn compensated_summation_keeps_what_plain_summation_loses() {
        // Neumaier's own example: 1 + 1e100 + 1 - 1e100 is 2.
        let (mut sum, mut c) = (0.0, 0.0);
        for value in [1.0, 1e100, 1.0, -1e100] {
            (sum, c) = kahan_add(value, sum, c);
        }
        assert_eq!(sum + c, 2.0);
    }

    #[test]
    fn falls_and_changes_are_counted_between_samples() {
        let mut counts = Vec::new();
        count_resets(&[1.0, 2.0, 1.0, 1.0, 0.0], &mut counts);
        assert_eq!(counts, [0, 0, 1, 1, 2]);
        count_changes(&[f64::NAN, f64::NAN, 1.0, 1.0, 2.0], &mut counts);
        assert_eq!(counts, [0, 0, 1, 1, 2]);
    }
}
