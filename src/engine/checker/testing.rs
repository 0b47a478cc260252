//! What tests of this room share.

use serde_json::json;

use crate::model::{CheckDefinition, CheckResult, CheckStatus, Name, Phases, Timestamp};

pub(super) fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

/// A check named after its kind.
pub(super) fn check(kind: &str, target: &str) -> CheckDefinition {
    let mut check: CheckDefinition =
        serde_json::from_value(json!({ "name": "c", "kind": kind })).expect("a check");
    check.target = target.to_owned();
    check
}

/// A check with these fields besides.
pub(super) fn define(name: &str, fields: serde_json::Value) -> CheckDefinition {
    let mut form = json!({ "name": name, "kind": "http", "target": "http://shop.example/" });
    for (key, value) in fields.as_object().expect("an object") {
        form[key] = value.clone();
    }
    serde_json::from_value(form).expect("a check")
}

/// A result at a time.
pub(super) fn result(check: &str, seconds: i64, status: CheckStatus) -> CheckResult {
    CheckResult {
        check: name(check),
        at: at(seconds),
        status,
        phases: Phases { total_us: 1000, ..Phases::default() },
        failed_condition: (status != CheckStatus::Healthy)
            .then(|| "[STATUS] (503) == 200".to_owned()),
        error: None,
        metadata: serde_json::Map::new(),
    }
}
