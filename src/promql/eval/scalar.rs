//! Expressions that give one number per step.

use super::super::ast::{Expr, ValueType};
use super::super::binary::scalar_operation;
use super::super::functions::Kind;
use super::call::{go_max, go_min};
use super::grid::{Grid, Scalars, StepSeries, is_absent};
use super::run::{Result, Run};
use super::tally::Counting;
use super::vector::{is_invariant, vector};
use crate::model::is_histogram_mark;

/// The values of a scalar expression.
pub(in crate::promql) fn scalars<'r>(
    run: &'r Run<'r>,
    expr: &'r Expr,
    grid: Grid,
) -> Result<Scalars> {
    if grid.len > 1 && is_invariant(expr) {
        let first = run.admit(grid.first())?;
        let value = run.tally.within(Counting::EveryStep, || scalars(run, expr, first))?.at(0);
        return Ok(Scalars::Constant(value));
    }
    match expr {
        Expr::Number(number) => Ok(Scalars::Constant(number.value)),
        Expr::Paren(paren) => scalars(run, &paren.expr, grid),
        Expr::Unary(unary) => {
            let inner = scalars(run, &unary.expr, grid)?;
            Ok(if unary.negative { inner.map(|v| -v) } else { inner })
        }
        Expr::Binary(binary) => {
            let left = scalars(run, &binary.lhs, grid)?;
            let right = scalars(run, &binary.rhs, grid)?;
            let operation = scalar_operation(binary.op);
            Ok(left.zip(right, grid.len, operation))
        }
        Expr::Call(call) => match (call.function.kind, call.args.first()) {
            (Kind::Pi, _) => Ok(Scalars::Constant(std::f64::consts::PI)),
            (Kind::Start, _) => Ok(Scalars::Constant(run.bounds.0 as f64 / 1000.0)),
            (Kind::End, _) => Ok(Scalars::Constant(run.bounds.1 as f64 / 1000.0)),
            (Kind::QueryRange, _) => {
                let range_ms = run.bounds.1.saturating_sub(run.bounds.0);
                Ok(Scalars::Constant(range_ms as f64 / 1000.0))
            }
            (Kind::Step, _) => Ok(Scalars::Constant(run.step_ms as f64 / 1000.0)),
            (Kind::MinOf | Kind::MaxOf, Some(first)) => {
                let Some(second) = call.args.get(1) else { return scalars(run, first, grid) };
                let choose =
                    if matches!(call.function.kind, Kind::MinOf) { go_min } else { go_max };
                let first = scalars(run, first, grid)?;
                Ok(first.zip(scalars(run, second, grid)?, grid.len, choose))
            }
            (Kind::Scalar, Some(arg)) => only_value(run, arg, grid),
            // Kind::Time; the type check lets no other call through.
            _ => {
                let seconds = (0..grid.len).map(|step| grid.at(step) as f64 / 1000.0);
                Ok(Scalars::Steps(seconds.collect()))
            }
        },
        _ => {
            debug_assert_eq!(expr.value_type(), ValueType::Scalar);
            Ok(Scalars::Constant(f64::NAN))
        }
    }
}

/// `scalar(v)`: the number of the only series at a step, NaN where there is none or more.
fn only_value<'r>(run: &'r Run<'r>, expr: &'r Expr, grid: Grid) -> Result<Scalars> {
    let mut stream = vector(run, expr, grid, Some("scalar"))?;
    let mut counts = vec![0_u8; grid.len];
    let mut values = vec![f64::NAN; grid.len];
    let mut series = StepSeries::default();
    while stream.next(&mut series)? {
        for ((value, count), slot) in series.values.iter().zip(&mut counts).zip(&mut values) {
            // Histograms do not count.
            if !is_absent(*value) && !is_histogram_mark(*value) {
                *slot = if *count == 0 { *value } else { f64::NAN };
                *count = 1;
            }
        }
    }
    Ok(Scalars::Steps(values))
}
