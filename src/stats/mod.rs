//! Statistics: estimates, intervals and tests, right at any size of numbers.
//!
//! Owns: exact sums, what is estimated from them, distributions, fixed and sequential tests,
//! power. Never: experiments, variants or decisions; numbers go in and come out. What cannot be
//! computed is `None`, never NaN or infinity.
//! Start reading at [`Moments`], what a sample is kept as; then [`Estimate`], which every test
//! asks; then [`sequential`], the tests that hold while they are watched.

mod adjust;
pub mod bayes;
pub mod contrast;
pub mod counts;
mod distributions;
mod dyadic;
mod estimate;
mod exact;
#[cfg(test)]
mod figures;
mod fixed;
pub mod gate;
mod intervals;
mod lift;
mod moments;
mod pairs;
pub mod power;
pub mod sequential;
pub mod sketch;
pub mod srm;

pub use adjust::{Adjustment, adjust};
pub use distributions::{
    beta_cdf, beta_sf, chi2_sf, f_sf, ln_gamma, normal_cdf, normal_isf, normal_pdf,
    normal_quantile, normal_sf, t_isf, t_quantile, t_sf,
};
pub use dyadic::Dyadic;
pub use estimate::{Adjusted, Estimate};
pub use exact::{ExactSum, ExactSumError, VALUE_MAX, summable};
pub use fixed::{FixedTest, pooled_z, satterthwaite, welch};
pub use intervals::{Interval, newcombe, normal_critical, wilson};
pub use lift::{Lift, fieller};
pub use moments::Moments;
pub use pairs::PairMoments;
