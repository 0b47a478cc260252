//! The distributions that tests ask: normal, Student's t, χ², F and beta.
//!
//! Every tail is computed as a tail, never as 1 less the rest, so a p-value of 1e-200 has its
//! digits. The beta and gamma integrals take one way for all parameters, from ½ to 1e12: after a
//! change of variable (x = 1/(1 + e^−u), or x = e^u) the densities are log-concave and smooth on
//! the whole line, so the tail from a point on is the density there times an integral that a
//! quadrature does to full precision in a few panels. The density itself is taken from its saddle
//! point (Loader 2000, "Fast and accurate computation of binomial probabilities"), where large
//! terms have cancelled before there are doubles. Series and continued fractions need more terms
//! the larger the parameters are, and their prefix loses digits.

use std::f64::consts::{PI, SQRT_2};

/// ½·ln 2π.
const HALF_LN_TWO_PI: f64 = 0.918_938_533_204_672_8;
/// √2 less its nearest double.
const SQRT_2_REST: f64 = -9.667_293_313_452_913e-17;
/// Below this, a tail adds nothing to what is already summed: e^−45 is 3e-20.
const NEGLIGIBLE: f64 = -45.0;
/// How much of its logarithm an integrand may lose over one panel of the quadrature.
const DROP_PER_PANEL: f64 = 3.0;
/// Bound on panels; ~50 are the most that are ever used.
const PANELS_MAX: usize = 4000;
/// Bound on steps of a search for a quantile; 3 to 12 are usual.
const STEPS_MAX: usize = 200;

/// Nodes above 0 of the Gauss–Legendre rule of 20 points, and their weights (Abramowitz & Stegun,
/// table 25.4).
const NODES: [(f64, f64); 10] = [
    (0.076_526_521_133_497_32, 0.152_753_387_130_725_84),
    (0.227_785_851_141_645_07, 0.149_172_986_472_603_74),
    (0.373_706_088_715_419_55, 0.142_096_109_318_382_04),
    (0.510_867_001_950_827_1, 0.131_688_638_449_176_64),
    (0.636_053_680_726_515, 0.118_194_531_961_518_43),
    (0.746_331_906_460_150_8, 0.101_930_119_817_240_44),
    (0.839_116_971_822_218_8, 0.083_276_741_576_704_75),
    (0.912_234_428_251_326, 0.062_672_048_334_109_05),
    (0.963_971_927_277_913_8, 0.040_601_429_800_386_94),
    (0.993_128_599_185_094_9, 0.017_614_007_139_152_118),
];

/// ∫ f from `from` to `to`, by 20 points: exact for polynomials of degree 39.
pub(super) fn integral(from: f64, to: f64, f: impl Fn(f64) -> f64) -> f64 {
    let (middle, half) = (f64::midpoint(from, to), (to - from) / 2.0);
    let sum: f64 = NODES
        .iter()
        .map(|(node, weight)| weight * (f(middle - half * node) + f(middle + half * node)))
        .sum();
    sum * half
}

/// ∫₀^∞ e^g(d) dd for a concave g that falls from g(0) = 0, no faster than `slope` and
/// `curvature` say near 0 (their size may be off by much).
fn tail_integral(slope: f64, curvature: f64, g: impl Fn(f64) -> f64) -> f64 {
    // Where slope·w + curvature·w²/2 is about the drop that one panel takes.
    let mut width = (DROP_PER_PANEL / (slope + curvature.sqrt()).max(1e-300)).min(1.0);
    let mut sum = 0.0;
    let mut at = 0.0;
    for _ in 0..PANELS_MAX {
        sum += integral(at, at + width, |d| g(d).exp());
        at += width;
        let reached = g(at);
        // What is left is at most e^reached over the slope reached, and slopes only grow.
        if reached < NEGLIGIBLE || !reached.is_finite() {
            break;
        }
        // Far out both densities are plain exponentials: parameters below 1 make them slow.
        if at > 20.0 && g(at + width) - reached > -1.0 {
            width *= 2.0;
        }
    }
    sum
}

/// P(Z ≤ z) of the standard normal distribution.
#[must_use]
pub fn normal_cdf(z: f64) -> f64 {
    normal_sf(-z)
}

