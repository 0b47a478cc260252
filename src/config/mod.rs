//! Settings: what may be set, its defaults and its checks.
//!
//! Owns: one struct per topic, loading, validation. Never: acting on a setting. Start reading at
//! [`Limits`].

mod limits;

pub use limits::Limits;
