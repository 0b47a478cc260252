//! Metric guardrails from results to the incident, in a running process.

use serde_json::{Value, json};

use super::process::Daemon;

fn results(daemon: &Daemon, name: &str, slower_by: f64) {
    let of = |unit: String, variant: &str, value: f64| json!({"unit": unit, "variant": variant, "metric": "latency_ms", "value": value});
    let mut all = Vec::new();
    for n in 0..400 {
        let noise = f64::from(n * 37 % 101) / 10.0;
        all.push(of(format!("control-{n}"), "control", 100.0 + noise));
        all.push(of(format!("other-{n}"), "other", 100.0 + slower_by + noise));
    }
    let body = json!({ "results": all }).to_string();
    let (status, answer) = daemon.post(&format!("/api/v1/experiments/{name}/results"), &body);
    assert_eq!(status, 200, "{answer}");
}

fn shown(daemon: &Daemon, path: &str) -> Value {
    let (status, answer) = daemon.get(path);
    assert_eq!(status, 200, "{answer}");
    answer["data"].clone()
}

#[test]
fn a_metric_that_is_worse_for_certain_pauses_and_one_within_its_margin_does_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    for name in ["slow", "fine"] {
        let experiment = json!({
            "name": name,
            "variants": [
                {"name": "control", "traffic_weight": 50, "is_control": true},
                {"name": "other", "traffic_weight": 50},
            ],
            "metrics": [
                {"name": "converted", "estimator": "proportion", "better": "higher"},
                {"name": "latency_ms", "better": "lower", "role": "guardrail", "margin": 5},
            ],
        });
        let (status, answer) = daemon.post("/api/v1/experiments", &experiment.to_string());
        assert_eq!(status, 201, "{answer}");
        let (status, answer) = daemon.post(&format!("/api/v1/experiments/{name}/start"), "{}");
        assert_eq!(status, 200, "{answer}");
    }
    results(&daemon, "slow", 50.0);
    results(&daemon, "fine", 1.0);
    let paused =
        daemon.wait_for("/api/v1/experiments/slow", |answer| answer["data"]["status"] == "paused");
    let breach = &paused["data"]["breaches"][0];
    assert_eq!(
        (&breach["guardrail"], &breach["variant"]),
        (&json!("metric latency_ms"), &json!("other"))
    );
    let incidents = shown(&daemon, "/api/v1/incidents?source=experiment&status=open");
    assert_eq!(incidents.as_array().map(Vec::len), Some(1), "{incidents}");
    assert_eq!(incidents[0]["labels"]["experiment"], "slow");
    let id = incidents[0]["id"].as_str().expect("an id").to_owned();
    let evidence = shown(&daemon, &format!("/api/v1/incidents/{id}/evidence"));
    assert_eq!(evidence["expression"], "guardrail metric latency_ms", "{evidence}");
    let analysis = shown(&daemon, "/api/v1/experiments/slow/analysis");
    assert_eq!(analysis["guardrails"][0]["verdict"], "breached", "{analysis}");
    let timeline = shown(&daemon, "/api/v1/experiments/slow/timeline?metric=latency_ms");
    let points = timeline["points"].as_array().expect("a list");
    let diff = points[0]["estimates"][0]["diff"].as_f64().expect("a difference");
    assert!((diff - 50.0).abs() < 1e-9, "{diff}");
    let variants = shown(&daemon, "/api/v1/experiments/slow/variants");
    assert_eq!(variants["variants"][1]["metrics"]["latency_ms"]["n"], 400, "{variants}");
    assert_eq!(variants["variants"][0]["success_rate"], Value::Null, "nothing was sent of it");
    // By now the other one was looked at as often.
    assert_eq!(shown(&daemon, "/api/v1/experiments/fine")["status"], "running");
    daemon.kill();
    let daemon = Daemon::start_quiet(directory.path());
    let (status, answer) = daemon.post("/api/v1/experiments/slow/resume", "{}");
    assert_eq!(status, 200, "{answer}");
    std::thread::sleep(std::time::Duration::from_secs(7));
    let on = shown(&daemon, "/api/v1/experiments/slow");
    assert_eq!(on["status"], "running", "what a person accepts stops nothing twice: {on}");
}
