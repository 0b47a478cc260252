//! Statistics: estimates, intervals and tests, right at any size of numbers.
//!
//! Owns: exact sums, what is estimated from them, distributions, fixed and sequential tests,
//! power. Never: experiments, variants or decisions; numbers go in and come out. What cannot be
//! computed is `None`, never NaN or infinity. Start reading at `exact.rs`.

pub mod counts;
pub mod gate;
pub mod sequential;
pub mod sketch;
pub mod srm;
