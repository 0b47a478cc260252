//! The live feed of a running process: order, resuming, restarts.

#[path = "../daemon/process.rs"]
#[allow(dead_code)]
mod process;
#[path = "../support/mod.rs"]
mod support;

mod order;
mod restart;
mod stream;
mod told;
mod uncommitted;
