//! Features, outcomes and experiments: on a simulated disk, and in a running process.

#[path = "../daemon/process.rs"]
#[allow(dead_code)]
mod process;
#[path = "../support/mod.rs"]
mod support;

mod evaluate;
mod features;
mod forgetting;
mod guarding;
mod ledger_kill;
mod ledger_simulation;
mod lifecycle;
