//! The door that everything is written through, and the upkeep behind it.
//!
//! Owns: reading requests into batches, the queue and the one thread that commits groups of
//! them, when to flush, merge and expire, and when rule groups are due. Never: HTTP, or what data means. Start reading at
//! [`Pipeline`].

pub mod checker;
pub mod configurations;
pub mod experiments;
pub mod feed;
mod group;
pub mod history;
mod intake;
pub mod logs;
pub mod outbox;
pub mod outcomes;
pub mod overview;
mod pipeline;
pub mod ruler;
pub mod scrub;
pub mod summaries;
mod upkeep;
pub mod watch;

pub use intake::Intake;
pub use pipeline::{Pipeline, Policy, WriteError, Written};
pub use upkeep::{Upkeep, UpkeepReport};
