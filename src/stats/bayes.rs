//! The Bayesian view of a difference: advice beside the tests, with no promise about errors.

use super::distributions::{beta_tails, integral, ln_beta_density};
use super::{normal_cdf, normal_pdf, normal_sf};

/// Steps of the trapezoidal rule per standard deviation; see [`conversions`].
const STEPS_PER_SD: f64 = 3.0;
/// The longest step: the densities' nearest singularities are π away from the line.
const STEP_MAX: f64 = 0.25;
/// The density is integrated to where it is this little of its height (e^−45 is 3e-20).
const NEGLIGIBLE: f64 = -45.0;
/// Bound on nodes to either side; a posterior of no data takes about 100.
const NODES_MAX: usize = 4000;

/// What is believed of the difference before the data: a normal distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prior {
    /// Mean of the difference, in the metric's unit.
    pub mean: f64,
    /// Its variance.
    pub variance: f64,
}

/// What choosing an arm is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Belief {
    /// The probability that treatment is above control.
    pub chance_above: f64,
    /// By how much control is expected to be above, counting 0 where it is not: the loss of
    /// choosing treatment, where more is better.
    pub loss_of_treatment: f64,
    /// By how much treatment is expected to be above: the loss of keeping control, where more is
    /// better; the loss of choosing treatment, where less is.
    pub loss_of_control: f64,
}

/// The posterior of a difference with the given sampling variance, under a normal prior or, with
/// none, a flat one. `None` where nothing varies or an argument is no number.
#[must_use]
pub fn difference(diff: f64, variance: f64, prior: Option<Prior>) -> Option<Belief> {
    if !(diff.is_finite() && variance > 0.0 && variance.is_finite()) {
        return None;
    }
    let (mean, variance) = match prior {
        None => (diff, variance),
        Some(prior) if prior.variance > 0.0 && prior.variance.is_finite() => {
            // Weights as shares, so that neither precision leaves the doubles.
            let share = prior.variance / (prior.variance + variance);
            (prior.mean + share * (diff - prior.mean), share * variance)
        }
        Some(_) => return None,
    };
    let sd = variance.sqrt();
    let z = mean / sd;
    if !(z.is_finite() && sd > 0.0) {
        return None;
    }
    let (below, above) = (sd * loss(z), sd * loss(-z));
    let belief =
        Belief { chance_above: normal_cdf(z), loss_of_treatment: below, loss_of_control: above };
    (below.is_finite() && above.is_finite()).then_some(belief)
}

/// The unit normal loss φ(z) − z·P(Z > z), which is ∫ P(Z > s) ds from z on.
fn loss(z: f64) -> f64 {
    if z < 2.0 {
        return normal_pdf(z) - z * normal_sf(z);
    }
    // The two terms become equal; the integral keeps its digits.
    let width = 3.0 / (z + 1.0);
    (0..20)
        .map(|panel| z + width * f64::from(panel))
        .map(|at| integral(at, at + width, normal_sf))
        .sum()
}

/// Successes and failures of one arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversions {
    /// Units that converted.
    pub successes: u64,
    /// Units that did not.
    pub failures: u64,
}

/// A Beta distribution, and what is asked of it.
#[derive(Clone, Copy)]
struct Beta {
    a: f64,
    b: f64,
}

impl Beta {
    /// The posterior of a conversion rate under the uniform prior Beta(1, 1).
    fn posterior(of: Conversions) -> Self {
        Self { a: of.successes as f64 + 1.0, b: of.failures as f64 + 1.0 }
    }

    fn mean(self) -> f64 {
        self.a / (self.a + self.b)
    }

    /// The standard deviation of ln(x/(1 − x)), nearly.
    fn spread(self) -> f64 {
        (1.0 / self.a + 1.0 / self.b).sqrt()
    }

    /// P(X > x), and E[max(X − x, 0)].
    fn beyond(self, x: f64, y: f64) -> Option<(f64, f64)> {
        let chance = beta_tails(self.a, self.b, x, y)?.1;
        // x·density(x; a, b) is mean·density(x; a + 1, b).
        let raised = beta_tails(self.a + 1.0, self.b, x, y)?.1;
        Some((chance, (self.mean() * raised - x * chance).max(0.0)))
    }
}

/// The posterior of the difference of two conversion rates, each with a uniform prior: exact but
/// for rounding, from no data to 1e12 units. Losses are right to about 1e-15, absolutely.
///
/// Over u = ln(x/(1 − x)) the densities are analytic in a strip and vanish at both ends, where
/// the trapezoidal rule converges exponentially: a third of a standard deviation a step
/// gives all digits (Trefethen & Weideman 2014). The narrower density is stepped through.
#[must_use]
pub fn conversions(control: Conversions, treatment: Conversions) -> Option<Belief> {
    let (c, t) = (Beta::posterior(control), Beta::posterior(treatment));
    let swap = t.spread() < c.spread();
    let (narrow, wide) = if swap { (t, c) } else { (c, t) };
    let step = (narrow.spread() / STEPS_PER_SD).min(STEP_MAX);
    let mode = (narrow.a / narrow.b).ln();
    let (mut mass, mut chance, mut loss) = (0.0, 0.0, 0.0);
    let peak = ln_beta_density(narrow.a, narrow.b, narrow.mean(), narrow.b / (narrow.a + narrow.b));
    for direction in [-1.0, 1.0] {
        for node in 0..NODES_MAX {
            // The middle node is counted by the first direction only.
            if node == 0 && direction > 0.0 {
                continue;
            }
            let u = mode + direction * step * node as f64;
            let (x, y) = (1.0 / (1.0 + (-u).exp()), 1.0 / (1.0 + u.exp()));
            let ln = ln_beta_density(narrow.a, narrow.b, x, y) - peak;
            if ln <= NEGLIGIBLE || ln.is_nan() {
                break;
            }
            let weight = ln.exp();
            let (above, beyond) = wide.beyond(x, y)?;
            mass += weight;
            chance += weight * above;
            loss += weight * beyond;
        }
    }
    // Divided by the mass of the same nodes: what they miss cancels.
    let (wide_above, wide_beyond) = (chance / mass, loss / mass);
    let narrow_beyond = (wide_beyond + narrow.mean() - wide.mean()).max(0.0);
    if !(wide_above.is_finite() && wide_beyond.is_finite()) {
        return None;
    }
    Some(if swap {
        // The wide one is control.
        Belief {
            chance_above: (1.0 - wide_above).clamp(0.0, 1.0),
            loss_of_treatment: wide_beyond,
            loss_of_control: narrow_beyond,
        }
    } else {
        Belief {
            chance_above: wide_above.clamp(0.0, 1.0),
            loss_of_treatment: narrow_beyond,
            loss_of_control: wide_beyond,
        }
    })
}

#[cfg(test)]
mod tests;
