//! Log lines over HTTP.

use std::io::Read as _;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{NOW_S, Served, get, serve};
use crate::config::Settings;
use crate::engine::watch::{Batch, Signal};
use crate::model::{Alert, LogLevel, LogLine, Timestamp};

fn line(ago_s: i64, level: LogLevel, source: &str, message: &str) -> LogLine {
    LogLine {
        time: Timestamp::from_millis((NOW_S - ago_s) * 1000),
        level,
        message: message.to_owned(),
        source: source.to_owned(),
        ..LogLine::default()
    }
}

async fn with_lines(lines: Vec<LogLine>) -> Served {
    let served = serve(Settings::default());
    let logs = served.app.engine().expect("ready").logs.clone();
    logs.write(lines).await.expect("written");
    served
}

/// Lines `a 0` to `a 9` of ten seconds, the last of them now, and every third of another source.
async fn ten() -> Served {
    let of = |n: i64| {
        let source = if n % 3 == 0 { "db" } else { "api" };
        let level = if n % 5 == 0 { LogLevel::Error } else { LogLevel::Info };
        line(9 - n, level, source, &format!("a {n}"))
    };
    with_lines((0..10).map(of).collect()).await
}

fn messages(lines: &Value) -> Vec<&str> {
    let lines = lines.as_array().expect("a list");
    lines.iter().map(|line| line["message"].as_str().expect("a text")).collect()
}

async fn body(served: &Served, path: &str) -> (StatusCode, String, String) {
    let request = Request::get(path).body(Body::empty()).expect("a request");
    let response = served.router.clone().oneshot(request).await.expect("infallible");
    let kind = response.headers()[header::CONTENT_TYPE].to_str().expect("a text").to_owned();
    let status = response.status();
    let body = response.into_body().collect().await.expect("whole").to_bytes();
    (status, kind, String::from_utf8(body.to_vec()).expect("UTF-8"))
}

#[tokio::test]
async fn lines_are_listed_page_by_page_in_either_order() {
    let served = ten().await;
    for (order, expected) in
        [("newest", ["a 9", "a 8", "a 7", "a 6"]), ("oldest", ["a 0", "a 1", "a 2", "a 3"])]
    {
        let mut found = Vec::new();
        let mut path = format!("/api/v1/logs?order={order}&limit=2");
        for _ in 0..2 {
            let (status, page) = get(&served, &path).await;
            assert_eq!(status, 200, "{page}");
            found.extend(messages(&page["data"]).into_iter().map(str::to_owned));
            let next = page["next"].as_str().expect("a cursor");
            path = format!("/api/v1/logs?order={order}&limit=2&after={next}");
        }
        assert_eq!(found, expected);
    }
    let (_, all) = get(&served, "/api/v1/logs").await;
    assert_eq!((messages(&all["data"]).len(), &all["next"]), (10, &Value::Null));
}

#[tokio::test]
async fn lines_are_chosen_by_level_source_text_and_time() {
    let served = ten().await;
    let from = NOW_S - 4;
    for (query, expected) in [
        ("level=error".to_owned(), vec!["a 5", "a 0"]),
        ("source=db&order=oldest".to_owned(), vec!["a 0", "a 3", "a 6", "a 9"]),
        ("q=A%207".to_owned(), vec!["a 7"]),
        ("regex=%5B12%5D%24".to_owned(), vec!["a 2", "a 1"]),
        (format!("from={from}&until={}", from + 2), vec!["a 6", "a 5"]),
    ] {
        let (status, page) = get(&served, &format!("/api/v1/logs?{query}")).await;
        assert_eq!((status.as_u16(), messages(&page["data"])), (200, expected), "{query}");
    }
    for path in [
        "/api/v1/logs?levle=error",
        "/api/v1/logs?limit=100000",
        "/api/v1/logs/histogram?step=0.001&from=0",
        "/api/v1/logs/export?format=xml",
        "/api/v1/logs/x/context",
        "/api/v1/logs/1-1/context?same=mood",
    ] {
        let (status, answer) = get(&served, path).await;
        assert_eq!((status.as_u16(), &answer["errorType"]), (400, &json!("bad_data")), "{path}");
    }
}

