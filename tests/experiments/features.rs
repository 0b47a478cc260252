//! Outcomes in, summaries, rules and configurations out.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::{Daemon, QUIET};

fn quiet() -> (TempDir, Daemon) {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    (directory, daemon)
}

fn tell(daemon: &Daemon, outcomes: &[Value]) -> Value {
    let body = json!({"outcomes": outcomes}).to_string();
    let (status, answer) = daemon.post("/api/v1/outcomes", &body);
    assert_eq!(status, 200, "{answer}");
    answer["data"].clone()
}

fn summary(daemon: &Daemon, path: &str) -> Value {
    let (status, answer) = daemon.get(path);
    assert_eq!(status, 200, "{answer}");
    answer["data"].clone()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is a number"))
}

/// Within a part of `expected`.
fn close(value: &Value, expected: f64, part: f64) {
    let found = number(value);
    assert!((found - expected).abs() <= part * expected.abs(), "{found} is not {expected}");
}

/// The ⌈qn⌉-th smallest, as a plain calculation has it.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    sorted[((q * sorted.len() as f64).ceil() as usize).max(1) - 1]
}

#[test]
fn a_summary_is_what_a_plain_calculation_over_the_outcomes_gives() {
    let (_directory, daemon) = quiet();
    let mut outcomes = Vec::new();
    let mut latencies = Vec::new();
    let (mut cost, mut errors, mut of_small) = (0.0, 0, 0);
    for n in 0..1000_u32 {
        // Spread over three decades, in no order.
        let latency = 10.0_f64.powf(f64::from(n * 7919 % 1000) / 400.0 + 0.5).round();
        let (ok, model) = (n % 8 != 0, if n % 3 == 0 { "small" } else { "large" });
        errors += u32::from(!ok);
        of_small += u32::from(model == "small");
        let price = f64::from(n % 5) * 0.001;
        cost += price;
        latencies.push(latency);
        outcomes.push(json!({
            "feature": "search", "provider": "acme", "model": model, "ok": ok,
            "latency_ms": latency, "cost": price, "input_tokens": 10, "output_tokens": n % 4,
        }));
    }
    for group in outcomes.chunks(137) {
        tell(&daemon, group);
    }
    latencies.sort_by(f64::total_cmp);
    let mean = latencies.iter().sum::<f64>() / 1000.0;
    let shown = summary(&daemon, "/api/v1/features/search/summary?window=1h&by=model");
    assert_eq!((&shown["requests"], &shown["errors"]), (&json!(1000), &json!(errors)), "{shown}");
    close(&shown["requests_per_minute"], 1000.0 / 60.0, 1e-9);
    close(&shown["error_rate"], f64::from(errors) / 1000.0, 1e-9);
    close(&shown["success_rate"], 1.0 - f64::from(errors) / 1000.0, 1e-9);
    close(&shown["latency_ms"]["mean"], mean, 1e-9);
    // Half the width of a bucket of schema 4, and the step to the next observation.
    for (name, q) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
        close(&shown["latency_ms"][name], quantile(&latencies, q), 0.045);
    }
    close(&shown["cost"], cost, 1e-9);
    close(&shown["cost_per_request"], cost / 1000.0, 1e-7);
    let back: u32 = (0..1000).map(|n| n % 4).sum();
    let tokens = json!({"input": 10_000, "output": back, "unknown": null, "total": 10_000 + back});
    assert_eq!(shown["tokens"], tokens);
    assert_eq!(shown["availability_from"], "outcomes");
    assert_eq!(shown["origin"], "seen");
    let parts = shown["parts"].as_array().expect("parts");
    let of = |model: &str| parts.iter().find(|part| part["model"] == model).expect("a part");
    assert_eq!(of("small")["requests"], json!(of_small));
    assert_eq!(of("large")["requests"], json!(1000 - of_small));
    // A provider's summary is over the same outcomes, and all at once gives the same.
    let of_provider = summary(&daemon, "/api/v1/providers/acme/summary");
    assert_eq!(of_provider["requests"], json!(1000));
    assert_eq!(of_provider["parts"].as_array().map(Vec::len), Some(2));
    let all = summary(&daemon, "/api/v1/features/summary");
    assert_eq!(all[0]["requests"], json!(1000));
    assert_eq!(all[0]["latency_ms"], shown["latency_ms"]);
    // PromQL counts the same whole number.
    let counted = daemon.query("sum(increase(vedette_outcomes_total[1h]%20anchored))");
    assert_eq!(counted, ["1000"]);
    let counted = daemon.query("histogram_count(sum(vedette_outcome_duration_seconds))");
    assert_eq!(counted, ["1000"]);
    // Whoever was answered sees it.
    for more in 1..=3 {
        tell(&daemon, &[json!({"feature": "search"})]);
        let shown = summary(&daemon, "/api/v1/features/search/summary?window=1m");
        assert_eq!(shown["requests"], json!(1000 + more));
    }
}

