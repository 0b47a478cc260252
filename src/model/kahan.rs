//! Compensated summation.

/// One step of Neumaier's summation (`Inc` in `util/kahansum`): the new sum and compensation.
#[inline(always)]
pub fn kahan_add(value: f64, sum: f64, compensation: f64) -> (f64, f64) {
    let total = sum + value;
    // Written so that it compiles to selections instead of branches: which of the two is larger
    // cannot be predicted.
    let (large, small) = if sum.abs() >= value.abs() { (sum, value) } else { (value, sum) };
    let lost = (large - total) + small;
    let compensation = if total.is_infinite() { 0.0 } else { compensation + lost };
    (total, compensation)
}
