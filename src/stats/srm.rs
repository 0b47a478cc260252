//! Sample-ratio mismatch: did each arm get the traffic that it was meant to get?
//!
//! If not, something other than chance decides who is counted, and no estimate can be trusted.
//! Two answers stand side by side: Pearson's χ² as everybody knows it, right for one look, and
//! the exact sequential one of [`super::counts`], right however often one looks.

use super::counts::{Arms, CONCENTRATION_SAMPLE_RATIO, multinomial_ln_e};
use statrs::function::gamma::checked_gamma_ur;

/// The alarm is on when the sequential p-value of the running maximum falls below this.
pub const ALARM_BELOW: f64 = 0.001;

/// Every arm of an epoch must expect this many units for the epoch to count in χ² (Cochran 1954).
pub const EXPECTED_MIN: f64 = 5.0;

/// Units per arm in one epoch, and the weights by which they were assigned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochCounts<'a> {
    /// Units per arm; an arm is at the same place in every epoch.
    pub observed: &'a [u64],
    /// Relative weights per arm (≥ 0).
    pub weights: &'a [f64],
}

/// What the sample ratio says over all epochs.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleRatio {
    /// Pearson's statistic; 0 where no epoch is large enough.
    pub chi2: f64,
    /// Degrees of freedom: arms with a weight less one, summed over the epochs that count.
    pub df: u64,
    /// Upper tail of χ² at one look; `None` where no epoch is large enough.
    pub p_value: Option<f64>,
    /// Logarithm of the exact sequential evidence at this look; the caller keeps its maximum.
    pub ln_e: f64,
    /// Units per arm over all epochs.
    pub observed: Vec<u64>,
    /// Units that were to be expected, per arm.
    pub expected: Vec<f64>,
}

/// Tests the sample ratio over the epochs of an experiment.
///
/// Within an epoch the counts are multinomial given their sum. Epochs are independent given
/// theirs, so χ² and degrees of freedom add (the sum of independent χ²), and evidence
/// multiplies: a product of e-processes one after the other is one (arXiv 2011.03567, section 2).
/// Expected counts are summed for the reader alone. An epoch in which fewer than two arms have
/// a weight has no ratio and adds nothing.
///
/// `None` where lengths disagree, weights are not numbers ≥ 0, or no epoch has a ratio.
pub fn sample_ratio(epochs: &[EpochCounts<'_>]) -> Option<SampleRatio> {
    let width = epochs.first()?.observed.len();
    let mut ratio = SampleRatio {
        chi2: 0.0,
        df: 0,
        p_value: None,
        ln_e: 0.0,
        observed: vec![0; width],
        expected: vec![0.0; width],
    };
    let mut any = false;
    for epoch in epochs {
        let weights_fit = epoch.weights.len() == width
            && epoch.weights.iter().all(|w| *w >= 0.0 && w.is_finite());
        if epoch.observed.len() != width || !weights_fit {
            return None;
        }
        let Some(arms) = Arms::new(epoch.observed, epoch.weights) else { continue };
        any = true;
        ratio.ln_e += multinomial_ln_e(epoch.observed, epoch.weights, CONCENTRATION_SAMPLE_RATIO)?;
        if arms.iter().all(|(_, share)| arms.n * share >= EXPECTED_MIN) {
            ratio.df += arms.len() as u64 - 1;
            for (count, share) in arms.iter() {
                let expected = arms.n * share;
                ratio.chi2 += (count - expected).powi(2) / expected;
            }
        }
        let total: f64 = epoch.weights.iter().sum();
        for (arm, &weight) in epoch.weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0)
        {
            ratio.observed[arm] = ratio.observed[arm].saturating_add(epoch.observed[arm]);
            ratio.expected[arm] += arms.n * (weight / total);
        }
    }
    if ratio.df > 0 {
        ratio.p_value = chi2_upper_tail(ratio.chi2, ratio.df);
    }
    any.then_some(ratio)
}

/// `P(χ²_df ≥ x)`, the regularised upper incomplete gamma function at df/2 and x/2.
fn chi2_upper_tail(x: f64, df: u64) -> Option<f64> {
    if x <= 0.0 {
        return Some(1.0);
    }
    // Beyond this the tail is below the smallest number there is, and statrs takes its time.
    if x > 1e5 + 10.0 * df as f64 {
        return Some(0.0);
    }
    let tail = checked_gamma_ur(df as f64 / 2.0, x / 2.0).ok()?;
    tail.is_finite().then(|| tail.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests;
