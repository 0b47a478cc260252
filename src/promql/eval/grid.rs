//! The steps of an evaluation, and series with one value per step.

use std::sync::Arc;

use crate::model::{HISTOGRAM_NAN, Histogram, Labels, STALE_NAN, is_histogram_mark};

/// Marks a step without a value. The staleness marker can never be a result: it is dropped on
/// reading, and arithmetic only makes quiet NaNs.
pub(in crate::promql) const ABSENT: f64 = f64::from_bits(STALE_NAN);

/// Whether a step has no value.
#[inline(always)]
pub(in crate::promql) fn is_absent(value: f64) -> bool {
    value.to_bits() == STALE_NAN
}

/// Equally distant steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::promql) struct Grid {
    /// The first step, Unix milliseconds.
    pub start: i64,
    /// The distance between steps in milliseconds; anything where there is only one.
    pub step: i64,
    /// How many steps, at least one.
    pub len: usize,
}

impl Grid {
    /// The steps of `start..=end`, or none where that is empty.
    pub(in crate::promql) fn new(start: i64, end: i64, step: i64) -> Option<Self> {
        if end < start || step <= 0 {
            return None;
        }
        let len = (i128::from(end) - i128::from(start)) / i128::from(step) + 1;
        Some(Grid { start, step, len: usize::try_from(len).unwrap_or(usize::MAX) })
    }

    /// One step.
    pub(in crate::promql) fn instant(at: i64) -> Self {
        Grid { start: at, step: 1, len: 1 }
    }

    /// The first step alone.
    pub(in crate::promql) fn first(self) -> Self {
        Grid { len: 1, ..self }
    }

    /// The time of a step.
    #[inline]
    pub(in crate::promql) fn at(self, step: usize) -> i64 {
        self.start.saturating_add(self.step.saturating_mul(step as i64))
    }
}

/// The times at which a selector looks, one per step of a grid: moved by its offset, or fixed.
#[derive(Clone, Copy, Debug)]
pub(in crate::promql) struct Reference {
    pub grid: Grid,
    pub fixed: Option<i64>,
    pub offset: i64,
}

impl Reference {
    #[inline]
    pub(in crate::promql) fn at(&self, step: usize) -> i64 {
        self.fixed.unwrap_or_else(|| self.grid.at(step)).saturating_sub(self.offset)
    }

    pub(in crate::promql) fn first(&self) -> i64 {
        self.at(0)
    }

    pub(in crate::promql) fn last(&self) -> i64 {
        self.at(self.grid.len.saturating_sub(1))
    }
}

/// A series with one value per step, [`ABSENT`] where it has none.
#[derive(Clone, Debug, Default)]
pub(in crate::promql) struct StepSeries {
    pub labels: Labels,
    /// Whether the metric's name must go: said by the part that made a new value, and done (see
    /// `settle`) before any other part sees the series.
    pub drop_name: bool,
    /// One per step: a number, [`ABSENT`], or the mark that a histogram stands there.
    pub values: Vec<f64>,
    /// Empty where there is no histogram; otherwise one place per step.
    pub histograms: Vec<Option<Arc<Histogram>>>,
}

impl StepSeries {
    pub(in crate::promql) fn has_values(&self) -> bool {
        self.values.iter().any(|v| !is_absent(*v))
    }

    /// The histogram of a step, if there is one. What `histograms` holds where the value is no
    /// mark is forgotten.
    #[inline]
    pub(in crate::promql) fn histogram(&self, step: usize) -> Option<&Arc<Histogram>> {
        let marked = self.values.get(step).is_some_and(|value| is_histogram_mark(*value));
        if marked { self.histograms.get(step).and_then(Option::as_ref) } else { None }
    }

    /// Whether any step has a histogram.
    pub(in crate::promql) fn has_histograms(&self) -> bool {
        !self.histograms.is_empty() && self.values.iter().any(|value| is_histogram_mark(*value))
    }

    /// Puts a histogram at a step.
    pub(in crate::promql) fn set_histogram(&mut self, step: usize, histogram: Arc<Histogram>) {
        self.histograms.resize(self.values.len(), None);
        if let (Some(value), Some(slot)) =
            (self.values.get_mut(step), self.histograms.get_mut(step))
        {
            *value = f64::from_bits(HISTOGRAM_NAN);
            *slot = Some(histogram);
        }
    }

    /// Leaves numbers only: for whatever has no meaning for histograms.
    pub(in crate::promql) fn drop_histograms(&mut self) {
        if self.histograms.is_empty() {
            return;
        }
        self.histograms.clear();
        for value in &mut self.values {
            if is_histogram_mark(*value) {
                *value = ABSENT;
            }
        }
    }

    /// Leaves histograms only.
    pub(in crate::promql) fn drop_numbers(&mut self) {
        for value in &mut self.values {
            if !is_histogram_mark(*value) {
                *value = ABSENT;
            }
        }
    }

    /// How many samples holding it counts for.
    pub(in crate::promql) fn samples(&self) -> usize {
        let histograms = self.histograms.iter().flatten().map(|histogram| histogram.samples());
        self.values.len() + histograms.sum::<usize>()
    }
}

/// A scalar at every step.
#[derive(Clone, Debug)]
pub(in crate::promql) enum Scalars {
    Constant(f64),
    Steps(Vec<f64>),
}

impl Scalars {
    #[inline]
    pub(in crate::promql) fn at(&self, step: usize) -> f64 {
        match self {
            Scalars::Constant(value) => *value,
            Scalars::Steps(values) => values.get(step).copied().unwrap_or(f64::NAN),
        }
    }

    pub(in crate::promql) fn map(self, f: impl Fn(f64) -> f64) -> Self {
        match self {
            Scalars::Constant(value) => Scalars::Constant(f(value)),
            Scalars::Steps(mut values) => {
                values.iter_mut().for_each(|v| *v = f(*v));
                Scalars::Steps(values)
            }
        }
    }

    pub(in crate::promql) fn zip(
        self,
        other: Scalars,
        len: usize,
        f: impl Fn(f64, f64) -> f64,
    ) -> Self {
        match (self, other) {
            (Scalars::Constant(a), Scalars::Constant(b)) => Scalars::Constant(f(a, b)),
            (a, b) => Scalars::Steps((0..len).map(|i| f(a.at(i), b.at(i))).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_includes_its_end_when_a_step_falls_on_it() {
        let grid = Grid::new(0, 100, 50).expect("steps");
        assert_eq!((grid.len, grid.at(2)), (3, 100));
        assert_eq!(Grid::new(0, 99, 50).map(|g| g.len), Some(2));
        assert_eq!(Grid::new(1, 0, 1), None);
        assert_eq!(Grid::new(i64::MIN, i64::MAX, 1).map(|g| g.len), Some(usize::MAX));
    }

    #[test]
    fn arithmetic_never_gives_the_mark_of_absence() {
        for value in [
            f64::NAN + 1.0,
            std::hint::black_box(0.0) / 0.0,
            f64::INFINITY - f64::INFINITY,
            -f64::NAN,
        ] {
            assert!(!is_absent(value));
        }
        assert!(!is_absent(std::hint::black_box(ABSENT) + 1.0), "arithmetic quiets it");
    }
}
