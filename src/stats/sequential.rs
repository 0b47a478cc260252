//! Confidence sequences: intervals that hold at every look at once, however often one looks.
//!
//! The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas,
//! "Time-uniform central limit theory and asymptotic confidence sequences" (arXiv 2103.06476,
//! theorem 2.2; the tuning is its equation for the best ρ, in the approximate form). With
//! `u = Nρ²`, where `N` (the clock) grows in proportion to the inverse of the variance:
//!
//! - the interval is `δ ± se·√(2(u+1)/u · ln(√(u+1)/α))`,
//! - `ln E = (δ/se)²·u/(2(u+1)) − ½ ln(u+1)`, the Gaussian mixture of likelihood ratios,
//! - `p = min(1, 1/E)`, below α exactly when the interval excludes 0.
//!
//! Everything is computed in logarithms: a `ln E` of 10,000 is as good as one of 3.

/// The sample size at which the interval is tightest, unless an experiment says otherwise.
pub const SAMPLES_TUNED_DEFAULT: f64 = 5000.0;

/// `ln E` never leaves ±this, so that it stays a number in any answer.
pub const LN_E_BOUND: f64 = 1e300;

/// What a difference says at one look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Lower end of the interval, in the unit of the difference.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Logarithm of the evidence against "no difference".
    pub ln_e: f64,
    /// `min(1, 1/E)`.
    pub p_value: f64,
}

/// A two-sided confidence sequence with its level and tuning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConfidenceSequence {
    alpha: f64,
    rho2: f64,
}

impl ConfidenceSequence {
    /// At level `alpha` (0 < α < 1), tightest when the clock shows `samples` (> 0).
    ///
    /// `None` outside those ranges.
    pub fn tuned(alpha: f64, samples: f64) -> Option<Self> {
        Some(Self { alpha, rho2: best_rho2(alpha, samples)? })
    }

    /// The same mixture read at another level, for simultaneous intervals at α/m.
    ///
    /// The tuning stays: evidence and p-values are those of the sequence they adjust.
    pub fn at(self, alpha: f64) -> Option<Self> {
        is_level(alpha).then_some(Self { alpha, ..self })
    }

    /// The level.
    pub fn alpha(self) -> f64 {
        self.alpha
    }

    /// How many standard errors the interval reaches to each side at this clock: the multiplier
    /// that takes the place of 1.96, also for Fieller's interval of a relative lift.
    ///
    /// `None` unless the clock is positive and finite.
    pub fn critical(self, clock: f64) -> Option<f64> {
        let u = intrinsic(clock, self.rho2)?;
        finite((2.0 * (u + 1.0) / u * (0.5 * u.ln_1p() - self.alpha.ln())).sqrt())
    }

    /// Both ends of the interval around `diff` with standard error `se` (> 0).
    pub fn interval(self, diff: f64, se: f64, clock: f64) -> Option<(f64, f64)> {
        let reach = self.critical(clock)? * positive(se)?;
        Some((finite(diff - reach)?, finite(diff + reach)?))
    }

    /// The logarithm of the evidence against a difference of 0.
    pub fn ln_e(self, diff: f64, se: f64, clock: f64) -> Option<f64> {
        let u = intrinsic(clock, self.rho2)?;
        Some(clamp(exponent(finite(diff)?, positive(se)?, u) - 0.5 * u.ln_1p()))
    }

    /// The any-time p-value at this look. That of the whole run is [`p_value`] of the running
    /// maximum of [`ConfidenceSequence::ln_e`].
    pub fn p_value(self, diff: f64, se: f64, clock: f64) -> Option<f64> {
        self.ln_e(diff, se, clock).map(p_value)
    }

    /// Everything of one look; `None` where any of it cannot be computed.
    pub fn look(self, diff: f64, se: f64, clock: f64) -> Option<Look> {
        let (low, high) = self.interval(diff, se, clock)?;
        let ln_e = self.ln_e(diff, se, clock)?;
        Some(Look { low, high, ln_e, p_value: p_value(ln_e) })
    }
}

