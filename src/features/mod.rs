//! Features: what outcomes add up to, and how well a feature does.
//!
//! Owns: what an outcome may be, tallies of outcomes, the queries and figures of a summary, the
//! health score, merging configurations. Never: storage, time or requests. Start reading at
//! `tally.rs`.

mod accept;
mod latency;
mod tally;

pub use accept::{OutcomeBounds, check_outcome};
pub use latency::{LATENCY_SCHEMA, LatencyTally};
pub use tally::{TALLY_KEYS_MAX, Tallies, Tally, TallyKey, Total};
