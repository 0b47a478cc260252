//! What vedette goes and gets by itself: the host's metrics, its own, those of targets, and log
//! lines.
//!
//! Owns: the host collector, the process's own figures, scraping with relabelling and target
//! discovery, syslog, the journal and log files. Never: storing. What was collected is handed to a sink that the daemon provides;
//! the engine is not known here. Start reading at [`host::HostCollector`] and
//! [`targets::Targets`], and at [`logs`].

pub mod host;
pub mod logs;
pub mod own;
pub mod relabel;
pub mod scrape;
pub mod targets;

pub use crate::telemetry::Collected;
