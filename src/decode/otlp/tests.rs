//! Requests encoded by prost, or written as JSON by hand, and the series that they must become.
//! Expected series follow the rules of Prometheus's OTLP receiver, worked out by hand.

use prost::Message as _;

use super::oracle::{
    Data, Exemplar, ExemplarNumber, ExponentialHistogram, ExponentialPoint, Gauge, Histogram,
    HistogramPoint, Metric, Number, QuantileValue, Sum, Summary, SummaryPoint, Value, attribute,
    metric, point, request, text,
};
use super::{Context, Form, OtlpError, Translated, oracle, read, translate};
use crate::config::{Limits, Otlp, TranslationStrategy};
use crate::decode::admit::TimeBounds;
use crate::model::{MetricType, Reading, Timestamp, is_stale_nan};

const NOW_MS: u64 = 1_767_225_600_000;
const CUMULATIVE: i32 = 2;

fn translated(body: &[u8], form: Form, settings: &Otlp) -> Result<Translated, OtlpError> {
    let limits = Limits::default();
    let now = Timestamp::from_millis(NOW_MS as i64);
    let bounds = TimeBounds::new(now, now.plus_millis(-86_400_000), &limits);
    let context = Context { settings, limits: &limits, bounds: &bounds, lookback_ms: 300_000 };
    translate(&read(body, form)?, &context)
}

fn of(metrics: Vec<Metric>, settings: &Otlp) -> Translated {
    translated(&request(metrics).encode_to_vec(), Form::Protobuf, settings).expect("read")
}

/// `series value` lines, sorted; `target_info` is left out.
fn lines(out: &Translated) -> Vec<String> {
    let mut lines: Vec<String> = out
        .rows
        .iter()
        .filter(|row| row.labels.metric_name() != Some("target_info"))
        .map(|row| match &row.value {
            Reading::Float(value) if is_stale_nan(*value) => format!("{} stale", row.labels),
            Reading::Float(value) => format!("{} {value}", row.labels),
            Reading::Histogram(histogram) => {
                format!("{} count {} sum {}", row.labels, histogram.count, histogram.sum)
            }
        })
        .collect();
    lines.sort();
    lines
}

const WHO: &str = r#"instance="1", job="prod/shop""#;

fn sum(points: Vec<oracle::NumberPoint>, aggregation_temporality: i32, is_monotonic: bool) -> Data {
    Data::Sum(Sum { data_points: points, aggregation_temporality, is_monotonic })
}

#[test]
fn numbers_become_gauges_and_counters_with_their_attributes() {
    let mut with_attributes = point(NOW_MS, Number::Integer(7));
    with_attributes.attributes = vec![
        text("http.method", "GET"),
        attribute("ok", Value::Bool(true)),
        attribute("code", Value::Integer(200)),
        text("a.b", "1"),
        text("a_b", "2"),
        text("empty", ""),
    ];
    let out = of(
        vec![
            metric(
                "temperature",
                "Cel",
                Data::Gauge(Gauge { data_points: vec![point(NOW_MS, Number::Double(21.5))] }),
            ),
            metric("http.requests", "{request}", sum(vec![with_attributes], CUMULATIVE, true)),
            metric(
                "queue.size",
                "1",
                sum(vec![point(NOW_MS, Number::Integer(-3))], CUMULATIVE, false),
            ),
        ],
        &Otlp::default(),
    );
    assert_eq!(
        lines(&out),
        [
            format!(
                r#"http_requests_total{{a_b="1;2", code="200", http_method="GET", {WHO}, ok="true"}} 7"#
            ),
            format!("queue_size{{{WHO}}} -3"),
            format!("temperature_celsius{{{WHO}}} 21.5"),
        ]
    );
    let kinds: Vec<_> =
        out.families.iter().map(|(name, m)| (name.as_str(), m.kind, m.unit.as_str())).collect();
    assert_eq!(
        kinds,
        [
            ("http_requests_total", MetricType::Counter, ""),
            ("queue_size", MetricType::Gauge, ""),
            ("target_info", MetricType::Gauge, ""),
            ("temperature_celsius", MetricType::Gauge, "celsius"),
        ]
    );
    assert_eq!(out.families["queue_size"].help, "About queue.size.");
    assert!(out.refusals.is_empty());
}

