//! Sums and differences of histograms (`Add`, `Sub` and `KahanAdd` in
//! `model/histogram/float_histogram.go`).

use super::bounds::{exponential_bound, is_exponential_schema};
use super::buckets::coarser_index;
use super::{Buckets, Histogram, ResetHint};
use crate::model::kahan::kahan_add;

/// Exponential buckets and custom bounds do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot apply this operation on histograms with a mix of exponential and custom bucket schemas"
)]
pub struct IncompatibleSchemas;

/// What a sum is worth telling about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SumNotes {
    /// One operand says that there was a reset, the other that there was none.
    pub reset_collision: bool,
    /// The custom bounds differed: the result has those that both had.
    pub bounds_reconciled: bool,
}

/// How a count enters a sum.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Plain,
    Minus,
    Compensated,
}

impl Mode {
    /// The sum and its compensation after one more value.
    pub(super) fn add(self, value: f64, sum: f64, lost: f64) -> (f64, f64) {
        match self {
            Mode::Plain => (sum + value, lost),
            Mode::Minus => (sum - value, lost),
            Mode::Compensated => kahan_add(value, sum, lost),
        }
    }

    /// Adds a compensation of the operand, which only compensated sums have.
    fn add_lost(self, value: f64, sum: f64, lost: f64) -> (f64, f64) {
        if self == Mode::Compensated && value != 0.0 {
            kahan_add(value, sum, lost)
        } else {
            (sum, lost)
        }
    }
}

/// A count with its compensation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cell {
    pub index: i32,
    pub count: f64,
    pub lost: f64,
}

/// The cells of buckets with the compensations of the same places.
pub(super) fn cells(buckets: &Buckets, lost: Option<&Buckets>) -> Vec<Cell> {
    let lost = lost.map_or(&[][..], |buckets| buckets.counts.as_slice());
    buckets
        .iter()
        .enumerate()
        .map(|(place, (index, count))| {
            let lost = lost.get(place).copied().unwrap_or(0.0);
            Cell { index, count, lost }
        })
        .collect()
}

/// Counts and compensations apart again.
fn parts(cells: &[Cell]) -> (Buckets, Buckets) {
    let counts = Buckets::from_pairs(cells.iter().map(|cell| (cell.index, cell.count)));
    let lost = cells.iter().map(|cell| cell.lost).collect();
    let lost = Buckets { spans: counts.spans.clone(), counts: lost };
    (counts, lost)
}

fn coarser(cells: Vec<Cell>, by: u32, mode: Mode) -> Vec<Cell> {
    if by == 0 {
        return cells;
    }
    let mode = if mode == Mode::Compensated { mode } else { Mode::Plain };
    let mut merged: Vec<Cell> = Vec::with_capacity(cells.len());
    for cell in cells {
        let index = coarser_index(cell.index, by);
        match merged.last_mut() {
            Some(last) if last.index == index => {
                (last.count, last.lost) = mode.add(cell.count, last.count, last.lost);
                (last.count, last.lost) = mode.add_lost(cell.lost, last.count, last.lost);
            }
            _ => merged.push(Cell { index, ..cell }),
        }
    }
    merged
}

/// All indexes of both; where both have one, the counts are summed up.
fn union(own: &[Cell], other: &[Cell], mode: Mode) -> Vec<Cell> {
    let mut result = Vec::with_capacity(own.len().max(other.len()));
    let (mut own, mut other) = (own.iter().peekable(), other.iter().peekable());
    loop {
        match (own.peek(), other.peek()) {
            (Some(a), Some(b)) if a.index == b.index => {
                let (count, lost) = mode.add(b.count, a.count, a.lost);
                let (count, lost) = mode.add_lost(b.lost, count, lost);
                result.push(Cell { index: a.index, count, lost });
                own.next();
                other.next();
            }
            (Some(a), b) if b.is_none_or(|b| a.index < b.index) => {
                result.push(**a);
                own.next();
            }
            (_, Some(b)) => {
                let count = if mode == Mode::Minus { -b.count } else { b.count };
                result.push(Cell { count, ..**b });
                other.next();
            }
            (_, None) => return result,
        }
    }
}

/// The bounds that both have; those of each rise.
pub(super) fn shared_bounds(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut others = b.iter().peekable();
    a.iter()
        .copied()
        .filter(|bound| {
            while others.next_if(|other| *other < bound).is_some() {}
            others.peek().is_some_and(|other| *other == bound)
        })
        .collect()
}

