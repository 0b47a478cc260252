//! vedette watches a machine, a site or a small fleet, and keeps what it sees in one redb file.
//!
//! This file is the map only; `ARCHITECTURE.md` says what lives where. A module may use modules
//! of lower floors and its own folder, and nothing else.

// Floor 1: plain types and mathematics.
pub mod model;
// Floor 2: pure rooms, settings and the store.
pub mod clock;
pub mod config;
pub mod promql;
pub mod store;
pub mod telemetry;
// Floor 3: wire formats and the time-series engine.
pub mod decode;
// Floor 4: what goes out and looks.
pub mod collect;
// Floor 5: the HTTP interface.
pub mod api;
