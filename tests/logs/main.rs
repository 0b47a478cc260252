//! Log lines: on a simulated disk, and in a running process.

#[path = "../daemon/process.rs"]
#[allow(dead_code)]
mod process;
#[path = "../support/mod.rs"]
mod support;

mod evidence;
mod sending;
mod simulation;
mod sources;
