//! OTLP in, exemplars and federation out, through the router over a real database.

use axum::body::Body;
use axum::http::{HeaderMap, Request, header};
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::BodyExt as _;
use prost::Message as _;
use serde_json::{Value, json};
use std::io::Write as _;
use tower::ServiceExt as _;

use crate::config::Settings;
use crate::decode::otlp::messages::{
    Buckets, Data, Exemplar, ExemplarNumber, ExponentialHistogram, ExponentialPoint, Gauge, Metric,
    Number, NumberPoint, Response, Status, Sum, metric, point, request, text,
};
use crate::decode::remote_write::messages::{one, two};

use super::tests::{NOW_S, Served, ask, get, serve};

async fn raw(served: &Served, request: Request<Body>) -> (u16, HeaderMap, Vec<u8>) {
    let response = served.router.clone().oneshot(request).await.expect("infallible");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.into_body().collect().await.expect("whole").to_bytes();
    (status, headers, body.to_vec())
}

fn post(path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Request<Body> {
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body)).expect("a request")
}

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

fn at_ms() -> u64 {
    NOW_S.unsigned_abs() * 1000
}

fn gauge(name: &str, points: Vec<NumberPoint>) -> Metric {
    metric(name, "", Data::Gauge(Gauge { data_points: points }))
}

/// A counter with an exemplar.
fn counter() -> Metric {
    let exemplar = Exemplar {
        filtered_attributes: vec![text("user", "me")],
        time_unix_nano: (at_ms() - 1500) * 1_000_000,
        value: Some(ExemplarNumber::Integer(3)),
        span_id: Vec::new(),
        trace_id: vec![0x0f; 16],
    };
    let point = NumberPoint { exemplars: vec![exemplar], ..point(at_ms(), Number::Integer(9)) };
    let sum = Sum { data_points: vec![point], aggregation_temporality: 2, is_monotonic: true };
    metric("orders", "", Data::Sum(sum))
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).expect("to memory");
    encoder.finish().expect("to memory")
}

#[tokio::test]
async fn otlp_is_taken_at_both_paths_packed_and_plain_and_then_readable() {
    let served = serve(Settings::default());
    for (place, path) in ["/v1/metrics", "/api/v1/otlp/v1/metrics"].into_iter().enumerate() {
        let name = format!("from.path{place}");
        let value = Number::Double(place as f64);
        let body = request(vec![gauge(&name, vec![point(at_ms(), value)])]).encode_to_vec();
        let packed = [PROTOBUF, ("content-encoding", "gzip")];
        let (status, headers, body) = raw(&served, post(path, &packed, gzip(&body))).await;
        assert_eq!((status, body.as_slice()), (200, &b""[..]));
        assert_eq!(headers[header::CONTENT_TYPE], "application/x-protobuf");
        let query = format!("/api/v1/query?query=from_path{place}");
        let (_, read) = get(&served, &query).await;
        assert_eq!(read["data"]["result"][0]["value"][1], place.to_string());
        assert_eq!(read["data"]["result"][0]["metric"]["job"], "prod/shop");
    }
    let (_, info) = get(&served, "/api/v1/query?query=target_info").await;
    assert_eq!(info["data"]["result"][0]["metric"]["host_name"], "a");
    let body = br#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"j","unit":"s","sum":{"isMonotonic":true,"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":"1767225600000000000","asInt":"5"}]}}]}]}]}"#;
    let (status, headers, answer) = raw(&served, post("/v1/metrics", &[JSON], body.to_vec())).await;
    assert_eq!((status, answer.as_slice()), (200, &b"{}"[..]));
    assert_eq!(headers[header::CONTENT_TYPE], "application/json");
    let (_, metadata) = get(&served, "/api/v1/metadata?metric=j_seconds_total").await;
    assert_eq!(metadata["data"]["j_seconds_total"][0]["type"], "counter");
    assert_eq!(metadata["data"]["j_seconds_total"][0]["unit"], "seconds");
}

