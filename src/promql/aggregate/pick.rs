//! `topk`, `bottomk`, `limitk`, `limit_ratio`: let some of the series of a group through.

use std::cmp::Ordering;

use xxhash_rust::xxh64::xxh64;

use super::super::annotations::Annotation;
use super::super::answer::QueryError;
use super::super::ast::{Aggregate, AggregateOp};
use super::super::eval::{
    ABSENT, Grid, Replay, Result, Run, Scalars, StepSeries, Stream, go_max, is_absent,
};
use super::super::print::format_short;
use super::super::signature::Signature;
use super::super::span::Span;
use super::{Groups, numbers_of};
use crate::model::Labels;

/// A value that may be among the best.
#[derive(Clone, Copy)]
struct Candidate {
    value: f64,
    series: usize,
}

/// The best values of one group at one step. Which of equal values stay, and in which order,
/// follows from how Go's `container/heap` moves them; so it is done in the same way here.
#[derive(Clone, Default)]
struct Best(Vec<Candidate>);

impl Best {
    /// Offers a value where at most `limit` are kept, and says whether it is kept.
    fn offer(&mut self, candidate: Candidate, limit: usize, order: Order) -> bool {
        let Some(worst) = self.0.first().filter(|_| self.0.len() >= limit) else {
            self.0.push(candidate);
            self.up(self.0.len() - 1, order);
            return true;
        };
        let (worst, value) = (worst.value, candidate.value);
        let better = match order {
            Order::Largest => worst < value,
            Order::Smallest => worst > value,
            Order::First => false,
        };
        let replaces = better || (order != Order::First && worst.is_nan() && !value.is_nan());
        if replaces {
            self.0[0] = candidate;
            self.down(order);
        }
        replaces
    }

    fn up(&mut self, mut at: usize, order: Order) {
        while at > 0 {
            let parent = (at - 1) / 2;
            if !order.is_worse(self.0[at], self.0[parent]) {
                break;
            }
            self.0.swap(at, parent);
            at = parent;
        }
    }

    fn down(&mut self, order: Order) {
        let mut at = 0;
        loop {
            let mut child = 2 * at + 1;
            if child >= self.0.len() {
                break;
            }
            if child + 1 < self.0.len() && order.is_worse(self.0[child + 1], self.0[child]) {
                child += 1;
            }
            if !order.is_worse(self.0[child], self.0[at]) {
                break;
            }
            self.0.swap(at, child);
            at = child;
        }
    }

    /// The best first. Go sorts up to a dozen by insertion, which keeps the order of equals; of
    /// more it promises nothing.
    fn sorted(mut self, order: Order) -> Vec<Candidate> {
        if order != Order::First {
            self.0.sort_by(|a, b| match (a.value.is_nan(), b.value.is_nan()) {
                (false, false) => {
                    let order_of = b.value.partial_cmp(&a.value).unwrap_or(Ordering::Equal);
                    if order == Order::Smallest { order_of.reverse() } else { order_of }
                }
                (a, b) => a.cmp(&b),
            });
        }
        self.0
    }
}

/// What counts as best.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Largest,
    Smallest,
    First,
}

impl Order {
    /// Whether `a` leaves before `b`.
    fn is_worse(self, a: Candidate, b: Candidate) -> bool {
        match self {
            Order::Largest => a.value.is_nan() || a.value < b.value,
            Order::Smallest => a.value.is_nan() || a.value > b.value,
            Order::First => false,
        }
    }
}

pub(super) fn open<'r>(
    run: &'r Run<'r>,
    mut input: Stream<'r>,
    signature: Signature,
    aggregate: &Aggregate,
    param: Scalars,
    grid: Grid,
    span: Span,
) -> Result<Stream<'r>> {
    let op = aggregate.op;
    if op == AggregateOp::LimitRatio {
        return ratio(run, input, param, grid, span);
    }
    if matches!(op, AggregateOp::Topk | AggregateOp::Bottomk) {
        input = numbers_of(run, input, op.as_str(), aggregate.span);
    }
    let limits = limits(&param, grid)?;
    let order = match op {
        AggregateOp::Topk => Order::Largest,
        AggregateOp::Bottomk => Order::Smallest,
        _ => Order::First,
    };
    let mut held = run.hold(0)?;
    let mut groups = Groups::new(signature);
    // Per group and step the best so far.
    let mut best: Vec<Vec<Best>> = Vec::new();
    let mut heads: Vec<StepSeries> = Vec::new();
    let mut series = StepSeries::default();
    while input.next(&mut series)? {
        let place = groups.place(&series.labels);
        if place == best.len() {
            held.grow(grid.len)?;
            best.push(vec![Best::default(); grid.len]);
        }
        let Some(steps) = best.get_mut(place) else { continue };
        let number = heads.len();
        let mut entered = 0;
        for ((heap, value), limit) in steps.iter_mut().zip(&series.values).zip(&limits) {
            if is_absent(*value) || *limit == 0 {
                continue;
            }
            let candidate = Candidate { value: *value, series: number };
            entered += usize::from(heap.offer(candidate, *limit, order));
        }
        if entered > 0 {
            held.grow(series.samples())?;
            heads.push(std::mem::take(&mut series));
        }
    }
    Ok(Replay::stream(chosen(best, heads, order), held))
}

