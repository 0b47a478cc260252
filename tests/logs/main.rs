//! Log lines in a running process.

#[path = "../daemon/process.rs"]
#[allow(dead_code)]
mod process;

mod evidence;
