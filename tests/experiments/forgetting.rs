//! What is known of units, and its deletion, in a running process.

use serde_json::{Value, json};

use super::process::Daemon;

fn send(daemon: &Daemon, path: &str, body: &Value) -> Value {
    let (status, answer) = daemon.post(path, &body.to_string());
    assert!(status < 300, "{path}: {answer}");
    answer["data"].clone()
}

fn exposures(daemon: &Daemon, query: &str) -> Vec<Value> {
    let path = format!("/api/v1/experiments/trial/exposures{query}");
    let (status, answer) = daemon.get(&path);
    assert_eq!(status, 200, "{answer}");
    answer["data"].as_array().expect("a list").clone()
}

/// How many units have a value, and their mean.
fn estimate(daemon: &Daemon) -> (u64, f64) {
    let (status, answer) = daemon.get("/api/v1/experiments/trial/analysis");
    assert_eq!(status, 200, "{answer}");
    let control = &answer["data"]["metrics"][0]["variants"][0];
    (control["n"].as_u64().expect("a count"), control["mean"].as_f64().expect("a mean"))
}

/// Deletes what is known at a path; whether anything was.
fn was_known(daemon: &Daemon, path: &str) -> bool {
    let (status, body) = daemon.send("DELETE", path, "", "");
    assert_eq!(status, 200, "{body}");
    let answer: Value = serde_json::from_str(&body).expect("JSON");
    answer["data"]["was_known"].as_bool().expect("said")
}

#[test]
fn a_unit_that_is_deleted_is_gone_from_log_and_sums_and_the_audit_says_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    let definition = json!({
        "name": "trial",
        "variants": [
            {"name": "control", "traffic_weight": 50, "is_control": true},
            {"name": "other", "traffic_weight": 50},
        ],
        "metrics": [{"name": "spent", "better": "higher"}],
    });
    send(&daemon, "/api/v1/experiments", &definition);
    send(&daemon, "/api/v1/experiments/trial/start", &json!({}));
    let result = |unit: &str, value: f64| json!({"unit": unit, "variant": "control", "metric": "spent", "value": value});
    let results = json!([result("ann", 1.0), result("bob", 2.0), result("cy", 9.0)]);
    send(&daemon, "/api/v1/experiments/trial/results", &results);
    assert_eq!(estimate(&daemon), (3, 4.0));
    let logged = exposures(&daemon, "?unit=cy");
    assert_eq!(logged.len(), 1);
    assert_eq!((&logged[0]["variant"], &logged[0]["excluded"]), (&json!("control"), &json!(false)));
    assert_eq!(exposures(&daemon, "").len(), 3);

    let path = "/api/v1/experiments/trial/units/cy";
    assert!(was_known(&daemon, path));
    assert_eq!(estimate(&daemon), (2, 1.5));
    assert_eq!(exposures(&daemon, "?unit=cy"), Vec::<Value>::new());
    assert!(!was_known(&daemon, path));

    let (_, audit) = daemon.get("/api/v1/experiments/trial/audit");
    let newest = &audit["data"][0];
    assert_eq!(newest["kind"], "deleted", "{audit}");
    assert_eq!(newest["details"]["unit_hash"], logged[0]["unit_hash"]);
}
