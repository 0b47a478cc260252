//! Who commits something tells of it, with what a page needs, and without secrets.

use serde_json::{Value, json};

use super::process::Daemon;
use super::stream::Events;

fn ok(answer: (u16, Value)) -> Value {
    assert!((200..300).contains(&answer.0), "{} {}", answer.0, answer.1);
    answer.1
}

/// Where the first frame of a kind stands for which `fits` holds.
fn find(frames: &[Value], kind: &str, fits: impl Fn(&Value) -> bool) -> usize {
    let place = frames.iter().position(|frame| frame["type"] == kind && fits(&frame["data"]));
    place.unwrap_or_else(|| panic!("no {kind} among {frames:#?}"))
}

#[test]
fn a_rule_and_a_check_tell_what_they_find_before_the_incidents_that_follow() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    let (mut events, _) = Events::open(&daemon, "", None);
    let sample = json!({"name": "queue_depth", "value": 150});
    ok(daemon.post("/api/v1/samples", &sample.to_string()));
    let rule = json!({"name": "deep", "expr": "queue_depth > 100", "for": 0, "interval": 1,
                      "severity": "critical"});
    ok(daemon.post("/api/v1/rules", &rule.to_string()));
    // Nobody listens there.
    let check = json!({"name": "shop", "kind": "tcp", "target": "127.0.0.1:1", "every": "1s",
                       "timeout": "1s", "failure_threshold": 1});
    ok(daemon.post("/api/v1/checks", &check.to_string()));
    let mut opened = Vec::new();
    let mut frames: Vec<Value> = Vec::new();
    // Of results the newest counts: one that another replaced meanwhile comes later.
    let said = |frames: &[Value]| frames.iter().any(|frame| frame["type"] == "check.result");
    while opened.len() < 2 || !said(&frames) {
        let frame = events.next();
        if frame["type"] == "incident.opened" {
            opened.push(frame["data"]["source"].to_string());
        }
        frames.push(frame);
    }
    let is = |name: &'static str| move |data: &Value| data["name"] == name;
    let of = |name: &'static str| move |data: &Value| data["source"].to_string().contains(name);
    let firing = find(&frames, "rule.firing", is("deep"));
    assert!(find(&frames, "rule.created", is("deep")) < firing);
    assert_eq!(frames[firing]["data"]["firing"], 1);
    let incident = find(&frames, "incident.opened", of("deep"));
    assert!(firing < incident);
    assert_eq!(frames[incident]["data"]["status"], "open");
    assert_eq!(frames[incident]["data"]["entry"]["kind"], "opened");
    let result = find(&frames, "check.result", is("shop"));
    assert_eq!(frames[result]["data"]["status"], "unhealthy");
    assert!(frames[result]["data"]["response_time_ms"].is_number());
    let changed = find(&frames, "check.changed", is("shop"));
    assert_eq!(frames[changed]["data"]["to"], "unhealthy");
    assert!(changed < find(&frames, "incident.opened", of("shop")));
    // The incident is as its own address shows it.
    let id = frames[incident]["data"]["id"].as_str().expect("an id");
    let shown = ok(daemon.get(&format!("/api/v1/incidents/{id}")));
    for field in ["number", "title", "severity", "labels", "triggered_at", "source"] {
        assert_eq!(frames[incident]["data"][field], shown["data"][field], "{field}");
    }
}

#[test]
fn experiments_configurations_and_silences_are_told_and_secrets_are_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    let (mut events, _) = Events::open(&daemon, "", None);
    let experiment = json!({
        "name": "trial", "feature": "search",
        "variants": [
            {"name": "control", "traffic_weight": 50, "is_control": true},
            {"name": "other", "traffic_weight": 50},
        ],
        "metrics": [{"name": "converted", "estimator": "proportion", "better": "higher"}],
    });
    ok(daemon.post("/api/v1/features", &json!({"name": "search"}).to_string()));
    ok(daemon.post("/api/v1/experiments", &experiment.to_string()));
    ok(daemon.post("/api/v1/experiments/trial/start", &json!({"by": "me"}).to_string()));
    let results = json!({"results": [
        {"unit": "u1", "variant": "control", "metric": "converted", "value": 1}]});
    ok(daemon.post("/api/v1/experiments/trial/results", &results.to_string()));
    let json_type = "Content-Type: application/json\r\n";
    let value = json!({"value": {"key": "hidden-value"}}).to_string();
    let path = "/api/v1/features/search/config";
    assert_eq!(daemon.send("PUT", path, json_type, &value).0, 201);
    let channel = json!({"name": "ops", "kind": "webhook",
                         "settings": {"url": "http://127.0.0.1:9/hidden-path"}});
    ok(daemon.post("/api/v1/channels", &channel.to_string()));
    let silence = json!({"matchers": ["alertname=x"], "duration": "1h", "comment": "quiet"});
    ok(daemon.post("/api/v1/silences", &silence.to_string()));
    let mut frames = Vec::new();
    let mut wanted = vec!["experiment.results", "silence.changed"];
    while !wanted.is_empty() {
        let frame = events.next();
        wanted.retain(|kind| frame["type"] != *kind);
        frames.push(frame);
    }
    find(&frames, "experiment.created", |data| data["name"] == "trial");
    let started = find(&frames, "experiment.changed", |data| data["entry"]["by"] == "me");
    assert_eq!(frames[started]["data"]["status"], "running");
    let results = find(&frames, "experiment.results", |data| data["name"] == "trial");
    assert!(frames[results]["data"]["results"].is_number());
    let configured = find(&frames, "feature.configured", |data| data["feature"] == "search");
    assert_eq!(frames[configured]["data"]["version"], 1);
    find(&frames, "channel.created", |data| data["name"] == "ops");
    let text = json!(frames).to_string();
    assert!(!text.contains("hidden-"), "{text}");
}
