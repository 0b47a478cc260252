//! Expressions that give series: which part of the evaluator is in charge.

use std::sync::Arc;

use super::super::ast::Expr;
use super::super::functions::Kind;
use super::super::{aggregate, binary};
use super::grid::{Grid, Scalars, StepSeries, is_absent};
use super::run::{Result, Run, SeriesStream, Stream};
use super::settle::settle;
use super::tally::Counting;
use super::{call, selector};
use crate::model::{Histogram, Labels, is_histogram_mark};

/// The series of an expression at the steps of a grid. `around` names the function or
/// aggregation directly around it, for the store's hints.
pub(in crate::promql) fn vector<'r>(
    run: &'r Run<'r>,
    expr: &'r Expr,
    grid: Grid,
    around: Option<&'static str>,
) -> Result<Stream<'r>> {
    if grid.len > 1 && is_invariant(expr) {
        let inner =
            run.tally.within(Counting::EveryStep, || vector(run, expr, grid.first(), around))?;
        return Ok(Box::new(Repeat { inner, len: grid.len }));
    }
    let stream = match expr {
        Expr::Vector(vector) => return selector::open(run, vector, grid, around, false),
        Expr::Paren(paren) => return vector(run, &paren.expr, grid, around),
        Expr::Aggregate(aggregate) => return aggregate::open(run, aggregate, grid),
        Expr::Unary(unary) => {
            let inner = vector(run, &unary.expr, grid, None)?;
            if !unary.negative {
                return Ok(inner);
            }
            Box::new(Negate(inner))
        }
        Expr::Binary(binary) => binary::open(run, binary, grid)?,
        Expr::Call(function) => call::open(run, function, grid)?,
        // The type check lets scalars, texts and ranges through nowhere but where their own
        // functions ask for them.
        Expr::Number(_) | Expr::String(_) | Expr::Matrix(_) | Expr::Subquery(_) => {
            return Ok(constant_stream(run, Scalars::Constant(f64::NAN), grid));
        }
    };
    settle(run, expr, stream)
}

/// Whether an expression has the same value at every step: everything in it is fixed by `@` or
/// constant (`preprocessExprHelper` in `promql/engine.go`).
pub(super) fn is_invariant(expr: &Expr) -> bool {
    match expr {
        Expr::Number(_) | Expr::String(_) => true,
        Expr::Vector(selector) => selector.at.is_some(),
        Expr::Matrix(matrix) => matrix.selector.at.is_some(),
        Expr::Subquery(subquery) => subquery.at.is_some(),
        Expr::Paren(paren) => is_invariant(&paren.expr),
        Expr::Unary(unary) => is_invariant(&unary.expr),
        Expr::Binary(binary) => is_invariant(&binary.lhs) && is_invariant(&binary.rhs),
        // Prometheus does not look at the parameter: it is taken at the first step then.
        Expr::Aggregate(aggregate) => is_invariant(&aggregate.expr),
        Expr::Call(call) => {
            let depends_on_time = match call.function.kind {
                Kind::Time | Kind::Timestamp => true,
                Kind::Date(_) => call.args.is_empty(),
                Kind::Range(super::super::functions::RangeKind::PredictLinear) => true,
                _ => false,
            };
            !depends_on_time && call.args.iter().all(is_invariant)
        }
    }
}

/// Gives the value of one step at every step.
struct Repeat<'r> {
    inner: Stream<'r>,
    len: usize,
}

impl SeriesStream for Repeat<'_> {
    fn next(&mut self, out: &mut StepSeries) -> Result<bool> {
        if !self.inner.next(out)? {
            return Ok(false);
        }
        if let Some(value) = out.values.first().copied() {
            out.values.resize(self.len, value);
        }
        if let Some(histogram) = out.histograms.first().cloned() {
            out.histograms.resize(self.len, histogram);
        }
        Ok(true)
    }
}

/// Turns the sign of everything.
struct Negate<'r>(Stream<'r>);