#[test]
fn counters_go_on_after_kill_nine() {
    let (directory, daemon) = quiet();
    let ten: Vec<Value> = (0..10).map(|n| json!({"feature": "search", "latency_ms": n})).collect();
    tell(&daemon, &ten);
    // Most likely before its first sample was written.
    daemon.kill();
    let daemon = Daemon::start_quiet(directory.path());
    let path = "/api/v1/features/search/summary?window=1h";
    assert_eq!(summary(&daemon, path)["requests"], json!(10));
    tell(&daemon, &ten[..5]);
    assert_eq!(summary(&daemon, path)["requests"], json!(15));
    daemon.kill();
    let daemon = Daemon::start_quiet(directory.path());
    tell(&daemon, &ten[..5]);
    assert_eq!(summary(&daemon, path)["requests"], json!(20));
    assert_eq!(daemon.query("vedette_outcomes_total"), ["20"]);
    assert_eq!(daemon.query("resets(vedette_outcomes_total[1h])"), ["0"]);
    assert_eq!(daemon.query("histogram_count(vedette_outcome_duration_seconds)"), ["20"]);
}

#[test]
fn good_outcomes_are_kept_bad_ones_named_and_repeated_ones_left_out() {
    let (_directory, daemon) = quiet();
    let body = json!({"outcomes": [
        {"feature": "search", "id": "a"},
        {"feature": "search", "cost": -1},
        {"feature": "Search"},
        {"feature": "search", "id": "a"},
        {"feature": "search", "time": "1999-01-01T00:00:00Z"},
    ]});
    let (status, answer) = daemon.post("/api/v1/outcomes", &body.to_string());
    assert_eq!(status, 400, "{answer}");
    let error = answer["error"].as_str().expect("a text");
    assert!(
        error.starts_with("1 outcomes accepted, 1 repeated, 3 refused: outcome 1: cost: "),
        "{error}"
    );
    assert!(error.contains("outcome 2: ") && error.contains("outcome 4: time: "), "{error}");
    let lines = "{\"feature\":\"search\",\"id\":\"a\"}\n{\"feature\":\"search\",\"id\":\"b\"}\n";
    let (status, answer) = daemon.post("/api/v1/outcomes", lines);
    assert_eq!((status, &answer["data"]), (200, &json!({"accepted": 1, "repeated": 1})));
    for repeated in [0, 1] {
        let headers = "Idempotency-Key: k1\r\n";
        let body = "{\"feature\":\"search\"}";
        let (status, answer) = daemon.send("POST", "/api/v1/outcomes", headers, body);
        assert_eq!(status, 200, "{answer}");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(answer["data"], json!({"accepted": 1 - repeated, "repeated": repeated}));
    }
    let (status, answer) = daemon.post("/api/v1/outcomes", "{\"feature\":");
    assert_eq!(status, 400);
    assert!(answer["error"].as_str().is_some_and(|e| e.contains("line 1")), "{answer}");
    let shown = summary(&daemon, "/api/v1/features/search/summary");
    assert_eq!(shown["requests"], json!(3));
    assert_eq!(daemon.get("/api/v1/features/none/summary").0, 404);
    for path in ["window=0s", "window=500d", "by=id", "at=then"] {
        let (status, answer) = daemon.get(&format!("/api/v1/features/search/summary?{path}"));
        assert_eq!(status, 400, "{path}: {answer}");
    }
}