/// P(Z > z), right in relative terms to the end of the doubles (z ≈ 38).
#[must_use]
pub fn normal_sf(z: f64) -> f64 {
    let y = z / SQRT_2;
    // What rounding took from y, in units of z: at z = 20 it would cost 200 times its size.
    let missing = (-y).mul_add(SQRT_2, z) - y * SQRT_2_REST;
    let tail = 0.5 * libm::erfc(y);
    if missing.is_finite() { tail - normal_pdf(z) * missing } else { tail }
}

/// The density of the standard normal distribution.
#[must_use]
pub fn normal_pdf(z: f64) -> f64 {
    (-z * z / 2.0 - HALF_LN_TWO_PI).exp()
}

/// The z with P(Z ≤ z) = `p`; `None` unless 0 < p < 1.
#[must_use]
pub fn normal_quantile(p: f64) -> Option<f64> {
    if p == 0.5 {
        return Some(0.0);
    }
    // 1 − p is exact for p ≥ ½ (Sterbenz), so the other half is a mirror.
    if p > 0.5 { normal_isf(1.0 - p) } else { normal_isf(p).map(|z| -z) }
}

/// The z with P(Z > z) = `p`, so that critical values of small α keep their digits; `None`
/// unless 0 < p < 1.
#[must_use]
pub fn normal_isf(p: f64) -> Option<f64> {
    if !(p > 0.0 && p < 1.0) {
        return None;
    }
    if p > 0.5 {
        return normal_quantile_below(1.0 - p).map(|z| -z);
    }
    normal_quantile_below(p)
}

/// The upper quantile of p ≤ ½, by Newton's method on the logarithm of the tail, which is concave
/// and nearly a parabola: it converges from the left at once.
fn normal_quantile_below(p: f64) -> Option<f64> {
    if p == 0.5 {
        return Some(0.0);
    }
    let target = p.ln();
    // The tail is about e^(−z²/2)/(z√2π); Abramowitz & Stegun 26.2.22 is a start to 3e-3.
    let t = (-2.0 * target).sqrt();
    let mut z = t - (2.30753 + 0.27061 * t) / (1.0 + t * (0.99229 + 0.04481 * t));
    for _ in 0..STEPS_MAX {
        let tail = normal_sf(z);
        let step = (tail / p).ln() * tail / normal_pdf(z);
        z += step;
        if step.is_nan() || step.abs() <= 4.0 * f64::EPSILON * z.abs() {
            break;
        }
    }
    Some(z).filter(|z| z.is_finite())
}

/// ln Γ(x) for x > 0.
#[must_use]
pub fn ln_gamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// ln(1 + x) − x without cancellation near 0.
pub(super) fn ln1p_less_x(x: f64) -> f64 {
    if x.abs() > 0.25 {
        return x.ln_1p() - x;
    }
    // With r = x/(2 + x): ln(1+x) = 2(r + r³/3 + r⁵/5 + …), and 2r − x = −x·r.
    let r = x / (2.0 + x);
    let square = r * r;
    let mut sum = 0.0;
    // r is at most 1/7 here: 12 terms reach 1e-20.
    for term in (1..=12).rev() {
        sum = sum * square + 1.0 / f64::from(2 * term + 1);
    }
    r * (2.0 * square * sum - x)
}

/// ln(value/mode) − shift/mode, where shift is value − mode.
fn ln_ratio_less(value: f64, mode: f64, shift: f64) -> f64 {
    let relative = shift / mode;
    // Far below the mode the relative shift is nearly −1 and has lost the digits of the value.
    if relative < -0.25 { (value / mode).ln() - relative } else { ln1p_less_x(relative) }
}

/// What Stirling's formula lacks: ln Γ(z) − ((z − ½)·ln z − z + ½·ln 2π).
pub(super) fn stirling_rest(z: f64) -> f64 {
    if z < 15.0 {
        return libm::lgamma(z) - ((z - 0.5) * z.ln() - z + HALF_LN_TWO_PI);
    }
    let square = 1.0 / (z * z);
    // Bernoulli numbers B₂ₖ/(2k(2k−1)) (Abramowitz & Stegun 6.1.40).
    let series = [
        1.0 / 12.0,
        -1.0 / 360.0,
        1.0 / 1260.0,
        -1.0 / 1680.0,
        1.0 / 1188.0,
        -691.0 / 360_360.0,
        1.0 / 156.0,
    ];
    series.iter().rev().fold(0.0, |sum, term| sum * square + term) / z
}

