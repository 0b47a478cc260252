//! Calls of functions that take instant vectors.

use super::super::annotations::Annotation;
use super::super::answer::QueryError;
use super::super::ast::{Call, Expr};
use super::super::functions::{Kind, absent, info, labels, sort};
use super::super::histogram;
use super::super::span::Span;
use super::grid::{Grid, Scalars, StepSeries};
use super::merge::{Replay, collect, merge_by_labels};
use super::run::{Result, Run, SeriesStream, Stream};
use super::scalar::scalars;
use super::string_value;
use super::vector::{constant_stream, map_histograms, map_steps, map_values, vector};
use super::{range_call, selector};

/// The series of a call that gives an instant vector.
pub(super) fn open<'r>(run: &'r Run<'r>, call: &'r Call, grid: Grid) -> Result<Stream<'r>> {
    let name = call.function.name;
    let arg = |place: usize| {
        call.args.get(place).ok_or_else(|| {
            QueryError::Execution(format!("{name} lacks its argument {}", place + 1))
        })
    };
    let series = |place: usize| vector(run, arg(place)?, grid, Some(name));
    let number = |place: usize| scalars(run, arg(place)?, grid);
    let sorts = matches!(
        call.function.kind,
        Kind::Sort | Kind::SortDesc | Kind::SortByLabel | Kind::SortByLabelDesc
    );
    if sorts && grid.len > 1 {
        run.note(Annotation::SortInRangeQuery, call.span);
    }
    Ok(match call.function.kind {
        Kind::Map(function) => map_values(series(0)?, move |_, value| function(value)),
        Kind::Round => {
            let nearest = match call.args.get(1) {
                Some(_) => number(1)?,
                None => Scalars::Constant(1.0),
            };
            map_values(series(0)?, move |step, value| {
                // Inverting first loses less (funcRound).
                let inverse = 1.0 / nearest.at(step);
                (value * inverse + 0.5).floor() / inverse
            })
        }
        Kind::Clamp => clamp(series(0)?, number(1)?, number(2)?),
        Kind::ClampMin => clamp(series(0)?, number(1)?, Scalars::Constant(f64::INFINITY)),
        Kind::ClampMax => clamp(series(0)?, Scalars::Constant(f64::NEG_INFINITY), number(1)?),
        Kind::Date(part) => match call.args.first() {
            Some(_) => map_values(series(0)?, move |_, value| part.of(value)),
            None => {
                let values = (0..grid.len).map(|step| part.of((grid.at(step) / 1000) as f64));
                constant_stream(run, Scalars::Steps(values.collect()), grid)
            }
        },
        Kind::Vector => constant_stream(run, number(0)?, grid),
        Kind::Timestamp => match arg(0)?.unwrap_parens() {
            // Of a selector itself the times of the samples are known.
            Expr::Vector(vector) => selector::open(run, vector, grid, Some(name), true)?,
            _ => map_steps(series(0)?, move |step| grid.at(step) as f64 / 1000.0),
        },
        Kind::Absent => absent::absent(run, arg(0)?, grid)?,
        Kind::AbsentOverTime => {
            let present = range_call::steps_with_samples(run, arg(0)?, grid)?;
            absent::where_missing(run, arg(0)?, &present)
        }
        Kind::Range(kind) => range_call::open(run, call, kind, grid)?,
        Kind::HistogramQuantile => {
            let (quantile, buckets) = (argument_span(arg(0)?), argument_span(arg(1)?));
            let spans =
                histogram::Spans { quantile, native: quantile, buckets, monotonicity: buckets };
            histogram::quantile(run, number(0)?, series(1)?, grid, spans)?
        }
        Kind::HistogramFraction => {
            let spans = (argument_span(arg(0)?), argument_span(arg(2)?));
            histogram::fraction(run, number(0)?, number(1)?, series(2)?, grid, spans)?
        }
        Kind::NativeHistogram(function) => map_histograms(series(0)?, function),
        Kind::LabelReplace => labels::replace(run, series(0)?, &call.args)?,
        Kind::LabelJoin => labels::join(run, series(0)?, &call.args)?,
        Kind::Sort => sort::by_value(run, series(0)?, grid, false)?,
        Kind::SortDesc => sort::by_value(run, series(0)?, grid, true)?,
        Kind::SortByLabel => sort::by_label(run, series(0)?, &call.args, grid, false)?,
        Kind::SortByLabelDesc => sort::by_label(run, series(0)?, &call.args, grid, true)?,
        Kind::HistogramQuantiles => quantiles(run, call, series(0)?, grid)?,
        Kind::Info => info::enrich(run, call, series(0)?, grid)?,
        Kind::Time
        | Kind::Pi
        | Kind::Scalar
        | Kind::Start
        | Kind::End
        | Kind::Step
        | Kind::QueryRange
        | Kind::MinOf
        | Kind::MaxOf => constant_stream(run, scalar_call(run, call, grid)?, grid),
    })
}

