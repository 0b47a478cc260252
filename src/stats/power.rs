//! Planning: how many units it takes, and what effect so many units can show.
//!
//! Always of an effect declared beforehand, never of the one observed: the power at the observed
//! effect is the p-value in other clothes. Normal theory throughout; at the sizes where that
//! matters (below some 30 units per arm) a plan is a guess anyway.

use super::sequential::{ConfidenceSequence, clock_of_counts};
use super::{normal_cdf, normal_critical, normal_isf, normal_sf};

/// More units per arm than this is no plan.
const UNITS_MAX: f64 = 1e15;
/// Steps of a bisection: enough to halve the doubles' range down to neighbours.
const BISECTIONS_MAX: usize = 200;

/// Units of both arms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Units {
    /// Of control.
    pub control: u64,
    /// Of treatment.
    pub treatment: u64,
}

/// How sure a plan is to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// The chance of a false positive, two-sided; usually 0.05.
    pub alpha: f64,
    /// The chance to find the effect if it is there; usually 0.8.
    pub power: f64,
    /// Units of control per unit of treatment; 1 at equal shares, 9 at 90 : 10.
    pub ratio: f64,
}

impl Plan {
    /// z_{α/2} and z_β; `None` unless α and power are between 0 and 1 and the ratio above 0.
    fn quantiles(&self) -> Option<(f64, f64)> {
        if !(self.ratio > 0.0 && self.ratio.is_finite()) {
            return None;
        }
        Some((normal_critical(self.alpha)?, -normal_isf(self.power)?))
    }

    /// Rounded up to whole units, two per arm at least.
    fn units(&self, treatment: f64) -> Option<Units> {
        let control = treatment * self.ratio;
        let whole = |units: f64| (units <= UNITS_MAX).then(|| units.ceil().max(2.0) as u64);
        Some(Units { control: whole(control)?, treatment: whole(treatment)? })
    }
}

/// The chance that a two-sided test finds `effect`, which has standard error `se`, when it needs
/// `critical` standard errors ([`normal_critical`], or that of a sequence at its clock).
#[must_use]
pub fn power_at(effect: f64, se: f64, critical: f64) -> Option<f64> {
    let shift = effect.abs() / se;
    if !(se > 0.0 && shift.is_finite() && critical > 0.0) {
        return None;
    }
    // To find it on the wrong side counts as found, as everywhere.
    Some(normal_sf(critical - shift) + normal_cdf(-critical - shift))
}

/// The smallest effect that a test with standard error `se` finds with chance `power`, when it
/// needs `critical` standard errors: (critical + z_β)·se. (The wrong side is left out: below
/// 1e-4 of the power for any power from ½.)
#[must_use]
pub fn detectable(se: f64, critical: f64, power: f64) -> Option<f64> {
    let effect = (critical - normal_isf(power)?) * se;
    (effect.is_finite() && effect > 0.0).then_some(effect)
}

/// The standard error of a difference of means, from the variances of one unit in each arm.
#[must_use]
pub fn standard_error(unit_variances: [f64; 2], units: Units) -> Option<f64> {
    let [control, treatment] = unit_variances;
    let variance = control / units.control as f64 + treatment / units.treatment as f64;
    (variance.is_finite() && variance >= 0.0).then(|| variance.sqrt())
}

/// Units to find a difference of means `effect`, from the variances of one unit in control and
/// treatment: n_T = (z_{α/2} + z_β)²·(s_T² + s_C²/ratio)/effect².
#[must_use]
pub fn units_for_means(unit_variances: [f64; 2], effect: f64, plan: &Plan) -> Option<Units> {
    let (z_alpha, z_beta) = plan.quantiles()?;
    let [control, treatment] = unit_variances;
    if !(control >= 0.0 && treatment >= 0.0) || effect == 0.0 {
        return None;
    }
    let sum = z_alpha + z_beta;
    let units = (sum / effect) * (sum / effect) * (treatment + control / plan.ratio);
    plan.units(units)
}