impl SeriesStream for Negate<'_> {
    fn next(&mut self, out: &mut StepSeries) -> Result<bool> {
        if !self.0.next(out)? {
            return Ok(false);
        }
        out.drop_name = true;
        for value in &mut out.values {
            if !is_absent(*value) && !is_histogram_mark(*value) {
                *value = -*value;
            }
        }
        for histogram in out.histograms.iter_mut().flatten() {
            Arc::make_mut(histogram).mul(-1.0);
        }
        Ok(true)
    }
}

struct MapValues<'r, F> {
    inner: Stream<'r>,
    f: F,
    /// Whether histograms get a value too.
    everything: bool,
}

impl<F: Fn(usize, f64) -> f64> SeriesStream for MapValues<'_, F> {
    fn next(&mut self, out: &mut StepSeries) -> Result<bool> {
        if !self.inner.next(out)? {
            return Ok(false);
        }
        out.drop_name = true;
        if self.everything {
            out.histograms.clear();
        } else {
            out.drop_histograms();
        }
        for (step, value) in out.values.iter_mut().enumerate() {
            if !is_absent(*value) {
                *value = (self.f)(step, *value);
            }
        }
        Ok(true)
    }
}

/// Applies a function of step and value to every number; histograms go, and the metric's name.
pub(super) fn map_values<'r>(inner: Stream<'r>, f: impl Fn(usize, f64) -> f64 + 'r) -> Stream<'r> {
    Box::new(MapValues { inner, f, everything: false })
}

/// Replaces numbers and histograms by a function of the step; the metric's name goes.
pub(super) fn map_steps<'r>(inner: Stream<'r>, f: impl Fn(usize) -> f64 + 'r) -> Stream<'r> {
    Box::new(MapValues { inner, f: move |step, _| f(step), everything: true })
}

struct MapHistograms<'r> {
    inner: Stream<'r>,
    f: fn(&Histogram) -> f64,
}

impl SeriesStream for MapHistograms<'_> {
    fn next(&mut self, out: &mut StepSeries) -> Result<bool> {
        if !self.inner.next(out)? {
            return Ok(false);
        }
        out.drop_name = true;
        out.drop_numbers();
        for (value, histogram) in out.values.iter_mut().zip(&out.histograms) {
            if let (true, Some(histogram)) = (is_histogram_mark(*value), histogram) {
                *value = (self.f)(histogram);
            }
        }
        out.histograms.clear();
        Ok(true)
    }
}

/// Applies a function to every histogram; numbers go, and the metric's name.
pub(super) fn map_histograms<'r>(inner: Stream<'r>, f: fn(&Histogram) -> f64) -> Stream<'r> {
    Box::new(MapHistograms { inner, f })
}

struct OnlyNumbers<'r>(Stream<'r>);

impl SeriesStream for OnlyNumbers<'_> {
    fn next(&mut self, out: &mut StepSeries) -> Result<bool> {
        let found = self.0.next(out)?;
        out.drop_histograms();
        Ok(found)
    }
}

/// The series without their histograms.
pub(in crate::promql) fn only_numbers(inner: Stream<'_>) -> Stream<'_> {
    Box::new(OnlyNumbers(inner))
}

/// One series without labels.
struct Lone(Option<Vec<f64>>);

impl SeriesStream for Lone {
    fn next(&mut self, out: &mut StepSeries) -> Result<bool> {
        let Some(values) = self.0.take() else { return Ok(false) };
        *out = StepSeries { labels: Labels::empty(), values, ..StepSeries::default() };
        Ok(true)
    }
}

/// Scalars as one series without labels.
pub(in crate::promql) fn constant_stream<'r>(
    _run: &'r Run<'r>,
    scalars: Scalars,
    grid: Grid,
) -> Stream<'r> {
    let values = match scalars {
        Scalars::Constant(value) => vec![value; grid.len],
        Scalars::Steps(values) => values,
    };
    Box::new(Lone(Some(values)))
}
