//! The watch as a whole, in a running process and beside the programs it speaks to.

#[path = "../daemon/process.rs"]
#[allow(dead_code)]
mod process;

mod alertmanager;
