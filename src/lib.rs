//! vedette watches a machine, a site or a small fleet, and keeps what it sees in one redb file.
//!
//! This file is the map only; `ARCHITECTURE.md` says what lives where. A module may use modules
//! of lower floors and its own folder, and nothing else.

// Floor 1: plain types, mathematics, trust and the files of the dashboard.
pub mod model;
pub mod stats;
pub mod trust;
pub mod ui;
// Floor 2: pure rooms, settings and the store.
pub mod checks;
pub mod clock;
pub mod config;
pub mod experiments;
pub mod features;
pub mod incidents;
pub mod notify;
pub mod promql;
pub mod store;
pub mod telemetry;
// Floor 3: wire formats, probes, rules and the time-series engine.
pub mod decode;
pub mod logs;
pub mod probes;
pub mod rules;
pub mod senders;
pub mod tsdb;
// Floor 4: what measures, and the one way in.
pub mod collect;
pub mod engine;
// Floor 5: the HTTP interface.
pub mod api;
// Floor 6: the running daemon.
pub mod daemon;
// Floor 7: the command line.
pub mod cli;
