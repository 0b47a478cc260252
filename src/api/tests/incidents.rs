//! Incidents over HTTP.

use axum::http::Method;
use serde_json::{Value, json};

use super::{Served, get, send, serve};
use crate::config::Settings;
use crate::engine::watch::{Batch, Signal};
use crate::model::{Alert, Timestamp};

async fn with_incident() -> Served {
    let served = serve(Settings::default());
    let alert: Alert = serde_json::from_value(json!({
        "source": {"kind": "external"},
        "labels": {"alertname": "Down", "instance": "web-1"},
        "severity": "warning",
        "starts_at": Timestamp::from_millis(1_767_225_500_000),
        "annotations": [["summary", "web-1 is down"]],
    }))
    .expect("an alert");
    let signals = vec![Signal::Firing(Box::new(alert))];
    let watch = &served.app.engine().expect("ready").watch;
    watch.commit(Batch { signals, ..Batch::default() }).await.expect("committed");
    served
}

async fn act(served: &Served, act: &str, body: Value) -> (u16, Value) {
    let path = format!("/api/v1/incidents/1/{act}");
    let (status, answer) = send(served, Method::POST, &path, &body.to_string()).await;
    (status.as_u16(), answer)
}

#[tokio::test]
async fn an_incident_is_acknowledged_with_a_note_resolved_and_reopened() {
    let served = with_incident().await;
    let (_, list) = get(&served, "/api/v1/incidents?status=open").await;
    assert_eq!(list["data"][0]["title"], "web-1 is down", "{list}");
    let id = list["data"][0]["id"].as_str().expect("an id").to_owned();

    let (status, answer) =
        act(&served, "acknowledge", json!({"by": "on-call", "note": "looking"})).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["data"]["status"], "acknowledged");
    assert_eq!(answer["data"]["acknowledged_by"], "on-call");
    let (_, notes) = get(&served, &format!("/api/v1/incidents/{id}/notes")).await;
    assert_eq!(
        (&notes["data"][0]["text"], &notes["data"][0]["by"]),
        (&json!("looking"), &json!("on-call"))
    );
    let (_, timeline) = get(&served, "/api/v1/incidents/1/timeline").await;
    let kinds: Vec<&str> = timeline["data"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|entry| entry["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["opened", "acknowledged", "noted"]);

    let (status, answer) = act(&served, "resolve", json!({"by": "on-call"})).await;
    assert_eq!((status, &answer["data"]["status"]), (200, &json!("resolved")), "{answer}");
    let (status, answer) = act(&served, "reopen", json!({})).await;
    assert_eq!((status, &answer["data"]["status"]), (200, &json!("open")), "{answer}");
}

#[tokio::test]
async fn what_does_not_fit_an_incident_is_refused_and_changes_nothing() {
    let served = with_incident().await;
    assert_eq!(act(&served, "acknowledge", json!({"by": "ann"})).await.0, 200);
    for (what, body, status, reason) in [
        ("acknowledge", json!({"by": "bob"}), 409, "ann"),
        ("reopen", json!({}), 409, "acknowledged"),
        ("resolve", json!({"by": "bob", "version": 1}), 409, "version"),
        ("snooze", json!({}), 400, "until"),
        ("snooze", json!({"for": "soon"}), 400, "not a duration"),
        ("acknowledge", json!({"who": "bob"}), 400, "unknown field `who`"),
        ("notes", json!({"text": ""}), 400, "text"),
    ] {
        let (found, answer) = act(&served, what, body.clone()).await;
        let error = answer["error"].as_str().unwrap_or_default();
        assert_eq!(found, status, "{what} {body}: {answer}");
        assert!(error.contains(reason), "{what} {body}: {error}");
    }
    let (_, now) = get(&served, "/api/v1/incidents/1").await;
    assert_eq!(
        (&now["data"]["status"], &now["data"]["version"]),
        (&json!("acknowledged"), &json!(2))
    );
    assert_eq!(get(&served, "/api/v1/incidents/2").await.0, 404);
    assert_eq!(get(&served, "/api/v1/incidents/nobody").await.0, 400, "neither an id nor a number");
}
