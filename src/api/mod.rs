//! The HTTP interface.
//!
//! Owns: routes, access, parameters, answers, statuses and the accept loop. Never: deciding
//! anything about the data; that is the business of the rooms below. Start reading at
//! [`router`].

mod admin;
mod alertmanager;
mod alerts;
mod answer;
mod auth;
mod backtest;
mod body;
mod channels;
mod check_history;
mod checks;
mod deliveries;
mod error;
mod exemplars;
mod experiments;
mod features;
mod federate;
mod guard;
mod hidden;
mod incidents;
mod ingest;
mod json;
mod listen;
mod live;
mod logs;
mod maintenance;
mod objectives;
mod objects;
mod openapi;
mod otlp;
mod outcomes;
mod overview;
mod page;
mod params;
mod ping;
mod query;
mod request;
mod router;
mod rule_definitions;
mod rules;
mod series;
mod session;
mod silences;
mod state;
mod stats;
mod status;
mod syntax;
mod targets;
mod tls;
pub mod tokens;

pub use auth::Gate;
pub use error::{ApiError, ErrorKind};
pub use listen::{CurrentTls, ListenOptions, serve};
pub use live::Pace;
pub use openapi::document as openapi_document;
pub use router::router;
pub use state::{App, Engine, Phase, ReloadRequest};
pub use tls::load_tls;

#[cfg(test)]
mod export_tests;
#[cfg(test)]
mod tests;
