//! Rules of ours over HTTP, in a running process.

use serde_json::{Value, json};

use super::process::{Daemon, QUIET};

fn sample(daemon: &Daemon, value: f64) {
    let body = json!({"name": "queue_depth", "value": value, "labels": {"job": "orders"}});
    assert_eq!(daemon.post("/api/v1/samples", &body.to_string()).0, 200);
}

#[test]
fn a_rule_made_over_the_api_fires_is_explained_and_ends_with_its_removal() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_with(directory.path(), &[], &QUIET);
    sample(&daemon, 150.0);
    let definition = json!({
        "name": "queue-deep", "metric": "queue_depth", "labels": {"job": "orders"},
        "aggregate": "avg", "operator": ">", "threshold": 100, "window": 300, "for": 0,
        "interval": 1, "cooldown": 900, "severity": "critical", "channels": ["ops"],
    });
    let (status, tried) = daemon.post("/api/v1/rules/test", &definition.to_string());
    assert_eq!(status, 200, "{tried}");
    assert_eq!(tried["data"]["alerts"][0]["labels"]["severity"], "critical");
    assert_eq!(tried["data"]["alerts"][0]["value"], "1.5e+02");
    let (status, made) = daemon.post("/api/v1/rules", &definition.to_string());
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["data"]["query"], "avg_over_time(queue_depth{job=\"orders\"}[5m]) > 100");
    let firing = daemon.wait_for("/api/v1/alerts", |answer| {
        answer["data"]["alerts"].as_array().is_some_and(|alerts| !alerts.is_empty())
    });
    let alert = &firing["data"]["alerts"][0];
    assert_eq!(alert["state"], "firing");
    assert_eq!(
        alert["labels"],
        json!({"alertname": "queue-deep", "job": "orders", "severity": "critical"})
    );
    assert_eq!(
        alert["annotations"]["summary"],
        "queue-deep: avg of queue_depth over 5m is 150 (> 100)"
    );
    let (_, listed) = daemon.get("/api/v1/rules");
    let group = &listed["data"]["groups"][0];
    assert_eq!((&group["name"], &group["file"]), (&json!("queue-deep"), &json!("")));
    assert_eq!((&group["origin"], &group["interval"]), (&json!("api"), &json!(1)));
    assert_eq!(group["rules"][0]["state"], "firing");
    assert_eq!(group["rules"][0]["type"], "alerting");
    let (_, explained) = daemon.get("/api/v1/rules/queue-deep/explain");
    let explained = &explained["data"];
    assert_eq!(explained["alerts"][0]["told"], true, "{explained}");
    let incident = &explained["alerts"][0]["telling"]["incident"];
    assert_eq!((&incident["number"], &incident["firing"]), (&json!(1), &json!(true)));
    assert_eq!(explained["evaluations"][0]["found"], "result");
    assert_eq!(explained["evaluations"][0]["values"][0]["value"], "150");
    // Validation names the field.
    let (status, refused) =
        daemon.send("PATCH", "/api/v1/rules/queue-deep", "", r#"{"exit_threshold": 200}"#);
    assert_eq!(status, 400, "{refused}");
    assert!(refused.contains("exit_threshold: "), "{refused}");
    let (status, _) = daemon.send("DELETE", "/api/v1/rules/queue-deep", "", "");
    assert_eq!(status, 200);
    daemon.wait_for("/api/v1/alerts", |answer| answer["data"]["alerts"] == json!([]));
}

#[test]
fn rules_of_files_are_not_changed_over_the_api() {
    let directory = tempfile::tempdir().expect("a directory");
    let rules = "groups: [{name: g, rules: [{alert: deep, expr: x > 5}]}]";
    std::fs::write(directory.path().join("rules.yml"), rules).expect("written");
    let config = directory.path().join("config.toml");
    let text = "[rules]\nfiles = ['rules.yml']\n\n[[rule]]\nname = 'slow'\nexpr = 'y > 1'\n";
    std::fs::write(&config, text).expect("written");
    let arguments = ["--config", config.to_str().expect("UTF-8")];
    let daemon = Daemon::start_with(directory.path(), &arguments, &QUIET);
    for (method, name, body) in [
        ("DELETE", "deep", ""),
        ("PUT", "deep", r#"{"expr":"x"}"#),
        ("PATCH", "deep", "{}"),
        ("DELETE", "slow", ""),
        ("PUT", "slow", r#"{"expr":"x"}"#),
    ] {
        let (status, answer) = daemon.send(method, &format!("/api/v1/rules/{name}"), "", body);
        assert_eq!(status, 409, "{method} {name}: {answer}");
    }
    let (_, explained) = daemon.get("/api/v1/rules/deep/explain");
    assert_eq!(explained["data"]["group"], "g", "{explained}");
    assert_eq!(daemon.get("/api/v1/rules/none/explain").0, 404);
}

#[test]
fn built_in_rules_say_which_metric_they_wait_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let without_defaults = &QUIET[..2];
    let config = directory.path().join("config.toml");
    std::fs::write(&config, "[rules]\nevaluation_interval = '1s'\n").expect("written");
    let arguments = ["--config", config.to_str().expect("UTF-8")];
    let daemon = Daemon::start_with(directory.path(), &arguments, without_defaults);
    let waiting = |answer: &Value| {
        let groups = answer["data"]["groups"].as_array().cloned().unwrap_or_default();
        groups.iter().filter(|group| group["rules"][0]["waitingFor"].is_string()).count()
    };
    let listed = daemon.wait_for("/api/v1/rules", |answer| waiting(answer) >= 3);
    let groups = listed["data"]["groups"].as_array().expect("a list");
    assert!(groups.iter().all(|group| group["origin"] == "default"), "{listed}");
    let body = r#"{"name":"http_request_duration_seconds_bucket","value":1,"labels":{"le":"1"}}"#;
    assert_eq!(daemon.post("/api/v1/samples", body).0, 200);
    daemon.wait_for("/api/v1/rules/default-latency", |answer| {
        answer["data"]["waiting_for"].is_null() && answer["data"]["health"] == "ok"
    });
}

/// The second request must see what the first one was told that is done.
#[test]
fn a_rule_is_there_as_soon_as_it_is_acknowledged() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_with(directory.path(), &[], &QUIET);
    for round in 0..20 {
        let name = format!("rule-{round}");
        let definition = json!({"name": name, "expr": "up == 0", "interval": 3600});
        let (status, made) = daemon.post("/api/v1/rules", &definition.to_string());
        assert_eq!(status, 201, "{made}");
        let path = format!("/api/v1/rules/{name}");
        let (status, explained) = daemon.get(&format!("{path}/explain"));
        assert_eq!(status, 200, "{explained}");
        assert_eq!(explained["data"]["query"], "up == 0");
        let changed = json!({"expr": "up == 1"}).to_string();
        assert_eq!(daemon.send("PATCH", &path, "", &changed).0, 200);
        let (_, listed) = daemon.get("/api/v1/rules");
        assert_eq!(listed["data"]["groups"][0]["rules"][0]["query"], "up == 1", "{listed}");
        assert_eq!(daemon.send("DELETE", &path, "", "").0, 200);
        assert_eq!(daemon.get(&format!("{path}/explain")).0, 404);
    }
}
