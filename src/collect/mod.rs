//! What vedette goes and gets by itself: the host's metrics, its own, and those of targets.
//!
//! Owns: the host collector, the process's own figures, scraping with relabelling and target
//! discovery. Never: storing. What was collected is handed to a sink that the daemon provides;
//! the engine is not known here. Start reading at [`host::HostCollector`] and
//! [`targets::Targets`].

pub mod host;
pub mod own;
pub mod relabel;
pub mod scrape;
pub mod targets;

pub use crate::telemetry::Collected;
