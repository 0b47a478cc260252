//! A process that is killed in the middle of a pending `for`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::process::{Daemon, QUIET};

/// Times in milliseconds of the samples of `ALERTS` in a state.
fn times(daemon: &Daemon, state: &str) -> Vec<i64> {
    let (_, answer) =
        daemon.get(&format!("/api/v1/query?query=ALERTS%7Balertstate=%22{state}%22%7D%5B5m%5D"));
    let values = answer["data"]["result"][0]["values"].as_array().cloned().unwrap_or_default();
    let one = |pair: &Value| (pair[0].as_f64().expect("a time") * 1000.0).round() as i64;
    values.iter().map(one).collect()
}

#[test]
fn a_kill_in_the_middle_of_a_pending_for_costs_no_more_than_the_downtime() {
    let directory = tempfile::tempdir().expect("a directory");
    let rules = "groups:\n- name: g\n  interval: 1s\n  rules:\n  \
                 - {alert: Deep, expr: 'x > 5', for: 8s}\n";
    std::fs::write(directory.path().join("rules.yml"), rules).expect("written");
    let config = directory.path().join("config.toml");
    std::fs::write(&config, "[rules]\nfiles = ['rules.yml']\n").expect("written");
    let arguments = ["--config", config.to_str().expect("UTF-8")];
    let daemon = Daemon::start_with(directory.path(), &arguments, &QUIET);
    // On into the future, so that the condition holds whenever it is judged.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64;
    let samples: Vec<Value> =
        (0..120).map(|s| json!({"name": "x", "value": 9, "at": now + s * 1000})).collect();
    let (status, answer) =
        daemon.post("/api/v1/samples", &json!({ "samples": samples }).to_string());
    assert_eq!(status, 200, "{answer}");
    let pending =
        "/api/v1/query?query=count_over_time(ALERTS%7Balertstate=%22pending%22%7D%5B5m%5D)";
    daemon.wait_for(pending, |answer| {
        let count = answer["data"]["result"][0]["value"][1].as_str();
        count.and_then(|count| count.parse::<f64>().ok()).is_some_and(|count| count >= 3.0)
    });
    let before = times(&daemon, "pending");
    daemon.kill();
    let killed = *before.last().expect("some");
    std::thread::sleep(Duration::from_secs(3));

    let daemon = Daemon::start_with(directory.path(), &arguments, &QUIET);
    let rules_path = "/api/v1/rules?type=alert";
    daemon.wait_for(rules_path, |answer| {
        answer["data"]["groups"][0]["rules"][0]["state"] == "firing"
    });
    daemon.wait_for("/api/v1/query?query=ALERTS%7Balertstate=%22firing%22%7D", |answer| {
        answer["data"]["result"].as_array().is_some_and(|list| !list.is_empty())
    });
    let pending = times(&daemon, "pending");
    let fired = times(&daemon, "firing")[0];
    // Each evaluation counts the time since the one before, but for the downtime, of which one
    // interval counts. `killed` may have been followed by one more before the kill.
    let mut held_ms = 0;
    let mut expected = None;
    let all: Vec<i64> = pending.iter().copied().chain([fired]).collect();
    for pair in all.windows(2) {
        let gap = pair[1] - pair[0];
        held_ms += if pair[1] > killed + 2500 && pair[0] <= killed + 1000 { 1000 } else { gap };
        if held_ms >= 8000 && expected.is_none() {
            expected = Some(pair[1]);
        }
    }
    assert_eq!(expected, Some(fired), "pending at {pending:?}, killed after {killed}");
}
