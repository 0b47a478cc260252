//! Objects that people define, over HTTP.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

use super::{ask, get, send, serve};
use crate::config::Settings;

const CHANNEL: &str = r#"{"name":"ops","kind":"webhook","settings":{"url":"http://127.0.0.1:9/"}}"#;

#[tokio::test]
async fn an_object_lives_from_its_making_to_its_removal() {
    let served = serve(Settings::default());
    let (status, made) = send(&served, Method::POST, "/api/v1/channels", CHANNEL).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["data"]["name"], "ops");
    assert_eq!(made["data"]["origin"], "api");
    assert_eq!(made["data"]["created_at"], "2026-01-01T00:00:00.000Z");

    let (status, error) = send(&served, Method::POST, "/api/v1/channels", CHANNEL).await;
    assert_eq!((status.as_u16(), &error["errorType"]), (409, &json!("conflict")));

    // What was read may be sent back: fields that answers add are no part of the object.
    let mut whole = made["data"].clone();
    whole["send_resolved"] = json!(false);
    whole["settings"] = json!({"url": "http://127.0.0.1:9/"});
    let path = "/api/v1/channels/ops";
    let (status, put) = send(&served, Method::PUT, path, &whole.to_string()).await;
    assert_eq!((status.as_u16(), &put["data"]["send_resolved"]), (200, &json!(false)), "{put}");
    let (_, patched) = send(&served, Method::PATCH, path, r#"{"send_resolved":true}"#).await;
    assert_eq!(patched["data"]["send_resolved"], true, "{patched}");
    let (_, read) = get(&served, path).await;
    assert_eq!(read, patched);

    let (status, _) = send(&served, Method::DELETE, path, "").await;
    assert_eq!(status, 200);
    assert_eq!(get(&served, path).await.0, 404);
    assert_eq!(send(&served, Method::DELETE, path, "").await.0, 404);
}

#[tokio::test]
async fn a_repeated_request_with_its_key_makes_nothing_twice() {
    let served = serve(Settings::default());
    let request = || {
        Request::post("/api/v1/channels")
            .header("Idempotency-Key", "a")
            .body(Body::from(CHANNEL))
            .expect("a request")
    };
    let (first, made) = ask(&served, request()).await;
    let (second, again) = ask(&served, request()).await;
    assert_eq!((first.as_u16(), second.as_u16()), (201, 200));
    assert_eq!(made, again);
}

#[tokio::test]
async fn what_cannot_be_an_object_is_refused_with_the_reason() {
    let served = serve(Settings::default());
    for (path, body, reason) in [
        ("channels", r#"{"name":"A b","kind":"webhook"}"#, "is not a name; use 1 to 63"),
        ("channels", r#"{"name":"a","kind":"pigeon"}"#, "unknown variant `pigeon`"),
        ("channels", r#"{"name":"a","kind":"webhook","url":1}"#, "unknown field `url`"),
        ("rules", r#"{"name":"a"}"#, "expr: a rule needs expr"),
        ("maintenance", r#"{"name":"a","matchers":[]}"#, "ends_at: a window needs an end"),
    ] {
        let path = format!("/api/v1/{path}");
        let (status, error) = send(&served, Method::POST, &path, body).await;
        assert_eq!(status, 400, "{body}");
        assert!(error["error"].as_str().is_some_and(|text| text.contains(reason)), "{error}");
    }
}

#[tokio::test]
async fn lists_are_paged_by_name() {
    let served = serve(Settings::default());
    for name in ["c", "a", "b"] {
        let body = CHANNEL.replace("ops", name);
        send(&served, Method::POST, "/api/v1/channels", &body).await;
    }
    let (_, first) = get(&served, "/api/v1/channels?limit=2").await;
    assert_eq!(first["data"].as_array().map(Vec::len), Some(2));
    assert_eq!((&first["data"][0]["name"], &first["next"]), (&json!("a"), &json!("b")));
    let (_, second) = get(&served, "/api/v1/channels?limit=2&after=b").await;
    assert_eq!((&second["data"][0]["name"], &second["next"]), (&json!("c"), &json!(null)));
}
