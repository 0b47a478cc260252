//! Asking one target for its metrics.
//!
//! Owns: what a target is ([`Target`]), one HTTP request ([`Client`]), and what an answer means
//! ([`ScrapeState`], pure). Never: when to scrape, which is the business of
//! [`super::targets`]. Start reading at [`ScrapeState::apply`].

mod client;
mod state;
mod target;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;

pub use client::{Answer, Client};
pub use state::{Outcome, ScrapeState};
pub use target::{Plan, PlanError, Pool, Target};
