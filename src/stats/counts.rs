//! Exact any-time tests of counts: has each arm its share?
//!
//! The multinomial e-process of Lindon & Malek, "Anytime-valid inference for multinomial count
//! data" (NeurIPS 2022; arXiv 2011.03567): a Dirichlet mixture with mean at the expected shares
//! `w` and concentration `c`, against those shares,
//!
//! `ln E = lnΓ(c) − lnΓ(c+n) + Σ[lnΓ(c·wᵢ + kᵢ) − lnΓ(c·wᵢ) − kᵢ ln wᵢ]`.
//!
//! It is a martingale while the shares hold, at any n and without approximation, so by Ville's
//! inequality `p = 1/max E` may be looked at after every unit. The caller keeps the maximum.

use statrs::function::gamma::ln_gamma;

/// Concentration for the sample-ratio check: it looks for small deviations in many units.
pub const CONCENTRATION_SAMPLE_RATIO: f64 = 10_000.0;
/// Concentration for a canary's errors: large deviations in few events.
pub const CONCENTRATION_ERRORS: f64 = 10.0;
/// Concentration for rare conversions.
pub const CONCENTRATION_CONVERSIONS: f64 = 100.0;

/// `ln E` of counts against expected shares, at concentration `c` (> 0).
///
/// Shares are relative weights: they need not sum to 1. Arms without weight are left out, with
/// what they counted. `None` unless lengths agree, weights are finite and ≥ 0 and at least two
/// of them are positive.
pub fn multinomial_ln_e(counts: &[u64], weights: &[f64], c: f64) -> Option<f64> {
    let arms = Arms::new(counts, weights)?;
    if !(c > 0.0 && c.is_finite()) {
        return None;
    }
    // lnΓ of large numbers cancels to nothing: at 10¹² units both sides are 10¹³ and the answer
    // is a few units. So Stirling's leading terms are joined first. With X = c + n, xᵢ = cwᵢ + kᵢ
    // they are Σ X·wᵢ·φ(dᵢ), φ(d) = (1+d)ln(1+d) − d ≥ 0, where dᵢ = (kᵢ − n·wᵢ)/(X·wᵢ).
    let n = arms.n;
    let all = c + n;
    let mut ln_e = 0.5 * (all.ln() - c.ln()) - stirling_rest(all) + stirling_rest(c);
    for (k, w) in arms.iter() {
        let (a, x) = (c * w, c * w + k);
        if a <= 0.0 {
            return None;
        }
        let deviation = (k - n * w) / (all * w);
        ln_e += all * w * divergence(deviation) - 0.5 * (x / a).ln() + stirling_rest(x)
            - stirling_rest(a);
    }
    ln_e.is_finite().then_some(ln_e)
}

/// The special case of two: of all events, so many fell to the first, which has this share.
///
/// For a canary's errors: `events` in the canary out of `n` in both, and the canary's share of
/// the traffic. Evidence says that the share is another, not in which direction.
/// `None` unless 0 < share < 1 and events ≤ n.
pub fn binomial_ln_e(events: u64, n: u64, share: f64, c: f64) -> Option<f64> {
    let others = n.checked_sub(events)?;
    if !(share > 0.0 && share < 1.0) {
        return None;
    }
    multinomial_ln_e(&[events, others], &[share, 1.0 - share], c)
}

/// Counts and shares of the arms that have a weight; shares sum to 1.
pub(crate) struct Arms {
    arms: Vec<(f64, f64)>,
    /// The sum of counts.
    pub(crate) n: f64,
}

impl Arms {
    pub(crate) fn new(counts: &[u64], weights: &[f64]) -> Option<Self> {
        if counts.len() != weights.len() || weights.iter().any(|w| !(*w >= 0.0 && w.is_finite())) {
            return None;
        }
        let total: f64 = weights.iter().sum();
        let arms: Vec<(f64, f64)> = counts
            .iter()
            .zip(weights)
            .filter(|(_, weight)| **weight > 0.0)
            .map(|(&count, weight)| (count as f64, weight / total))
            .collect();
        let usable =
            arms.len() >= 2 && total.is_finite() && arms.iter().all(|(_, share)| *share > 0.0);
        usable.then(|| Self { n: arms.iter().map(|(k, _)| k).sum(), arms })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.arms.iter().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.arms.len()
    }
}

/// `(1+d)ln(1+d) − d` for d ≥ −1, without cancellation near 0.
fn divergence(d: f64) -> f64 {
    if d <= -1.0 {
        return 1.0;
    }
    if d.abs() < 1e-2 {
        // d²/2 − d³/6 + d⁴/12 − …: the next term is below 1e-16 of the first.
        let mut sum = 0.0;
        let mut power = d * d;
        for k in 2..=9 {
            let k = f64::from(k);
            sum += power / (k * (k - 1.0));
            power *= -d;
        }
        return sum;
    }
    (1.0 + d) * d.ln_1p() - d
}

/// `lnΓ(x) − ((x − ½) ln x − x + ½ ln 2π)`: what Stirling's formula leaves.
fn stirling_rest(x: f64) -> f64 {
    if x < 10.0 {
        const HALF_LN_TWO_PI: f64 = 0.918_938_533_204_672_8;
        return ln_gamma(x) - ((x - 0.5) * x.ln() - x + HALF_LN_TWO_PI);
    }
    let y = 1.0 / (x * x);
    // Abramowitz & Stegun 6.1.41; at x = 10 the next term is below 1e-15.
    (1.0 / 12.0
        - y * (1.0 / 360.0
            - y * (1.0 / 1260.0 - y * (1.0 / 1680.0 - y * (1.0 / 1188.0 - y * 691.0 / 360_360.0)))))
        / x
}

#[cfg(test)]
mod tests;