/// `histogram_quantiles(v, label, φ…)`: the series of each quantile, told apart by a label.
fn quantiles<'r>(
    run: &'r Run<'r>,
    call: &'r Call,
    stream: Stream<'r>,
    grid: Grid,
) -> Result<Stream<'r>> {
    let [vector, label, wanted @ ..] = call.args.as_slice() else { return Ok(stream) };
    let (buckets, monotonicity) = (argument_span(vector), argument_span(label));
    let input = collect(run, stream)?;
    let mut held = run.hold(0)?;
    let mut all = Vec::new();
    for one in wanted {
        let q = scalars(run, one, grid)?;
        let spans = histogram::Spans {
            quantile: argument_span(one),
            native: buckets,
            buckets,
            monotonicity,
        };
        let copy = Replay::stream(input.series.clone(), run.hold(0)?);
        let mut stream = histogram::quantile(run, q.clone(), copy, grid, spans)?;
        let mut series = StepSeries::default();
        while stream.next(&mut series)? {
            held.grow(series.values.len())?;
            labels::split_by_step(&series, string_value(label), |step| q.at(step), &mut all)?;
        }
    }
    Ok(Replay::stream(merge_by_labels(all)?, held))
}

/// Where Prometheus says that an argument stands: parentheses around it do not count, and a
/// subquery it takes for something at the very start (its engine puts a selector without a place
/// there, `evalSubquery` in `promql/engine.go`).
pub(in crate::promql) fn argument_span(expr: &Expr) -> Span {
    match expr.unwrap_parens() {
        Expr::Subquery(_) => Span::new(0, 0),
        other => other.span(),
    }
}

/// A scalar function where a vector is wanted cannot pass the type check; `vector(…)` does it.
fn scalar_call<'r>(run: &'r Run<'r>, call: &'r Call, grid: Grid) -> Result<Scalars> {
    match call.args.first() {
        Some(arg) => scalars(run, arg, grid),
        None => Ok(Scalars::Constant(f64::NAN)),
    }
}

struct Clamp<'r> {
    inner: Stream<'r>,
    min: Scalars,
    max: Scalars,
}

fn clamp<'r>(inner: Stream<'r>, min: Scalars, max: Scalars) -> Stream<'r> {
    Box::new(Clamp { inner, min, max })
}

impl SeriesStream for Clamp<'_> {
    fn next(&mut self, out: &mut StepSeries) -> Result<bool> {
        if !self.inner.next(out)? {
            return Ok(false);
        }
        out.drop_name = true;
        out.drop_histograms();
        for (step, value) in out.values.iter_mut().enumerate() {
            let (min, max) = (self.min.at(step), self.max.at(step));
            if super::is_absent(*value) {
                continue;
            }
            *value = if max < min { super::ABSENT } else { go_max(min, go_min(max, *value)) };
        }
        Ok(true)
    }
}

/// Go's `math.Max`: NaN wins over everything but +Inf.
pub(in crate::promql) fn go_max(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        f64::INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a == 0.0 && a == b {
        // Of the two zeros the positive one.
        if a.is_sign_negative() { b } else { a }
    } else {
        a.max(b)
    }
}

/// Go's `math.Min`: NaN wins over everything but -Inf.
pub(super) fn go_min(a: f64, b: f64) -> f64 {
    -go_max(-a, -b)
}
