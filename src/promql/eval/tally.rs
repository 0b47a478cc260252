//! Counts what a query looks at, as Prometheus does for its `stats` (`util/stats/query_stats.go`):
//! at each step one for every series of an instant selector and one for every sample of a window.
//! Inside subqueries nothing counts: their windows do, further out.

use std::cell::{Cell, RefCell};

use super::grid::{Grid, Reference, is_absent};

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
    pub(super) fn column(&self, counting: Counting, values: &[f64]) {
        if counting == Counting::Off {
            return;
        }
        for (step, value) in values.iter().enumerate() {
            if !is_absent(*value) {
                self.add(counting, step, 1);
            }
        }
    }

    /// Counts the samples of all windows of a range selector.
    pub(super) fn windows(
        &self,
        counting: Counting,
        reference: &Reference,
        range_ms: i64,
        times: &[i64],
    ) {
        if counting == Counting::Off {
            return;
        }
        for step in 0..reference.grid.len {
            let end = reference.at(step);
            let start = end.saturating_sub(range_ms);
            let from = times.partition_point(|at| *at <= start);
            let to = times.partition_point(|at| *at <= end);
            self.add(counting, step, to.saturating_sub(from) as u64);
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
