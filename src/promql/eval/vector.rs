//! Expressions that give series: which part of the evaluator is in charge.

use super::super::ast::Expr;
use super::super::functions::Kind;
use super::super::{aggregate, binary};
use super::grid::{Grid, Scalars, StepSeries, is_absent};
use super::run::{Result, Run, SeriesStream, Stream};
use super::tally::Counting;
use super::{call, selector};
use crate::model::Labels;

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
    match expr {
        Expr::Vector(vector) => selector::open(run, vector, grid, around, false),
        Expr::Paren(paren) => vector(run, &paren.expr, grid, around),
        Expr::Unary(unary) => {
            let inner = vector(run, &unary.expr, grid, None)?;
            if !unary.negative {
                return Ok(inner);
            }
            Ok(map_values(inner, |_, value| -value))
        }
        Expr::Aggregate(aggregate) => aggregate::open(run, aggregate, grid),
        Expr::Binary(binary) => binary::open(run, binary, grid),
        Expr::Call(function) => call::open(run, function, grid),
        // The type check lets scalars, texts and ranges through nowhere but where their own
        // functions ask for them.
        Expr::Number(_) | Expr::String(_) | Expr::Matrix(_) | Expr::Subquery(_) => {
            Ok(constant_stream(run, Scalars::Constant(f64::NAN), grid))
        }
    }
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
        Expr::Aggregate(aggregate) => {
            is_invariant(&aggregate.expr) && aggregate.param.as_ref().is_none_or(is_invariant)
        }
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
        Ok(true)
    }
}

struct MapValues<'r, F> {
    inner: Stream<'r>,
    f: F,
}

impl<F: Fn(usize, f64) -> f64> SeriesStream for MapValues<'_, F> {
    fn next(&mut self, out: &mut StepSeries) -> Result<bool> {
        if !self.inner.next(out)? {
            return Ok(false);
        }
        out.drop_name = true;
        for (step, value) in out.values.iter_mut().enumerate() {
            if !is_absent(*value) {
                *value = (self.f)(step, *value);
            }
        }
        Ok(true)
    }
}

/// Applies a function of step and value to every value; the metric's name goes.
pub(super) fn map_values<'r>(inner: Stream<'r>, f: impl Fn(usize, f64) -> f64 + 'r) -> Stream<'r> {
    Box::new(MapValues { inner, f })
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
