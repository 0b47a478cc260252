//! Rules: what is recorded from other series, and what alerts hold.
//!
//! Owns: rule files and their checks, definitions of ours, templates, what one evaluation writes,
//! when a group is due, the life of alerts and the form in which it is kept, unit tests of rules.
//! Never: reading files, waiting, deciding who is told; those who run rules hand answers and times
//! in. Start reading at [`RuleFile::parse`] and [`compile`], then [`evaluate_step`].

mod alert;
mod alert_rule;
#[cfg(test)]
mod alert_tests;
mod check;
mod defaults;
mod definition;
mod explain;
mod file;
mod held;
mod inputs;
mod recording;
mod schedule;
mod simple;
mod slo;
mod state;
mod step;
mod stored;
pub mod template;
pub mod unit_test;
mod yaml;

pub use alert::{ALERTS_FOR_STATE, Alert, AlertContext, AlertState, Clocks, SHADOW_LABEL};
pub use alert_rule::{AlertRule, Condition, compares};
pub use check::{Duplicate, duplicates};
pub use defaults::default_rules;
pub use definition::{Compiled, compile};
pub use explain::{
    EVALUATIONS_KEPT, Evaluation, Evaluations, Found, ShownAlert, shown_alerts, shown_values,
};
pub use file::{Group, Rule, RuleFile, RuleKind};
pub use inputs::{Input, all_missing, are_fresh, inputs};
pub use recording::{RuleError, record, vector_of};
pub use schedule::Schedule;
pub use slo::{OBJECTIVES_FILE, objective_group};
pub use state::{GroupState, Health, RuleState};
pub use step::{AlertStates, Finding, Outcome, Step, Telling, evaluate_step};
pub use stored::{Changes, Restored, Saved, StoredAlert, StoredRule, StoredState, alert_id};
pub use yaml::{Fault, Place};
