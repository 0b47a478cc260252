//! Expressions that give one number per step.

use super::super::answer::QueryError;
use super::super::ast::{Expr, ValueType};
use super::super::binary::scalar_operation;
use super::super::functions::Kind;
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
            (
                Kind::Start | Kind::End | Kind::Step | Kind::QueryRange | Kind::MinOf | Kind::MaxOf,
                _,
            ) => {
                let name = call.function.name;
                Err(QueryError::Execution(format!("function {name} is not evaluated yet")))
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
