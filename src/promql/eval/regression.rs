//! Straight lines through samples, and double exponential smoothing.

use super::grid::ABSENT;
use super::range_call::Window;
use crate::model::kahan_add;

/// Least squares: slope per second, and the value at `origin` (`linearRegression`).
fn line(w: &Window<'_>, origin: i64) -> (f64, f64) {
    let (times, values) = (w.times(), w.values());
    let first = values[0];
    if values.iter().all(|v| *v == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let n = values.len() as f64;
    let (mut x, mut y, mut xy, mut xx) = ((0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0));
    for (time, value) in times.iter().zip(values) {
        let at = (time - origin) as f64 / 1e3;
        x = kahan_add(at, x.0, x.1);
        y = kahan_add(*value, y.0, y.1);
        xy = kahan_add(at * value, xy.0, xy.1);
        xx = kahan_add(at * at, xx.0, xx.1);
    }
    let (x, y, xy, xx) = (x.0 + x.1, y.0 + y.1, xy.0 + xy.1, xx.0 + xx.1);
    let slope = (xy - x * y / n) / (xx - x * x / n);
    (slope, y / n - slope * x / n)
}

/// `deriv`. The origin is the first sample: numbers stay small.
pub(super) fn slope(w: &Window<'_>) -> f64 {
    if w.len() < 2 { ABSENT } else { line(w, w.times()[0]).0 }
}

/// `predict_linear`: the value `ahead` seconds after `now`.
pub(super) fn predict(w: &Window<'_>, now: i64, ahead: f64) -> f64 {
    if w.len() < 2 {
        return ABSENT;
    }
    let (slope, intercept) = line(w, now);
    slope * ahead + intercept
}

/// `double_exponential_smoothing` with its two factors, both within (0, 1).
pub(super) fn smooth(w: &Window<'_>, factor: f64, trend_factor: f64) -> f64 {
    let values = w.values();
    let [first, second, ..] = values else { return ABSENT };
    let mut previous = 0.0;
    let mut smoothed = *first;
    let mut trend = second - first;
    for (place, value) in values.iter().enumerate().skip(1) {
        if place > 1 {
            trend = trend_factor * (smoothed - previous) + (1.0 - trend_factor) * trend;
        }
        let next = factor * value + (1.0 - factor) * (smoothed + trend);
        (previous, smoothed) = (smoothed, next);
    }
    smoothed
}