/// Adds buckets to those of fewer custom bounds: each to the first that ends no earlier.
pub(super) fn add_mapped(
    target: &mut [Cell],
    cells: &[Cell],
    bounds: &[f64],
    shared: &[f64],
    mode: Mode,
) {
    let mut place = 0;
    for cell in cells {
        let bound = usize::try_from(cell.index).ok().and_then(|index| bounds.get(index));
        let slot = match bound {
            Some(bound) => {
                while shared.get(place).is_some_and(|shared| shared < bound) {
                    place += 1;
                }
                place
            }
            None => shared.len(),
        };
        let Some(slot) = target.get_mut(slot) else { continue };
        (slot.count, slot.lost) = mode.add(cell.count, slot.count, slot.lost);
        (slot.count, slot.lost) = mode.add_lost(cell.lost, slot.count, slot.lost);
    }
}

/// No cells, one per shared bound and one above.
pub(super) fn empty_cells(shared: &[f64]) -> Vec<Cell> {
    (0..=shared.len())
        .map(|index| Cell {
            index: i32::try_from(index).unwrap_or(i32::MAX),
            count: 0.0,
            lost: 0.0,
        })
        .collect()
}

impl Histogram {
    /// Adds another histogram. Differing schemas become the coarser one, differing zero
    /// thresholds the larger one (or more, so that no populated bucket is cut), differing custom
    /// bounds those that both have. The result may have empty buckets.
    pub fn add(&mut self, other: &Histogram) -> Result<SumNotes, IncompatibleSchemas> {
        self.combine(other, Mode::Plain, &mut None)
    }

    /// Subtracts another histogram, otherwise like [`add`](Self::add).
    pub fn sub(&mut self, other: &Histogram) -> Result<SumNotes, IncompatibleSchemas> {
        self.combine(other, Mode::Minus, &mut None)
    }

    /// Adds another histogram to a sum whose rounding errors are kept in `lost`: a histogram of
    /// the same shape, none before the first. In the end it is to be [added](Self::add).
    pub fn kahan_add(
        &mut self,
        other: &Histogram,
        lost: &mut Option<Histogram>,
    ) -> Result<SumNotes, IncompatibleSchemas> {
        self.combine(other, Mode::Compensated, lost)
    }

    fn combine(
        &mut self,
        other: &Histogram,
        mode: Mode,
        lost: &mut Option<Histogram>,
    ) -> Result<SumNotes, IncompatibleSchemas> {
        if self.has_custom_bounds() != other.has_custom_bounds() {
            return Err(IncompatibleSchemas);
        }
        let mut notes = SumNotes::default();
        (self.reset_hint, notes.reset_collision) = merged_hint(self.reset_hint, other.reset_hint);
        let before = lost.take();
        let mut after = Histogram {
            reset_hint: before.as_ref().map_or(self.reset_hint, |lost| lost.reset_hint),
            zero_count: before.as_ref().map_or(0.0, |lost| lost.zero_count),
            count: before.as_ref().map_or(0.0, |lost| lost.count),
            sum: before.as_ref().map_or(0.0, |lost| lost.sum),
            ..Histogram::default()
        };
        let mut own = cells(&self.positive, before.as_ref().map(|lost| &lost.positive));
        let theirs = cells(&other.positive, None);
        let merged = if self.has_custom_bounds() {
            if self.custom_bounds == other.custom_bounds {
                (union(&own, &theirs, mode), Vec::new())
            } else {
                notes.bounds_reconciled = true;
                let shared = shared_bounds(&self.custom_bounds, &other.custom_bounds);
                let mut merged = empty_cells(&shared);
                let first = if mode == Mode::Minus { Mode::Plain } else { mode };
                add_mapped(&mut merged, &own, &self.custom_bounds, &shared, first);
                add_mapped(&mut merged, &theirs, &other.custom_bounds, &shared, mode);
                merged.retain(|cell| cell.count != 0.0);
                self.custom_bounds = shared;
                (merged, Vec::new())
            }
        } else {
            let mut own_negative =
                cells(&self.negative, before.as_ref().map(|lost| &lost.negative));
            let theirs_negative = cells(&other.negative, None);
            let mut sides = [&mut own, &mut own_negative];
            let zero = self.reconcile_zero(other, mode, &mut after.zero_count, &mut sides);
            (self.zero_count, after.zero_count) = mode.add(zero, self.zero_count, after.zero_count);
            let schema = self.schema.min(other.schema);
            let by = |from: i32| from.saturating_sub(schema).unsigned_abs();
            let merge = |own: Vec<Cell>, theirs: Vec<Cell>| {
                let own = coarser(own, by(self.schema), mode);
                let theirs = coarser(theirs, by(other.schema), mode);
                // Buckets inside the zero bucket are in its count already. Those that reach beyond
                // it at the coarser schema only are not told apart, in Prometheus neither.
                let inside = |cell: &Cell| {
                    is_exponential_schema(schema)
                        && exponential_bound(cell.index, schema) <= self.zero_threshold
                };
                let skipped = theirs.iter().take_while(|cell| inside(cell)).count();
                union(&own, theirs.get(skipped..).unwrap_or(&[]), mode)
            };
            let merged = (merge(own, theirs), merge(own_negative, theirs_negative));
            self.schema = schema;
            merged
        };
        (self.count, after.count) = mode.add(other.count, self.count, after.count);
        (self.sum, after.sum) = mode.add(other.sum, self.sum, after.sum);
        (self.positive, after.positive) = parts(&merged.0);
        (self.negative, after.negative) = parts(&merged.1);
        if mode == Mode::Compensated {
            (after.schema, after.zero_threshold) = (self.schema, self.zero_threshold);
            after.custom_bounds.clone_from(&self.custom_bounds);
            *lost = Some(after);
        }
        Ok(notes)
    }