#[test]
fn a_rule_on_a_feature_s_error_rate_fires_and_the_summary_says_so() {
    let (_directory, daemon) = quiet();
    let expr = "sum by (feature) (increase(vedette_outcomes_total{ok=\"false\"}[5m] anchored)) \
                / sum by (feature) (increase(vedette_outcomes_total[5m] anchored)) > 0.05";
    let rule = json!({"name": "failing", "expr": expr, "interval": 1, "severity": "critical"});
    assert_eq!(daemon.post("/api/v1/rules", &rule.to_string()).0, 201);
    let good = vec![json!({"feature": "cart"}); 99];
    tell(&daemon, &good);
    tell(&daemon, &[json!({"feature": "cart", "ok": false})]);
    let failing: Vec<Value> = (0..10).map(|n| json!({"feature": "search", "ok": n > 0})).collect();
    tell(&daemon, &failing);
    let answer = daemon.wait_for("/api/v1/alerts", |answer| {
        answer["data"]["alerts"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one["state"] == "firing"))
    });
    let alerts = answer["data"]["alerts"].as_array().expect("a list");
    assert_eq!(alerts.len(), 1, "{answer}");
    assert_eq!(alerts[0]["labels"]["feature"], "search");
    assert_eq!(alerts[0]["value"], "1e-01");
    let path = "/api/v1/features/search/summary";
    let answer = daemon.wait_for(path, |answer| answer["data"]["open_incidents_count"] == 1);
    let shown = &answer["data"];
    assert_eq!(shown["open_incidents"][0]["severity"], "critical", "{shown}");
    // A success rate of 0.9 is worth nothing, and neither is a critical incident.
    assert_eq!((&shown["health_score"], &shown["status"]), (&json!(0.0), &json!("unhealthy")));
    let cart = summary(&daemon, "/api/v1/features/cart/summary");
    // (30 · 0.9 + 10) / 40
    assert_eq!((&cart["health_score"], &cart["status"]), (&json!(92.5), &json!("healthy")));
}

#[test]
fn features_are_defined_or_seen_and_may_have_queries_of_their_own() {
    let (_directory, daemon) = quiet();
    tell(&daemon, &[json!({"feature": "seen-only", "provider": "acme"})]);
    let define = json!({
        "name": "shop", "display_name": "The shop", "latency_target_ms": 100,
        "queries": {
            "requests": "sum(shop_requests)", "errors": "sum(shop_errors)",
            "latency_quantile": "shop_latency * $quantile",
        },
    });
    assert_eq!(daemon.post("/api/v1/features", &define.to_string()).0, 201);
    for (name, value) in [("shop_requests", 200), ("shop_errors", 4), ("shop_latency", 1)] {
        let sample = json!({"name": name, "value": value});
        assert_eq!(daemon.post("/api/v1/samples", &sample.to_string()).0, 200);
    }
    let (_, listed) = daemon.get("/api/v1/features");
    let origins: Vec<(&str, &str)> = listed["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (one["name"].as_str().expect("a name"), one["origin"].as_str().expect("one")))
        .collect();
    assert_eq!(origins, [("seen-only", "seen"), ("shop", "api")]);
    let (_, providers) = daemon.get("/api/v1/providers");
    assert_eq!(providers["data"], json!([{"name": "acme", "origin": "seen"}]));
    let shown = summary(&daemon, "/api/v1/features/shop/summary?window=10m");
    assert_eq!((&shown["requests"], &shown["error_rate"]), (&json!(200), &json!(0.02)), "{shown}");
    assert_eq!(shown["latency_ms"], json!({"mean": null, "p50": 500, "p95": 950, "p99": 990}));
    // 30 · 0.8, 20 · 0 (950 ms is more than three times the target), 10: of 60.
    assert_eq!(shown["health_score"], json!(56.7));
    // A query that gives too much is a problem of that figure, not of the summary.
    let patch = json!({"queries": {"latency_mean": "{__name__=~\"shop_.+\"}"}});
    let (status, _) = daemon.send("PATCH", "/api/v1/features/shop", "", &patch.to_string());
    assert_eq!(status, 200);
    let shown = summary(&daemon, "/api/v1/features/shop/summary");
    assert!(shown["problems"][0].as_str().is_some_and(|p| p.contains("3 series")), "{shown}");
    assert_eq!(shown["requests"], json!(200));
    for (body, said) in [
        (json!({"name": "summary"}), "name"),
        (json!({"name": "x", "queries": {"cost": "sum("}}), "queries"),
        (json!({"name": "x", "latency_target_ms": 0}), "latency_target_ms"),
    ] {
        let (status, answer) = daemon.post("/api/v1/features", &body.to_string());
        assert_eq!(status, 400, "{answer}");
        assert!(answer["error"].as_str().is_some_and(|e| e.starts_with(said)), "{answer}");
    }
    let patch = json!({"status": "inactive"}).to_string();
    assert_eq!(daemon.send("PATCH", "/api/v1/features/shop", "", &patch).0, 200);
    let all = summary(&daemon, "/api/v1/features/summary");
    assert_eq!((&all[1]["name"], &all[1]["status"]), (&json!("shop"), &json!("inactive")));
}

#[test]
fn availability_comes_from_the_feature_s_checks() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_with(directory.path(), &[], &QUIET);
    for (name, target) in [
        ("up", format!("{}/-/healthy", daemon.url())),
        // Nobody listens there.
        ("down", "http://127.0.0.1:1/".to_owned()),
    ] {
        let check = json!({
            "name": name, "kind": "http", "target": target, "every": "1s", "feature": "shop",
            "failure_threshold": 1,
        });
        let (status, answer) = daemon.post("/api/v1/checks", &check.to_string());
        assert_eq!(status, 201, "{answer}");
    }
    assert_eq!(daemon.post("/api/v1/features", "{\"name\":\"shop\"}").0, 201);
    let answer = daemon.wait_for("/api/v1/features/shop/summary", |answer| {
        answer["data"]["availability"].as_f64().is_some_and(|share| share > 0.0 && share < 1.0)
    });
    assert_eq!(answer["data"]["availability_from"], "checks");
    assert_eq!(answer["data"]["checks"], json!(["down", "up"]));
    assert_eq!(answer["data"]["requests"], json!(0));
}