#[tokio::test]
async fn what_is_refused_of_an_export_is_counted_in_a_partial_success() {
    let served = serve(Settings::default());
    let good = || point(at_ms(), Number::Integer(1));
    let old = point(1, Number::Integer(1));
    let delta =
        Sum { data_points: vec![good(), good()], aggregation_temporality: 1, is_monotonic: true };
    let body =
        request(vec![gauge("kept", vec![good(), old]), metric("lost", "", Data::Sum(delta))]);
    let body = body.encode_to_vec();
    let (status, _, answer) = raw(&served, post("/v1/metrics", &[PROTOBUF], body)).await;
    assert_eq!(status, 200);
    let partial = Response::decode(answer.as_slice()).expect("decodes").partial_success;
    let partial = partial.expect("partial");
    assert_eq!(partial.rejected_data_points, 3);
    assert!(partial.error_message.contains("temporality"), "{}", partial.error_message);
    let (_, read) = get(&served, "/api/v1/query?query=kept").await;
    assert_eq!(read["data"]["result"][0]["value"][1], "1");
    let body = br#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"x","gauge":{"dataPoints":[{"timeUnixNano":"1","asInt":1}]}}]}]}]}"#;
    let (status, answer) = ask(&served, post("/v1/metrics", &[JSON], body.to_vec())).await;
    assert_eq!(status, 200);
    assert_eq!(answer["partialSuccess"]["rejectedDataPoints"], "1");
}

#[tokio::test]
async fn a_failed_export_is_answered_with_a_status_in_the_form_of_the_request() {
    let mut settings = Settings::default();
    settings.limits.body_bytes_max = 2000;
    settings.limits.inflated_bytes_max = 4000;
    let served = serve(settings);
    let bomb = gzip(&vec![0; 5000]);
    for (headers, body, status, code) in [
        (vec![PROTOBUF], b"\x0a\xff".to_vec(), 400, 3),
        (vec![JSON], b"{".to_vec(), 400, 3),
        (vec![PROTOBUF], vec![0; 2001], 413, 3),
        (vec![PROTOBUF, ("content-encoding", "gzip")], bomb, 413, 3),
        (vec![PROTOBUF, ("content-encoding", "gzip")], b"no gzip".to_vec(), 400, 3),
        (vec![JSON, ("content-encoding", "br")], b"{}".to_vec(), 415, 3),
        (vec![("content-type", "text/plain")], b"{}".to_vec(), 415, 3),
        (vec![], b"{}".to_vec(), 415, 3),
    ] {
        let is_protobuf = headers.first() == Some(&PROTOBUF);
        let (found, answer_headers, answer) =
            raw(&served, post("/v1/metrics", &headers, body)).await;
        assert_eq!(found, status, "{headers:?}");
        let (found, message) = if is_protobuf {
            let status = Status::decode(answer.as_slice()).expect("a status");
            (i64::from(status.code), status.message)
        } else {
            let status: Value = serde_json::from_slice(&answer).expect("JSON");
            let message = status["message"].as_str().expect("a text").to_owned();
            (status["code"].as_i64().expect("a number"), message)
        };
        assert_eq!(found, code);
        assert!(!message.is_empty());
        let expected = if is_protobuf { PROTOBUF.1 } else { "application/json" };
        assert_eq!(answer_headers[header::CONTENT_TYPE], expected);
    }
}

#[tokio::test]
async fn an_export_that_comes_at_a_bad_time_is_to_be_sent_again() {
    let served = serve(Settings::default());
    let pipeline = served.app.engine().expect("open").pipeline.clone();
    let mut policy = (*pipeline.policy()).clone();
    policy.free_bytes_min = Some(u64::MAX);
    pipeline.set_policy(policy);
    let body = request(vec![counter()]).encode_to_vec();
    let (status, headers, answer) = raw(&served, post("/v1/metrics", &[PROTOBUF], body)).await;
    assert_eq!(status, 503);
    assert_eq!(headers[header::RETRY_AFTER], "30");
    assert_eq!(Status::decode(answer.as_slice()).expect("a status").code, 14);
}

#[tokio::test]
async fn histograms_of_otlp_can_be_queried() {
    let served = serve(Settings::default());
    let one = ExponentialPoint {
        time_unix_nano: at_ms() * 1_000_000,
        count: 7,
        sum: Some(3.5),
        scale: 0,
        zero_count: 1,
        positive: Some(Buckets { offset: -2, bucket_counts: vec![2, 4] }),
        ..ExponentialPoint::default()
    };
    let data = ExponentialHistogram { data_points: vec![one], aggregation_temporality: 2 };
    let body = request(vec![metric("size", "By", Data::Exponential(data))]).encode_to_vec();
    assert_eq!(raw(&served, post("/v1/metrics", &[PROTOBUF], body)).await.0, 200);
    // Buckets (1/4, 1/2] and (1/2, 1]; three of the seven are at most 1/2.
    for (query, value) in [
        ("histogram_count(size_bytes)", "7"),
        ("histogram_sum(size_bytes)", "3.5"),
        ("histogram_fraction(0,0.5,size_bytes)*7", "3"),
    ] {
        let (_, read) = get(&served, &format!("/api/v1/query?query={query}")).await;
        assert_eq!(read["data"]["result"][0]["value"][1], value, "{query}: {read}");
    }
}

