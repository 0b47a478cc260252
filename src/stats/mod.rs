//! Statistics: estimates, intervals and tests, right at any size of numbers.
//!
//! Owns: exact sums, what is estimated from them, distributions, fixed and sequential tests,
//! power. Never: experiments, variants or decisions; numbers go in and come out. What cannot be
//! computed is `None`, never NaN or infinity.
//! Start reading at [`Moments`], what a sample is kept as; then [`Estimate`], which every test
//! asks; then [`sequential`], the tests that hold while they are watched.

pub mod counts;
mod distributions;
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

pub use distributions::{
    beta_cdf, beta_sf, chi2_sf, f_sf, ln_gamma, normal_cdf, normal_isf, normal_pdf,
    normal_quantile, normal_sf, t_isf, t_quantile, t_sf,
};
pub use dyadic::Dyadic;
pub use estimate::{Adjusted, Estimate};
pub use exact::{ExactSum, ExactSumError, VALUE_MAX, summable};
pub use moments::Moments;
pub use pairs::PairMoments;
