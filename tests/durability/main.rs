//! The real process, killed and starved: what was acknowledged is there.

mod disk_full;
mod exemplars;
mod kill;
#[path = "../daemon/process.rs"]
#[allow(dead_code)]
mod process;
