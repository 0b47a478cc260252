//! One question, one answer: a feature's configuration with the variants of its experiments, and
//! outcomes that find their experiment by the unit.

use serde_json::{Value, json};

use super::process::Daemon;

fn data(answer: (u16, Value)) -> Value {
    assert!(answer.0 < 300, "{}", answer.1);
    answer.1["data"].clone()
}

#[test]
fn an_application_gets_its_variant_s_configuration_and_its_outcomes_count_for_that() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    data(daemon.post("/api/v1/features", "{\"name\":\"search\"}"));
    let value = json!({"value": {"model": "small", "limit": 20}}).to_string();
    assert_eq!(daemon.send("PUT", "/api/v1/features/search/config", "", &value).0, 201);
    let experiment = json!({
        "name": "bigger-model", "kind": "ab_test", "feature": "search",
        "variants": [
            {"name": "control", "traffic_weight": 50, "is_control": true},
            {"name": "large", "traffic_weight": 50, "configuration": {"model": "large"}},
        ],
        "metrics": [{
            "name": "latency_ms", "estimator": "mean", "better": "lower", "role": "primary",
        }],
    });
    data(daemon.post("/api/v1/experiments", &experiment.to_string()));
    let evaluate = |units: &[String]| {
        let body = json!({"units": units}).to_string();
        data(daemon.post("/api/v1/features/search/evaluate", &body))
    };
    let units: Vec<String> = (0..40).map(|n| format!("user-{n}")).collect();
    // A draft changes nothing for anybody.
    let before = evaluate(&units);
    assert!(before.as_array().expect("a list").iter().all(|one| {
        one["configuration"] == json!({"model": "small", "limit": 20})
            && one["assignments"] == json!([])
    }));
    data(daemon.post("/api/v1/experiments/bigger-model/start", "{}"));
    let answers = evaluate(&units);
    let mut of_large = 0;
    for answer in answers.as_array().expect("a list") {
        let assigned = &answer["assignments"][0];
        assert_eq!(assigned["in_experiment"], true, "{answer}");
        let is_large = assigned["variant"] == "large";
        of_large += i64::from(is_large);
        let model = if is_large { "large" } else { "small" };
        assert_eq!(answer["configuration"], json!({"model": model, "limit": 20}), "{answer}");
        // Alone it gets the same, and so it does again.
        let alone = json!({"unit": answer["unit"]}).to_string();
        let alone = data(daemon.post("/api/v1/features/search/evaluate", &alone));
        assert_eq!(alone["configuration"], answer["configuration"]);
    }
    assert!(of_large > 5 && of_large < 35, "{of_large} of 40");
    // Outcomes name the unit alone: the experiment and the variant are known.
    let outcomes: Vec<Value> = units
        .iter()
        .map(|unit| json!({"feature": "search", "unit": unit, "latency_ms": 100}))
        .collect();
    let body = json!({"outcomes": outcomes}).to_string();
    assert_eq!(data(daemon.post("/api/v1/outcomes", &body))["accepted"], 40);
    let path = "/api/v1/features/search/summary?by=variant";
    let summary = data(daemon.get(path));
    assert_eq!(summary["requests"], 40, "{summary}");
    let parts = summary["parts"].as_array().expect("parts");
    let large = parts.iter().find(|part| part["variant"] == "large").expect("a part");
    assert_eq!(large["requests"], json!(of_large), "{summary}");
    let analysis = data(daemon.get("/api/v1/experiments/bigger-model/analysis"));
    let sums: i64 = analysis["metrics"][0]["variants"]
        .as_array()
        .expect("variants")
        .iter()
        .map(|variant| variant["n"].as_i64().expect("a number"))
        .sum();
    assert_eq!(sums, 40, "{analysis}");
}