/// A one-sided confidence sequence, for guardrails: is the difference *above* a margin?
///
/// The mixture is over positive effects only (a half-normal), whose evidence is
/// `2Φ(x)·exp(x²/2)/√(u+1)` at `x = (δ/se)·√(u/(u+1))`. The paper's closed form bounds it by
/// `1 − Φ(x) ≤ exp(−x²/2)` (`ln(1 + √(u+1)/2α)`); with the sharper `½·exp(−x²/2)`, true for
/// every x ≥ 0, the bound is `δ − se·√(2(u+1)/u · ln(½ + √(u+1)/2α))`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OneSidedSequence {
    alpha: f64,
    rho2: f64,
}

impl OneSidedSequence {
    /// At level `alpha` (0 < α < ½), tightest when the clock shows `samples` (> 0).
    pub fn tuned(alpha: f64, samples: f64) -> Option<Self> {
        // As the paper has it, a one-sided bound at α is tuned like a two-sided one at 2α.
        Some(Self { alpha, rho2: best_rho2(2.0 * alpha, samples)? })
    }

    /// How many standard errors the bound stays away from the estimate.
    pub fn critical(self, clock: f64) -> Option<f64> {
        let u = intrinsic(clock, self.rho2)?;
        let y = 0.5 * u.ln_1p() - (2.0 * self.alpha).ln();
        // ln(½ + e^y) without overflow: y > 0 as 2α < 1.
        let logarithm = y + (0.5 * (-y).exp()).ln_1p();
        finite((2.0 * (u + 1.0) / u * logarithm).sqrt())
    }

    /// The true difference is above this at all times with probability 1 − α.
    pub fn lower(self, diff: f64, se: f64, clock: f64) -> Option<f64> {
        finite(diff - self.critical(clock)? * positive(se)?)
    }

    /// The true difference is below this at all times with probability 1 − α.
    pub fn upper(self, diff: f64, se: f64, clock: f64) -> Option<f64> {
        finite(diff + self.critical(clock)? * positive(se)?)
    }

    /// The logarithm of the evidence that the true difference is above `margin`; above `ln(1/α)`
    /// exactly when [`OneSidedSequence::lower`] is above the margin. For "below", turn the signs
    /// of both round.
    pub fn ln_e_above(self, diff: f64, margin: f64, se: f64, clock: f64) -> Option<f64> {
        let u = intrinsic(clock, self.rho2)?;
        let beyond = finite(diff - margin)?;
        let a = exponent(beyond, positive(se)?, u);
        let mixed = if beyond >= 0.0 {
            // ln(2e^a − 1)
            a + core::f64::consts::LN_2 + (-0.5 * (-a).exp()).ln_1p()
        } else {
            // Birnbaum (1942): Q(x)·exp(x²/2) ≥ √(2/π)/(x + √(x² + 4)), here times 2.
            let x = (2.0 * a).sqrt();
            (2.0 * core::f64::consts::FRAC_2_PI.sqrt()).ln() - (x + x.hypot(2.0)).ln()
        };
        Some(clamp(mixed - 0.5 * u.ln_1p()))
    }

    /// The any-time p-value against "not above the margin".
    pub fn p_value_above(self, diff: f64, margin: f64, se: f64, clock: f64) -> Option<f64> {
        self.ln_e_above(diff, margin, se, clock).map(p_value)
    }
}

/// `min(1, 1/E)` from the logarithm of E, or of its running maximum (Ville's inequality).
pub fn p_value(ln_e: f64) -> f64 {
    if ln_e > 0.0 { (-ln_e).exp() } else { 1.0 }
}

/// The clock that counts units: four times the harmonic weight `n_C·n_T/(n_C + n_T)`.
///
/// At equal arms it is the number of units, `n_C + n_T`. At unequal ones it is the number that
/// would say as much at equal arms, so that it grows with the information and not with the arm
/// that is full already. 0 where an arm is empty.
pub fn clock_of_counts(control: u64, variant: u64) -> f64 {
    4.0 * weight_of_counts(control, variant)
}

