//! The watch as a whole: on a simulated disk and a clock moved by hand, in a running process, and
//! beside the programs it speaks to.

#[path = "../daemon/process.rs"]
#[allow(dead_code)]
mod process;
#[path = "../support/mod.rs"]
mod support;

mod alertmanager;
mod checks;
mod pending_kill;
mod rule_api;
mod ruler;
mod sending;
