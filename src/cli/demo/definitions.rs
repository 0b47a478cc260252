//! What the made-up company has defined: sent over HTTP as people send theirs.

use serde_json::{Value, json};

use super::past::Story;

/// Paths and bodies to post, in this order.
pub(super) fn definitions(story: &Story) -> Vec<(&'static str, Value)> {
    let mut all = Vec::new();
    let mut add = |path, bodies: Vec<Value>| {
        all.extend(bodies.into_iter().map(|body| (path, body)));
    };
    add("/api/v1/channels", channels(story));
    add("/api/v1/providers", providers());
    add("/api/v1/features", features());
    add("/api/v1/checks", checks(story));
    add("/api/v1/rules", rules());
    add("/api/v1/objectives", vec![objective()]);
    add("/api/v1/silences", vec![silence()]);
    add("/api/v1/maintenance", windows(story));
    all
}

fn channels(story: &Story) -> Vec<Value> {
    vec![
        json!({"name": "ops-room", "kind": "webhook", "settings": {"url": story.url("/hook/ops")}}),
        json!({"name": "shop-team", "kind": "webhook", "default": false, "fallback": "ops-room",
               "settings": {"url": story.url("/hook/shop")}}),
    ]
}

fn providers() -> Vec<Value> {
    vec![
        json!({"name": "north-pay", "display_name": "North Pay", "description": "Cards and transfers"}),
        json!({"name": "acme-models", "display_name": "Acme Models", "description": "Language models"}),
        json!({"name": "postbox", "display_name": "Postbox", "description": "Mail"}),
    ]
}

fn features() -> Vec<Value> {
    let feature = |name: &str, display: &str, description: &str, team: &str, target: f64| {
        json!({"name": name, "display_name": display, "description": description,
               "labels": {"team": team}, "latency_target_ms": target})
    };
    vec![
        feature("checkout", "Checkout", "From the basket to the order", "shop", 600.0),
        feature("search", "Search", "Finding books", "shop", 150.0),
        feature("recommendations", "Recommendations", "Books one may like", "reading", 800.0),
        feature(
            "assistant",
            "Assistant",
            "Answers questions about books and orders",
            "reading",
            2500.0,
        ),
        feature("order-mail", "Order mail", "Says what became of an order", "shop", 1500.0),
    ]
}

fn checks(story: &Story) -> Vec<Value> {
    let http = |name: &str, feature: &str, provider: Option<&str>, slow_ms: u32| {
        let mut check = json!({
            "name": name, "kind": "http", "target": story.url(&format!("/{name}")),
            "every": 5, "timeout": 3, "feature": feature,
            "conditions": ["[STATUS] == 200",
                {"condition": format!("[RESPONSE_TIME] < {slow_ms}ms"), "severity": "warning"}],
        });
        if let Some(provider) = provider {
            check["provider"] = provider.into();
        }
        check
    };
    vec![
        http("website", "search", None, 250),
        http("search-api", "search", None, 250),
        http("payments", "checkout", Some("north-pay"), 250),
        http("assistant-model", "assistant", Some("acme-models"), 500),
        http("warehouse", "checkout", None, 250),
        json!({"name": "mail-relay", "kind": "tcp", "target": format!("127.0.0.1:{}", story.services),
               "every": 10, "feature": "order-mail", "provider": "postbox"}),
        json!({"name": "nightly-backup", "kind": "heartbeat", "every": "24h",
               "settings": {"token": "demo-nightly-backup"}}),
        json!({"name": "old-shop", "kind": "http", "target": story.url("/website"), "every": 60,
               "paused": true}),
    ]
}

/// The share of outcomes that failed, by feature.
const FAILED: &str = "sum by (feature) (rate(vedette_outcomes_total{ok=\"false\"}[5m])) \
                      / sum by (feature) (rate(vedette_outcomes_total[5m]))";

fn rules() -> Vec<Value> {
    let slow = "histogram_quantile(0.95, sum by (feature) \
                (rate(vedette_outcome_duration_seconds{feature=\"search\"}[5m]))) > 0.4";
    let cost = "sum by (feature) (rate(vedette_outcome_cost_total[1h])) * 3600 > 25";
    vec![
        json!({"name": "too-many-failures", "expr": format!("{FAILED} > 0.05"), "interval": 5,
               "severity": "critical", "channels": ["shop-team", "ops-room"],
               "annotations": {
                   "summary": "{{ $labels.feature }} fails {{ $value | humanizePercentage }} of requests",
                   "description": "More than 5 % of five minutes failed."},
               "runbook": "https://example.com/runbooks/failures"}),
        json!({"name": "search-slow", "expr": slow, "for": "2m", "interval": 15,
               "severity": "warning",
               "annotations": {"summary": "Search takes {{ $value | humanizeDuration }}"}}),
        json!({"name": "orders-pile-up", "metric": "queue_depth", "labels": {"queue": "orders"},
               "aggregate": "avg", "operator": ">", "threshold": 400, "window": 300,
               "interval": 15, "severity": "warning"}),
        json!({"name": "errors-in-logs",
               "expr": "sum by (source) (rate(vedette_log_lines_total{level=\"error\"}[5m])) > 2",
               "interval": 15, "severity": "warning",
               "annotations": {"summary": "{{ $labels.source }} writes many errors"}}),
        json!({"name": "assistant-cost", "expr": cost, "for": "10m", "mode": "shadow",
               "severity": "info",
               "annotations": {"summary": "{{ $labels.feature }} costs {{ $value }} € an hour"}}),
        json!({"name": "disk-fills-up",
               "expr": "node_filesystem_avail_bytes / node_filesystem_size_bytes < 0.1",
               "for": "5m", "mode": "paused", "severity": "critical"}),
    ]
}

fn objective() -> Value {
    json!({"name": "checkout", "objective": 0.99, "window": "14d",
           "description": "99 of 100 checkouts go through",
           "total": "sum(rate(vedette_outcomes_total{feature=\"checkout\"}[$window]))",
           "errors": "sum(rate(vedette_outcomes_total{feature=\"checkout\",ok=\"false\"}[$window]))"})
}

fn silence() -> Value {
    json!({"matchers": ["feature=\"order-mail\""], "duration": "6h", "created_by": "mara",
           "comment": "The relay moves to another machine"})
}

fn windows(story: &Story) -> Vec<Value> {
    let day = 86_400_000;
    let from = story.now.plus_millis(2 * day);
    vec![
        json!({"name": "nightly-reindex", "matchers": ["check=\"search-api\""],
               "recurrence": {"cron": "15 3 * * *", "duration": "45m"},
               "comment": "Search is slow while it is indexed anew", "created_by": "jonas"}),
        json!({"name": "warehouse-move", "matchers": ["check=\"warehouse\""],
               "starts_at": from, "ends_at": from.plus_millis(day / 6),
               "comment": "New scanners", "created_by": "ines"}),
    ]
}