/// The clock that measures information: `4σ²/se²` with the variance of one unit of control.
///
/// Equal to the number of units at equal arms and variances. `None` unless both are positive.
pub fn clock_of_information(unit_variance: f64, se: f64) -> Option<f64> {
    positive(4.0 * (positive(unit_variance)?.sqrt() / positive(se)?).powi(2))
}

/// One epoch's difference between two arms: the traffic was divided in the same way throughout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochDifference {
    /// Estimate of the variant less that of control.
    pub diff: f64,
    /// Sampling variance of the difference (≥ 0).
    pub variance: f64,
    /// Units of control.
    pub control: u64,
    /// Units of the variant.
    pub variant: u64,
}

/// A difference over all epochs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CombinedDifference {
    /// The weighted mean of the epochs' differences.
    pub diff: f64,
    /// Its standard error, 0 where every epoch's variance is 0.
    pub se: f64,
    /// What the clock shows: the sum of the epochs' [`clock_of_counts`].
    pub clock: f64,
}

/// Joins the differences of epochs, so that a baseline that drifts while the allocation changes
/// does not pass for an effect (Simpson's paradox).
///
/// Each epoch weighs `n_C·n_T/(n_C + n_T)` (Cochran 1954; Mantel & Haenszel 1959). That is the
/// inverse of its variance where the arms' variances are equal, but does not depend on the
/// values: a short epoch in which nobody converted has an estimated variance of 0 and would, by
/// its inverse, outweigh everything else. Epochs without units in both arms say nothing.
///
/// `None` without any epoch that counts, or where the result is not a number.
pub fn combine(epochs: &[EpochDifference]) -> Option<CombinedDifference> {
    let weight = |e: &&EpochDifference| {
        (e.control > 0 && e.variant > 0).then(|| weight_of_counts(e.control, e.variant))
    };
    let total: f64 = epochs.iter().filter_map(|e| weight(&e)).sum();
    positive(total)?;
    let (mut diff, mut variance) = (0.0, 0.0);
    for epoch in epochs {
        let Some(weight) = weight(&epoch) else { continue };
        let share = weight / total;
        diff += share * epoch.diff;
        variance += share * share * epoch.variance;
    }
    if variance < 0.0 {
        return None;
    }
    Some(CombinedDifference {
        diff: finite(diff)?,
        se: finite(variance)?.sqrt(),
        clock: finite(4.0 * total)?,
    })
}

/// `n_C·n_T/(n_C + n_T)`; 0 where an arm is empty.
pub(crate) fn weight_of_counts(control: u64, variant: u64) -> f64 {
    if control == 0 || variant == 0 {
        return 0.0;
    }
    1.0 / (1.0 / control as f64 + 1.0 / variant as f64)
}

/// The ρ² with the narrowest interval at `samples`, in the paper's approximate form.
fn best_rho2(alpha: f64, samples: f64) -> Option<f64> {
    if !is_level(alpha) {
        return None;
    }
    let a = -2.0 * alpha.ln();
    positive((a + a.ln_1p()) / positive(samples)?)
}

/// `(δ/se)²·u/(2(u+1))`, at most [`LN_E_BOUND`].
fn exponent(diff: f64, se: f64, u: f64) -> f64 {
    let z = diff / se;
    (z * z * (u / (2.0 * (u + 1.0)))).min(LN_E_BOUND)
}

fn intrinsic(clock: f64, rho2: f64) -> Option<f64> {
    positive(positive(clock)? * rho2)
}

fn is_level(alpha: f64) -> bool {
    alpha > 0.0 && alpha < 1.0
}

/// Positive, finite, and not so small that digits are missing.
fn positive(x: f64) -> Option<f64> {
    (x > 0.0 && x.is_normal()).then_some(x)
}

fn finite(x: f64) -> Option<f64> {
    x.is_finite().then_some(x)
}

fn clamp(ln_e: f64) -> f64 {
    ln_e.clamp(-LN_E_BOUND, LN_E_BOUND)
}

#[cfg(test)]
mod tests;
