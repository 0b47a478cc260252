//! Intervals of proportions that hold at 0 % and at 100 % too.

use super::{Estimate, normal_isf};

/// Both ends of a confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end, at least `low`.
    pub high: f64,
}

impl Interval {
    /// From two ends, if they are numbers and in order.
    pub(super) fn checked(low: f64, high: f64) -> Option<Self> {
        (low.is_finite() && high.is_finite() && low <= high).then_some(Self { low, high })
    }

    /// `centre` ± `reach`.
    pub(super) fn around(centre: f64, reach: f64) -> Option<Self> {
        Self::checked(centre - reach, centre + reach)
    }

    /// Whether `value` is inside; an end is inside.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// The critical value of a two-sided test on the normal distribution: P(|Z| > z) = `alpha`.
/// `None` unless 0 < `alpha` < 1.
#[must_use]
pub fn normal_critical(alpha: f64) -> Option<f64> {
    normal_isf(alpha / 2.0)
}

/// Wilson's score interval of a proportion at level 1 − `alpha` (Wilson 1927). `proportion` is
/// of [`Estimate::proportion`].
#[must_use]
pub fn wilson(proportion: &Estimate, alpha: f64) -> Option<Interval> {
    let n = proportion.n as f64;
    let p = proportion.value;
    if proportion.n == 0 || !(0.0..=1.0).contains(&p) {
        return None;
    }
    let z = normal_critical(alpha)?;
    let square = z * z;
    let middle = p + square / (2.0 * n);
    let root = z * (p * (1.0 - p) / n + square / (4.0 * n * n)).sqrt();
    let scale = 1.0 + square / n;
    // At none and at all the end is exactly 0 or 1, which rounding would miss.
    let low = if p == 0.0 { 0.0 } else { (middle - root) / scale };
    let high = if p == 1.0 { 1.0 } else { (middle + root) / scale };
    Interval::checked(low.clamp(0.0, p), high.clamp(p, 1.0))
}

/// The interval of the difference treatment − control of two proportions at level 1 − `alpha`:
/// Newcombe's hybrid of two score intervals (Newcombe 1998, "Interval estimation for the
/// difference between independent proportions", method 10). Given for 0 % and 100 % too.
#[must_use]
pub fn newcombe(control: &Estimate, treatment: &Estimate, alpha: f64) -> Option<Interval> {
    let (c, t) = (wilson(control, alpha)?, wilson(treatment, alpha)?);
    let diff = treatment.value - control.value;
    let low = diff - (treatment.value - t.low).hypot(c.high - control.value);
    let high = diff + (t.high - treatment.value).hypot(control.value - c.low);
    Interval::checked(low.max(-1.0), high.min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Moments;
    use crate::stats::figures::{cases, close, number};

    fn proportion(successes: u64, n: u64) -> Estimate {
        let mut sample = Moments::new();
        sample.add_times(1.0, successes);
        sample.add_times(0.0, n - successes);
        Estimate::proportion(&sample).expect("a proportion")
    }

    /// Newcombe 1998, table II, row "score, no continuity correction (method 10)": eight
    /// comparisons (a) to (h), of 56/70−48/80, 9/10−3/10, 6/7−2/7, 5/56−0/29, 0/10−0/20,
    /// 0/10−0/10, 10/10−0/20 and 10/10−0/10, in four digits.
    #[test]
    fn differences_are_those_of_newcombes_table() {
        let table = [
            ((56, 70), (48, 80), (0.0524, 0.3339)),
            ((9, 10), (3, 10), (0.1705, 0.8090)),
            ((6, 7), (2, 7), (0.0582, 0.8062)),
            ((5, 56), (0, 29), (-0.0381, 0.1926)),
            ((0, 10), (0, 20), (-0.1611, 0.2775)),
            ((0, 10), (0, 10), (-0.2775, 0.2775)),
            ((10, 10), (0, 20), (0.6791, 1.0)),
            ((10, 10), (0, 10), (0.6075, 1.0)),
        ];
        for ((a, m), (b, n), (low, high)) in table {
            let interval = newcombe(&proportion(b, n), &proportion(a, m), 0.05).expect("one");
            assert!((interval.low - low).abs() < 6e-5, "{a}/{m} − {b}/{n}: {interval:?}");
            assert!((interval.high - high).abs() < 6e-5, "{a}/{m} − {b}/{n}: {interval:?}");
        }
    }

    #[test]
    fn intervals_are_those_of_statsmodels() {
        for case in cases("proportions") {
            let count = |key: &str| number(&case, key) as u64;
            let control = proportion(count("successes_control"), count("n_control"));
            let treatment = proportion(count("successes_treatment"), count("n_treatment"));
            let alpha = number(&case, "alpha");
            let one = wilson(&control, alpha).expect("an interval");
            let end = |ours: f64, key: &str| {
                let expected = number(&case, key);
                // Ends near 0 are differences of numbers near 1: absolute there.
                if expected.abs() < 1e-3 {
                    assert!((ours - expected).abs() < 1e-15, "{key} of {case}: {ours}");
                } else {
                    close(ours, expected, 1e-12, &case);
                }
            };
            end(one.low, "wilson_low");
            end(one.high, "wilson_high");
            let difference = newcombe(&control, &treatment, alpha).expect("an interval");
            end(difference.low, "newcombe_low");
            end(difference.high, "newcombe_high");
        }
    }

    #[test]
    fn what_is_no_level_or_no_proportion_has_no_interval() {
        let half = proportion(5, 10);
        for alpha in [0.0, -1.0, 2.0, f64::NAN] {
            assert_eq!(wilson(&half, alpha), None, "{alpha}");
        }
        assert_eq!(wilson(&Estimate { value: 1.5, ..half }, 0.05), None);
        assert_eq!(wilson(&Estimate { n: 0, ..half }, 0.05), None);
    }
}
