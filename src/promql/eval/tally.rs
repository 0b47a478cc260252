//! Counts what a query looks at, as Prometheus does for its `stats` (`util/stats/query_stats.go`):
//! at each step one for every series of an instant selector and one for every sample of a window.
//! A histogram counts for more, by its size (`HPoint.size` in `promql/value.go`). Inside
//! subqueries nothing counts: their windows do, further out.

use std::cell::{Cell, RefCell};

use super::super::source::Samples;
use super::grid::{Grid, Reference, StepSeries, is_absent};

/// How what is read counts where it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counting {
    /// At its own step.
    OwnStep,
    /// At every step: it is evaluated once and stands for all.
    EveryStep,
    /// Not at all.
    Off,
}

/// The counts of one evaluation; off until it begins.
#[derive(Debug)]
pub(super) struct Tally {
    counting: Cell<Counting>,
    steps: RefCell<Vec<(i64, u64)>>,
}

impl Tally {
    pub(super) fn off() -> Self {
        Tally { counting: Cell::new(Counting::Off), steps: RefCell::default() }
    }

    /// Counts from now on, for every step of `grid`.
    pub(super) fn begin(&self, grid: Grid) {
        self.counting.set(Counting::OwnStep);
        self.steps.replace((0..grid.len).map(|step| (grid.at(step), 0)).collect());
    }

    /// How a selector that is opened now has to count.
    pub(super) fn counting(&self) -> Counting {
        self.counting.get()
    }

    /// Lets what `open` opens count in another way.
    pub(super) fn within<T>(&self, counting: Counting, open: impl FnOnce() -> T) -> T {
        let before = self.counting.get();
        if before == Counting::OwnStep {
            self.counting.set(counting);
        }
        let opened = open();
        self.counting.set(before);
        opened
    }

    /// Counts the values of an instant selector.
    pub(super) fn column(&self, counting: Counting, series: &StepSeries) {
        if counting == Counting::Off {
            return;
        }
        for (step, value) in series.values.iter().enumerate() {
            if !is_absent(*value) {
                let size = series.histogram(step).map_or(1, |histogram| histogram.samples());
                self.add(counting, step, size as u64);
            }
        }
    }

    /// Counts the samples of all windows of a range selector.
    pub(super) fn windows(
        &self,
        counting: Counting,
        reference: &Reference,
        range_ms: i64,
        samples: &Samples,
    ) {
        if counting == Counting::Off {
            return;
        }
        let times = &samples.times;
        // What the histograms before each sample count for beyond one; nothing without any.
        let mut beyond = Vec::new();
        if !samples.histograms.is_empty() {
            let mut total = 0;
            beyond.push(total);
            beyond.extend((0..times.len()).map(|place| {
                let size = samples.histogram(place).map_or(1, |histogram| histogram.samples());
                total += (size as u64).saturating_sub(1);
                total
            }));
        }
        for step in 0..reference.grid.len {
            let end = reference.at(step);
            let start = end.saturating_sub(range_ms);
            let from = times.partition_point(|at| *at <= start);
            let to = times.partition_point(|at| *at <= end);
            let more = match (beyond.get(from), beyond.get(to)) {
                (Some(before), Some(after)) => after.saturating_sub(*before),
                _ => 0,
            };
            self.add(counting, step, to.saturating_sub(from) as u64 + more);
        }
    }

    fn add(&self, counting: Counting, step: usize, count: u64) {
        let mut steps = self.steps.borrow_mut();
        if counting == Counting::EveryStep {
            steps.iter_mut().for_each(|(_, total)| *total += count);
        } else if let Some((_, total)) = steps.get_mut(step) {
            *total += count;
        }
    }

    /// Time and count of every step; nothing where they were not wanted.
    pub(super) fn finish(&self) -> Vec<(i64, u64)> {
        self.steps.take()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::grid::ABSENT;
    use super::*;
    use crate::model::{Buckets, Histogram};

    #[test]
    fn histograms_count_by_their_size() {
        // (168 + 8 for one span + 16 for two buckets + 8 for the time) / 16 = 12.
        let positive = Buckets::from_pairs([(1, 1.0), (2, 3.0)]);
        let histogram = Arc::new(Histogram { positive, ..Histogram::default() });
        let mut samples = Samples::default();
        samples.push(1_000, 1.0);
        samples.push_histogram(2_000, Arc::clone(&histogram));
        samples.push(3_000, 1.0);
        let tally = Tally::off();
        let grid = Grid::new(1_000, 3_000, 1_000).expect("steps");
        tally.begin(grid);
        let reference = Reference { grid, fixed: None, offset: 0 };
        tally.windows(Counting::OwnStep, &reference, 2_000, &samples);
        let mut series = StepSeries { values: vec![ABSENT, ABSENT, 7.0], ..StepSeries::default() };
        series.set_histogram(1, histogram);
        tally.column(Counting::OwnStep, &series);
        assert_eq!(tally.finish(), [(1_000, 1), (2_000, 1 + 12 + 12), (3_000, 12 + 1 + 1)]);
    }
}
