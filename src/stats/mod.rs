//! Statistics: estimates, intervals and tests, right at any size of numbers.
//!
//! Owns: exact sums, what is estimated from them, distributions, fixed and sequential tests,
//! power. Never: experiments, variants or decisions; numbers go in and come out. What cannot be
//! computed is `None`, never NaN or infinity.
//! Start reading at [`Moments`]: what a sample is kept as; [`Estimate`] is what every test asks.

pub mod counts;
mod dyadic;
mod estimate;
mod exact;
#[cfg(test)]
mod figures;
pub mod gate;
mod moments;
mod pairs;
pub mod sequential;
pub mod sketch;
pub mod srm;

pub use dyadic::Dyadic;
pub use estimate::{Adjusted, Estimate};
pub use exact::{ExactSum, ExactSumError, VALUE_MAX, summable};
pub use moments::Moments;
pub use pairs::PairMoments;
