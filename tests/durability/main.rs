//! The real process, killed and starved: what was acknowledged is there.

mod disk_full;
mod exemplars;
mod handles;
mod kill;
mod opening;
#[path = "../daemon/process.rs"]
#[allow(dead_code)]
mod process;
mod scrub;
#[path = "../support/mod.rs"]
mod support;
