//! Native histograms from remote write to answers.

use std::sync::Arc;

use prost::Message as _;

use super::remote_write::remote_write;
use super::{NOW_S, get, serve};
use crate::config::Settings;
use crate::decode::admit::Refusals;
use crate::decode::remote_write::messages::both::{Count, Histogram, Span};
use crate::decode::remote_write::messages::{one, two};
use crate::model::{
    BucketSpan, Buckets, Histogram as Native, Labels, Reading, ResetHint, Row, STALE_NAN, Timestamp,
};
use crate::promql::{Hints, Samples, Selection, Source as _};
use crate::telemetry::Way;

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

#[tokio::test]
async fn rows_of_rules_and_decoders_may_be_histograms() {
    let served = serve(Settings::default());
    let labels = Labels::from_pairs([("__name__", "recorded")]).expect("valid");
    let native = |reset_hint, length: usize| Native {
        reset_hint,
        count: length as f64,
        positive: Buckets {
            spans: vec![BucketSpan { offset: 0, length: length as u32 }],
            counts: vec![1.0; length],
        },
        ..Native::default()
    };
    let mut odd = native(ResetHint::Unknown, 3);
    odd.positive.counts.pop();
    let ended = Native { sum: f64::from_bits(STALE_NAN), ..Native::default() };
    let too_wide = native(ResetHint::Unknown, 2049);
    let good = native(ResetHint::NotReset, 3);
    let rows: Vec<Row> = [good, odd, too_wide, ended]
        .into_iter()
        .enumerate()
        .map(|(place, histogram)| Row {
            labels: labels.clone(),
            at: Timestamp::from_millis(AT + place as i64),
            value: Reading::Histogram(Arc::new(histogram)),
        })
        .collect();
    let engine = served.app.engine().expect("ready");
    let intake = engine.pipeline.read_rows(&rows, [], Refusals::new());
    let written = engine.pipeline.write(Way::Json, intake).await.expect("written");
    assert_eq!((written.samples, written.refusals.total()), (2, 2));
    let codes: Vec<_> = written.refusals.by_code().iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, ["invalid_histogram", "too_many_buckets"]);
    let reader = engine.tsdb.reader().expect("a view");
    let selection = Selection {
        matchers: vec![
            crate::model::Matcher::new("__name__", crate::model::MatchOp::Equal, "recorded")
                .expect("valid"),
        ],
        start: Timestamp::MIN,
        end: Timestamp::MAX,
        hints: Hints::default(),
    };
    let mut samples = Samples::default();
    let mut cursor = reader.select(&selection).expect("selects");
    assert_eq!(cursor.next(&mut samples).expect("reads"), Some(labels));
    assert_eq!(samples.times, [AT, AT + 3]);
    // Which histogram it was not reset since is anybody's guess.
    assert_eq!(samples.histogram(0).map(|h| &**h), Some(&native(ResetHint::Unknown, 3)));
    assert_eq!(samples.values[1].to_bits(), STALE_NAN);
}
