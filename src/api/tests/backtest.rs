//! Rules over the past, over HTTP.

use std::sync::Arc;

use axum::http::Method;
use serde_json::{Value, json};

use super::{NOW_S, Served, send, serve};
use crate::config::Settings;
use crate::engine::watch::Policy;
use crate::model::{ChannelDefinition, Timestamp};

fn at(second: i64) -> Value {
    json!(Timestamp::from_millis((NOW_S + second) * 1000))
}

async fn served() -> Served {
    let served = serve(Settings::default());
    let policy = Policy {
        route: Settings::default().notify.root(),
        channels: Arc::new(vec![
            serde_json::from_value::<ChannelDefinition>(json!({"name": "ops", "kind": "webhook"}))
                .expect("a channel"),
        ]),
        ..Policy::default()
    };
    served.app.engine().expect("ready").watch.set_policy(policy).await.expect("taken");
    served
}

/// `up{job="db"}` is 0 in each of the last ten minutes; the rule holds until five minutes ago.
fn asked() -> Value {
    let expr = format!("up{{job=\"db\"}} == 0 and on () (vector(time()) < {})", NOW_S - 300);
    json!({
        "start": at(-540),
        "end": at(0),
        "rule": {"name": "down", "expr": expr, "for": "2m", "interval": 60},
    })
}

#[tokio::test]
async fn a_backtest_says_what_would_have_fired_and_who_would_have_heard() {
    let served = served().await;
    let path = "/api/v1/rules/backtest";
    let (status, answer) = send(&served, Method::POST, path, &asked().to_string()).await;
    assert_eq!(status, 200, "{answer}");
    let report = &answer["data"];
    assert_eq!((&report["evaluations"], &report["interval"]), (&json!(10), &json!(60)));
    let alert = &report["alerts"][0];
    assert_eq!(alert["active_at"], at(-540));
    assert_eq!(alert["fired_at"], at(-420));
    assert_eq!(alert["ended_at"], at(-300));
    // Two seconds are the wait of a new group; its end is told at the group's next look.
    let told = report["notifications"].as_array().expect("a list");
    assert_eq!(told.len(), 2, "{report}");
    assert_eq!((&told[0]["at"], &told[0]["channel"]), (&at(-418), &json!("ops")));
    assert_eq!(told[0]["firing"].as_array().map(Vec::len), Some(1));
    assert_eq!(told[1]["resolved"].as_array().map(Vec::len), Some(1));
    assert_eq!(told[1]["firing"], json!([]));
    // Nothing of it is real.
    let view = served.app.engine().expect("ready").watch.view();
    assert_eq!((view.active().count(), view.pending().count()), (0, 0));
}

#[tokio::test]
async fn a_backtest_that_cannot_be_played_says_why() {
    let served = served().await;
    let change = |key: &str, value: Value| {
        let mut asked = asked();
        asked[key] = value;
        asked.to_string()
    };
    for (path, body, status, reason) in [
        ("backtest", "{}".to_owned(), 400, "rule: is missing"),
        ("backtest", change("interval", json!(0.5)), 422, "interval: must be at least 1s"),
        ("backtest", change("end", at(-600)), 422, "end: is before the start"),
        ("backtest", change("start", at(-86_400 * 365)), 422, "begin later"),
        ("nobody/backtest", "{}".to_owned(), 404, "no alerting rule named \"nobody\""),
    ] {
        let path = format!("/api/v1/rules/{path}");
        let (found, answer) = send(&served, Method::POST, &path, &body).await;
        let error = answer["error"].as_str().unwrap_or_default();
        assert_eq!(found.as_u16(), status, "{body}: {error}");
        assert!(error.contains(reason), "{error}");
    }
}