/// ln of x^a·y^b/B(a, b) with y = 1 − x: the density of u = ln(x/y).
pub(super) fn ln_beta_density(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let total = a + b;
    let (x_mode, y_mode) = (a / total, b / total);
    // How x differs from the mode, from whichever side has it exactly.
    let shift = if x < y { x - x_mode } else { y_mode - y };
    let deviance = a * ln_ratio_less(x, x_mode, shift) + b * ln_ratio_less(y, y_mode, -shift);
    let rest = stirling_rest(total) - stirling_rest(a) - stirling_rest(b);
    deviance + 0.5 * (a * y_mode).ln() - HALF_LN_TWO_PI + rest
}

/// Both tails of the beta distribution at x = 1 − y: P(X ≤ x) and P(X > x). The smaller one has
/// full relative precision. Parameters above 0; both x and y are given, as either may be tiny.
pub(super) fn beta_tails(a: f64, b: f64, x: f64, y: f64) -> Option<(f64, f64)> {
    if !(a > 0.0 && b > 0.0 && a.is_finite() && b.is_finite() && x >= 0.0 && y >= 0.0) {
        return None;
    }
    if x == 0.0 {
        return Some((0.0, 1.0));
    }
    if y == 0.0 {
        return Some((1.0, 0.0));
    }
    // Below the mode of u the lower tail is the one that falls; it is the upper tail of the
    // mirrored distribution.
    let lower = x * b < y * a;
    let (a, b, x, y) = if lower { (b, a, y, x) } else { (a, b, x, y) };
    let g = |d: f64| -a * (y * (-d).exp_m1()).ln_1p() - b * (x * d.exp_m1()).ln_1p();
    let slope = b * x - a * y;
    let density = ln_beta_density(a, b, x, y);
    let tail = (density.exp() * tail_integral(slope, (a + b) * x * y, g)).clamp(0.0, 1.0);
    tail.is_finite().then_some(if lower { (tail, 1.0 - tail) } else { (1.0 - tail, tail) })
}

/// P(X ≤ x) of the beta distribution with parameters `a`, `b` > 0; `None` otherwise.
#[must_use]
pub fn beta_cdf(x: f64, a: f64, b: f64) -> Option<f64> {
    let x = if x.is_nan() { return None } else { x.clamp(0.0, 1.0) };
    beta_tails(a, b, x, 1.0 - x).map(|tails| tails.0)
}

/// P(X > x) of the beta distribution with parameters `a`, `b` > 0; `None` otherwise.
#[must_use]
pub fn beta_sf(x: f64, a: f64, b: f64) -> Option<f64> {
    let x = if x.is_nan() { return None } else { x.clamp(0.0, 1.0) };
    beta_tails(a, b, x, 1.0 - x).map(|tails| tails.1)
}

/// P(T > t) of Student's distribution with `df` > 0 degrees of freedom (not necessarily whole);
/// `None` for other `df` and for a t that is not finite.
#[must_use]
pub fn t_sf(t: f64, df: f64) -> Option<f64> {
    if !(df > 0.0 && df.is_finite() && t.is_finite()) {
        return None;
    }
    // T² / (df + T²) is Beta(½, df/2); both sides of the fraction without cancellation or overflow.
    let size = t.abs();
    let (root, scale) = (df.sqrt(), size.max(df.sqrt()));
    let (top, bottom) = (size / scale, root / scale);
    let sum = top * top + bottom * bottom;
    let (x, y) = (top * top / sum, bottom * bottom / sum);
    let tail = beta_tails(0.5, df / 2.0, x, y)?.1 / 2.0;
    Some(if t < 0.0 { 1.0 - tail } else { tail })
}

/// The density of Student's distribution.
fn t_pdf(t: f64, df: f64) -> f64 {
    let ln = stirling_rest((df + 1.0) / 2.0) - stirling_rest(df / 2.0)
        + df / 2.0 * (1.0 / df).ln_1p()
        - 0.5
        - HALF_LN_TWO_PI
        - (df + 1.0) / 2.0 * (t * (t / df)).ln_1p();
    ln.exp()
}