#[test]
fn other_strategies_and_promoted_attributes_change_names_and_labels() {
    let mut one = point(NOW_MS, Number::Double(1.0));
    one.attributes = vec![text("http.method", "GET"), text("host.name", "mine")];
    let metrics = vec![metric("http.requests", "By", sum(vec![one], CUMULATIVE, true))];
    let settings = Otlp {
        translation_strategy: TranslationStrategy::NoTranslation,
        promote_scope_metadata: true,
        ..Otlp::default()
    };
    assert_eq!(
        lines(&of(metrics.clone(), &settings)),
        [format!(
            r#"{{__name__="http.requests", "host.name"="mine", "http.method"="GET", {WHO}, otel_scope_name="lib", otel_scope_schema_url="https://x", otel_scope_version="2"}} 1"#
        )]
    );
    let settings = Otlp {
        promote_all_resource_attributes: true,
        ignore_resource_attributes: vec!["service.name".to_owned()],
        ..Otlp::default()
    };
    // What the point says itself wins over the resource.
    assert_eq!(
        lines(&of(metrics, &settings)),
        [format!(
            r#"http_requests_bytes_total{{host_name="mine", http_method="GET", {WHO}, service_instance_id="1", service_namespace="prod"}} 1"#
        )]
    );
}

fn explicit(flags: u32) -> Metric {
    let exemplar = |value: f64, trace: u8| Exemplar {
        time_unix_nano: NOW_MS * 1_000_000,
        value: Some(ExemplarNumber::Double(value)),
        trace_id: vec![trace; 16],
        span_id: vec![0xAB; 8],
        filtered_attributes: vec![text("user", "me")],
    };
    metric(
        "rpc.duration",
        "s",
        Data::Histogram(Histogram {
            data_points: vec![HistogramPoint {
                time_unix_nano: NOW_MS * 1_000_000,
                count: 6,
                sum: Some(7.5),
                bucket_counts: vec![1, 2, 3],
                explicit_bounds: vec![0.5, 1.0],
                exemplars: vec![exemplar(0.7, 1), exemplar(9.0, 2)],
                flags,
                min: Some(0.1),
                ..HistogramPoint::default()
            }],
            aggregation_temporality: CUMULATIVE,
        }),
    )
}