/// The series that were let through: those of the first group first, the best first.
fn chosen(best: Vec<Vec<Best>>, heads: Vec<StepSeries>, order_by: Order) -> Vec<StepSeries> {
    let mut order: Vec<usize> = Vec::new();
    let mut kept: Vec<Vec<f64>> = vec![Vec::new(); heads.len()];
    for steps in best {
        for (step, heap) in steps.into_iter().enumerate() {
            for candidate in heap.sorted(order_by) {
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

/// How many to let through at each step. The errors, and that the extremes decide about them, are
/// those of `rangeEvalAgg` in `promql/engine.go`.
fn limits(param: &Scalars, grid: Grid) -> Result<Vec<usize>> {
    // The largest and smallest float that an i64 can hold.
    const LEAST: f64 = -9_223_372_036_854_775_808.0;
    const MOST: f64 = 9_223_372_036_854_774_784.0;
    let all = || (0..grid.len).map(|step| param.at(step));
    let most = all().fold(f64::MIN, go_max);
    let least = -all().fold(f64::MIN, |a, b| go_max(a, -b));
    let failed = |text: String| Err(QueryError::Execution(text));
    if most < 1.0 {
        return Ok(vec![0; grid.len]);
    }
    if all().any(f64::is_nan) {
        return failed("Parameter value is NaN".to_owned());
    }
    if least <= LEAST {
        return failed(format!("Scalar value {} underflows int64", format_short(least)));
    }
    if most >= MOST {
        return failed(format!("Scalar value {} overflows int64", format_short(most)));
    }
    Ok(all().map(|k| if k < 1.0 { 0 } else { k as usize }).collect())
}

/// `limit_ratio`: a share of all series, chosen by a hash of their labels.
fn ratio<'r>(
    run: &'r Run<'r>,
    mut input: Stream<'r>,
    param: Scalars,
    grid: Grid,
    span: Span,
) -> Result<Stream<'r>> {
    let mut held = run.hold(0)?;
    let mut kept = Vec::new();
    let mut series = StepSeries::default();
    let all = || (0..grid.len).map(|step| param.at(step));
    if all().any(f64::is_nan) {
        return Err(QueryError::Execution("Ratio value is NaN".to_owned()));
    }
    let (least, most) = (all().fold(f64::MAX, f64::min), all().fold(f64::MIN, f64::max));
    for (ratio, capped, is_beyond) in [(most, 1.0, most > 1.0), (least, -1.0, least < -1.0)] {
        if is_beyond {
            run.note(Annotation::InvalidRatio { ratio, capped }, span);
        }
    }
    let mut packed = Vec::new();
    while input.next(&mut series)? {
        let place = hash(&series.labels, &mut packed) as f64 / u64::MAX as f64;
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

/// The hash of a label set that Prometheus's own builds compute: XXH64 of names and values, each
/// behind its length in one byte, or in three after a 255 (`labels_stringlabels.go`).
fn hash(labels: &Labels, packed: &mut Vec<u8>) -> u64 {
    packed.clear();
    for text in labels.iter().flat_map(|(name, value)| [name, value]) {
        match u8::try_from(text.len()) {
            Ok(length) if length < u8::MAX => packed.push(length),
            _ => {
                packed.push(u8::MAX);
                packed.extend_from_slice(&(text.len() as u32).to_le_bytes()[..3]);
            }
        }
        packed.extend_from_slice(text.as_bytes());
    }
    xxh64(packed, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_packs_texts_behind_their_lengths() {
        let mut packed = Vec::new();
        assert_eq!(hash(&Labels::empty(), &mut packed), 0xef46_db37_51d8_e999, "XXH64 of nothing");
        let long = "v".repeat(300);
        let labels = Labels::from_pairs([("a", "bc"), ("d", long.as_str())]).expect("valid");
        hash(&labels, &mut packed);
        assert_eq!(packed[..10], [1, b'a', 2, b'b', b'c', 1, b'd', 255, 44, 1]);
        assert_eq!(packed.len(), 5 + 2 + 4 + 300);
    }

    #[test]
    fn of_equal_values_those_stay_that_a_go_heap_keeps() {
        // Both ones stand first; the two pushes out the one at the heap's top: the earlier.
        let mut best = Best::default();
        for (series, value) in [1.0, 1.0, 2.0].into_iter().enumerate() {
            best.offer(Candidate { value, series }, 2, Order::Largest);
        }
        let order: Vec<usize> = best.sorted(Order::Largest).iter().map(|c| c.series).collect();
        assert_eq!(order, [2, 1]);
    }
}
