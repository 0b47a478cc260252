//! The watch as a whole: on a simulated disk and a clock moved by hand, and in a running process.

#[path = "../daemon/process.rs"]
#[allow(dead_code)]
mod process;
#[path = "../support/mod.rs"]
mod support;

mod pending_kill;
mod rule_api;
mod ruler;
