//! Native histograms from remote write to answers.

use prost::Message as _;

use super::{NOW_S, get, remote_write, serve};
use crate::config::Settings;
use crate::decode::remote_write::messages::both::{Count, Histogram, Span};
use crate::decode::remote_write::messages::{one, two};
use crate::model::STALE_NAN;

const AT: i64 = NOW_S * 1000;

/// Two buckets above 1 with 1 and 2 observations.
fn histogram(at: i64) -> Histogram {
    Histogram {
        count: Some(Count::Whole(3)),
        sum: 6.5,
        positive_spans: vec![Span { offset: 1, length: 2 }],
        positive_deltas: vec![1, 1],
        timestamp: at,
        ..Default::default()
    }
}

fn packed(message: &impl prost::Message) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(&message.encode_to_vec()).expect("packed")
}

#[tokio::test]
async fn version_2_hears_how_many_histograms_were_written_and_which_were_not() {
    let served = serve(Settings::default());
    let bad = Histogram { count: Some(Count::Whole(4)), ..histogram(AT - 1000) };
    let ended = Histogram { sum: f64::from_bits(STALE_NAN), timestamp: AT, ..Default::default() };
    let good = histogram(AT - 2000);
    let request = two::Request {
        symbols: ["", "__name__", "h"].map(str::to_owned).to_vec(),
        timeseries: vec![two::TimeSeries {
            labels_refs: vec![1, 2],
            samples: vec![one::Point { value: 1.0, timestamp: AT - 3000 }],
            histograms: [good, bad, ended].map(|message| message.encode_to_vec()).to_vec(),
            ..Default::default()
        }],
    };
    let kind = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    let headers = [("content-type", kind), ("content-encoding", "snappy")];
    let request = remote_write(&headers, packed(&request));
    let response = tower::ServiceExt::oneshot(served.router.clone(), request).await;
    let response = response.expect("infallible");
    assert_eq!(response.status().as_u16(), 400, "one was bad");
    let header = |name: &str| response.headers()[name].to_str().expect("text").to_owned();
    assert_eq!(header("x-prometheus-remote-write-samples-written"), "1");
    assert_eq!(header("x-prometheus-remote-write-histograms-written"), "2");
    let (_, read) = get(&served, "/api/v1/query?query=h%5B5m%5D").await;
    let shape = serde_json::json!({
        "metric": {"__name__": "h"},
        "values": [[NOW_S - 3, "1"]],
        "histograms": [[NOW_S - 2, {
            "count": "3", "sum": "6.5", "buckets": [[0, "1", "2", "1"], [0, "2", "4", "2"]],
        }]],
    });
    assert_eq!(read["data"]["result"][0], shape, "{read}");
    let refused = &served.app.telemetry.refused;
    assert_eq!(refused.get(["invalid_histogram"]), 1);
    assert_eq!(served.app.telemetry.histograms_ingested.get(), 2);
}

#[tokio::test]
async fn version_1_takes_histograms_too() {
    let served = serve(Settings::default());
    let label = one::Label { name: "__name__".to_owned(), value: "h".to_owned() };
    let series = one::TimeSeries {
        labels: vec![label],
        histograms: vec![histogram(AT).encode_to_vec()],
        ..Default::default()
    };
    let request = one::WriteRequest { timeseries: vec![series], metadata: vec![] };
    let headers = [("content-encoding", "snappy")];
    let request = remote_write(&headers, packed(&request));
    let response = tower::ServiceExt::oneshot(served.router.clone(), request).await;
    assert_eq!(response.expect("infallible").status().as_u16(), 204);
    let (_, read) = get(&served, "/api/v1/query?query=h%5B1m%5D").await;
    assert_eq!(read["data"]["result"][0]["histograms"][0][1]["count"], "3", "{read}");
}
