//! What an answer means, when to ask, and how a check is.
//!
//! Owns: conditions and what they make of an observation, schedules with their jitter, the state
//! of one check over its results (thresholds, flapping), heartbeats, and uptime. Never: asking,
//! storing, telling; every step is a function of its arguments, time among them. Start reading at
//! [`Judge`] and [`Verdict`].

mod conditions;
mod heartbeat;
mod schedule;
mod uptime;
mod verdict;

pub use conditions::{Condition, ConditionError, Judge, Judgement};
pub use heartbeat::{Beat, Expectation, Heartbeat};
pub use schedule::{INTERVAL_DEFAULT_MS, INTERVAL_MIN_MS, Late, Schedule};
pub use uptime::{Span, Uptime, uptime};
pub use verdict::{Event, FLAPPING_RESULTS, Policy, Transition, UnknownReason, Verdict};
