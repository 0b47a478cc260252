//! Folds of the values of a window, as `promql/functions.go` and `promql/quantile.go` do them.

use std::cmp::Ordering;

use super::super::annotations::Annotation;
use super::super::functions::RangeKind;
use super::super::span::Span;
use super::range_call::Window;
use super::run::Run;
use crate::model::kahan_add;

/// The fold of a window's values, at least one.
pub(super) fn fold(kind: RangeKind) -> fn(&[f64]) -> f64 {
    match kind {
        RangeKind::Avg => average,
        RangeKind::Sum => sum,
        RangeKind::Stdvar => variance,
        RangeKind::Stddev => |values| variance(values).sqrt(),
        _ => |values| values.len() as f64,
    }
}

fn sum(values: &[f64]) -> f64 {
    let (mut sum, mut c) = (0.0, 0.0);
    for value in values {
        (sum, c) = kahan_add(*value, sum, c);
    }
    if sum.is_infinite() { sum } else { sum + c }
}

/// The mean from the compensated sum; where that overflows, from there on the running mean.
fn average(values: &[f64]) -> f64 {
    let (mut sum, mut c) = (values[0], 0.0);
    let mut running: Option<f64> = None;
    for (place, value) in values.iter().enumerate().skip(1) {
        let count = (place + 1) as f64;
        let mean = match running {
            Some(mean) => mean,
            None => {
                let (next, next_c) = kahan_add(*value, sum, c);
                if !next.is_infinite() {
                    (sum, c) = (next, next_c);
                    continue;
                }
                c /= count - 1.0;
                sum / (count - 1.0)
            }
        };
        let share = (count - 1.0) / count;
        let (mean, next_c) = kahan_add(value / count, share * mean, share * c);
        running = Some(mean);
        c = next_c;
    }
    let count = values.len() as f64;
    running.map_or(sum / count + c / count, |mean| mean + c)
}

/// The smallest or largest value of windows that only move forward: a queue of the places that
/// can still become the best, best first, so that each sample is looked at once.
pub(super) struct Extreme<'q> {
    queue: &'q mut Vec<u32>,
    head: usize,
    seen: usize,
}

impl<'q> Extreme<'q> {
    pub(super) fn new(queue: &'q mut Vec<u32>) -> Self {
        queue.clear();
        Extreme { queue, head: 0, seen: 0 }
    }

    /// The best of a window; NaN only where there is nothing else.
    pub(super) fn of(&mut self, w: &Window<'_>, better: impl Fn(f64, f64) -> bool) -> f64 {
        let values = w.all.values.as_slice();
        for place in self.seen.max(w.from)..w.to {
            let value = values[place];
            if value.is_nan() {
                continue;
            }
            while self.queue.len() > self.head
                && self.queue.last().is_some_and(|last| !better(values[*last as usize], value))
            {
                self.queue.pop();
            }
            self.queue.push(place as u32);
        }
        self.seen = self.seen.max(w.to);
        while self.queue.get(self.head).is_some_and(|first| (*first as usize) < w.from) {
            self.head += 1;
        }
        self.queue.get(self.head).map_or(f64::NAN, |best| values[*best as usize])
    }
}

/// The seconds of the last smallest or largest sample.
pub(super) fn time_of_extreme(w: &Window<'_>, better: impl Fn(f64, f64) -> bool) -> f64 {
    let (times, values) = (w.times(), w.values());
    let (mut best, mut at) = (values[0], times[0]);
    for (value, time) in values.iter().zip(times) {
        if better(*value, best) || best.is_nan() {
            (best, at) = (*value, *time);
        }
    }
    at as f64 / 1000.0
}

/// Population variance by Welford's method, compensated.
fn variance(values: &[f64]) -> f64 {
    let mut count = 0.0;
    let (mut mean, mut mean_c) = (0.0, 0.0);
    let (mut aux, mut aux_c) = (0.0, 0.0);
    for value in values {
        count += 1.0;
        let delta = value - (mean + mean_c);
        (mean, mean_c) = kahan_add(delta / count, mean, mean_c);
        (aux, aux_c) = kahan_add(delta * (value - (mean + mean_c)), aux, aux_c);
    }
    (aux + aux_c) / count
}

