//! Gates: is there enough, and is it well enough behaved, for a sequential answer?
//!
//! A confidence sequence is asymptotic: it holds from the moment on when the mean is close to
//! normal. What is said before that is noise, and a verdict cannot be taken back.

use super::sequential::weight_of_counts;

/// Units that each arm needs.
pub const UNITS_MIN: u64 = 100;

/// Successes, and failures, that each arm of a conversion metric needs.
pub const EVENTS_MIN: u64 = 5;

/// The skewness of the difference's sampling distribution must stay below this.
///
/// A difference divided by its own estimated error is skewed the other way and twice as much
/// (Hall 1992, section 2.6), so that false alarms gather on one side. At a gate of 0.3 that left
/// two-sided alarms below 5 %, but one-sided ones, as guardrails use, at up to 7.1 %; at 0.2 they
/// are at most 4.9 % (`cargo bench --bench peeking`).
pub const SKEWNESS_MAX: f64 = 0.2;

/// Whether a comparison may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    /// It may.
    Ready,
    /// Too few units, successes or failures in an arm.
    WarmingUp,
    /// So skewed, and so unequal in size, that the normal approximation does not hold yet: a cap
    /// on outliers or a quantile would answer sooner.
    TooSkewed,
    /// An arm has no units.
    NoData,
    /// All values are the same: nothing varies, nothing can be tested.
    ZeroVariance,
}

/// Successes and failures of one arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Events {
    /// Units that converted.
    pub successes: u64,
    /// Units that did not.
    pub failures: u64,
}

/// What one arm's values look like within one epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArmShape {
    /// Units.
    pub n: u64,
    /// Variance of one unit.
    pub variance: f64,
    /// Third central moment of one unit.
    pub third: f64,
}

/// What the gate looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// Units of control and of the variant, over all epochs.
    pub units: [u64; 2],
    /// Successes and failures of control and of the variant, if the metric is a conversion.
    pub events: Option<[Events; 2]>,
    /// [`skewness`] of the difference, where third moments are kept.
    pub skewness: Option<f64>,
    /// Standard error of the difference.
    pub se: Option<f64>,
}

/// The gate: the first thing that stands in the way, or [`Readiness::Ready`].
pub fn readiness(evidence: &Evidence) -> Readiness {
    if evidence.units.contains(&0) {
        return Readiness::NoData;
    }
    let few_units = evidence.units.iter().any(|&n| n < UNITS_MIN);
    let few_events = evidence.events.is_some_and(|arms| {
        arms.iter().any(|arm| arm.successes < EVENTS_MIN || arm.failures < EVENTS_MIN)
    });
    if few_units || few_events {
        return Readiness::WarmingUp;
    }
    match evidence.se {
        Some(se) if se > 0.0 && se.is_finite() => {}
        Some(_) => return Readiness::ZeroVariance,
        None => return Readiness::WarmingUp,
    }
    match evidence.skewness {
        Some(gamma) if gamma.is_nan() || gamma.abs() >= SKEWNESS_MAX => Readiness::TooSkewed,
        _ => Readiness::Ready,
    }
}

/// The skewness γ of the combined difference, were both arms drawn from one distribution.
///
/// For one epoch `μ₃·(1/n_T² − 1/n_C²)/(s²(1/n_T + 1/n_C))^1.5` with moments pooled over both
/// arms; with several, numerator and variance are summed with the weights of
/// [`super::sequential::combine`] (cumulants of independent sums add). Each item is
/// `[control, variant]`. Equal arms cancel it: a difference of two alike is symmetric.
///
/// `None` where nothing varies, or an arm has no units at all.
pub fn skewness(epochs: &[[ArmShape; 2]]) -> Option<f64> {
    let (mut third, mut variance) = (0.0, 0.0);
    for [control, variant] in epochs {
        let weight = weight_of_counts(control.n, variant.n);
        if weight == 0.0 {
            continue;
        }
        let (n_c, n_t) = (control.n as f64, variant.n as f64);
        let pooled = |c: f64, t: f64| (n_c * c + n_t * t) / (n_c + n_t);
        // weight²·(1/n_T + 1/n_C) is the weight itself.
        variance += weight * pooled(control.variance, variant.variance);
        let asymmetry = (weight / n_t).powi(2) - (weight / n_c).powi(2);
        third += weight * asymmetry * pooled(control.third, variant.third);
    }
    let gamma = third / variance.powf(1.5);
    (variance > 0.0 && gamma.is_finite()).then_some(gamma)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENOUGH: Evidence =
        Evidence { units: [100, 100], events: None, skewness: Some(0.19), se: Some(1.0) };

    #[test]
    fn a_gate_names_the_first_thing_in_the_way() {
        assert_eq!(readiness(&ENOUGH), Readiness::Ready);
        let few = Evidence { units: [100, 99], ..ENOUGH };
        assert_eq!(readiness(&few), Readiness::WarmingUp);
        let empty = Evidence { units: [0, 1000], se: None, ..ENOUGH };
        assert_eq!(readiness(&empty), Readiness::NoData);
        let still = Evidence { se: Some(0.0), ..ENOUGH };
        assert_eq!(readiness(&still), Readiness::ZeroVariance);
        for gamma in [0.2, -0.2, f64::NAN] {
            let skewed = Evidence { skewness: Some(gamma), ..ENOUGH };
            assert_eq!(readiness(&skewed), Readiness::TooSkewed);
        }
    }

    #[test]
    fn a_conversion_needs_five_of_each_in_both_arms() {
        let of = |successes, failures| Events { successes, failures };
        let with = |a, b| readiness(&Evidence { events: Some([a, b]), ..ENOUGH });
        assert_eq!(with(of(5, 95), of(95, 5)), Readiness::Ready);
        assert_eq!(with(of(4, 96), of(50, 50)), Readiness::WarmingUp);
        assert_eq!(with(of(50, 50), of(96, 4)), Readiness::WarmingUp);
    }

    #[test]
    fn skewness_is_that_of_the_formula_and_vanishes_for_equal_arms() {
        let arm = |n| ArmShape { n, variance: 4.0, third: 24.0 };
        assert_eq!(skewness(&[[arm(500), arm(500)]]), Some(0.0));
        // By hand: 24·(1/100² − 1/900²)/(4·(1/100 + 1/900))^1.5 = 0.2529822…
        let gamma = skewness(&[[arm(900), arm(100)]]).unwrap();
        assert!(
            (gamma - 24.0 * (1e-4 - 1.0 / 810_000.0) / (4.0f64 / 90.0).powf(1.5)).abs() < 1e-12
        );
        // The other way round it has the other sign.
        assert!((gamma + skewness(&[[arm(100), arm(900)]]).unwrap()).abs() < 1e-12);
        // Two like epochs are one of twice the size: it falls by √2.
        let two = skewness(&[[arm(900), arm(100)], [arm(900), arm(100)]]).unwrap();
        assert!((two - skewness(&[[arm(1800), arm(200)]]).unwrap()).abs() < 1e-12);
        assert!((two * 2f64.sqrt() - gamma).abs() < 1e-12);
        assert_eq!(skewness(&[[arm(0), arm(900)]]), None);
    }
}
