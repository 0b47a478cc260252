//! How everything is, at a glance.

use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::json;

use super::{NOW_S, Served, get, send, serve};
use crate::config::Settings;
use crate::engine::feed::{Since, Topic};
use crate::engine::watch::{Batch, Signal};
use crate::model::Alert;

async fn define_check(served: &Served, name: &str, more: serde_json::Value) {
    let mut body = json!({"name": name, "kind": "heartbeat", "every": "1m", "grace": "1m"});
    body.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
    let (status, made) = send(served, Method::POST, "/api/v1/checks", &body.to_string()).await;
    assert_eq!(status, 201, "{made}");
}

#[tokio::test]
async fn an_empty_daemon_says_that_nothing_is_known() {
    let served = serve(Settings::default());
    let before = served.app.engine().expect("open").feed.last_id();
    let (status, answer) = get(&served, "/api/v1/overview").await;
    assert_eq!(status, 200, "{answer}");
    let expected = json!({
        "live_id": before,
        "health": "unknown",
        "checks": {
            "healthy": 0, "degraded": 0, "unhealthy": 0, "unknown": 0, "paused": 0,
            "maintenance": 0, "total": 0,
        },
        "incidents": {
            "active": 0, "acknowledged": 0,
            "by_severity": {"critical": 0, "warning": 0, "info": 0}, "latest": [],
        },
        "metrics": [], "features": [], "experiments": [],
        "generated_at": "2026-01-01T00:00:00.000Z",
    });
    assert_eq!(answer["data"], expected);
}

#[tokio::test]
async fn checks_and_incidents_are_counted_as_they_are_now() {
    let served = serve(Settings::default());
    define_check(&served, "a", json!({})).await;
    define_check(&served, "b", json!({"feature": "shop"})).await;
    let window = json!({
        "name": "work", "matchers": ["feature=\"shop\""],
        "starts_at": "2025-12-31T23:00:00Z", "ends_at": "2026-01-01T01:00:00Z",
    });
    let (status, made) =
        send(&served, Method::POST, "/api/v1/maintenance", &window.to_string()).await;
    assert_eq!(status, 201, "{made}");
    let (_, answer) = get(&served, "/api/v1/overview").await;
    let expected = json!({
        "healthy": 0, "degraded": 0, "unhealthy": 0, "unknown": 1, "paused": 0,
        "maintenance": 1, "total": 2,
    });
    assert_eq!(answer["data"]["checks"], expected, "{answer}");
    assert_eq!(answer["data"]["health"], "unknown");

    let alert: Alert = serde_json::from_value(json!({
        "source": {"kind": "external"},
        "labels": {"alertname": "Full"},
        "severity": "critical",
        "starts_at": NOW_S * 1000,
        "annotations": [["summary", "the disk is full"]],
    }))
    .expect("an alert");
    let signals = vec![Signal::Firing(Box::new(alert))];
    let watch = &served.app.engine().expect("open").watch;
    watch.commit(Batch { signals, ..Batch::default() }).await.expect("committed");
    let (_, answer) = get(&served, "/api/v1/overview").await;
    let incidents = &answer["data"]["incidents"];
    assert_eq!((&incidents["active"], &incidents["acknowledged"]), (&json!(1), &json!(0)));
    assert_eq!(incidents["by_severity"]["critical"], 1);
    assert_eq!(incidents["latest"][0]["title"], "the disk is full", "{incidents}");
}

/// The time is the tests' own: what is computed, and not when, is looked at.
#[tokio::test]
async fn figures_and_features_are_computed_and_told() {
    let served = serve(Settings::default());
    let minutes: Vec<_> = (0..=70)
        .map(|minute| {
            json!({"name": "node_load1", "value": 70 - minute, "at": (NOW_S - minute * 60) * 1000})
        })
        .collect();
    let (status, answer) =
        send(&served, Method::POST, "/api/v1/samples", &json!({"samples": minutes}).to_string())
            .await;
    assert_eq!(status, 200, "{answer}");
    let feature = json!({"name": "shop", "display_name": "The shop"}).to_string();
    let (status, made) = send(&served, Method::POST, "/api/v1/features", &feature).await;
    assert_eq!(status, 201, "{made}");
    let engine = served.app.engine().expect("open");
    let before = engine.feed.last_id();
    engine.overview.start();
    let deadline = Instant::now() + Duration::from_secs(60);
    let data = loop {
        let (_, answer) = get(&served, "/api/v1/overview").await;
        if answer["data"]["features"][0].is_object() {
            break answer["data"].clone();
        }
        assert!(Instant::now() < deadline, "{answer}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let load = &data["metrics"][0];
    assert_eq!((&load["name"], &load["value"]), (&json!("load"), &json!(70.0)), "{load}");
    assert_eq!((&load["previous"], &load["trend"]), (&json!(10.0), &json!("up")));
    assert_eq!((&load["change"], &load["better"]), (&json!(6.0), &json!("lower")));
    assert_eq!(load["points"].as_array().map(Vec::len), Some(60));
    let shop = &data["features"][0];
    assert_eq!((&shop["name"], &shop["display_name"]), (&json!("shop"), &json!("The shop")));
    assert_eq!((&shop["status"], &shop["health"]), (&json!("active"), &json!("unknown")));
    assert_eq!((&shop["error_rate"], &shop["requests_per_minute"]), (&json!(null), &json!(0)));

    let told = loop {
        let Since::Events(events) = engine.feed.since(before) else { panic!("within the ring") };
        let of = |topic| events.iter().rfind(|e| e.fact.topic == topic).cloned();
        if let (Some(overview), Some(feature)) = (of(Topic::Overview), of(Topic::Metrics)) {
            break (overview, feature);
        }
        assert!(Instant::now() < deadline, "nothing was told");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((told.0.fact.kind, told.1.fact.kind), ("overview.snapshot", "metrics.feature"));
    assert_eq!(told.1.fact.subject.0, "shop");
    let snapshot: serde_json::Value = serde_json::from_str(&told.0.fact.data).expect("JSON");
    assert_eq!(snapshot["metrics"], data["metrics"]);
    assert!(snapshot.get("live_id").is_none());
}

#[tokio::test]
async fn the_overview_waits_for_no_query() {
    let served = serve(Settings::default());
    define_check(&served, "a", json!({})).await;
    let engine = served.app.engine().expect("open");
    // Every place is taken, for ever: whoever asks the query engine waits.
    let queries = served.app.queries();
    let _all = queries.acquire_many(queries.available_permits() as u32).await.expect("places");
    engine.overview.start();
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let asked = get(&served, "/api/v1/overview");
        let (status, answer) =
            tokio::time::timeout(Duration::from_secs(5), asked).await.expect("an answer");
        assert_eq!((status.as_u16(), &answer["data"]["checks"]["total"]), (200, &json!(1)));
        assert_eq!(answer["data"]["metrics"], json!([]));
    }
    let query = get(&served, "/api/v1/query?query=up&timeout=0.05").await;
    assert_eq!(query.0, 503, "the places are taken: {}", query.1);
}
