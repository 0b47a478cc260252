//! Prometheus scrapes our `/federate`.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::peer::{Prometheus, ask};
use super::process::{Daemon, PATIENCE};

/// Labels and values of an instant query, sorted.
fn vector(address: std::net::SocketAddr, query: &str) -> Vec<(Value, String)> {
    let answer = ask(address, "/api/v1/query", &[("query", query)]);
    let mut found: Vec<(Value, String)> = answer["data"]["result"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (one["metric"].clone(), one["value"][1].as_str().expect("a text").to_owned()))
        .collect();
    found.sort_by_key(|(metric, _)| metric.to_string());
    found
}

#[test]
fn prometheus_takes_over_our_latest_samples_with_their_own_labels() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    let body = r#"{"samples":[
        {"name":"fed_jobs","value":3,"labels":{"job":"orders","kind":"a\"b\\c\nd"}},
        {"name":"fed_jobs","value":1234567.5,"labels":{"job":"orders","instance":"db:1"}},
        {"name":"fed_load","value":-0.25,"labels":{"zone":"é"}},
        {"name":"fed_other","value":1}]}"#;
    assert_eq!(daemon.post("/api/v1/samples", body).0, 200);
    let config = format!(
        "global: {{scrape_interval: 1s}}\n\
         scrape_configs:\n- job_name: federate\n  honor_labels: true\n  metrics_path: /federate\n  \
         params: {{'match[]': ['fed_jobs', '{{__name__=~\"fed_l.*\"}}']}}\n  \
         static_configs: [{{targets: [\"{}\"]}}]\n",
        daemon.address
    );
    let prometheus = Prometheus::start(directory.path(), &config);
    let query = "{__name__=~\"fed_.*\"}";
    let deadline = Instant::now() + PATIENCE;
    while vector(prometheus.address, query).is_empty() {
        assert!(Instant::now() < deadline, "Prometheus never got anything");
        std::thread::sleep(Duration::from_millis(100));
    }
    let wanted = "{__name__=~\"fed_[jl].*\"}";
    let mut ours = vector(daemon.address, wanted);
    // A series without a job of its own gets that of the scrape; an instance it does not get.
    for (metric, _) in &mut ours {
        if metric["__name__"] == "fed_load" {
            metric["job"] = Value::from("federate");
        }
    }
    ours.sort_by_key(|(metric, _)| metric.to_string());
    assert_eq!(ours.len(), 3);
    assert_eq!(vector(prometheus.address, query), ours);
    assert_eq!(vector(prometheus.address, "up")[0].1, "1");
}
