//! Features: what outcomes add up to, and how well a feature does.
//!
//! Owns: what an outcome may be, tallies of outcomes, the queries and figures of a summary, the
//! health score, merging configurations. Never: storage, time or requests. Start reading at
//! `tally.rs`.

mod accept;
mod diff;
mod emission;
mod figures;
mod health;
mod latency;
mod queries;
mod tally;

pub use accept::{OutcomeBounds, check_outcome};
pub use diff::{CHANGES_MAX, Change, differences};
pub use emission::{Emission, EmissionRound, OUTCOME_FAMILIES, ROUND_MS, outcome_metadata};
pub use figures::{Figures, ShownFigures, ShownLatency, ShownTokens, shown_number};
pub use health::{Health, HealthPart, LATENCY_TARGET_MS, Signs, health_of, health_score};
pub use latency::{LATENCY_SCHEMA, LatencyTally};
pub use queries::{Figure, QUANTILES, outcome_queries, own_queries};
pub use tally::{TALLY_KEYS_MAX, Tallies, Tally, TallyKey, Total};
