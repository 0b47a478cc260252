//! How notifications are worded, when they are tried again, and how those that piled up are
//! joined.
//!
//! Owns: the message behind a notification and its form for every kind of channel, own
//! templates, what failures mean and how long to wait, and the joining of what waits. Never:
//! sending anything, or deciding that somebody is to be told. Start reading at [`Outgoing`],
//! then [`coalesce`].

pub mod coalesce;
mod outgoing;
pub mod render;
pub mod retry;

pub use outgoing::Outgoing;