#[tokio::test]
async fn a_hit_is_shown_with_what_is_around_it() {
    let served = ten().await;
    let (_, hit) = get(&served, "/api/v1/logs?q=a%206").await;
    let id = hit["data"][0]["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/logs/{id}/context");
    let (status, near) = get(&served, &format!("{path}?before=2&after=1")).await;
    assert_eq!(status, 200, "{near}");
    let near = &near["data"];
    assert_eq!(messages(&near["before"]), ["a 4", "a 5"]);
    assert_eq!(near["line"]["message"], "a 6");
    assert_eq!(messages(&near["after"]), ["a 7"]);
    let (_, same) = get(&served, &format!("{path}?same=source")).await;
    assert_eq!(messages(&same["data"]["before"]), ["a 0", "a 3"]);
    assert_eq!(messages(&same["data"]["after"]), ["a 9"]);
    let (status, _) = get(&served, "/api/v1/logs/1-1/context").await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn levels_are_counted_over_time() {
    let served = ten().await;
    let path = format!("/api/v1/logs/histogram?from={}&until={}&step=5", NOW_S - 10, NOW_S + 5);
    let (status, answer) = get(&served, &path).await;
    assert_eq!(status, 200, "{answer}");
    // `a 0` is at −9 s and `a 9` at 0 s: five of them, four of them, and one.
    let counts: Vec<(u64, u64)> = answer["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|step| (step["info"].as_u64().expect("a count"), step["error"].as_u64().expect("one")))
        .collect();
    assert_eq!(counts, [(3, 1), (4, 1), (1, 0)]);
    assert_eq!((&answer["step"], &answer["data"][0]["debug"]), (&json!(5), &json!(0)));
}

#[tokio::test]
async fn exports_have_all_lines_in_each_form() {
    let mut lines: Vec<LogLine> = (0..3000)
        .map(|n| line(3000 - n, LogLevel::Info, "api", &format!("line {n} {}", "x".repeat(100))))
        .collect();
    lines.push(line(0, LogLevel::Error, "api", "=cmd(\"x\"),\nmore"));
    let served = with_lines(lines).await;
    let path = "/api/v1/logs/export?order=oldest";
    let (status, kind, text) = body(&served, path).await;
    assert_eq!((status.as_u16(), kind.as_str()), (200, "application/x-ndjson"));
    let each: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((each.len(), &each[3000]["message"]), (3001, &json!("=cmd(\"x\"),\nmore")));
    let (_, _, text) = body(&served, &format!("{path}&format=json")).await;
    assert_eq!(serde_json::from_str::<Vec<Value>>(&text).expect("JSON"), each);
    let (_, kind, text) = body(&served, &format!("{path}&format=csv&level=error")).await;
    assert!(kind.starts_with("text/csv"), "{kind}");
    let expected = "2026-01-01T00:00:00.000Z,error,api,,,,,\"'=cmd(\"\"x\"\"),\nmore\",,";
    assert!(text.lines().count() == 3 && text.contains(expected), "{text}");
    let (_, _, text) = body(&served, &format!("{path}&limit=2")).await;
    assert_eq!(text.lines().count(), 2);
    let (_, _, none) = body(&served, &format!("{path}&format=json&q=absent")).await;
    assert_eq!(serde_json::from_str::<Vec<Value>>(&none).expect("JSON"), Vec::<Value>::new());
}

#[tokio::test]
async fn an_export_may_be_compressed_on_its_way() {
    let lines = (0..3000).map(|n| line(n, LogLevel::Info, "api", &format!("line {n}"))).collect();
    let served = with_lines(lines).await;
    let request = Request::get("/api/v1/logs/export").header("Accept-Encoding", "gzip");
    let request = request.body(Body::empty()).expect("a request");
    let response = served.router.clone().oneshot(request).await.expect("infallible");
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let mut body = response.into_body();
    let mut packed = Vec::new();
    while let Some(frame) = body.frame().await {
        packed.extend_from_slice(frame.expect("a frame").data_ref().expect("data"));
    }
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*packed).read_to_string(&mut text).expect("gzip");
    assert_eq!(text.lines().count(), 3000);
}

#[tokio::test]
async fn what_lines_name_is_listed() {
    let served = ten().await;
    let (_, fields) = get(&served, "/api/v1/logs/fields").await;
    assert_eq!(fields["data"]["sources"], json!(["api", "db"]), "{fields}");
    assert_eq!(fields["data"]["lines"], 10);
}

#[tokio::test]
async fn an_incident_that_opens_keeps_the_lines_that_belong_to_it() {
    let mut lines = vec![
        line(20, LogLevel::Error, "payments", "card declined"),
        line(10, LogLevel::Warn, "payments", "tried again"),
        line(5, LogLevel::Info, "payments", "all is well"),
        line(5, LogLevel::Error, "mailer", "no route"),
        line(400, LogLevel::Error, "payments", "long ago"),
    ];
    lines[0].feature = "checkout".to_owned();
    let served = with_lines(lines).await;
    let alert = |labels: Value| -> Signal {
        let alert: Alert = serde_json::from_value(json!({
            "source": {"kind": "external"}, "labels": labels, "severity": "critical",
            "starts_at": Timestamp::from_millis(NOW_S * 1000),
        }))
        .expect("an alert");
        Signal::Firing(Box::new(alert))
    };
    let signals = vec![
        alert(json!({"alertname": "Declined", "source": "payments"})),
        alert(json!({"alertname": "Failing", "feature": "checkout"})),
        alert(json!({"alertname": "Full", "mountpoint": "/"})),
    ];
    let watch = &served.app.engine().expect("ready").watch;
    watch.commit(Batch { signals, ..Batch::default() }).await.expect("committed");
    let at = "2025-12-31T23:59:40.000Z ERROR payments: card declined";
    for (number, expected) in
        [(1, json!([at, "2025-12-31T23:59:50.000Z WARN payments: tried again"])), (2, json!([at]))]
    {
        let path = format!("/api/v1/incidents/{number}/evidence");
        let (_, evidence) = get(&served, &path).await;
        assert_eq!(evidence["data"]["log_lines"], expected, "{evidence}");
    }
    // Of nobody in particular there is nothing to keep.
    let (_, evidence) = get(&served, "/api/v1/incidents/3/evidence").await;
    assert!(evidence["data"]["log_lines"].as_array().is_none_or(Vec::is_empty), "{evidence}");
}
