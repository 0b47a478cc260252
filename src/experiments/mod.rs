//! Experiments: who gets what, how they live, what their results come to.
//!
//! Owns: assignment, the life of an experiment, sums of results, their analysis, guardrails.
//! Never: storage, time or requests. Start reading at `in_force.rs`, then `assign/`; of results
//! at `accumulate.rs`, then `analyze/`.

pub mod accumulate;
pub mod analyze;
pub mod assign;
pub mod guard;
mod in_force;
mod outcome;
mod shares;

pub use accumulate::{Cell, CellSums, Sums, fold};
pub use analyze::{
    Analysis, Decision, EstimatePoint, Progress, Readiness, advance, analyze, points,
    sample_ratio_of,
};
pub use assign::{Assignment, Condition, Exposure, Reason, UNIT_BYTES_MAX, assign, check_unit};
pub use guard::{GuardrailVerdict, Verdict, guard, may_step};
pub use in_force::{Board, InForce, normalised};
pub use outcome::results_of;
pub use shares::{Shares, shares};
