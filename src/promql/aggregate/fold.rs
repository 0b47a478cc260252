//! `sum`, `avg`, `count`, `min`, `max`, `group`, `stddev`, `stdvar`: one value per group and
//! step, folded as `aggregation` in `promql/engine.go` does.

use std::sync::Arc;

use super::super::annotations::{Annotation, HistogramOperation};
use super::super::ast::{Aggregate, AggregateOp};
use super::super::eval::{
    ABSENT, Grid, Held, Replay, Result, Run, StepSeries, Stream, argument_span, is_absent,
    kahan_add,
};
use super::super::native::Fold;
use super::super::signature::Signature;
use super::super::span::Span;
use super::{Groups, numbers_of};
use crate::model::Labels;

/// One group. Which columns there are depends on the operator.
struct Group {
    labels: Labels,
    drop_name: bool,
    /// The sum, extreme, count or sum of squares; absent where nothing was seen.
    value: Vec<f64>,
    /// The compensation of a sum, or the mean.
    second: Vec<f64>,
    /// How many values were seen. For `avg` it is negative once the sum overflowed and `value`
    /// holds the running mean instead.
    count: Vec<f64>,
    /// Of sums and means the histograms; empty until there is one.
    native: Vec<Native>,
}

/// The histograms of a group at a step.
#[derive(Clone, Default)]
struct Native {
    /// None before the first, and where a number came first.
    fold: Option<Box<Fold>>,
    seen: bool,
    incompatible: bool,
    /// It had become incompatible before there was a number: those do not count any more.
    sealed: bool,
}

pub(super) fn open<'r>(
    run: &'r Run<'r>,
    mut input: Stream<'r>,
    signature: Signature,
    aggregate: &Aggregate,
    grid: Grid,
) -> Result<Stream<'r>> {
    let op = aggregate.op;
    let span = argument_span(&aggregate.expr);
    if matches!(op, AggregateOp::Min | AggregateOp::Max | AggregateOp::Stddev | AggregateOp::Stdvar)
    {
        input = numbers_of(run, input, op.as_str(), span);
    }
    let mut held = run.hold(0)?;
    let mut groups = Groups::new(signature);
    let mut folded: Vec<Group> = Vec::new();
    let mut series = StepSeries::default();
    while input.next(&mut series)? {
        let place = groups.place(&series.labels);
        if place == folded.len() {
            run.check()?;
            folded.push(Group::new(groups.labels(&series.labels), op, grid, &mut held)?);
        }
        let Some(group) = folded.get_mut(place) else { continue };
        group.drop_name |= series.drop_name;
        if matches!(op, AggregateOp::Sum | AggregateOp::Avg) && series.has_histograms() {
            group.add_histograms(run, op, &series, span, &mut held)?;
            series.drop_histograms();
        }
        group.add(op, &series.values);
    }
    let series = folded.into_iter().map(|group| group.finish(run, op, span)).collect();
    Ok(Replay::stream(series, held))
}

impl Group {
    fn new(labels: Labels, op: AggregateOp, grid: Grid, held: &mut Held<'_>) -> Result<Self> {
        let (second, count) = match op {
            AggregateOp::Sum => (true, false),
            AggregateOp::Avg | AggregateOp::Stddev | AggregateOp::Stdvar => (true, true),
            _ => (false, false),
        };
        held.grow(grid.len * (1 + usize::from(second) + usize::from(count)))?;
        let column = |wanted: bool| if wanted { vec![0.0; grid.len] } else { Vec::new() };
        Ok(Group {
            labels,
            drop_name: false,
            value: vec![ABSENT; grid.len],
            second: column(second),
            count: column(count),
            native: Vec::new(),
        })
    }

    fn add(&mut self, op: AggregateOp, values: &[f64]) {
        match op {
            AggregateOp::Sum => {
                for ((slot, c), value) in self.value.iter_mut().zip(&mut self.second).zip(values) {
                    if is_absent(*value) {
                    } else if is_absent(*slot) {
                        *slot = *value;
                    } else {
                        (*slot, *c) = kahan_add(*value, *slot, *c);
                    }
                }
            }
            AggregateOp::Avg => self.add_to_mean(values),
            AggregateOp::Stddev | AggregateOp::Stdvar => self.add_to_variance(values),
            AggregateOp::Min => {
                self.fold(values, |best, v| if best > v || best.is_nan() { v } else { best })
            }
            AggregateOp::Max => {
                self.fold(values, |best, v| if best < v || best.is_nan() { v } else { best })
            }
            AggregateOp::Group => {
                for (slot, value) in self.value.iter_mut().zip(values) {
                    if !is_absent(*value) {
                        *slot = 1.0;
                    }
                }
            }
            _ => {
                for (slot, value) in self.value.iter_mut().zip(values) {
                    if !is_absent(*value) {
                        *slot = if is_absent(*slot) { 1.0 } else { *slot + 1.0 };
                    }
                }
            }
        }
    }

