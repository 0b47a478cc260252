//! The ways in over the router and a real database.

use axum::http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use prost::Message as _;
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;
use crate::api::tests::{NOW_S, Served, serve};
use crate::config::Settings;
use crate::engine::logs::{LogFilter, LogQuery, Order};
use crate::model::LogLine;

async fn post(
    served: &Served,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> (StatusCode, Bytes) {
    let mut request =
        Request::builder().method(Method::POST).uri(path).header(header::HOST, "127.0.0.1:9077");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body.into()).expect("a request");
    let response = served.router.clone().oneshot(request).await.expect("infallible");
    let status = response.status();
    (status, response.into_body().collect().await.expect("whole").to_bytes())
}

fn stored(served: &Served) -> Vec<LogLine> {
    let query =
        LogQuery { filter: LogFilter::default(), order: Order::Oldest, after: None, limit: 100 };
    let logs = served.app.engine().expect("open").logs.clone();
    let page = logs.query(&query, &|| false).expect("readable");
    page.lines.into_iter().map(|stored| stored.line).collect()
}

fn messages(served: &Served) -> Vec<String> {
    stored(served).into_iter().map(|line| line.message).collect()
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn our_json_is_taken_in_any_shape_and_packing() {
    let served = serve(Settings::default());
    let (status, body) =
        post(&served, "/api/v1/logs", &[JSON], r#"{"logs":[{"message":"a"},{"message":"b"}]}"#)
            .await;
    assert_eq!(status, StatusCode::OK, "{body:?}");
    let answer: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(answer["data"]["accepted"], 2);
    let packed =
        zstd::encode_all(&b"{\"message\":\"c\"}\n{\"message\":\"d\"}\n"[..], 1).expect("packs");
    let headers = [("content-type", "application/x-ndjson"), ("content-encoding", "zstd")];
    assert_eq!(post(&served, "/api/v1/logs", &headers, packed).await.0, StatusCode::OK);
    assert_eq!(messages(&served), ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn good_lines_are_kept_and_bad_ones_named() {
    let served = serve(Settings::default());
    let body = r#"[{"message":"a"},{"message":"b","level":"loud"},{"level":"info"}]"#;
    let (status, answer) = post(&served, "/api/v1/logs", &[JSON], body).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let answer: Value = serde_json::from_slice(&answer).expect("JSON");
    let error = answer["error"].as_str().expect("a text");
    assert!(error.starts_with("1 lines accepted, 2 refused: line 1: level: \"loud\""), "{error}");
    assert!(error.contains("line 2: message: is missing"), "{error}");
    assert_eq!(messages(&served), ["a"]);
    assert_eq!(served.app.telemetry.log_lines_refused.get(["json"]), 2);

    let (status, answer) = post(&served, "/api/v1/logs", &[JSON], "{\"message\"").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(String::from_utf8_lossy(&answer).contains("nothing was taken: line 1"), "{answer:?}");
}

#[tokio::test]
async fn what_is_sent_again_with_the_same_key_is_not_taken_again() {
    let served = serve(Settings::default());
    let headers = [JSON, ("idempotency-key", "k")];
    // What was refused as a whole may be mended and sent again.
    assert_eq!(post(&served, "/api/v1/logs", &headers, "7").await.0, StatusCode::BAD_REQUEST);
    for repeated in [Value::Null, Value::Bool(true)] {
        let (status, body) = post(&served, "/api/v1/logs", &headers, r#"{"message":"a"}"#).await;
        assert_eq!(status, StatusCode::OK, "{body:?}");
        let answer: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(
            (&answer["data"]["accepted"], &answer["data"]["repeated"]),
            (&1.into(), &repeated)
        );
    }
    assert_eq!(messages(&served), ["a"]);
}

#[tokio::test]
async fn what_sends_to_loki_is_answered_as_loki_does() {
    let served = serve(Settings::default());
    let body = format!(
        r#"{{"streams":[{{"stream":{{"job":"j"}},"values":[["{NOW_S}000000000","json"]]}}]}}"#
    );
    let (status, answer) = post(&served, "/loki/api/v1/push", &[JSON], body).await;
    assert_eq!((status, answer.len()), (StatusCode::NO_CONTENT, 0));

    // PushRequest with one stream of one entry, by the field numbers of push.proto.
    let entry =
        [&[0x0a, 0x06, 0x08][..], &varint(NOW_S.unsigned_abs()), &[0x12, 0x05], b"proto"].concat();
    let stream = [&[0x0a, 0x09][..], b"{job=\"j\"}", &[0x12, entry.len() as u8], &entry].concat();
    let push = [&[0x0a, stream.len() as u8][..], &stream].concat();
    let packed = snap::raw::Encoder::new().compress_vec(&push).expect("packs");
    for headers in [
        &[("content-type", "application/x-protobuf")][..],
        &[("content-type", "application/x-protobuf"), ("content-encoding", "snappy")],
        &[],
    ] {
        let (status, answer) = post(&served, "/loki/api/v1/push", headers, packed.clone()).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{answer:?}");
    }
    assert_eq!(messages(&served), ["json", "proto", "proto", "proto"]);
    assert!(stored(&served).iter().all(|line| line.source == "j"));
    assert_eq!(post(&served, "/loki/api/v1/push", &[], "junk").await.0, StatusCode::BAD_REQUEST);
}

/// A varint of five bytes: seconds of our days have as many.
fn varint(number: u64) -> [u8; 5] {
    std::array::from_fn(|place| {
        let part = (number >> (7 * place)) as u8;
        if place < 4 { part | 0x80 } else { part & 0x7f }
    })
}

#[tokio::test]
async fn otlp_is_answered_in_its_own_form_and_says_what_was_rejected() {
    let served = serve(Settings::default());
    let body = |nanos: &str| {
        format!(
            r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[
                {{"timeUnixNano":"{nanos}","body":{{"stringValue":"x"}}}},
                {{"body":{{"stringValue":"y"}}}}]}}]}}]}}"#
        )
    };
    let (status, answer) =
        post(&served, "/v1/logs", &[JSON], body(&format!("{NOW_S}000000000"))).await;
    assert_eq!((status, &answer[..]), (StatusCode::OK, &b"{}"[..]));
    let (status, answer) = post(&served, "/api/v1/otlp/v1/logs", &[JSON], body("7")).await;
    let answer: Value = serde_json::from_slice(&answer).expect("JSON");
    assert_eq!(
        (status, &answer["partialSuccess"]["rejectedLogRecords"]),
        (StatusCode::OK, &Value::from("1"))
    );
    let message = answer["partialSuccess"]["errorMessage"].as_str().expect("a text");
    assert!(message.contains("line 0: time: ") && message.contains("logs.retention"), "{message}");
    assert_eq!(messages(&served), ["x", "y", "y"]);

    let protobuf = [("content-type", "application/x-protobuf")];
    let (status, answer) = post(&served, "/v1/logs", &protobuf, Vec::new()).await;
    assert_eq!((status, answer.len()), (StatusCode::OK, 0));
    let (status, answer) = post(&served, "/v1/logs", &protobuf, vec![0x0a, 0x05]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let answer = crate::decode::otlp::messages::Status::decode(&answer[..]).expect("a Status");
    assert_eq!(answer.code, 3);
    let (status, _) = post(&served, "/v1/logs", &[("content-type", "text/plain")], "x").await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}
