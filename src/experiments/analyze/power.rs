//! What a comparison could find: never the power at the observed effect, which says nothing that
//! the p-value has not said (Hoenig & Heisey 2001).

use super::answer::{Power, number};
use super::combined::Combined;
use crate::model::AnalysisMethod;
use crate::stats::normal_quantile;
use crate::stats::power::{detectable, power_at};
use crate::stats::sequential::ConfidenceSequence;

/// How often an effect worth finding is to be found.
const POWER_WANTED: f64 = 0.8;
/// Halvings of the search for the number of units: as exact as a double.
const HALVINGS: u32 = 200;
/// The search ends here: this many times the units there are, or this part of them.
const TIMES_MAX: f64 = 1e15;

/// What is asked of a comparison.
pub(super) struct Question {
    pub(super) method: AnalysisMethod,
    pub(super) sequence: ConfidenceSequence,
    /// α over the size of the family.
    pub(super) alpha: f64,
    /// The declared smallest effect worth finding.
    pub(super) effect: Option<f64>,
    /// How long units have been arriving.
    pub(super) days: Option<f64>,
}

impl Question {
    /// The answer, at the variance seen so far and the arms' present proportion.
    pub(super) fn answer(&self, combined: &Combined) -> Power {
        let mut power = Power { mde: self.effect, ..Power::default() };
        let se = combined.total.se;
        let reach = |times: f64| combined.critical(self.method, self.sequence, self.alpha, times);
        let (Some(now), Some(z)) = (reach(1.0), normal_quantile(POWER_WANTED)) else {
            return power;
        };
        if se.is_nan() || se <= 0.0 {
            return power;
        }
        power.mde_at_80 = detectable(se, now, POWER_WANTED).and_then(number);
        let Some(effect) = self.effect else { return power };
        power.power_at_mde = power_at(effect, se, now).and_then(number);
        // With `times` as many units the standard error is se/√times.
        let enough = |times: f64| match reach(times) {
            Some(critical) => (critical + z) * se / times.sqrt() <= effect,
            None => false,
        };
        let units = combined.n().iter().fold(0.0, |sum, n| sum + *n as f64);
        let Some(times) = least(enough) else { return power };
        let needed = (times * units).ceil();
        if needed < i64::MAX as f64 {
            power.n_needed = Some(needed as u64);
            power.days_needed = self
                .days
                .filter(|days| *days > 0.0)
                .and_then(|days| number((needed - units).max(0.0) / (units / days)));
        }
        power
    }
}

/// The least number that is enough, by halving on a logarithmic scale; `None` where
/// [`TIMES_MAX`] is not enough. More must never be less than enough.
fn least(enough: impl Fn(f64) -> bool) -> Option<f64> {
    let (mut low, mut high) = (-TIMES_MAX.ln(), TIMES_MAX.ln());
    if !enough(high.exp()) {
        return None;
    }
    for _ in 0..HALVINGS {
        let middle = (low + high) / 2.0;
        if enough(middle.exp()) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high.exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_number_that_is_enough_is_found() {
        let found = least(|times| times >= 12.5).expect("there is one");
        assert!((found - 12.5).abs() < 1e-9, "{found}");
        assert_eq!(least(|_| false), None);
    }
}