#[test]
fn explicit_bounds_become_a_classic_histogram_with_exemplars_in_their_buckets() {
    let out = of(vec![explicit(0)], &Otlp::default());
    assert_eq!(
        lines(&out),
        [
            format!(r#"rpc_duration_seconds_bucket{{{WHO}, le="+Inf"}} 6"#),
            format!(r#"rpc_duration_seconds_bucket{{{WHO}, le="0.5"}} 1"#),
            format!(r#"rpc_duration_seconds_bucket{{{WHO}, le="1"}} 3"#),
            format!("rpc_duration_seconds_count{{{WHO}}} 6"),
            format!("rpc_duration_seconds_sum{{{WHO}}} 7.5"),
        ]
    );
    let found: Vec<_> = out
        .exemplars
        .iter()
        .map(|(series, one)| {
            (series.get("le").expect("a bucket"), one.labels.to_string(), one.value)
        })
        .collect();
    let of_trace = |n: &str| {
        format!(r#"{{span_id="abababababababab", trace_id="{}", user="me"}}"#, n.repeat(16))
    };
    assert_eq!(found, [("1", of_trace("01"), 0.7), ("+Inf", of_trace("02"), 9.0)]);
    let stale = of(vec![explicit(1)], &Otlp::default());
    assert!(lines(&stale).iter().all(|line| line.ends_with(" stale")), "{:?}", lines(&stale));
}

#[test]
fn by_setting_explicit_bounds_become_a_native_histogram() {
    let settings = Otlp { convert_histograms_to_nhcb: true, ..Otlp::default() };
    let out = of(vec![explicit(0)], &settings);
    assert_eq!(lines(&out), [format!("rpc_duration_seconds{{{WHO}}} count 6 sum 7.5")]);
    let Reading::Histogram(histogram) = &out.rows[0].value else { panic!("a histogram") };
    assert_eq!(histogram.custom_bounds, [0.5, 1.0]);
    assert_eq!(histogram.positive.counts, [1.0, 2.0, 3.0]);
    assert_eq!(out.exemplars.len(), 2);
    assert_eq!(
        lines(&of(vec![explicit(1)], &settings)),
        [format!("rpc_duration_seconds{{{WHO}}} stale")]
    );
}

#[test]
fn exponential_histograms_become_native_ones() {
    let one = ExponentialPoint {
        time_unix_nano: NOW_MS * 1_000_000,
        count: 10,
        sum: Some(3.25),
        scale: 3,
        zero_count: 1,
        positive: Some(oracle::Buckets { offset: -5, bucket_counts: vec![4, 0, 3] }),
        negative: Some(oracle::Buckets { offset: 2, bucket_counts: vec![2] }),
        ..ExponentialPoint::default()
    };
    let coarse = ExponentialPoint { scale: -9, ..one.clone() };
    let data = ExponentialHistogram {
        data_points: vec![one, coarse],
        aggregation_temporality: CUMULATIVE,
    };
    let out = of(vec![metric("size", "By", Data::Exponential(data))], &Otlp::default());
    assert_eq!(lines(&out), [format!("size_bytes{{{WHO}}} count 10 sum 3.25")]);
    let Reading::Histogram(histogram) = &out.rows[0].value else { panic!("a histogram") };
    assert_eq!((histogram.schema, histogram.zero_count), (3, 1.0));
    assert_eq!((histogram.positive.spans[0].offset, histogram.positive.spans[0].length), (-4, 3));
    assert_eq!(histogram.positive.counts, [4.0, 0.0, 3.0]);
    assert_eq!((histogram.negative.spans[0].offset, histogram.negative.counts[0]), (3, 2.0));
    assert_eq!(out.refusals.total(), 1);
    assert!(out.refusals.to_string().contains("Scale must be >= -4, was -9"), "{}", out.refusals);
}

#[test]
fn summaries_become_quantiles_a_sum_and_a_count() {
    let data = Summary {
        data_points: vec![SummaryPoint {
            time_unix_nano: NOW_MS * 1_000_000,
            count: 4,
            sum: 10.0,
            quantile_values: vec![
                QuantileValue { quantile: 0.5, value: 2.0 },
                QuantileValue { quantile: 1.0, value: f64::NAN },
            ],
            ..SummaryPoint::default()
        }],
    };
    let out = of(vec![metric("gc", "ms", Data::Summary(data))], &Otlp::default());
    assert_eq!(
        lines(&out),
        [
            format!("gc_milliseconds_count{{{WHO}}} 4"),
            format!("gc_milliseconds_sum{{{WHO}}} 10"),
            format!(r#"gc_milliseconds{{{WHO}, quantile="0.5"}} 2"#),
            format!(r#"gc_milliseconds{{{WHO}, quantile="1"}} NaN"#),
        ]
    );
}

#[test]
fn delta_points_and_points_out_of_time_or_without_value_are_refused_and_counted() {
    let good = point(NOW_MS, Number::Integer(1));
    let old = point(1000, Number::Integer(1));
    let empty = oracle::NumberPoint { value: None, ..good.clone() };
    let ended = oracle::NumberPoint { value: None, flags: 1, ..good.clone() };
    let out = of(
        vec![
            metric("deltas", "", sum(vec![good.clone(), good.clone()], 1, true)),
            metric("unsaid", "", sum(vec![good.clone()], 0, true)),
            metric("a", "", Data::Gauge(Gauge { data_points: vec![old, empty, good] })),
            metric("b", "", Data::Gauge(Gauge { data_points: vec![ended] })),
            metric(
                "☺",
                "",
                Data::Gauge(Gauge { data_points: vec![point(NOW_MS, Number::Integer(1))] }),
            ),
        ],
        &Otlp::default(),
    );
    assert_eq!(lines(&out), [format!("a{{{WHO}}} 1"), format!("b{{{WHO}}} stale")]);
    assert_eq!(out.refusals.total(), 6);
    let message = out.refusals.to_string();
    let expected = "invalid temporality and type combination for metric \"deltas\"";
    assert!(message.contains(expected), "{message}");
    assert!(!out.families.contains_key("deltas_total"));
}

#[test]
fn target_info_has_the_other_attributes_and_is_found_at_any_time_between() {
    let points =
        vec![point(NOW_MS - 400_000, Number::Integer(1)), point(NOW_MS, Number::Integer(2))];
    let metrics = vec![metric("a", "", Data::Gauge(Gauge { data_points: points }))];
    let info = |out: &Translated| -> Vec<(String, i64)> {
        out.rows
            .iter()
            .filter(|row| row.labels.metric_name() == Some("target_info"))
            .map(|row| (row.labels.to_string(), row.at.millis() - NOW_MS as i64))
            .collect()
    };
    // Half the lookback is 150 s.
    let series = format!(r#"target_info{{host_name="a", {WHO}}}"#);
    assert_eq!(
        info(&of(metrics.clone(), &Otlp::default())),
        [-400_000, -250_000, -100_000, 0].map(|at| (series.clone(), at))
    );
    let settings = Otlp { keep_identifying_resource_attributes: true, ..Otlp::default() };
    let kept = info(&of(metrics.clone(), &settings));
    let expected = format!(
        r#"target_info{{host_name="a", {WHO}, service_instance_id="1", service_name="shop", service_namespace="prod"}}"#
    );
    assert_eq!(kept[0].0, expected);
    // With nothing but the identity there is nothing to say.
    let mut bare = request(metrics);
    bare.resource_metrics[0].resource.as_mut().expect("there").attributes.pop();
    let body = bare.encode_to_vec();
    let out = translated(&body, Form::Protobuf, &Otlp::default()).expect("read");
    assert_eq!(info(&out), []);
}

#[test]
fn json_gives_what_protobuf_gives() {
    let body = br#"{"resourceMetrics":[{"resource":{"attributes":[
        {"key":"service.name","value":{"stringValue":"shop"}},
        {"key":"service.namespace","value":{"stringValue":"prod"}},
        {"key":"service.instance.id","value":{"stringValue":"1"}}]},
      "futureField":{"a":[1,{"b":null}]},
      "scopeMetrics":[{"scope":null,"metrics":[
        {"name":"rpc.duration","unit":"s","description":null,"histogram":{
          "aggregationTemporality":2,"dataPoints":[{"timeUnixNano":"1767225600000000000",
          "count":"6","sum":7.5,"bucketCounts":["1",2,"3"],"explicitBounds":[0.5,1],
          "exemplars":[{"timeUnixNano":1767225600000000000,"asDouble":0.7,
            "traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174"}]}]}},
        {"name":"nan","gauge":{"dataPoints":[
          {"timeUnixNano":"1767225600000000000","asDouble":"NaN"},
          {"timeUnixNano":"1767225600000000000","asDouble":"-Infinity"},
          {"timeUnixNano":"1767225600000000000","asInt":"-42"},
          {"timeUnixNano":1.7672256e18,"asInt":9007199254740993}]}},
        {"name":"size","exponentialHistogram":{
          "aggregationTemporality":"AGGREGATION_TEMPORALITY_CUMULATIVE","dataPoints":[
          {"timeUnixNano":"1767225600000000000","count":2,"scale":-1,
           "positive":{"offset":-1,"bucketCounts":["2"]}}]}},
        {"name":"new","fancyHistogram":{"dataPoints":[{}]}}]}]}]}"#;
    let out = translated(body, Form::Json, &Otlp::default()).expect("read");
    assert_eq!(
        lines(&out),
        [
            format!("nan{{{WHO}}} -42"),
            format!("nan{{{WHO}}} -inf"),
            format!("nan{{{WHO}}} 9007199254740992"),
            format!("nan{{{WHO}}} NaN"),
            format!(r#"rpc_duration_seconds_bucket{{{WHO}, le="+Inf"}} 6"#),
            format!(r#"rpc_duration_seconds_bucket{{{WHO}, le="0.5"}} 1"#),
            format!(r#"rpc_duration_seconds_bucket{{{WHO}, le="1"}} 3"#),
            format!("rpc_duration_seconds_count{{{WHO}}} 6"),
            format!("rpc_duration_seconds_sum{{{WHO}}} 7.5"),
            format!("size{{{WHO}}} count 2 sum 0"),
        ]
    );
    let trace = out.exemplars[0].1.labels.get("trace_id");
    assert_eq!(trace, Some("5b8efff798038103d269b633813fc60c"));
    assert!(out.refusals.is_empty(), "{}", out.refusals);
}

#[test]
fn what_is_not_a_request_is_refused_with_a_place() {
    for (body, form, message) in [
        (&b"{\"resourceMetrics\":[}"[..], Form::Json, "line 1, column 21"),
        (b"{\"resourceMetrics\":[{\"resource\":7}]}", Form::Json, "line 1"),
        (b"[", Form::Json, "line 1"),
        (b"\x0a\xff", Form::Protobuf, "malformed protobuf at byte 1"),
        (b"\x0a\x02\x12\x05", Form::Protobuf, "malformed protobuf at byte 3"),
    ] {
        let error = translated(body, form, &Otlp::default()).expect_err("refused").to_string();
        assert!(error.contains(message), "{error}");
    }
    let bad = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{"asInt":"1.5"}]}}]}]}]}"#;
    assert!(translated(bad.as_bytes(), Form::Json, &Otlp::default()).is_err());
}

