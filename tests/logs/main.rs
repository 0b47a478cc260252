//! Log lines: on a simulated disk, and in a running process.

#[path = "../support/mod.rs"]
mod support;

mod simulation;
