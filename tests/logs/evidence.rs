//! An incident shows the log lines that belong to it, and no others.

use std::time::{Duration, Instant};

use crate::process::{Daemon, PATIENCE};

const ERRORS: &str = r#"{"logs":[
    {"level":"error","source":"payments","message":"card declined"},
    {"level":"info","source":"payments","message":"all is well"},
    {"level":"error","source":"mailer","message":"no route"}]}"#;

#[test]
fn a_rule_on_the_number_of_errors_opens_an_incident_with_their_lines() {
    let directory = tempfile::tempdir().expect("a directory");
    let settings = [
        ("VEDETTE_COLLECT_HOST_ENABLED", "false"),
        ("VEDETTE_COLLECT_OWN_INTERVAL", "1s"),
        ("VEDETTE_DEFAULTS_ENABLED", "false"),
    ];
    let daemon = Daemon::start_with(directory.path(), &[], &settings);
    let rule = r#"{"name":"errors","interval":1,"severity":"critical","expr":
        "sum by (source) (increase(vedette_log_lines_total{level=\"error\",source=\"payments\"}[1m])) > 0"}"#;
    let (status, answer) = daemon.post("/api/v1/rules", rule);
    assert_eq!(status, 201, "{answer}");
    // A counter must be seen before it grows.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, answer) = daemon.post("/api/v1/logs", ERRORS);
        assert_eq!(status, 200, "{answer}");
        let (_, incidents) = daemon.get("/api/v1/incidents");
        if incidents["data"].as_array().is_some_and(|all| !all.is_empty()) {
            break;
        }
        assert!(Instant::now() < deadline, "no incident opened: {incidents}");
        std::thread::sleep(Duration::from_millis(500));
    }
    let (_, evidence) = daemon.get("/api/v1/incidents/1/evidence");
    let lines = evidence["data"]["log_lines"].as_array().expect("lines");
    assert!(!lines.is_empty() && lines.len() <= 20, "{evidence}");
    for line in lines {
        let line = line.as_str().expect("a text");
        assert!(line.ends_with("ERROR payments: card declined"), "{line}");
    }
}
