//! One comparison over all epochs: the difference, and the tests of it.

use super::answer::{Fixed, Relative, number};
use super::arms::Pair;
use crate::model::{AnalysisMethod, Estimator};
use crate::stats::sequential::{CombinedDifference, ConfidenceSequence, EpochDifference, combine};
use crate::stats::{
    Estimate, Interval, fieller, newcombe, normal_critical, normal_sf, t_isf, t_sf,
};

/// Both arms over all epochs, each epoch with its share of the weight.
pub(super) struct Combined {
    estimator: Estimator,
    /// Epochs with their shares, which sum to 1.
    epochs: Vec<(f64, Pair)>,
    /// The difference, its standard error and the clock.
    pub(super) total: CombinedDifference,
    /// Both arms, averaged over epochs by the same shares; their difference is the difference.
    pub(super) control: Estimate,
    pub(super) variant: Estimate,
}

impl Combined {
    /// `None` without an epoch in which both arms can be estimated.
    pub(super) fn new(estimator: Estimator, pairs: &[Pair]) -> Option<Self> {
        let differences: Vec<EpochDifference> = pairs
            .iter()
            .map(|pair| EpochDifference {
                diff: pair.variant.value - pair.control.value,
                variance: pair.variant.variance + pair.control.variance,
                control: pair.control.n,
                variant: pair.variant.n,
            })
            .collect();
        let total = combine(&differences)?;
        // The shares of `combine`: n_C·n_T/(n_C + n_T).
        let weight =
            |pair: &Pair| 1.0 / (1.0 / pair.control.n as f64 + 1.0 / pair.variant.n as f64);
        let sum: f64 = pairs.iter().map(weight).sum();
        let epochs: Vec<_> = pairs.iter().map(|pair| (weight(pair) / sum, *pair)).collect();
        let control = average(epochs.iter().map(|(share, pair)| (*share, &pair.control)))?;
        let variant = average(epochs.iter().map(|(share, pair)| (*share, &pair.variant)))?;
        Some(Combined { estimator, epochs, total, control, variant })
    }

    /// Units of both arms.
    pub(super) fn n(&self) -> [u64; 2] {
        [self.control.n, self.variant.n]
    }

    /// The single epoch that all units are of, if it is one.
    pub(super) fn single(&self) -> Option<&Pair> {
        match self.epochs.as_slice() {
            [(_, pair)] => Some(pair),
            _ => None,
        }
    }

    /// Degrees of freedom after Satterthwaite (1946), of all epochs' arms: with one epoch those
    /// of Welch's test. `None` where the normal distribution is asked.
    pub(super) fn df(&self) -> Option<f64> {
        match self.estimator {
            Estimator::Mean | Estimator::Ratio => {}
            Estimator::Proportion | Estimator::Quantile => return None,
        }
        let variance = self.total.se * self.total.se;
        let mut below = 0.0;
        for (share, pair) in &self.epochs {
            for arm in [&pair.control, &pair.variant] {
                // As shares of the whole, so that no square leaves the doubles.
                let part = share * share * arm.variance / variance;
                if part > 0.0 {
                    below += part * part / (arm.n.checked_sub(1).filter(|n| *n > 0)? as f64);
                }
            }
        }
        number(1.0 / below).filter(|df| *df > 0.0)
    }

    /// The classical test at α.
    pub(super) fn fixed(&self, alpha: f64) -> Fixed {
        let CombinedDifference { diff, se, .. } = self.total;
        if self.estimator == Estimator::Proportion {
            return self.fixed_share(alpha);
        }
        let df = self.df();
        let t = if se > 0.0 { number(diff / se) } else { None };
        let interval = self.fixed_critical(alpha).filter(|_| se > 0.0);
        Fixed {
            t,
            df,
            p_value: t.and_then(|t| match df {
                Some(df) => Some((2.0 * t_sf(t.abs(), df)?).min(1.0)),
                None if self.estimator == Estimator::Quantile => {
                    Some((2.0 * normal_sf(t.abs())).min(1.0))
                }
                None => None,
            }),
            ci_low: interval.and_then(|critical| number(diff - critical * se)),
            ci_high: interval.and_then(|critical| number(diff + critical * se)),
        }
    }

    /// Of shares: the pooled z over epochs (Cochran 1954), and Newcombe's interval, over epochs
    /// by the same shares (Yan & Su 2010, with the shares of the difference).
    fn fixed_share(&self, alpha: f64) -> Fixed {
        let (mut variance, mut below, mut above) = (0.0, Some(0.0), Some(0.0));
        for (share, pair) in &self.epochs {
            let (n_c, n_t) = (pair.control.n as f64, pair.variant.n as f64);
            let pooled = (pair.control.value * n_c + pair.variant.value * n_t) / (n_c + n_t);
            variance += share * share * pooled * (1.0 - pooled) * (1.0 / n_c + 1.0 / n_t);
            let interval = newcombe(&pair.control, &pair.variant, alpha);
            let diff = pair.variant.value - pair.control.value;
            let square = |end: f64| (share * (end - diff)).powi(2);
            below = below.zip(interval).map(|(sum, interval)| sum + square(interval.low));
            above = above.zip(interval).map(|(sum, interval)| sum + square(interval.high));
        }
        let diff = self.total.diff;
        let z = if variance > 0.0 { number(diff / variance.sqrt()) } else { None };
        Fixed {
            t: z,
            df: None,
            p_value: z.map(|z| (2.0 * normal_sf(z.abs())).min(1.0)),
            ci_low: below.map(|below| (diff - below.sqrt()).max(-1.0)),
            ci_high: above.map(|above| (diff + above.sqrt()).min(1.0)),
        }
    }

    /// How many standard errors the classical interval reaches.
    pub(super) fn fixed_critical(&self, alpha: f64) -> Option<f64> {
        match self.estimator {
            Estimator::Mean | Estimator::Ratio => t_isf(alpha / 2.0, self.df()?),
            Estimator::Proportion | Estimator::Quantile => normal_critical(alpha),
        }
    }

    /// How many standard errors the interval reaches, by method, with `times` as many units.
    pub(super) fn critical(
        &self,
        method: AnalysisMethod,
        sequence: ConfidenceSequence,
        alpha: f64,
        times: f64,
    ) -> Option<f64> {
        match method {
            AnalysisMethod::Sequential => sequence.at(alpha)?.critical(self.total.clock * times),
            // The degrees of freedom of a larger sample are more; the difference is nothing at
            // the sizes that planning speaks of.
            AnalysisMethod::Fixed => self.fixed_critical(alpha),
        }
    }

    /// Fieller's interval with the critical value of the absolute one.
    pub(super) fn relative(&self, critical: Option<f64>) -> Relative {
        let Some(critical) = critical else { return Relative::default() };
        let Some(lift) = fieller(&self.control, &self.variant, critical) else {
            return Relative::default();
        };
        match lift.interval {
            Some(Interval { low, high }) => {
                Relative { lift: number(lift.lift), ci_low: number(low), ci_high: number(high) }
            }
            None => Relative::default(),
        }
    }
}

/// The mean over epochs by their shares, as an estimate of its own.
fn average<'a>(arms: impl Iterator<Item = (f64, &'a Estimate)>) -> Option<Estimate> {
    let mut all = Estimate { n: 0, value: 0.0, variance: 0.0, unit_variance: 0.0, third: None };
    for (share, arm) in arms {
        all.n = all.n.checked_add(arm.n)?;
        all.value += share * arm.value;
        all.variance += share * share * arm.variance;
        all.unit_variance += share * arm.unit_variance;
    }
    (all.value.is_finite() && all.variance.is_finite()).then_some(all)
}