#[tokio::test]
async fn remote_write_2_says_how_many_exemplars_it_took() {
    let served = serve(Settings::default());
    let at = NOW_S * 1000;
    let exemplar = |timestamp| {
        two::Exemplar { labels_refs: vec![4, 5], value: 0.5, timestamp }.encode_to_vec()
    };
    let series = |name: u32, samples, exemplars| two::TimeSeries {
        labels_refs: vec![1, name],
        samples,
        exemplars,
        ..two::TimeSeries::default()
    };
    let sample = one::Point { value: 1.0, timestamp: at };
    let body = two::Request {
        symbols: ["", "__name__", "known", "stranger", "trace_id", "t"].map(str::to_owned).to_vec(),
        timeseries: vec![
            series(2, vec![sample], vec![exemplar(at - 1), exemplar(1)]),
            // As Prometheus sends them: apart from the samples, and of a series nobody knows.
            series(2, vec![], vec![exemplar(at)]),
            series(3, vec![], vec![exemplar(at)]),
        ],
    };
    let packed = snap::raw::Encoder::new().compress_vec(&body.encode_to_vec()).expect("packed");
    let headers = [
        ("content-type", "application/x-protobuf;proto=io.prometheus.write.v2.Request"),
        ("content-encoding", "snappy"),
    ];
    let (status, headers, _) = raw(&served, post("/api/v1/write", &headers, packed)).await;
    assert_eq!(status, 204);
    assert_eq!(headers["x-prometheus-remote-write-samples-written"], "1");
    assert_eq!(headers["x-prometheus-remote-write-exemplars-written"], "2");
    assert_eq!(served.app.telemetry.exemplars_skipped.get(), 2);
    let (_, found) = get(&served, "/api/v1/query_exemplars?query=%7B__name__=~%22.%2B%22%7D").await;
    let data = found["data"].as_array().expect("a list");
    assert_eq!(data.len(), 1);
    assert_eq!(data[0]["exemplars"].as_array().map(Vec::len), Some(2));
    let (_, series) = get(&served, "/api/v1/series?match[]=stranger").await;
    assert_eq!(series["data"], json!([]), "an exemplar alone makes no series");
}

/// The shape is that of Prometheus's documentation of its HTTP API ("Querying exemplars").
#[tokio::test]
async fn exemplars_are_found_by_any_selector_of_a_query() {
    let served = serve(Settings::default());
    let body = request(vec![counter()]).encode_to_vec();
    assert_eq!(raw(&served, post("/v1/metrics", &[PROTOBUF], body.clone())).await.0, 200);
    // Sent again it is known already.
    assert_eq!(raw(&served, post("/v1/metrics", &[PROTOBUF], body)).await.0, 200);
    let expected = json!([{
        "seriesLabels": {"__name__": "orders_total", "instance": "1", "job": "prod/shop"},
        "exemplars": [{
            "labels": {"trace_id": "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f", "user": "me"},
            "value": "3",
            "timestamp": NOW_S as f64 - 1.5,
        }],
    }]);
    let path = "/api/v1/query_exemplars?query=up+%2B+rate(orders_total%5B5m%5D)";
    let (status, answer) = get(&served, path).await;
    assert_eq!((status.as_u16(), &answer["data"]), (200, &expected));
    for (times, count) in [
        (format!("start={}&end={}", NOW_S - 2, NOW_S - 1), 1),
        (format!("start={}", NOW_S - 1), 0),
        (format!("end={}", NOW_S - 2), 0),
    ] {
        let (_, answer) = get(&served, &format!("{path}&{times}")).await;
        assert_eq!(answer["data"].as_array().expect("a list").len(), count, "{times}");
    }
    let (_, none) = get(&served, "/api/v1/query_exemplars?query=up").await;
    assert_eq!(none["data"], json!([]));
    for path in ["?query=up%7B", "?query=", "?query=up&start=2&end=1", "?query=up&start=x"] {
        let (status, answer) = get(&served, &format!("/api/v1/query_exemplars{path}")).await;
        assert_eq!((status.as_u16(), &answer["errorType"]), (400, &Value::from("bad_data")));
    }
}

