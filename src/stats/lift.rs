//! The relative lift, and an interval for it that agrees with the one of the difference.

use super::{Estimate, Interval};

/// How much more, relative to the control.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lift {
    /// (m_T − m_C) / |m_C|: up is positive also where the control is negative.
    pub lift: f64,
    /// Fieller's interval; `None` where the control is not far enough from 0 for one to exist.
    pub interval: Option<Interval>,
}

/// The relative lift with Fieller's interval (Fieller 1954), which reaches `critical` standard
/// errors: given that of the absolute test (a quantile of t, or the width of a confidence
/// sequence over its standard error) it excludes 0 exactly when the absolute interval does.
///
/// The interval is `None` where g = critical²·v_C/m_C² ≥ 1: then the control may be 0 and the
/// lift anything. The whole is `None` where the control is 0.
#[must_use]
pub fn fieller(control: &Estimate, treatment: &Estimate, critical: f64) -> Option<Lift> {
    let mean = control.value;
    let size = mean.abs();
    let lift = (treatment.value - mean) / size;
    if !lift.is_finite() || size == 0.0 {
        return None;
    }
    Some(Lift { lift, interval: interval(control, treatment, critical, lift) })
}

/// The roots ρ of (m_T − m_C − ρ·m_C)² = q²(v_T + (1 + ρ)²·v_C), everything over m_C².
fn interval(
    control: &Estimate,
    treatment: &Estimate,
    critical: f64,
    lift: f64,
) -> Option<Interval> {
    let size = control.value.abs();
    if !(critical >= 0.0 && critical.is_finite()) {
        return None;
    }
    let q = critical * critical;
    // Relative variances; divided twice, as the square of a mean may leave the doubles.
    let v_c = control.variance / size / size;
    let v_t = treatment.variance / size / size;
    let g = q * v_c;
    if g >= 1.0 || g.is_nan() {
        return None;
    }
    // (d − ρ)² = q(v_T + (1 + ρ)²v_C) with d the signed lift over m_C:
    // (1 − g)ρ² − 2(d + g)ρ + d² − q·v_T − g = 0.
    let signed = lift * control.value.signum();
    let half = signed + g;
    let constant = signed * signed - q * (v_t + v_c);
    // half² − (1 − g)·constant without its cancellation:
    let discriminant = q * (v_t * (1.0 - g) + v_c * (1.0 + signed) * (1.0 + signed));
    let root = discriminant.max(0.0).sqrt();
    // The root of larger magnitude directly, the other one from the product of both, so that an
    // end near 0 keeps its sign.
    let far = half + root.copysign(half);
    let (one, other) = if far == 0.0 { (0.0, 0.0) } else { (far / (1.0 - g), constant / far) };
    let (low, high) = (one.min(other), one.max(other));
    // Over |m_C| instead of m_C: a mirror for a negative control.
    if control.value < 0.0 { Interval::checked(-high, -low) } else { Interval::checked(low, high) }
}

#[cfg(test)]
mod tests;