    /// Multiplies counts and sum; by a negative factor it becomes a gauge.
    pub fn mul(&mut self, factor: f64) {
        self.scale(|value| value * factor);
        if factor < 0.0 {
            self.reset_hint = ResetHint::Gauge;
        }
    }

    /// Divides counts and sum; by a negative divisor it becomes a gauge, and by zero nothing is
    /// left of its buckets.
    pub fn div(&mut self, divisor: f64) {
        self.scale(|value| value / divisor);
        if divisor == 0.0 {
            (self.positive, self.negative) = Default::default();
        } else if divisor < 0.0 {
            self.reset_hint = ResetHint::Gauge;
        }
    }

    fn scale(&mut self, f: impl Fn(f64) -> f64) {
        let scalars = [&mut self.zero_count, &mut self.count, &mut self.sum];
        let counts = self.positive.counts.iter_mut().chain(&mut self.negative.counts);
        for value in scalars.into_iter().chain(counts) {
            *value = f(*value);
        }
    }

    /// Whether a count or the sum is infinite.
    pub fn has_overflow(&self) -> bool {
        let counts = self.positive.counts.iter().chain(&self.negative.counts);
        [self.zero_count, self.count, self.sum]
            .iter()
            .chain(counts)
            .any(|value| value.is_infinite())
    }
}

/// What is known about resets of a sum, and whether the operands contradict each other
/// (`adjustCounterReset`).
fn merged_hint(a: ResetHint, b: ResetHint) -> (ResetHint, bool) {
    match (a, b) {
        (a, b) if a == b => (a, false),
        (ResetHint::Gauge, _) | (_, ResetHint::Gauge) => (ResetHint::Gauge, false),
        (ResetHint::Unknown, _) | (_, ResetHint::Unknown) => (ResetHint::Unknown, false),
        _ => (ResetHint::Unknown, true),
    }
}

#[cfg(test)]
mod tests {
    use super::super::CUSTOM_BUCKETS_SCHEMA;
    use super::*;

    fn exponential(schema: i32, pairs: &[(i32, f64)]) -> Histogram {
        let positive = Buckets::from_pairs(pairs.iter().copied());
        let count = positive.counts.iter().sum();
        Histogram { schema, count, sum: count, positive, ..Histogram::default() }
    }

    fn custom(bounds: &[f64], counts: &[f64]) -> Histogram {
        let pairs = (0..).zip(counts.iter().copied());
        Histogram {
            custom_bounds: bounds.to_vec(),
            ..exponential(CUSTOM_BUCKETS_SCHEMA, &pairs.collect::<Vec<_>>())
        }
    }

    fn pairs(buckets: &Buckets) -> Vec<(i32, f64)> {
        buckets.iter().collect()
    }

    #[test]
    fn a_sum_has_the_buckets_of_both_at_the_coarser_schema() {
        // Schema 1: indexes 1 and 2 are 1 of schema 0, 3 and 4 are 2.
        let mut sum = exponential(1, &[(1, 1.0), (2, 2.0), (3, 4.0)]);
        let notes = sum.add(&exponential(0, &[(-1, 8.0), (1, 16.0)])).expect("compatible");
        assert_eq!(notes, SumNotes::default());
        assert_eq!((sum.schema, sum.count), (0, 31.0));
        assert_eq!(pairs(&sum.positive), [(-1, 8.0), (1, 19.0), (2, 4.0)]);
        let mut difference = exponential(0, &[(1, 5.0)]);
        difference.sub(&exponential(1, &[(2, 2.0), (4, 1.0)])).expect("compatible");
        assert_eq!(pairs(&difference.positive), [(1, 3.0), (2, -1.0)]);
    }