#[test]
fn bodies_of_endless_tiny_parts_are_refused_before_they_take_memory() {
    // Empty points: two bytes each inside one gauge.
    let points = [0x0a, 0x00].repeat(super::PARTS_MAX + 1);
    let mut body = points;
    for key in [0x2a, 0x12, 0x12, 0x0a] {
        let mut outer = vec![key];
        prost::encoding::encode_varint(body.len() as u64, &mut outer);
        outer.extend_from_slice(&body);
        body = outer;
    }
    let error = translated(&body, Form::Protobuf, &Otlp::default()).expect_err("refused");
    assert_eq!(error, OtlpError::TooManyParts { max: super::PARTS_MAX });
    let json = "[".repeat(2 * super::PARTS_MAX + 1);
    let error = translated(json.as_bytes(), Form::Json, &Otlp::default()).expect_err("refused");
    assert_eq!(error, OtlpError::TooManyParts { max: super::PARTS_MAX });
}

#[test]
fn nesting_has_an_end() {
    // An AnyValue of an array of an AnyValue of …, deeper than any stack should go.
    let mut body = vec![0x0a, 0x00];
    for _ in 0..500 {
        for key in [0x0a, 0x2a] {
            let mut outer = vec![key];
            prost::encoding::encode_varint(body.len() as u64, &mut outer);
            outer.extend_from_slice(&body);
            body = outer;
        }
    }
    for key in [0x12, 0x0a, 0x0a, 0x0a] {
        let mut outer = vec![key];
        prost::encoding::encode_varint(body.len() as u64, &mut outer);
        outer.extend_from_slice(&body);
        body = outer;
    }
    let error = translated(&body, Form::Protobuf, &Otlp::default()).expect_err("refused");
    assert!(error.to_string().contains("nested too deeply"), "{error}");
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
        cut in 0_usize..2000,
        flip in proptest::prelude::any::<u8>(),
    ) {
        let _ = translated(&bytes, Form::Protobuf, &Otlp::default());
        let _ = translated(&bytes, Form::Json, &Otlp::default());
        let mut whole = request(vec![explicit(0)]).encode_to_vec();
        let at = cut % whole.len();
        whole[at] ^= flip;
        let _ = translated(&whole, Form::Protobuf, &Otlp::default());
        whole.truncate(at);
        let _ = translated(&whole, Form::Protobuf, &Otlp::default());
    }
}
