//! The first three moments of a sample, from exact sums.

use serde::{Deserialize, Serialize};

use super::{Dyadic, ExactSum, summable};

/// A sample as it is kept: how many values, and the exact sums of them, their squares and their
/// cubes. Values can be taken out again and samples merged or subtracted, and whatever the order,
/// the result is the same to the last bit.
///
/// Means, variances and third moments are computed in exact integers and rounded once, so an
/// offset of 1e15 costs nothing. This is the textbook formula that is wrong in floating point,
/// made right by not being in floating point.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moments {
    /// Signed, so that a difference of samples is a value too, whatever is taken out first.
    n: i64,
    sum: ExactSum,
    squares: ExactSum,
    cubes: ExactSum,
}

impl Moments {
    /// Of no values.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Of these values.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let mut moments = Self::new();
        for value in values {
            moments.add(*value);
        }
        moments
    }

    /// Adds a value. What is not [`summable`] is left out; answers whether it was added.
    pub fn add(&mut self, value: f64) -> bool {
        self.add_times(value, 1)
    }

    /// Adds the same value `count` times, at the price of once. A count beyond `i64::MAX` is
    /// left out.
    pub fn add_times(&mut self, value: f64, count: u64) -> bool {
        self.change(value, count, false)
    }

    /// Takes a value out that was added before.
    pub fn remove(&mut self, value: f64) -> bool {
        self.change(value, 1, true)
    }

    /// Takes the same value out `count` times.
    pub fn remove_times(&mut self, value: f64, count: u64) -> bool {
        self.change(value, count, true)
    }

    fn change(&mut self, value: f64, count: u64, take_out: bool) -> bool {
        let Ok(signed) = i64::try_from(count) else { return false };
        if !summable(value) {
            return false;
        }
        self.n = self.n.saturating_add(if take_out { -signed } else { signed });
        self.sum.add_product([value, 1.0, 1.0], count, take_out);
        self.squares.add_product([value, value, 1.0], count, take_out);
        self.cubes.add_product([value, value, value], count, take_out);
        true
    }

    /// Adds all values of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.n = self.n.saturating_add(other.n);
        self.sum.merge(&other.sum);
        self.squares.merge(&other.squares);
        self.cubes.merge(&other.cubes);
    }

    /// Takes all values of `other` out.
    pub fn subtract(&mut self, other: &Self) {
        self.n = self.n.saturating_sub(other.n);
        self.sum.subtract(&other.sum);
        self.squares.subtract(&other.squares);
        self.cubes.subtract(&other.cubes);
    }

    /// How many values. (Zero as long as more was taken out than added.)
    #[must_use]
    pub fn n(&self) -> u64 {
        u64::try_from(self.n).unwrap_or(0)
    }

    /// Whether nothing is in: no value, and no sum of any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.n == 0 && self.sum.is_zero() && self.squares.is_zero() && self.cubes.is_zero()
    }

    /// The sum of the values.
    #[must_use]
    pub fn sum(&self) -> &ExactSum {
        &self.sum
    }

    /// The mean; `None` of no values.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        self.powers().mean()
    }

    /// The sample variance, over n − 1; `None` of fewer than two values.
    #[must_use]
    pub fn variance(&self) -> Option<f64> {
        self.powers().variance()
    }

    /// Σ(x − x̄)²; `None` of no values.
    #[must_use]
    pub fn m2(&self) -> Option<f64> {
        self.powers().m2()
    }

    /// Σ(x − x̄)³; `None` of no values, and beyond the doubles (values above 1e95 or so).
    #[must_use]
    pub fn m3(&self) -> Option<f64> {
        self.powers().m3()
    }

    /// Σ(x − x̄)³/n, the third central moment; `None` as [`Self::m3`], though later.
    #[must_use]
    pub fn third(&self) -> Option<f64> {
        self.powers().third()
    }

    /// The sums as numbers to compute with.
    pub(super) fn powers(&self) -> Powers {
        Powers {
            n: self.n(),
            first: (&self.sum).into(),
            second: (&self.squares).into(),
            third: (&self.cubes).into(),
        }
    }
}

/// n, Σx, Σx² and Σx³, exact.
pub(super) struct Powers {
    pub(super) n: u64,
    pub(super) first: Dyadic,
    pub(super) second: Dyadic,
    pub(super) third: Dyadic,
}

impl Powers {
    fn count(&self) -> Dyadic {
        self.n.into()
    }

    /// n·Σx² − (Σx)², which is n·Σ(x − x̄)².
    pub(super) fn spread(&self) -> Dyadic {
        &(&self.count() * &self.second) - &(&self.first * &self.first)
    }

    /// n²·Σx³ − 3n·Σx·Σx² + 2(Σx)³, which is n²·Σ(x − x̄)³.
    pub(super) fn lean(&self) -> Dyadic {
        let n = self.count();
        let first = &(&n * &n) * &self.third;
        let second = &(&(&Dyadic::from(3) * &n) * &self.first) * &self.second;
        let third = &(&(&Dyadic::from(2) * &self.first) * &self.first) * &self.first;
        &(&first - &second) + &third
    }

    pub(super) fn mean(&self) -> Option<f64> {
        self.first.quotient(&self.count())
    }

    pub(super) fn variance(&self) -> Option<f64> {
        let below = self.n.checked_sub(1).filter(|below| *below > 0)?;
        self.spread().quotient(&(&self.count() * &Dyadic::from(below)))
    }

    fn m2(&self) -> Option<f64> {
        self.spread().quotient(&self.count())
    }

    fn m3(&self) -> Option<f64> {
        self.lean().quotient(&(&self.count() * &self.count()))
    }

    pub(super) fn third(&self) -> Option<f64> {
        let n = self.count();
        self.lean().quotient(&(&(&n * &n) * &n))
    }
}

#[cfg(test)]
mod tests;
