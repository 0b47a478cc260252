//! What asks other systems how they are.
//!
//! Owns: one probe per kind of check: its settings, its protocol, its clock of phases. Never: when
//! to ask, or what an answer means (`checks/` judges). Start reading at [`Probe`].

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::model::{CheckDefinition, CheckKind, Observation};

/// A check's question, ready to be asked any number of times.
pub trait Probe: Send + Sync {
    /// Asks once. Always ends within `timeout`; what went wrong is part of the answer.
    fn ask(&self, timeout: Duration) -> BoxFuture<'_, Observation>;
}

/// Reads a check's target and settings.
///
/// # Errors
///
/// Which field is wrong, why, and what to write instead.
pub fn prepare(check: &CheckDefinition) -> Result<Box<dyn Probe>, String> {
    match check.kind {
        CheckKind::Http
        | CheckKind::Tcp
        | CheckKind::Icmp
        | CheckKind::Dns
        | CheckKind::Tls
        | CheckKind::Grpc
        | CheckKind::WebSocket
        | CheckKind::Exec
        | CheckKind::Postgres
        | CheckKind::Mysql
        | CheckKind::Redis
        | CheckKind::Ssh
        | CheckKind::Model
        | CheckKind::Host => Err(format!("kind: {:?} cannot be asked yet", check.kind)),
        CheckKind::Heartbeat => Err("kind: a heartbeat is told, and not asked".to_owned()),
    }
}
