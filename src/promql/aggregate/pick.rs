//! `topk`, `bottomk`, `limitk`, `limit_ratio`: let some of the series of a group through.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use xxhash_rust::xxh3::xxh3_64;

use super::super::answer::QueryError;
use super::super::ast::{Aggregate, AggregateOp};
use super::super::eval::{
    ABSENT, Grid, Replay, Result, Run, Scalars, StepSeries, Stream, is_absent,
};
use super::super::signature::Signature;
use super::{Groups, numbers_of};

/// A value that may be among the best. The greatest of a heap is the worst.
#[derive(Clone, Copy)]
struct Candidate {
    /// The value, its sign turned for `bottomk`.
    rank: f64,
    series: usize,
}

impl Ord for Candidate {
    /// NaN is worst; of equals the one that came later is worse.
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.rank.is_nan(), other.rank.is_nan()) {
            (false, false) => other.rank.partial_cmp(&self.rank).unwrap_or(Ordering::Equal),
            (a, b) => a.cmp(&b),
        }
        .then(self.series.cmp(&other.series))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Candidate {}

pub(super) fn open<'r>(
    run: &'r Run<'r>,
    mut input: Stream<'r>,
    signature: Signature,
    aggregate: &Aggregate,
    param: Scalars,
    grid: Grid,
) -> Result<Stream<'r>> {
    let op = aggregate.op;
    if op == AggregateOp::LimitRatio {
        return ratio(run, input, param, grid);
    }
    if matches!(op, AggregateOp::Topk | AggregateOp::Bottomk) {
        input = numbers_of(run, input, op.as_str(), aggregate.span);
    }
    let limits = limits(&param, grid)?;
    let sign = if op == AggregateOp::Bottomk { -1.0 } else { 1.0 };
    let mut held = run.hold(0)?;
    let mut groups = Groups::new(signature);
    // Per group and step the best so far.
    let mut best: Vec<Vec<BinaryHeap<Candidate>>> = Vec::new();
    let mut heads: Vec<StepSeries> = Vec::new();
    let mut series = StepSeries::default();
    while input.next(&mut series)? {
        let place = groups.place(&series.labels);
        if place == best.len() {
            held.grow(grid.len)?;
            best.push(vec![BinaryHeap::new(); grid.len]);
        }
        let Some(steps) = best.get_mut(place) else { continue };
        let number = heads.len();
        let mut entered = 0;
        for ((heap, value), limit) in steps.iter_mut().zip(&series.values).zip(&limits) {
            if is_absent(*value) || *limit == 0 {
                continue;
            }
            // `limitk` takes what comes first: there all are equal.
            let rank = if op == AggregateOp::Limitk { 0.0 } else { sign * value };
            let candidate = Candidate { rank, series: number };
            if heap.len() < *limit {
                heap.push(candidate);
                entered += 1;
            } else if let Some(mut worst) = heap.peek_mut()
                && candidate < *worst
            {
                *worst = candidate;
                entered += 1;
            }
        }
        if entered > 0 {
            held.grow(series.samples())?;
            heads.push(std::mem::take(&mut series));
        }
    }
    Ok(Replay::stream(chosen(best, heads), held))
}

/// The series that were let through: those of the first group first, the best first.
fn chosen(best: Vec<Vec<BinaryHeap<Candidate>>>, heads: Vec<StepSeries>) -> Vec<StepSeries> {
    let mut order: Vec<usize> = Vec::new();
    let mut kept: Vec<Vec<f64>> = vec![Vec::new(); heads.len()];
    for steps in best {
        for (step, heap) in steps.into_iter().enumerate() {
            // Ascending by the heap's order: the best comes first.
            for candidate in heap.into_sorted_vec() {
                let (Some(column), Some(head)) =
                    (kept.get_mut(candidate.series), heads.get(candidate.series))
                else {
                    continue;
                };
                if column.is_empty() {
                    order.push(candidate.series);
                    column.resize(head.values.len(), ABSENT);
                }
                column[step] = head.values[step];
            }
        }
    }
    order
        .into_iter()
        .filter_map(|number| {
            let values = std::mem::take(kept.get_mut(number)?);
            let head = heads.get(number)?;
            Some(StepSeries {
                labels: head.labels.clone(),
                drop_name: head.drop_name,
                // They count where the value says so.
                histograms: head.histograms.clone(),
                values,
            })
        })
        .collect()
}

/// How many to let through at each step. The errors are those of `promql/engine.go`.
fn limits(param: &Scalars, grid: Grid) -> Result<Vec<usize>> {
    (0..grid.len)
        .map(|step| {
            let k = param.at(step);
            if k.is_nan() {
                return Err(QueryError::Execution("Parameter value is NaN".to_owned()));
            }
            // The largest and smallest float that an i64 can hold.
            if !(-9_223_372_036_854_774_784.0..=9_223_372_036_854_774_784.0).contains(&k) {
                let k = super::super::print::format_short(k);
                return Err(QueryError::Execution(format!(
                    "Scalar value {k} {} int64",
                    if k.starts_with('-') { "underflows" } else { "overflows" }
                )));
            }
            Ok(if k < 1.0 { 0 } else { k as usize })
        })
        .collect()
}

/// `limit_ratio`: a share of all series, chosen by a hash of their labels. Which ones differs
/// from Prometheus, whose hash is another; the share, its complement and stability are the same.
fn ratio<'r>(
    run: &'r Run<'r>,
    mut input: Stream<'r>,
    param: Scalars,
    grid: Grid,
) -> Result<Stream<'r>> {
    let mut held = run.hold(0)?;
    let mut kept = Vec::new();
    let mut series = StepSeries::default();
    for step in 0..grid.len {
        if param.at(step).is_nan() {
            return Err(QueryError::Execution("Ratio value is NaN".to_owned()));
        }
    }
    while input.next(&mut series)? {
        let place = xxh3_64(series.labels.as_bytes()) as f64 / u64::MAX as f64;
        for (step, value) in series.values.iter_mut().enumerate() {
            let ratio = param.at(step).clamp(-1.0, 1.0);
            let inside = if ratio >= 0.0 { place < ratio } else { place >= 1.0 + ratio };
            if !inside {
                *value = ABSENT;
            }
        }
        if series.has_values() {
            held.grow(series.samples())?;
            kept.push(std::mem::take(&mut series));
        }
    }
    Ok(Replay::stream(kept, held))
}
