//! What operators do to two numbers.

use super::super::ast::BinaryOp;

/// The value of an operator; comparisons give 0 or 1.
#[inline]
pub(super) fn apply(op: BinaryOp, a: f64, b: f64) -> f64 {
    match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Div => a / b,
        BinaryOp::Mod => a % b,
        BinaryOp::Pow => a.powf(b),
        BinaryOp::Atan2 => a.atan2(b),
        op => f64::from(u8::from(compares(op, a, b))),
    }
}

/// Whether a comparison holds. Nothing equals NaN.
#[inline]
pub(super) fn compares(op: BinaryOp, a: f64, b: f64) -> bool {
    match op {
        BinaryOp::Equal => a == b,
        BinaryOp::NotEqual => a != b,
        BinaryOp::Less => a < b,
        BinaryOp::LessEqual => a <= b,
        BinaryOp::Greater => a > b,
        BinaryOp::GreaterEqual => a >= b,
        _ => false,
    }
}

/// The operator between two scalars.
pub(in crate::promql) fn scalar_operation(op: BinaryOp) -> impl Fn(f64, f64) -> f64 {
    move |a, b| apply(op, a, b)
}