/// The t with P(T > t) = `p`; `None` unless 0 < p < 1 and `df` > 0, or where it is beyond the
/// doubles (very small p at df below 1).
#[must_use]
pub fn t_isf(p: f64, df: f64) -> Option<f64> {
    if !(p > 0.0 && p < 1.0 && df > 0.0 && df.is_finite()) {
        return None;
    }
    if p == 0.5 {
        return Some(0.0);
    }
    if p > 0.5 {
        return t_isf(1.0 - p, df).map(|t| -t);
    }
    // Newton's method on ln P over ln t: concave, nearly straight in the tail, and linear in the
    // power −df at its end, so it converges from any start.
    let z = normal_isf(p)?;
    let mut t = cornish_fisher(z, df).max(z);
    if df < 3.0 {
        // A far tail is about c·t^−df, and the normal quantile is no start.
        t = t.max((p * PI).recip().powf(1.0 / df) * df.sqrt() / SQRT_2);
    }
    let mut last = f64::INFINITY;
    for _ in 0..STEPS_MAX {
        let tail = t_sf(t, df)?;
        let step = (tail / p).ln() * tail / (t_pdf(t, df) * t);
        // A step of ln t is held to a factor of 20 either way; from there it is found.
        let factor = step.clamp(-3.0, 3.0);
        t *= factor.exp();
        // Done, or among the last digits of the tail, where steps no longer shrink.
        let size = step.abs();
        if size.is_nan() || size <= 4.0 * f64::EPSILON || (size < 1e-6 && size > last / 2.0) {
            break;
        }
        last = size;
    }
    Some(t).filter(|t| t.is_finite())
}

/// The quantile: the t with P(T ≤ t) = `p`; `None` as [`t_isf`].
#[must_use]
pub fn t_quantile(p: f64, df: f64) -> Option<f64> {
    t_isf(p, df).map(|t| -t)
}

/// The quantile of t from that of the normal distribution (Cornish & Fisher; Abramowitz & Stegun
/// 26.7.5), a start for the search.
fn cornish_fisher(z: f64, df: f64) -> f64 {
    let square = z * z;
    let g1 = z * (square + 1.0) / 4.0;
    let g2 = z * ((5.0 * square + 16.0) * square + 3.0) / 96.0;
    z + (g1 + g2 / df) / df
}

/// P(X > x) of the χ² distribution with `df` > 0 degrees of freedom; `None` for other `df`.
#[must_use]
pub fn chi2_sf(x: f64, df: f64) -> Option<f64> {
    if !(df > 0.0 && df.is_finite()) || x.is_nan() {
        return None;
    }
    if x <= 0.0 {
        return Some(1.0);
    }
    if x == f64::INFINITY {
        return Some(0.0);
    }
    let (shape, x) = (df / 2.0, x / 2.0);
    // x^shape·e^−x/Γ(shape), the density of u = ln x.
    let deviance = shape * ln_ratio_less(x, shape, x - shape);
    let density = deviance + 0.5 * shape.ln() - HALF_LN_TWO_PI - stirling_rest(shape);
    let lower = x < shape;
    let sign = if lower { -1.0 } else { 1.0 };
    let g = |d: f64| shape * sign * d - x * (sign * d).exp_m1();
    let tail = density.exp() * tail_integral((x - shape).abs(), x.max(shape), g);
    let tail = tail.clamp(0.0, 1.0);
    tail.is_finite().then_some(if lower { 1.0 - tail } else { tail })
}

/// P(X > x) of the F distribution with `df1` and `df2` > 0 degrees of freedom; `None` for others.
#[must_use]
pub fn f_sf(x: f64, df1: f64, df2: f64) -> Option<f64> {
    if !(df1 > 0.0 && df2 > 0.0) || !x.is_finite() {
        return None;
    }
    if x <= 0.0 {
        return Some(1.0);
    }
    let scale = df1.max(df2 / x);
    let (top, bottom) = (df1 / scale, df2 / x / scale);
    let (above, below) = (top / (top + bottom), bottom / (top + bottom));
    beta_tails(df1 / 2.0, df2 / 2.0, above, below).map(|tails| tails.1)
}

#[cfg(test)]
mod tests;
