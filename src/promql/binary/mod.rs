//! Operators between two operands.

mod arithmetic;
mod join;
mod sets;

use std::sync::Arc;

use super::annotations::Annotation;
use super::ast::{Binary, BinaryOp, ValueType};
use super::eval::{
    ABSENT, Grid, Result, Run, Scalars, SeriesStream, StepSeries, Stream, is_absent, scalars,
    vector,
};

use super::native::{Element, Outcome, operate};
use super::span::Span;
use crate::model::is_histogram_mark;

pub(super) use arithmetic::scalar_operation;

/// The series of an operator of which at least one operand is a vector.
pub(super) fn open<'r>(run: &'r Run<'r>, binary: &'r Binary, grid: Grid) -> Result<Stream<'r>> {
    let scalar_left = binary.lhs.value_type() == ValueType::Scalar;
    let scalar_right = binary.rhs.value_type() == ValueType::Scalar;
    if scalar_left || scalar_right {
        let (expr, other) =
            if scalar_left { (&binary.rhs, &binary.lhs) } else { (&binary.lhs, &binary.rhs) };
        let numbers = scalars(run, other, grid)?;
        let inner = vector(run, expr, grid, None)?;
        let returns_bool = binary.return_bool;
        return Ok(Box::new(WithScalar {
            run,
            span: binary.lhs.span().to(binary.rhs.span()),
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
    run: &'r Run<'r>,
    span: Span,
    inner: Stream<'r>,
    numbers: Scalars,
    op: BinaryOp,
    scalar_left: bool,
    returns_bool: bool,
}

/// Whether an operator cuts histograms.
fn is_trimming(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::TrimUpper | BinaryOp::TrimLower)
}

/// What a series has at a step where its value is `value`.
fn element(series: &StepSeries, step: usize, value: f64) -> Element<'_> {
    series.histogram(step).map_or(Element::Number(value), Element::Histogram)
}

/// The outcome of an operator that numbers alone do not have; none between two numbers.
fn with_histograms(
    op: BinaryOp,
    left: Element<'_>,
    right: Element<'_>,
    note: impl FnMut(Annotation),
) -> Option<Outcome> {
    match (left, right) {
        (Element::Number(_), Element::Number(_)) if !is_trimming(op) => None,
        _ => Some(operate(op, left, right, note)),
    }
}

/// Adds the value of a step; a comparison that holds lets the left operand through, or is 1.
fn push(out: &mut StepSeries, outcome: Outcome, left: Element<'_>, returns_bool: bool) {
    let step = out.values.len();
    out.values.push(ABSENT);
    match (outcome, left) {
        (Outcome::Holds(holds), _) if returns_bool => {
            if let Some(slot) = out.values.get_mut(step) {
                *slot = f64::from(u8::from(holds));
            }
        }
        (Outcome::Histogram(histogram), _) => out.set_histogram(step, histogram),
        (Outcome::Holds(true), Element::Histogram(histogram)) => {
            out.set_histogram(step, Arc::clone(histogram));
        }
        _ => {}
    }
}

impl WithScalar<'_> {
    /// Computes the steps that have a histogram; numbers stay, but cannot be trimmed.
    fn with_histograms(&self, out: &mut StepSeries) {
        let note = |annotation| self.run.note(annotation, self.span);
        for step in 0..out.values.len() {
            let number = Element::Number(self.numbers.at(step));
            let value = out.values.get(step).copied().unwrap_or(ABSENT);
            let own = match out.histogram(step) {
                Some(histogram) => Element::Histogram(histogram),
                None if is_trimming(self.op) && !is_absent(value) => Element::Number(value),
                None => continue,
            };
            let (a, b) = if self.scalar_left { (number, own) } else { (own, number) };
            // Comparisons between the two kinds hold never and give nothing.
            match operate(self.op, a, b, note) {
                Outcome::Histogram(histogram) => out.set_histogram(step, histogram),
                Outcome::Holds(_) | Outcome::Nothing => {
                    if let Some(slot) = out.values.get_mut(step) {
                        *slot = ABSENT;
                    }
                }
            }
        }
    }
}

impl SeriesStream for WithScalar<'_> {
    fn next(&mut self, out: &mut StepSeries) -> Result<bool> {
        if !self.inner.next(out)? {
            return Ok(false);
        }
        let trims = is_trimming(self.op);
        if !(self.op.is_comparison() || trims) || self.returns_bool {
            out.drop_name = true;
        }
        if trims || !out.histograms.is_empty() {
            self.with_histograms(out);
        }
        let (op, left, filters) =
            (self.op, self.scalar_left, self.op.is_comparison() && !self.returns_bool);
        for (step, value) in out.values.iter_mut().enumerate() {
            if is_absent(*value) || is_histogram_mark(*value) {
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
