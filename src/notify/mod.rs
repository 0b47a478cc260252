//! Who is told what, when, and in which words.
//!
//! Owns: the tree of routes, groups of alerts and their clocks; the message behind a notification
//! and its form for every kind of channel, own templates; what failures mean and how long to
//! wait, and the joining of what waits. Never: storage, time or sending; `engine/watch` keeps the
//! groups and `senders` speaks to channels. Start reading at `route.rs`, then `group.rs`; for
//! words at [`Outgoing`].

pub mod coalesce;
mod compose;
mod group;
#[cfg(test)]
mod group_tests;
mod outgoing;
pub mod render;
pub mod retry;
mod route;

pub use compose::{ALERTS_MAX, compose, notified};
pub use group::{Flush, Group, Member, Standing, Told};
pub use outgoing::Outgoing;
pub use route::{DEPTH_MAX, Routed, Timing, route};
