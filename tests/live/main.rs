//! The live feed of a running process: order, resuming, restarts.

#[path = "../daemon/process.rs"]
#[allow(dead_code)]
mod process;

mod order;
mod restart;
mod stream;
