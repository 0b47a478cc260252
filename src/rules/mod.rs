//! Rules: what is recorded from other series, and what alerts hold.
//!
//! Owns: rule files and their checks, templates, what one evaluation writes, when a group is due,
//! the life of alerts, unit tests of rules. Never: reading files, asking a store, waiting; those
//! who run rules hand answers and times in. Start reading at [`RuleFile::parse`], then
//! [`GroupState`] and [`AlertStates`].

mod alert;
mod check;
mod file;
mod recording;
mod schedule;
mod slo;
mod state;
pub mod template;
pub mod unit_test;
mod yaml;

pub use alert::{Alert, AlertContext, AlertState, AlertStates};
pub use check::{Duplicate, duplicates};
pub use file::{Group, Rule, RuleFile, RuleKind};
pub use recording::{RuleError, record, vector_of};
pub use schedule::Schedule;
pub use slo::{OBJECTIVES_FILE, objective_group};
pub use state::{GroupState, Health, RuleState};
pub use yaml::{Fault, Place};