/// Units to find a change of a proportion from `control` to `treatment` by the pooled z-test
/// (Fleiss, Levin & Paik 2003, equation 4.14, without continuity correction):
/// n_T = (z_{α/2}·√(p̄q̄(1 + 1/r)) + z_β·√(p_T q_T + p_C q_C/r))²/Δ².
#[must_use]
pub fn units_for_proportions(control: f64, treatment: f64, plan: &Plan) -> Option<Units> {
    let (z_alpha, z_beta) = plan.quantiles()?;
    let (null, alternative) = deviations(control, treatment, plan.ratio)?;
    let sum = (z_alpha * null + z_beta * alternative) / (treatment - control);
    plan.units(sum * sum)
}

/// The chance that the pooled z-test finds a change of a proportion from `control` to `treatment`.
#[must_use]
pub fn power_of_proportions(control: f64, treatment: f64, units: Units, alpha: f64) -> Option<f64> {
    let ratio = units.control as f64 / units.treatment as f64;
    let (null, alternative) = deviations(control, treatment, ratio)?;
    let root = (units.treatment as f64).sqrt();
    let critical = normal_critical(alpha)? * null / alternative;
    let power = power_at(treatment - control, alternative / root, critical)?;
    power.is_finite().then_some(power)
}

/// The smallest rise of a proportion from `control` that the pooled z-test finds with chance
/// `power`; `None` where none up to 100 % is.
#[must_use]
pub fn detectable_rise(control: f64, units: Units, alpha: f64, power: f64) -> Option<f64> {
    let enough = |rise: f64| {
        power_of_proportions(control, control + rise, units, alpha).is_some_and(|at| at >= power)
    };
    if !(control > 0.0 && control < 1.0 && power > alpha && power < 1.0) {
        return None;
    }
    // Not all the way: at 100 % the alternative has hardly any variance.
    let most = (1.0 - control) * (1.0 - 1e-9);
    enough(most).then(|| least(0.0, most, enough))
}

/// Standard deviations of √n_T·(p̂_T − p̂_C) under no difference and under this one.
fn deviations(control: f64, treatment: f64, ratio: f64) -> Option<(f64, f64)> {
    let within = |p: f64| p > 0.0 && p < 1.0;
    if !(within(control) && within(treatment) && ratio > 0.0 && ratio.is_finite()) {
        return None;
    }
    let pooled = (control * ratio + treatment) / (1.0 + ratio);
    let null = (pooled * (1.0 - pooled) * (1.0 + 1.0 / ratio)).sqrt();
    let own = treatment * (1.0 - treatment) + control * (1.0 - control) / ratio;
    Some((null, own.sqrt()))
}

/// Units after which a sequence that is watched all the time has found a difference of means
/// `effect` with chance `plan.power` (its own α counts, not the plan's).
#[must_use]
pub fn units_for_sequence(
    unit_variances: [f64; 2],
    effect: f64,
    sequence: ConfidenceSequence,
    plan: &Plan,
) -> Option<Units> {
    let [control, treatment] = unit_variances;
    plan.quantiles()?;
    if !(control >= 0.0 && treatment >= 0.0 && control + treatment > 0.0) || effect == 0.0 {
        return None;
    }
    let enough = |n: f64| {
        let Some(units) = plan.units(n) else { return false };
        let clock = clock_of_counts(units.control, units.treatment);
        let reach = || {
            let se = standard_error(unit_variances, units)?;
            detectable(se, sequence.critical(clock)?, plan.power)
        };
        reach().is_some_and(|reach| reach <= effect.abs())
    };
    let most = UNITS_MAX / plan.ratio.max(1.0);
    if !enough(most) {
        return None;
    }
    plan.units(least(2.0, most, enough))
}

/// The least number from `low` to `high` that is `enough`, where `high` is and more always is.
fn least(mut low: f64, mut high: f64, enough: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..BISECTIONS_MAX {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        if enough(middle) { high = middle } else { low = middle }
    }
    high
}

#[cfg(test)]
mod tests;
