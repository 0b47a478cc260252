//! vedette beside the real Prometheus (Debian's 2.42): it takes Prometheus's remote writes, and
//! gives the same answers to the same queries.

#[path = "../daemon/process.rs"]
#[allow(dead_code)]
mod process;

mod alerting;
mod broken;
mod compare;
mod data;
mod differential;
mod exemplars;
mod expression;
mod federation;
mod generate;
mod histograms;
mod known;
mod peer;
mod random;
mod recording;
mod remote_write;
mod rule_files;
mod stats;
