//! `sum`, `avg`, `count`, `min`, `max`, `group`, `stddev`, `stdvar`: one value per group and
//! step, folded as `aggregation` in `promql/engine.go` does.

use super::super::ast::AggregateOp;
use super::super::eval::{
    ABSENT, Grid, Held, Replay, Result, Run, StepSeries, Stream, is_absent, kahan_add,
};
use super::super::signature::Signature;
use super::Groups;
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
}

pub(super) fn open<'r>(
    run: &'r Run<'r>,
    mut input: Stream<'r>,
    signature: Signature,
    op: AggregateOp,
    grid: Grid,
) -> Result<Stream<'r>> {
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
        group.add(op, &series.values);
    }
    let series = folded.into_iter().map(|group| group.finish(op)).collect();
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

    fn finish(mut self, op: AggregateOp) -> StepSeries {
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
        StepSeries {
            labels: self.labels,
            drop_name: self.drop_name,
            values: self.value,
            histograms: Vec::new(),
        }
    }
}
