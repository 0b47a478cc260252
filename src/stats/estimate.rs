//! What a sample says about its population, with how sure it is.

use super::{Dyadic, Moments, PairMoments};

/// An estimate of one arm: what every comparison is made from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Units behind it.
    pub n: u64,
    /// The estimate itself, in the metric's unit.
    pub value: f64,
    /// The sampling variance of `value`: the square of its standard error.
    pub variance: f64,
    /// The variance between units, as far as it concerns `value`: `variance` × `n`.
    pub unit_variance: f64,
    /// The third central moment of the units on the same scale, for the gate on skewness. `None`
    /// where it is beyond the doubles.
    pub third: Option<f64>,
}

/// Two arms after CUPED.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adjusted {
    /// The control's adjusted mean.
    pub control: Estimate,
    /// The treatment's adjusted mean.
    pub treatment: Estimate,
    /// The slope of the metric on the covariate; 0 where the covariate explains nothing.
    pub theta: f64,
}

impl Estimate {
    /// From its parts; `None` when any is not a number that can be worked with.
    fn checked(n: u64, value: f64, unit_variance: f64, third: Option<f64>) -> Option<Self> {
        let variance = unit_variance / n as f64;
        let sound = value.is_finite() && unit_variance.is_finite() && unit_variance >= 0.0;
        (n > 0 && sound).then_some(Self {
            n,
            value,
            variance,
            unit_variance,
            third: third.filter(|third| third.is_finite()),
        })
    }

    /// The mean, with variance s²/n; `None` of fewer than two values.
    #[must_use]
    pub fn mean(sample: &Moments) -> Option<Self> {
        Self::checked(sample.n(), sample.mean()?, sample.variance()?, sample.third())
    }

    /// The share of successes, with variance p(1 − p)/n; values are 1 for a success and 0 for a
    /// failure. `None` of no values, or when the sum is not between 0 and n.
    #[must_use]
    pub fn proportion(sample: &Moments) -> Option<Self> {
        let n = sample.n();
        let failures = &Dyadic::from(n) - &Dyadic::from(sample.sum());
        let p = sample.mean()?;
        let q = failures.quotient(&n.into())?;
        if p < 0.0 || q < 0.0 {
            return None;
        }
        Self::checked(n, p, p * q, Some(p * q * (q - p)))
    }

    /// The ratio R = Σy/Σx of totals, by the delta method: the units' variance is that of
    /// y − R·x over x̄² (Deng, Knoblich & Lu 2018, arXiv 1803.06336, section 3). `None` of fewer
    /// than two pairs, and where Σx is 0.
    #[must_use]
    pub fn ratio(sample: &PairMoments) -> Option<Self> {
        let (top, bottom) = (Dyadic::from(sample.y().sum()), Dyadic::from(sample.x().sum()));
        let ratio = top.quotient(&bottom)?;
        let n = sample.n();
        let below = n.checked_sub(1).filter(|below| *below > 0)?;
        // Of Σx·y − Σy·x instead of y − R·x, so that R is not rounded before the difference. Over
        // (Σx)² and the square of the mean, Σx/n, that is n·spread / ((n − 1)·(Σx)⁴).
        let residuals = sample.residuals(&bottom, &top);
        let square = &bottom * &bottom;
        let unit_variance = (&Dyadic::from(n) * &residuals.spread())
            .quotient(&(&(&square * &square) * &Dyadic::from(below)))?;
        let third = residuals.lean().quotient(&(&(&square * &square) * &square));
        Self::checked(n, ratio, unit_variance, third)
    }

    /// The means of y less what the covariate x from before explains: y − θ(x − x̄), with x̄ over
    /// both arms, so that the means stay on the metric's scale (Deng, Xu, Kohavi & Walker 2013,
    /// "CUPED"). θ is the slope within arms, pooled, which is the coefficient of an analysis of
    /// covariance; a difference between the arms is no part of it. 0 where x does not vary.
    /// `None` where an arm has fewer than two units.
    #[must_use]
    pub fn cuped(control: &PairMoments, treatment: &PairMoments) -> Option<Adjusted> {
        let (n_c, n_t) = (Dyadic::from(control.n()), Dyadic::from(treatment.n()));
        // Sums over arms of Σ(x − x̄)(y − ȳ) and Σ(x − x̄)², both times n_C·n_T.
        let joint = &(&control.joint() * &n_t) + &(&treatment.joint() * &n_c);
        let spread = &(&control.spread_x() * &n_t) + &(&treatment.spread_x() * &n_c);
        let theta = joint.quotient(&spread).unwrap_or(0.0);
        let slope = Dyadic::from_f64(theta)?;
        let x_total = &Dyadic::from(control.x().sum()) + &Dyadic::from(treatment.x().sum());
        let n_total = &n_c + &n_t;
        let adjusted = |arm: &PairMoments| {
            let residuals = arm.residuals(&Dyadic::from(1), &slope);
            // Σ(y − θx)/n + θ·x̄ over one denominator, so that there is one rounding.
            let n = Dyadic::from(arm.n());
            let mean = &(&residuals.first * &n_total) + &(&(&slope * &x_total) * &n);
            let value = mean.quotient(&(&n * &n_total))?;
            Self::checked(arm.n(), value, residuals.variance()?, residuals.third())
        };
        Some(Adjusted { control: adjusted(control)?, treatment: adjusted(treatment)?, theta })
    }

    /// The standard error: the root of `variance`.
    #[must_use]
    pub fn standard_error(&self) -> f64 {
        self.variance.sqrt()
    }
}

#[cfg(test)]
mod tests;
