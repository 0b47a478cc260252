//! Sums and means of histograms, for `sum`, `avg` and their `_over_time`.

use crate::model::{Histogram, IncompatibleSchemas, ResetHint, SumNotes};

/// A sum or a mean in the making.
///
/// Means are sums until they would overflow, and then running means, as for numbers
/// (`aggregation` in `promql/engine.go`, `funcAvgOverTime` in `promql/functions.go`).
#[derive(Clone, Debug)]
pub(in crate::promql) struct Fold {
    /// The sum, or once it overflowed the mean.
    value: Histogram,
    lost: Option<Histogram>,
    is_running: bool,
    count: f64,
    reset: bool,
    not_reset: bool,
    reconciled: bool,
}

impl Fold {
    pub(in crate::promql) fn new(first: &Histogram) -> Self {
        let mut fold = Fold {
            value: first.clone(),
            lost: None,
            is_running: false,
            count: 1.0,
            reset: false,
            not_reset: false,
            reconciled: false,
        };
        fold.note_hint(first);
        fold
    }

    fn note_hint(&mut self, histogram: &Histogram) {
        self.reset |= histogram.reset_hint == ResetHint::Reset;
        self.not_reset |= histogram.reset_hint == ResetHint::NotReset;
    }

    fn note(&mut self, notes: SumNotes) {
        self.reconciled |= notes.bounds_reconciled;
    }

    /// Whether some said that there was a reset, and others that there was none.
    pub(in crate::promql) fn collides(&self) -> bool {
        self.reset && self.not_reset
    }

    /// Whether custom bounds differed.
    pub(in crate::promql) fn is_reconciled(&self) -> bool {
        self.reconciled
    }

    /// Adds to a sum.
    pub(in crate::promql) fn add(
        &mut self,
        histogram: &Histogram,
    ) -> Result<(), IncompatibleSchemas> {
        self.note_hint(histogram);
        let notes = self.value.kahan_add(histogram, &mut self.lost)?;
        self.note(notes);
        Ok(())
    }

    /// Adds to a mean.
    pub(in crate::promql) fn add_to_mean(
        &mut self,
        histogram: &Histogram,
    ) -> Result<(), IncompatibleSchemas> {
        self.note_hint(histogram);
        self.count += 1.0;
        if !self.is_running {
            let (mut sum, mut lost) = (self.value.clone(), self.lost.clone());
            let notes = sum.kahan_add(histogram, &mut lost)?;
            self.note(notes);
            if !sum.has_overflow() {
                (self.value, self.lost) = (sum, lost);
                return Ok(());
            }
            self.is_running = true;
            self.value.div(self.count - 1.0);
            if let Some(lost) = &mut self.lost {
                lost.div(self.count - 1.0);
            }
        }
        let share = (self.count - 1.0) / self.count;
        if let Some(lost) = &mut self.lost {
            lost.mul(share);
        }
        let mut part = histogram.clone();
        part.div(self.count);
        self.value.mul(share);
        let notes = self.value.kahan_add(&part, &mut self.lost)?;
        self.note(notes);
        Ok(())
    }

    /// The sum.
    pub(in crate::promql) fn sum(mut self) -> Histogram {
        if let Some(lost) = &self.lost {
            // Of the same shape: it cannot fail.
            let _ = self.value.add(lost);
        }
        self.value
    }

    /// The mean.
    pub(in crate::promql) fn mean(mut self) -> Histogram {
        if !self.is_running {
            self.value.div(self.count);
            if let Some(lost) = &mut self.lost {
                lost.div(self.count);
            }
        }
        self.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Buckets;

    fn histogram(count: f64) -> Histogram {
        let positive = Buckets::from_pairs([(0, count)]);
        Histogram { count, sum: count, positive, ..Histogram::default() }
    }

    #[test]
    fn a_mean_survives_an_overflowing_sum() {
        let mut fold = Fold::new(&histogram(f64::MAX));
        for _ in 0..3 {
            fold.add_to_mean(&histogram(f64::MAX)).expect("compatible");
        }
        let mean = fold.mean();
        assert!((mean.count / f64::MAX - 1.0).abs() < 1e-14, "{}", mean.count);
        assert!((mean.positive.counts[0] / f64::MAX - 1.0).abs() < 1e-14);
    }

    #[test]
    fn a_mean_divides_the_sum_once() {
        let mut fold = Fold::new(&histogram(1.0));
        fold.add_to_mean(&histogram(2.0)).expect("compatible");
        fold.add_to_mean(&histogram(6.0)).expect("compatible");
        assert_eq!(fold.mean().positive.counts, [3.0]);
    }

    #[test]
    fn contradictions_of_hints_are_seen() {
        let hinted = |reset_hint| Histogram { reset_hint, ..histogram(1.0) };
        let mut fold = Fold::new(&hinted(ResetHint::Reset));
        fold.add(&hinted(ResetHint::Unknown)).expect("compatible");
        assert!(!fold.collides());
        fold.add(&hinted(ResetHint::NotReset)).expect("compatible");
        assert!(fold.collides());
    }
}