#[tokio::test]
async fn exemplars_of_an_openmetrics_exposition_are_kept() {
    let served = serve(Settings::default());
    let body = format!(
        "# TYPE a counter\na_total{{x=\"1\"}} 5 {NOW_S} # {{trace_id=\"t1\"}} 0.5 {}\n\
         a_total{{x=\"2\"}} 6 {NOW_S} # {{trace_id=\"t2\"}} 1\n\
         a_total{{x=\"3\"}} 6 {NOW_S} # {{trace_id=\"{}\"}} 1\n# EOF\n",
        NOW_S - 1,
        "x".repeat(200),
    );
    let headers = [("content-type", "application/openmetrics-text; version=1.0.0")];
    let (status, answer) =
        ask(&served, post("/api/v1/import/prometheus", &headers, body.into_bytes())).await;
    assert_eq!(status, 200, "{answer}");
    let (_, found) = get(&served, "/api/v1/query_exemplars?query=a_total").await;
    let found: Vec<_> = found["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| {
            let exemplar = &one["exemplars"][0];
            (
                one["seriesLabels"]["x"].clone(),
                exemplar["value"].clone(),
                exemplar["timestamp"].clone(),
            )
        })
        .collect();
    // Without a time of its own it has its sample's; labels that are too long are not taken.
    let expected =
        [(json!("1"), json!("0.5"), json!(NOW_S - 1)), (json!("2"), json!("1"), json!(NOW_S))];
    assert_eq!(found, expected);
    assert_eq!(served.app.telemetry.exemplars_skipped.get(), 1);
}

async fn federated(served: &Served, query: &str, accept: &str) -> (u16, HeaderMap, String) {
    let request = Request::get(format!("/federate?{query}")).header(header::ACCEPT, accept);
    let (status, headers, body) =
        raw(served, request.body(Body::empty()).expect("a request")).await;
    (status, headers, String::from_utf8(body).expect("UTF-8"))
}

#[tokio::test]
async fn federation_gives_the_latest_samples_by_name() {
    let served = serve(Settings::default());
    let at = NOW_S * 1000;
    let mut pipeline = served.app.engine().expect("open").tsdb.batch();
    for (name, labels, age_ms, value) in [
        ("http.size", vec![("a.b", "1"), ("instance", "x")], 1000, 2.5),
        ("gone", vec![], 2000, 1.0),
        ("gone", vec![], 1000, f64::from_bits(crate::model::STALE_NAN)),
        ("old", vec![], 301_000, 1.0),
    ] {
        let pairs = labels.into_iter().chain([("__name__", name)]);
        let labels = crate::model::Labels::from_pairs(pairs).expect("valid");
        let time = crate::model::Timestamp::from_millis(at - age_ms);
        pipeline.push_labels(&labels, time, value);
    }
    // Text cannot say a native histogram.
    let native = crate::model::Labels::from_pairs([("__name__", "native")]).expect("valid");
    let native = pipeline.series(&native, None);
    let time = crate::model::Timestamp::from_millis(at);
    pipeline.push_histogram(native, time, std::sync::Arc::default());
    let batch = pipeline.finish();
    served.app.engine().expect("open").tsdb.write(&[batch]).expect("written");
    let all = "match[]=%7B__name__=~%22.%2B%22%7D&match[]=up";
    let (status, headers, body) = federated(&served, all, "text/plain;version=0.0.4").await;
    assert_eq!(status, 200);
    assert_eq!(
        headers[header::CONTENT_TYPE],
        "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
    );
    assert_eq!(
        body,
        format!(
            "# TYPE http_size untyped\n\
             http_size{{a_b=\"1\",instance=\"x\"}} 2.5 {}\n\
             # TYPE load untyped\n\
             load{{job=\"node\",instance=\"\"}} 0.25 {at}\n\
             # TYPE up untyped\n\
             up{{job=\"db\",instance=\"\"}} 0 {at}\n\
             up{{job=\"node\",instance=\"\"}} 1 {at}\n",
            at - 1000
        )
    );
    let accept = "text/plain;version=1.0.0;escaping=allow-utf-8";
    let (_, headers, body) = federated(&served, "match[]=%7B%22http.size%22%7D", accept).await;
    assert_eq!(
        headers[header::CONTENT_TYPE],
        "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
    );
    assert_eq!(
        body,
        format!(
            "# TYPE \"http.size\" untyped\n{{\"http.size\",\"a.b\"=\"1\",instance=\"x\"}} 2.5 {}\n",
            at - 1000
        )
    );
    assert_eq!(federated(&served, "", "").await.2, "");
    assert_eq!(federated(&served, "match[]=up%7B", "").await.0, 400);
}
