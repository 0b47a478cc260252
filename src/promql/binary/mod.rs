//! Operators between two operands.

mod arithmetic;
mod join;
mod sets;

use super::answer::QueryError;
use super::ast::{Binary, BinaryOp, ValueType};
use super::eval::{
    ABSENT, Grid, Result, Run, Scalars, SeriesStream, StepSeries, Stream, is_absent, scalars,
    vector,
};

pub(super) use arithmetic::scalar_operation;

/// The series of an operator of which at least one operand is a vector.
pub(super) fn open<'r>(run: &'r Run<'r>, binary: &'r Binary, grid: Grid) -> Result<Stream<'r>> {
    let matching = binary.matching.as_ref();
    if matching.is_some_and(|m| m.fill_left.is_some() || m.fill_right.is_some()) {
        return Err(QueryError::Execution("modifier fill is not evaluated yet".to_owned()));
    }
    if matches!(binary.op, BinaryOp::TrimUpper | BinaryOp::TrimLower) {
        let op = binary.op.as_str();
        return Err(QueryError::Execution(format!("operator {op} is not evaluated yet")));
    }
    let scalar_left = binary.lhs.value_type() == ValueType::Scalar;
    let scalar_right = binary.rhs.value_type() == ValueType::Scalar;
    if scalar_left || scalar_right {
        let (expr, other) =
            if scalar_left { (&binary.rhs, &binary.lhs) } else { (&binary.lhs, &binary.rhs) };
        let numbers = scalars(run, other, grid)?;
        let inner = vector(run, expr, grid, None)?;
        let returns_bool = binary.return_bool;
        return Ok(Box::new(WithScalar {
            inner,
            numbers,
            op: binary.op,
            scalar_left,
            returns_bool,
        }));
    }
    let lhs = vector(run, &binary.lhs, grid, None)?;
    let rhs = vector(run, &binary.rhs, grid, None)?;
    if binary.op.is_set() {
        return sets::open(run, binary, lhs, rhs, grid);
    }
    join::open(run, binary, lhs, rhs, grid)
}

/// A vector and a scalar.
struct WithScalar<'r> {
    inner: Stream<'r>,
    numbers: Scalars,
    op: BinaryOp,
    scalar_left: bool,
    returns_bool: bool,
}

impl SeriesStream for WithScalar<'_> {
    fn next(&mut self, out: &mut StepSeries) -> Result<bool> {
        if !self.inner.next(out)? {
            return Ok(false);
        }
        if !self.op.is_comparison() || self.returns_bool {
            out.drop_name = true;
        }
        let (op, left, filters) =
            (self.op, self.scalar_left, self.op.is_comparison() && !self.returns_bool);
        for (step, value) in out.values.iter_mut().enumerate() {
            if is_absent(*value) {
                continue;
            }
            let number = self.numbers.at(step);
            let (a, b) = if left { (number, *value) } else { (*value, number) };
            if !filters {
                *value = arithmetic::apply(op, a, b);
            } else if !arithmetic::compares(op, a, b) {
                // A comparison lets the vector's value through, whichever side it is on.
                *value = ABSENT;
            }
        }
        Ok(true)
    }
}
