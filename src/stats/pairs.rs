//! Moments of pairs of values of the same unit: what ratios and CUPED are computed from.

use serde::{Deserialize, Serialize};

use super::moments::Powers;
use super::{Dyadic, ExactSum, Moments, summable};

/// A sample of pairs (x, y): both sides to the third order, and the mixed sums Σxy, Σx²y, Σxy².
///
/// **y is what is of interest, x what it is held against**: for a ratio metric y is the numerator
/// and x the denominator; for CUPED y is the metric and x the covariate from before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairMoments {
    x: Moments,
    y: Moments,
    xy: ExactSum,
    xxy: ExactSum,
    xyy: ExactSum,
}

impl PairMoments {
    /// Of no pairs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a pair. Left out when either is not [`summable`]; answers whether it was added.
    pub fn add(&mut self, x: f64, y: f64) -> bool {
        self.change(x, y, 1, false)
    }

    /// Adds the same pair `count` times, at the price of once.
    pub fn add_times(&mut self, x: f64, y: f64, count: u64) -> bool {
        self.change(x, y, count, false)
    }

    /// Takes a pair out that was added before.
    pub fn remove(&mut self, x: f64, y: f64) -> bool {
        self.change(x, y, 1, true)
    }

    fn change(&mut self, x: f64, y: f64, count: u64, take_out: bool) -> bool {
        if !summable(x) || !summable(y) || i64::try_from(count).is_err() {
            return false;
        }
        let marginals = [(&mut self.x, x), (&mut self.y, y)];
        for (moments, value) in marginals {
            if take_out {
                moments.remove_times(value, count);
            } else {
                moments.add_times(value, count);
            }
        }
        self.xy.add_product([x, y, 1.0], count, take_out);
        self.xxy.add_product([x, x, y], count, take_out);
        self.xyy.add_product([x, y, y], count, take_out);
        true
    }

    /// Adds all pairs of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.x.merge(&other.x);
        self.y.merge(&other.y);
        self.xy.merge(&other.xy);
        self.xxy.merge(&other.xxy);
        self.xyy.merge(&other.xyy);
    }

    /// Takes all pairs of `other` out.
    pub fn subtract(&mut self, other: &Self) {
        self.x.subtract(&other.x);
        self.y.subtract(&other.y);
        self.xy.subtract(&other.xy);
        self.xxy.subtract(&other.xxy);
        self.xyy.subtract(&other.xyy);
    }

    /// How many pairs.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.x.n()
    }

    /// The denominators, or the covariate.
    #[must_use]
    pub fn x(&self) -> &Moments {
        &self.x
    }

    /// The numerators, or the metric.
    #[must_use]
    pub fn y(&self) -> &Moments {
        &self.y
    }

    /// The sample covariance, over n − 1; `None` of fewer than two pairs.
    #[must_use]
    pub fn covariance(&self) -> Option<f64> {
        let below = self.n().checked_sub(1).filter(|below| *below > 0)?;
        self.joint().quotient(&(&Dyadic::from(self.n()) * &Dyadic::from(below)))
    }

    /// n·Σxy − Σx·Σy, which is n·Σ(x − x̄)(y − ȳ).
    pub(super) fn joint(&self) -> Dyadic {
        let product = &Dyadic::from(self.x.sum()) * &Dyadic::from(self.y.sum());
        &(&Dyadic::from(self.n()) * &Dyadic::from(&self.xy)) - &product
    }

    /// n·Σx² − (Σx)².
    pub(super) fn spread_x(&self) -> Dyadic {
        let x = self.x.powers();
        &(&Dyadic::from(self.n()) * &x.second) - &(&x.first * &x.first)
    }

    /// The sums of `scale`·y − `slope`·x, exact. So a residual's variance is right even where y
    /// is nearly a multiple of x and a difference of variances would have no digit left.
    pub(super) fn residuals(&self, scale: &Dyadic, slope: &Dyadic) -> Powers {
        let (x, y) = (self.x.powers(), self.y.powers());
        let (two, three) = (Dyadic::from(2), Dyadic::from(3));
        let (xy, xxy, xyy) =
            (Dyadic::from(&self.xy), Dyadic::from(&self.xxy), Dyadic::from(&self.xyy));
        let (scale_2, slope_2) = (scale * scale, slope * slope);
        let both = scale * slope;
        let squares = &(&scale_2 * &y.second) + &(&slope_2 * &x.second);
        let cubes = &(&(&scale_2 * scale) * &y.third) - &(&(&slope_2 * slope) * &x.third);
        // 3·scale·slope·(slope·Σx²y − scale·Σxy²)
        let mixed = &(&three * &both) * &(&(slope * &xxy) - &(scale * &xyy));
        Powers {
            n: self.n(),
            first: &(scale * &y.first) - &(slope * &x.first),
            second: &squares - &(&(&two * &both) * &xy),
            third: &cubes + &mixed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(values: &[(f64, f64)]) -> PairMoments {
        let mut moments = PairMoments::new();
        for (x, y) in values {
            assert!(moments.add(*x, *y));
        }
        moments
    }

    #[test]
    fn a_covariance_is_exact_at_any_offset() {
        // By hand: x 1, 2, 3, 4 and y 1, 3, 2, 5 have Σ(x−x̄)(y−ȳ) = 5.5.
        for offset in [0.0, 1e9, 1e15] {
            let sample = pairs(&[
                (offset + 1.0, 1.0 - offset),
                (offset + 2.0, 3.0 - offset),
                (offset + 3.0, 2.0 - offset),
                (offset + 4.0, 5.0 - offset),
            ]);
            assert_eq!(sample.covariance(), Some(5.5 / 3.0), "offset {offset}");
        }
        assert_eq!(pairs(&[(1.0, 2.0)]).covariance(), None);
        assert_eq!(PairMoments::new().covariance(), None);
    }

    #[test]
    fn residuals_are_the_moments_of_the_difference() {
        // Halves and quarters, so that y − slope·x is exact in doubles too.
        let values = [(1.5, 2.25), (-4.0, 8.0), (0.25, 0.5), (100.0, -3.0), (7.0, 7.0)];
        let sample = pairs(&values);
        for slope in [0.0, 0.5, -2.0, 1024.0] {
            let expected: Vec<f64> = values.iter().map(|(x, y)| y - slope * x).collect();
            let expected = Moments::of(&expected);
            let slope = Dyadic::from_f64(slope).expect("a finite slope");
            let residuals = sample.residuals(&Dyadic::from(1), &slope);
            assert_eq!(residuals.mean(), expected.mean());
            assert_eq!(residuals.variance(), expected.variance());
            assert_eq!(residuals.third(), expected.third());
        }
    }

    #[test]
    fn a_pair_is_left_out_whole() {
        let mut sample = pairs(&[(1.0, 2.0)]);
        let before = sample.clone();
        assert!(!sample.add(f64::NAN, 1.0));
        assert!(!sample.add(1.0, f64::INFINITY));
        assert!(!sample.add(2e100, 1.0));
        assert_eq!(sample, before);
        sample.add_times(3.0, 4.0, 7);
        for _ in 0..7 {
            sample.remove(3.0, 4.0);
        }
        assert_eq!(sample, before);
    }
}
