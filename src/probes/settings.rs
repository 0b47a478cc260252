//! Reading a check's settings.

use serde::de::DeserializeOwned;

use crate::model::CheckDefinition;
use crate::trust::Secret;

/// The settings of a kind. Its struct has `deny_unknown_fields`, so that the error of an unknown
/// setting lists the known ones.
pub(super) fn read<S: DeserializeOwned>(check: &CheckDefinition) -> Result<S, String> {
    serde_json::from_value(serde_json::Value::Object(check.settings.clone()))
        .map_err(|error| format!("settings: {error}"))
}

/// A secret as it is now, read beside the runtime, as a file may be on a slow disk.
pub(super) async fn secret(secret: &Secret) -> Result<String, String> {
    if let Secret::Text(text) = secret {
        return Ok(text.clone());
    }
    let secret = secret.clone();
    tokio::task::spawn_blocking(move || secret.read())
        .await
        .map_err(|error| format!("cannot read a secret: {error}"))?
}

/// A kind that has no settings.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoSettings {}

#[cfg(test)]
pub(super) fn check(kind: &str, target: &str, settings: serde_json::Value) -> CheckDefinition {
    let json = serde_json::json!({
        "name": "c", "kind": kind, "target": target, "settings": settings,
    });
    serde_json::from_value(json).expect("a good definition")
}
