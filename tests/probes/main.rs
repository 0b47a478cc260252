//! Probes against real peers on this machine. A file per topic; what they share is here, in
//! `peer.rs` and in `servers.rs`.

mod blackbox;
mod commands;
mod databases;
mod dns;
mod grpc;
mod hostile;
mod http;
mod icmp;
mod language_models;
mod machine;
mod peer;
mod refusals;
mod servers;
mod shells;
mod tcp;
mod tls;
mod websocket;

use std::time::Duration;

use serde_json::{Value, json};
use vedette::model::{CheckDefinition, Observation};
use vedette::probes::{Probe, prepare};

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A check of a kind, as it would be sent to the API.
pub(crate) fn check(kind: &str, target: &str, settings: Value) -> CheckDefinition {
    let json = json!({ "name": "test", "kind": kind, "target": target, "settings": settings });
    serde_json::from_value(json).expect("a definition")
}

/// A probe whose settings are right.
pub(crate) fn probe(kind: &str, target: &str, settings: Value) -> Box<dyn Probe> {
    prepare(&check(kind, target, settings)).expect("good settings")
}

/// What a probe sees, asked once.
pub(crate) async fn ask(kind: &str, target: &str, settings: Value) -> Observation {
    probe(kind, target, settings).ask(PATIENCE).await
}

/// What is wrong with a check.
pub(crate) fn refusal(kind: &str, target: &str, settings: Value) -> String {
    match prepare(&check(kind, target, settings)) {
        Ok(_) => panic!("the {kind} check of {target:?} was taken"),
        Err(error) => error,
    }
}
