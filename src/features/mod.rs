//! Features: what outcomes add up to, and how well a feature does.
//!
//! Owns: tallies of outcomes, the queries and figures of a summary, the health score. Never:
//! storage, time or requests. Start reading at `tally.rs`.
