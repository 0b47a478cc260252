//! What asks other systems how they are.
//!
//! Owns: one probe per kind of check: its settings, its protocol, its clock of phases. Never: when
//! to ask, or what an answer means (`checks/` judges). Start reading at [`Probe`], then
//! `attempt.rs`.

#![allow(dead_code, reason = "kinds that need it are being built")]

mod attempt;
mod connect;
mod cursor;
mod dns;
mod exec;
mod grpc;
mod host;
mod http;
mod icmp;
mod line;
mod model;
mod mysql;
mod postgres;
mod redis;
mod rows;
mod server;
mod settings;
mod ssh;
mod target;
mod tcp;
mod tls;
mod transport;
mod websocket;
mod wire;

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::model::{CheckDefinition, CheckKind, Observation};

pub use exec::{nagios_status, needs_file_origin};

/// A check's question, ready to be asked any number of times.
pub trait Probe: Send + Sync {
    /// Asks once. Always ends within `timeout`; what went wrong is part of the answer. Dropping
    /// the future gives up at once.
    fn ask(&self, timeout: Duration) -> BoxFuture<'_, Observation>;
}

/// Reads a check's target and settings.
///
/// # Errors
///
/// Which field is wrong, why, and what to write instead.
pub fn prepare(check: &CheckDefinition) -> Result<Box<dyn Probe>, String> {
    match check.kind {
        CheckKind::Http => http::prepare(check),
        CheckKind::Tcp => tcp::prepare(check),
        CheckKind::Icmp => icmp::prepare(check),
        CheckKind::Dns => dns::prepare(check),
        CheckKind::Tls => tls::prepare(check),
        CheckKind::Grpc => grpc::prepare(check),
        CheckKind::WebSocket => websocket::prepare(check),
        CheckKind::Exec => exec::prepare(check),
        CheckKind::Postgres => postgres::prepare(check),
        CheckKind::Mysql => mysql::prepare(check),
        CheckKind::Redis => redis::prepare(check),
        CheckKind::Ssh => ssh::prepare(check),
        CheckKind::Model => model::prepare(check),
        CheckKind::Host => host::prepare(check),
        CheckKind::Heartbeat => Err("kind: a heartbeat is told, and not asked".to_owned()),
    }
}
