//! Writes the answer to a query: values, statistics, annotations.

use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use serde_json::json;

use crate::model::Timestamp;
use crate::promql::{Answer, Samples, Value};

use super::json::{
    Remarks, close_success, open_success, push_histogram_point, push_labels, push_point, push_text,
    push_time,
};

/// The parameter `stats`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stats {
    None,
    Totals,
    /// `all`: for every step too.
    PerStep,
}

/// How many warnings and how many infos one answer gives, as in Prometheus.
const ANNOTATIONS_MAX: usize = 10;

/// What is asked about the evaluation itself, in Prometheus's shape; `took` includes the wait.
pub(super) fn statistics(
    answer: &Answer,
    wanted: Stats,
    queued: Duration,
    took: Duration,
) -> Option<serde_json::Value> {
    if wanted == Stats::None {
        return None;
    }
    let per_step = &answer.samples_per_step;
    let mut samples = json!({
        "totalQueryableSamples": per_step.iter().map(|(_, count)| count).sum::<u64>(),
        "peakSamples": answer.samples_peak,
    });
    if wanted == Stats::PerStep {
        let step = |(at_ms, count): &(i64, u64)| match at_ms % 1000 {
            0 => json!([at_ms / 1000, count]),
            _ => json!([*at_ms as f64 / 1000.0, count]),
        };
        samples["totalQueryableSamplesPerStep"] = per_step.iter().map(step).collect();
    }
    Some(json!({
        "timings": {
            "evalTotalTime": (took - queued).as_secs_f64(),
            "execQueueTime": queued.as_secs_f64(),
            "execTotalTime": took.as_secs_f64(),
        },
        "samples": samples,
    }))
}

/// Writes an answer.
pub(super) fn render(
    mut answer: Answer,
    text: &str,
    limit: Option<usize>,
    stats: Option<serde_json::Value>,
) -> Response<Body> {
    let (warnings, infos) = answer.annotations.as_strings(text, ANNOTATIONS_MAX);
    let mut remarks = Remarks { warnings, infos };
    if let Some(limit) = limit
        && truncate(&mut answer.value, limit)
    {
        remarks.warnings.push("results truncated due to limit".to_owned());
    }
    let mut out = open_success(expected_bytes(&answer.value));
    out.extend_from_slice(b"{\"resultType\":");
    push_value(&mut out, &answer.value);
    if let Some(stats) = stats {
        out.extend_from_slice(b",\"stats\":");
        out.extend_from_slice(stats.to_string().as_bytes());
    }
    out.push(b'}');
    close_success(out, &remarks)
}

fn truncate(value: &mut Value, limit: usize) -> bool {
    let before = match value {
        Value::Vector(series) => series.len(),
        Value::Matrix(series) => series.len(),
        Value::Scalar(_) | Value::String { .. } => 0,
    };
    match value {
        Value::Vector(series) => series.truncate(limit),
        Value::Matrix(series) => series.truncate(limit),
        Value::Scalar(_) | Value::String { .. } => {}
    }
    before > limit
}

/// A guess of the answer's size, so that the buffer seldom grows.
fn expected_bytes(value: &Value) -> usize {
    match value {
        Value::Vector(series) => series.len() * 160,
        Value::Matrix(series) => series.iter().map(|one| 128 + one.samples.len() * 24).sum(),
        Value::Scalar(_) | Value::String { .. } => 64,
    }
}

fn push_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Scalar(sample) => {
            out.extend_from_slice(b"\"scalar\",\"result\":");
            push_point(out, sample.at.millis(), sample.value);
        }
        Value::String { at, text } => {
            out.extend_from_slice(b"\"string\",\"result\":[");
            push_time(out, Timestamp::millis(*at));
            out.push(b',');
            push_text(out, text);
            out.push(b']');
        }
        Value::Vector(series) => {
            out.extend_from_slice(b"\"vector\",\"result\":[");
            for (place, one) in series.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(b"{\"metric\":");
                push_labels(out, &one.labels);
                let at = one.sample.at.millis();
                match &one.histogram {
                    Some(histogram) => {
                        out.extend_from_slice(b",\"histogram\":");
                        push_histogram_point(out, at, histogram);
                    }
                    None => {
                        out.extend_from_slice(b",\"value\":");
                        push_point(out, at, one.sample.value);
                    }
                }
                out.push(b'}');
            }
            out.push(b']');
        }
        Value::Matrix(series) => {
            out.extend_from_slice(b"\"matrix\",\"result\":[");
            for (place, one) in series.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(b"{\"metric\":");
                push_labels(out, &one.labels);
                push_samples(out, &one.samples);
                out.push(b'}');
            }
            out.push(b']');
        }
    }
}