/// By value, NaN before everything.
fn nan_first(a: &f64, b: &f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (false, false) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
        (a, b) => b.cmp(&a),
    }
}

/// The quantile of values, which get sorted: linear between the two nearest ranks.
pub(in crate::promql) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(nan_first);
    let last = values.len() - 1;
    let rank = q * last as f64;
    let lower = rank.floor().max(0.0);
    let weight = rank - rank.floor();
    let lower = (lower as usize).min(last);
    let upper = (lower + 1).min(last);
    values[lower] * (1.0 - weight) + values[upper] * weight
}

pub(super) fn quantile_of(q: f64, values: &[f64], scratch: &mut Vec<f64>) -> f64 {
    scratch.clear();
    scratch.extend_from_slice(values);
    quantile(q, scratch)
}

/// `mad_over_time`: the median of the distances from the median.
pub(super) fn mad(values: &[f64], scratch: &mut Vec<f64>) -> f64 {
    let median = quantile_of(0.5, values, scratch);
    scratch.clear();
    scratch.extend(values.iter().map(|v| (v - median).abs()));
    quantile(0.5, scratch)
}

/// Notes a quantile outside of 0 to 1.
pub(in crate::promql) fn warn_of_quantile(run: &Run<'_>, q: f64, span: Span) {
    if !(0.0..=1.0).contains(&q) {
        run.note(Annotation::InvalidQuantile { q }, span);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::source::Samples;
    use super::*;

    #[test]
    fn a_mean_survives_an_overflowing_sum() {
        let mean = average(&[f64::MAX, f64::MAX, f64::MAX]);
        assert!((mean / f64::MAX - 1.0).abs() < 1e-15, "{mean}");
        assert_eq!(average(&[1.0, 2.0, 6.0]), 3.0);
        assert_eq!(average(&[f64::INFINITY, 1.0]), f64::INFINITY);
        assert!(average(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
    }

    #[test]
    fn the_extremes_of_moving_windows_are_those_of_each_window() {
        let values: Vec<f64> = (0..200_i32)
            .map(|i| if i % 7 == 3 { f64::NAN } else { f64::from(i * 7919 % 101) })
            .collect();
        let times: Vec<i64> = (0..200).collect();
        let all = Samples { times, values, histograms: Vec::new() };
        let mut queue = Vec::new();
        for width in [1, 2, 5, 30] {
            let mut extreme = Extreme::new(&mut queue);
            for to in (1..=200).step_by(3) {
                let from = (to - 1_usize).saturating_sub(width);
                let w = Window { all: &all, from, to, start: 0, end: 0, step: 0 };
                // `f64::max` prefers numbers to NaN too.
                let expected = all.values[from..to].iter().copied().fold(f64::NAN, f64::max);
                let found = extreme.of(&w, |a, b| a > b);
                assert!(found == expected || found.is_nan() && expected.is_nan(), "{from}..{to}");
            }
        }
    }

    #[test]
    fn quantiles_interpolate_between_ranks() {
        assert_eq!(quantile(0.5, &mut [4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(quantile(0.0, &mut [2.0, 1.0]), 1.0);
        assert_eq!(quantile(1.0, &mut [2.0, 1.0]), 2.0);
        assert_eq!(quantile(-0.1, &mut [1.0]), f64::NEG_INFINITY);
        assert_eq!(quantile(1.1, &mut [1.0]), f64::INFINITY);
        assert!(quantile(f64::NAN, &mut [1.0]).is_nan());
        // NaN sorts first: the upper half is made of numbers.
        assert_eq!(quantile(1.0, &mut [f64::NAN, 1.0]), 1.0);
    }

    #[test]
    fn variance_is_that_of_the_population() {
        assert_eq!(variance(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]), 4.0);
    }
}