#[test]
fn a_configuration_has_versions_to_compare_and_go_back_to() {
    let (directory, daemon) = quiet();
    let path = "/api/v1/features/search/config";
    let put = |daemon: &Daemon, body: Value| {
        let (status, answer) = daemon.send("PUT", path, "", &body.to_string());
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        (status, answer)
    };
    assert_eq!(put(&daemon, json!({"value": 1})).0, 404);
    assert_eq!(daemon.post("/api/v1/features", "{\"name\":\"search\"}").0, 201);
    assert_eq!(daemon.get(path).0, 404);
    let first = json!({"value": {"model": "small", "limits": {"calls": 5}}, "comment": "begin"});
    let (status, answer) = put(&daemon, first);
    assert_eq!((status, &answer["data"]["version"]), (201, &json!(1)), "{answer}");
    let second =
        json!({"value": {"model": "large", "limits": {"calls": 5}}, "author": "me", "follows": 1});
    assert_eq!(put(&daemon, second.clone()).0, 201);
    // Whoever wrote over the first without having seen the second is told.
    assert_eq!(put(&daemon, second).0, 409);
    for wrong in [json!({}), json!({"value": 1, "version": 1}), json!({"version": 7})] {
        let (status, answer) = put(&daemon, wrong);
        assert!([400, 404].contains(&status), "{answer}");
    }
    let changes = summary(&daemon, &format!("{path}/diff"));
    let expected = json!([{"path": "/model", "before": "small", "after": "large"}]);
    assert_eq!(changes["changes"], expected);
    assert_eq!(put(&daemon, json!({"version": 1, "comment": "too dear"})).0, 201);
    daemon.kill();
    let daemon = Daemon::start_quiet(directory.path());
    let newest = summary(&daemon, path);
    assert_eq!((&newest["version"], &newest["restored"]), (&json!(3), &json!(1)), "{newest}");
    assert_eq!(newest["value"]["model"], "small");
    assert_eq!(summary(&daemon, &format!("{path}?version=2"))["author"], "me");
    let (_, page) = daemon.get(&format!("{path}/history?limit=2"));
    let versions = |page: &Value| -> Vec<i64> {
        let list = page["data"].as_array().expect("a list");
        list.iter().map(|one| one["version"].as_i64().expect("a number")).collect()
    };
    assert_eq!((versions(&page), &page["next"]), (vec![3, 2], &json!("2")));
    let (_, page) = daemon.get(&format!("{path}/history?limit=2&after=2"));
    assert_eq!((versions(&page), &page["next"]), (vec![1], &Value::Null));
    // Without an experiment an application gets what is configured.
    let (status, answer) = daemon.post("/api/v1/features/search/evaluate", "{\"unit\":\"u\"}");
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["data"]["configuration"]["model"], "small");
    assert_eq!(
        (&answer["data"]["version"], &answer["data"]["assignments"]),
        (&json!(3), &json!([]))
    );
    for wrong in
        ["{}", "{\"unit\":\"\"}", "{\"unit\":\"u\",\"attributes\":3}", "{\"units\":[\"\"]}"]
    {
        assert_eq!(daemon.post("/api/v1/features/search/evaluate", wrong).0, 400, "{wrong}");
    }
}