    #[test]
    fn a_larger_zero_bucket_swallows_buckets_and_grows_to_the_end_of_the_last() {
        // (0.5, 1], (1, 2], (2, 4] against a zero bucket up to 1.5: (1, 2] is populated, so it
        // grows to 2, and the other one's (1, 2] moves into it as well.
        let mut sum = exponential(0, &[(0, 1.0), (1, 2.0), (2, 4.0)]);
        let mut wide = exponential(0, &[(1, 8.0), (2, 16.0)]);
        (wide.zero_threshold, wide.zero_count) = (1.5, 32.0);
        let other = wide.clone();
        sum.add(&other).expect("compatible");
        assert_eq!((sum.zero_threshold, sum.zero_count), (2.0, 43.0));
        assert_eq!(pairs(&sum.positive), [(2, 20.0)]);
        // The same the other way around.
        wide.add(&exponential(0, &[(0, 1.0), (1, 2.0), (2, 4.0)])).expect("compatible");
        wide.compact();
        assert_eq!((wide.zero_threshold, wide.zero_count), (2.0, 43.0));
        assert_eq!(pairs(&wide.positive), [(2, 20.0)]);
    }

    #[test]
    fn differing_custom_bounds_are_reduced_to_those_of_both() {
        // Shared are 2 and 4: (-Inf,2] has 1+2 and 16, (2,4] has 4 and 32+64, the rest 8 and 128.
        let mut sum = custom(&[1.0, 2.0, 4.0], &[1.0, 2.0, 4.0, 8.0]);
        let other = custom(&[2.0, 3.0, 4.0], &[16.0, 32.0, 64.0, 128.0]);
        let notes = sum.add(&other).expect("compatible");
        assert!(notes.bounds_reconciled);
        assert_eq!(sum.custom_bounds, [2.0, 4.0]);
        assert_eq!(sum.positive.counts, [19.0, 100.0, 136.0]);
        let mut mixed = custom(&[1.0], &[1.0]);
        assert_eq!(mixed.add(&exponential(0, &[(0, 1.0)])), Err(IncompatibleSchemas));
        let mut apart = custom(&[1.0], &[1.0, 2.0]);
        apart.sub(&custom(&[9.0], &[4.0])).expect("compatible");
        assert_eq!((apart.custom_bounds.len(), pairs(&apart.positive)), (0, vec![(0, -1.0)]));
    }

    #[test]
    fn a_compensated_sum_keeps_what_rounding_loses() {
        let one = exponential(0, &[(0, 1.0)]);
        let big = exponential(0, &[(0, 2_f64.powi(53))]);
        let (mut plain, mut sum, mut lost) = (big.clone(), big.clone(), None);
        for _ in 0..2 {
            plain.add(&one).expect("compatible");
            sum.kahan_add(&one, &mut lost).expect("compatible");
        }
        sum.add(&lost.expect("a compensation")).expect("the same shape");
        assert_eq!(plain.count, 2_f64.powi(53));
        assert_eq!((sum.count, sum.sum), (2_f64.powi(53) + 2.0, 2_f64.powi(53) + 2.0));
        assert_eq!(sum.positive.counts, [2_f64.powi(53) + 2.0]);
    }

    #[test]
    fn contradicting_hints_collide() {
        for (a, b, sum, collides) in [
            (ResetHint::Reset, ResetHint::NotReset, ResetHint::Unknown, true),
            (ResetHint::Reset, ResetHint::Reset, ResetHint::Reset, false),
            (ResetHint::Gauge, ResetHint::Reset, ResetHint::Gauge, false),
            (ResetHint::Unknown, ResetHint::Gauge, ResetHint::Gauge, false),
            (ResetHint::Unknown, ResetHint::NotReset, ResetHint::Unknown, false),
        ] {
            assert_eq!(merged_hint(a, b), (sum, collides));
            assert_eq!(merged_hint(b, a), (sum, collides));
        }
    }

    #[test]
    fn scaling_scales_everything_and_negative_makes_a_gauge() {
        let mut histogram = exponential(0, &[(0, 2.0), (1, 4.0)]);
        histogram.mul(0.5);
        assert_eq!((histogram.count, histogram.reset_hint), (3.0, ResetHint::Unknown));
        histogram.div(-1.0);
        assert_eq!(histogram.positive.counts, [-1.0, -2.0]);
        assert_eq!(histogram.reset_hint, ResetHint::Gauge);
        histogram.div(0.0);
        assert_eq!((histogram.count, histogram.positive.is_empty()), (f64::NEG_INFINITY, true));
    }
}