    fn add_histograms(
        &mut self,
        run: &Run<'_>,
        op: AggregateOp,
        series: &StepSeries,
        span: Span,
        held: &mut Held<'_>,
    ) -> Result<()> {
        self.native.resize(self.value.len(), Native::default());
        for (step, native) in self.native.iter_mut().enumerate() {
            let Some(histogram) = series.histogram(step) else { continue };
            if native.incompatible {
                continue;
            }
            let is_first = !native.seen && self.value.get(step).is_none_or(|v| is_absent(*v));
            native.seen = true;
            if is_first {
                held.grow(histogram.samples())?;
                native.fold = Some(Box::new(Fold::new(histogram)));
                continue;
            }
            let Some(fold) = &mut native.fold else { continue };
            let added = match op {
                AggregateOp::Avg => fold.add_to_mean(histogram),
                _ => fold.add(histogram),
            };
            if added.is_err() {
                let metric = series.labels.metric_name().unwrap_or("").to_owned();
                run.note(Annotation::MixedExponentialCustom { metric }, span);
                native.incompatible = true;
                native.sealed = self.value.get(step).is_none_or(|v| is_absent(*v));
            }
        }
        run.check()
    }

    #[inline]
    fn fold(&mut self, values: &[f64], f: impl Fn(f64, f64) -> f64) {
        for (slot, value) in self.value.iter_mut().zip(values) {
            if !is_absent(*value) {
                *slot = if is_absent(*slot) { *value } else { f(*slot, *value) };
            }
        }
    }

    fn add_to_mean(&mut self, values: &[f64]) {
        let columns = self.value.iter_mut().zip(&mut self.second).zip(&mut self.count);
        for (((slot, c), count), value) in columns.zip(values) {
            if is_absent(*value) {
                continue;
            }
            if is_absent(*slot) {
                (*slot, *c, *count) = (*value, 0.0, 1.0);
                continue;
            }
            let n = count.abs() + 1.0;
            if *count > 0.0 {
                let (sum, next_c) = kahan_add(*value, *slot, *c);
                if !sum.is_infinite() {
                    (*slot, *c, *count) = (sum, next_c, n);
                    continue;
                }
                // From here on the running mean.
                *slot /= n - 1.0;
                *c /= n - 1.0;
            }
            let share = (n - 1.0) / n;
            (*slot, *c) = kahan_add(*value / n, share * *slot, share * *c);
            *count = -n;
        }
    }

    /// Welford's method, without compensation as in Prometheus.
    fn add_to_variance(&mut self, values: &[f64]) {
        let columns = self.value.iter_mut().zip(&mut self.second).zip(&mut self.count);
        for (((slot, mean), count), value) in columns.zip(values) {
            if is_absent(*value) {
                continue;
            }
            if is_absent(*slot) {
                *slot = if value.is_finite() { 0.0 } else { f64::NAN };
                (*mean, *count) = (*value, 1.0);
                continue;
            }
            *count += 1.0;
            let delta = *value - *mean;
            *mean += delta / *count;
            *slot += delta * (*value - *mean);
        }
    }

    fn finish(mut self, run: &Run<'_>, op: AggregateOp, span: Span) -> StepSeries {
        let map = |value: &mut Vec<f64>, f: &dyn Fn(usize, f64) -> f64| {
            for (step, slot) in value.iter_mut().enumerate() {
                if !is_absent(*slot) {
                    *slot = f(step, *slot);
                }
            }
        };
        let (second, count) = (&self.second, &self.count);
        match op {
            AggregateOp::Sum => map(&mut self.value, &|step, sum| sum + second[step]),
            AggregateOp::Avg => map(&mut self.value, &|step, value| {
                let (c, n) = (second[step], count[step]);
                if n < 0.0 { value + c } else { value / n + c / n }
            }),
            AggregateOp::Stdvar => map(&mut self.value, &|step, m2| m2 / count[step]),
            AggregateOp::Stddev => map(&mut self.value, &|step, m2| (m2 / count[step]).sqrt()),
            _ => {}
        }
        let mut series = StepSeries {
            labels: self.labels,
            drop_name: self.drop_name,
            values: self.value,
            histograms: Vec::new(),
        };
        let operation = HistogramOperation::Aggregation;
        for (step, native) in self.native.into_iter().enumerate().filter(|(_, n)| n.seen) {
            let Some(value) = series.values.get_mut(step) else { continue };
            if native.fold.as_ref().is_some_and(|fold| fold.is_reconciled()) {
                run.note(Annotation::MismatchedCustomBuckets { operation }, span);
            }
            if !is_absent(*value) {
                if !native.sealed {
                    run.note(Annotation::MixedFloatsHistogramsAggregation, span);
                }
                *value = ABSENT;
                continue;
            }
            let Some(fold) = native.fold.filter(|_| !native.incompatible) else { continue };
            if fold.collides() {
                run.note(Annotation::CounterResetCollision { operation }, span);
            }
            let mut histogram = if op == AggregateOp::Avg { fold.mean() } else { fold.sum() };
            histogram.compact();
            series.set_histogram(step, Arc::new(histogram));
        }
        series
    }
}
