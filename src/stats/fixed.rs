//! Tests at a horizon fixed beforehand. Right when looked at once; for looking all the time
//! there are the sequential ones.

use super::{Estimate, Interval, normal_critical, normal_sf, t_isf, t_sf};

/// The outcome of a test of treatment against control.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FixedTest {
    /// t or z: the difference over its standard error.
    pub statistic: f64,
    /// Degrees of freedom; `None` for z.
    pub df: Option<f64>,
    /// Two-sided: the probability of a statistic this far from 0, if there is no difference.
    pub p_value: f64,
    /// The interval of the difference at level 1 − α.
    pub interval: Interval,
    /// How many standard errors the interval reaches: what [`super::fieller`] is to be given, so
    /// that lift and difference do not contradict each other.
    pub critical: f64,
}

/// Degrees of freedom by Welch and Satterthwaite of estimates with variances v and n − 1 degrees
/// each (Welch 1947). `None` where both variances are 0 or an arm has fewer than two units.
#[must_use]
pub fn satterthwaite(control: &Estimate, treatment: &Estimate) -> Option<f64> {
    let below = |arm: &Estimate| arm.n.checked_sub(1).filter(|below| *below > 0);
    let (below_c, below_t) = (below(control)? as f64, below(treatment)? as f64);
    let total = control.variance + treatment.variance;
    // As shares, so that no square leaves the doubles.
    let (share_c, share_t) = (control.variance / total, treatment.variance / total);
    let df = 1.0 / (share_c * share_c / below_c + share_t * share_t / below_t);
    (df.is_finite() && df > 0.0).then_some(df)
}

/// Welch's t-test of treatment − control, with its interval at level 1 − `alpha`. One variance
/// of 0 is valid. `None` where both are 0 or an arm has fewer than two units.
#[must_use]
pub fn welch(control: &Estimate, treatment: &Estimate, alpha: f64) -> Option<FixedTest> {
    let df = satterthwaite(control, treatment)?;
    let se = (control.variance + treatment.variance).sqrt();
    let diff = treatment.value - control.value;
    let statistic = diff / se;
    if !statistic.is_finite() {
        return None;
    }
    let p_value = (2.0 * t_sf(statistic.abs(), df)?).min(1.0);
    let critical = t_isf(alpha / 2.0, df)?;
    let interval = Interval::around(diff, critical * se)?;
    Some(FixedTest { statistic, df: Some(df), p_value, interval, critical })
}

/// The z-test of two proportions with the variance pooled under the hypothesis of no difference.
/// Its interval is not pooled, as it supposes a difference (Wald; [`super::newcombe`] is the
/// better one and always there). `None` where all are successes or all failures, or an arm has
/// no unit.
#[must_use]
pub fn pooled_z(control: &Estimate, treatment: &Estimate, alpha: f64) -> Option<FixedTest> {
    let (n_c, n_t) = (control.n as f64, treatment.n as f64);
    if control.n == 0 || treatment.n == 0 {
        return None;
    }
    // Shares and shares of the rest, so that neither 1e-17 nor 1 − 1e-17 is lost.
    let pooled = (control.value * n_c + treatment.value * n_t) / (n_c + n_t);
    let se = (pooled * (1.0 - pooled) * (1.0 / n_c + 1.0 / n_t)).sqrt();
    let diff = treatment.value - control.value;
    let statistic = diff / se;
    if !(se > 0.0 && statistic.is_finite()) {
        return None;
    }
    let p_value = (2.0 * normal_sf(statistic.abs())).min(1.0);
    let critical = normal_critical(alpha)?;
    let apart = (control.variance + treatment.variance).sqrt();
    let interval = Interval::around(diff, critical * apart)?;
    Some(FixedTest { statistic, df: None, p_value, interval, critical })
}

#[cfg(test)]
mod tests;
