//! Who is told what, and when.
//!
//! Owns: the tree of routes, groups of alerts and their clocks, what a message says. Never:
//! storage, time or sending; `engine/watch` keeps the groups and `senders` speaks to channels.
//! Start reading at `route.rs`, then `group.rs`.

mod compose;
mod group;
#[cfg(test)]
mod group_tests;
mod route;

pub use compose::{ALERTS_MAX, compose, notified};
pub use group::{Flush, Group, Member, Standing, Told};
pub use route::{DEPTH_MAX, Routed, Timing, route};