/// Appends the numbers as `values` and the histograms as `histograms`, each if there are any.
fn push_samples(out: &mut Vec<u8>, samples: &Samples) {
    let has_histograms = !samples.histograms.is_empty();
    let mut separator = &b",\"values\":["[..];
    for (place, (at, value)) in samples.times.iter().zip(&samples.values).enumerate() {
        if has_histograms && samples.histogram(place).is_some() {
            continue;
        }
        out.extend_from_slice(std::mem::replace(&mut separator, b","));
        push_point(out, *at, *value);
    }
    if separator == b"," {
        out.push(b']');
    }
    if !has_histograms {
        return;
    }
    separator = b",\"histograms\":[";
    for (at, histogram) in samples.times.iter().zip(&samples.histograms) {
        if let Some(histogram) = histogram {
            out.extend_from_slice(std::mem::replace(&mut separator, b","));
            push_histogram_point(out, *at, histogram);
        }
    }
    if separator == b"," {
        out.push(b']');
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{BucketSpan, Buckets, Histogram, Labels, Sample};
    use crate::promql::{MatrixSeries, VectorSample};

    fn written(value: &Value) -> String {
        let mut out = Vec::new();
        push_value(&mut out, value);
        String::from_utf8(out).expect("UTF-8")
    }

    /// The shapes are those of Prometheus's documentation of its HTTP API.
    #[test]
    fn answers_have_the_shapes_of_prometheus() {
        let labels = Labels::from_pairs([("__name__", "up"), ("job", "a\"b")]).expect("valid");
        let sample = Sample::new(1_435_781_451_781, 1.0);
        assert_eq!(written(&Value::Scalar(sample)), r#""scalar","result":[1435781451.781,"1"]"#);
        assert_eq!(
            written(&Value::String { at: sample.at, text: "x\n".to_owned() }),
            r#""string","result":[1435781451.781,"x\n"]"#
        );
        assert_eq!(
            written(&Value::Vector(vec![VectorSample {
                labels: labels.clone(),
                sample,
                histogram: None
            }])),
            r#""vector","result":[{"metric":{"__name__":"up","job":"a\"b"},"value":[1435781451.781,"1"]}]"#
        );
        let samples =
            Samples { times: vec![0, 1_500], values: vec![0.5, f64::NAN], histograms: Vec::new() };
        assert_eq!(
            written(&Value::Matrix(vec![MatrixSeries { labels, samples }])),
            r#""matrix","result":[{"metric":{"__name__":"up","job":"a\"b"},"values":[[0,"0.5"],[1.500,"NaN"]]}]"#
        );
    }

    /// The example is that of `MarshalHistogram` in Prometheus's `util/jsonutil/marshal.go`.
    fn histogram() -> Histogram {
        Histogram {
            count: 42.0,
            sum: 34593.34,
            zero_threshold: 0.25,
            zero_count: 3.0,
            positive: Buckets {
                spans: vec![
                    BucketSpan { offset: -1, length: 2 },
                    BucketSpan { offset: 0, length: 2 },
                ],
                counts: vec![12.0, 21.0, 0.0, 6.0],
            },
            ..Histogram::default()
        }
    }

    #[test]
    fn histograms_have_the_shapes_of_prometheus() {
        let shape = r#"{"count":"42","sum":"34593.34","buckets":[[3,"-0.25","0.25","3"],[0,"0.25","0.5","12"],[0,"0.5","1","21"],[0,"2","4","6"]]}"#;
        let labels = Labels::from_pairs([("__name__", "h")]).expect("valid");
        let vector = VectorSample {
            labels: labels.clone(),
            sample: Sample::new(1_500, f64::from_bits(crate::model::HISTOGRAM_NAN)),
            histogram: Some(Arc::new(histogram())),
        };
        assert_eq!(
            written(&Value::Vector(vec![vector])),
            format!(
                r#""vector","result":[{{"metric":{{"__name__":"h"}},"histogram":[1.500,{shape}]}}]"#
            )
        );
        let mut samples = Samples::default();
        samples.push_histogram(1_000, Arc::new(histogram()));
        let alone = MatrixSeries { labels: labels.clone(), samples: samples.clone() };
        samples.push(2_000, 7.0);
        samples.push_histogram(3_000, Arc::new(Histogram::default()));
        let mixed = MatrixSeries { labels, samples };
        assert_eq!(
            written(&Value::Matrix(vec![alone, mixed])),
            format!(
                r#""matrix","result":[{{"metric":{{"__name__":"h"}},"histograms":[[1,{shape}]]}},{{"metric":{{"__name__":"h"}},"values":[[2,"7"]],"histograms":[[1,{shape}],[3,{{"count":"0","sum":"0"}}]]}}]"#
            )
        );
    }
}
