//! The life of incidents: what a signal or a person's act makes of one, and why nobody is told.
//!
//! Owns: the steps of an incident, how an alert becomes one, and the question whether something
//! keeps it from being told: silences, maintenance windows, inhibition. Never: storage, time, or who is told; `engine/watch` brings those
//! together. Start reading at `machine.rs`.

mod correlate;
pub mod inhibit;
mod machine;
#[cfg(test)]
mod machine_tests;
pub mod maintenance;
mod recurrence;
pub mod silence;
mod suppression;

pub use correlate::{admit, cut, open};
pub use machine::{
    Act, ActKind, Effect, Fires, NOTES_MAX, Refused, SNOOZE_MAX_MS, Step, act, ends, escalates,
    fires, wakes,
};
pub use recurrence::{HoldState, Occurrences, Span};
pub use suppression::{NoSuppressions, Suppression, SuppressionKind, Suppressions};
