//! Bodies encoded by prost, and the example of the specification's repository
//! (`opentelemetry-proto/examples/logs.json`).

use proptest::prelude::*;
use prost::Message as _;

use super::super::oracle::{self, LogsExport, OracleRecord, OracleResourceLogs, OracleScopeLogs};
use super::*;
use crate::decode::logs::LINES_MAX;

/// 2018-12-13T14:51:00.300Z, the time of the example, by `date -u -d @1544712660`.
const AT_NANOS: u64 = 1_544_712_660_300_000_000;

fn bounds() -> LogBounds {
    LogBounds::new(Timestamp::from_millis(1_544_712_661_000), 86_400_000, 600)
}

const EXAMPLE: &str = r#"{"resourceLogs": [{
  "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "my.service"}}]},
  "scopeLogs": [{
    "scope": {"name": "my.library", "version": "1.0.0", "attributes": [
      {"key": "my.scope.attribute", "value": {"stringValue": "some scope attribute"}}]},
    "logRecords": [{
      "timeUnixNano": "1544712660300000000", "observedTimeUnixNano": "1544712660300000000",
      "severityNumber": 10, "severityText": "Information",
      "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174",
      "body": {"stringValue": "Example log record"},
      "attributes": [
        {"key": "string.attribute", "value": {"stringValue": "some string"}},
        {"key": "boolean.attribute", "value": {"boolValue": true}},
        {"key": "int.attribute", "value": {"intValue": "10"}},
        {"key": "double.attribute", "value": {"doubleValue": 637.704}},
        {"key": "array.attribute", "value": {"arrayValue": {"values": [{"stringValue": "many"}, {"stringValue": "values"}]}}},
        {"key": "map.attribute", "value": {"kvlistValue": {"values": [{"key": "some.map.key", "value": {"stringValue": "some value"}}]}}}
      ]}]}]}]}"#;

#[test]
fn the_example_of_the_specification_is_read() {
    let batch = read_logs(EXAMPLE.as_bytes(), Form::Json, &bounds()).expect("readable");
    let [line] = batch.lines.as_slice() else { panic!("one line: {batch:?}") };
    assert_eq!((line.message.as_str(), line.source.as_str()), ("Example log record", "my.service"));
    assert_eq!((line.level, line.time.millis()), (LogLevel::Info, 1_544_712_660_300));
    assert_eq!(line.trace_id, "5b8efff798038103d269b633813fc60c");
    let metadata: Value = serde_json::from_str(line.metadata.as_json()).expect("JSON");
    assert_eq!(
        metadata,
        serde_json::json!({
            "scope": {"name": "my.library", "version": "1.0.0",
                      "attributes": {"my.scope.attribute": "some scope attribute"}},
            "span_id": "eee19b7ec3c1b174",
            "string.attribute": "some string", "boolean.attribute": true, "int.attribute": 10,
            "double.attribute": 637.704, "array.attribute": ["many", "values"],
            "map.attribute": {"some.map.key": "some value"},
        })
    );
}

fn export(records: Vec<OracleRecord>) -> LogsExport {
    let attributes = vec![
        oracle::text("service.name", "shop"),
        oracle::text("deployment.environment.name", "production"),
        oracle::text("host.name", "a"),
    ];
    let resource = oracle::Resource { attributes, dropped_attributes_count: 0 };
    let scope_logs = vec![OracleScopeLogs { scope: None, log_records: records }];
    LogsExport { resource_logs: vec![OracleResourceLogs { resource: Some(resource), scope_logs }] }
}

fn record(severity_number: i32, body: Option<oracle::Value>) -> OracleRecord {
    OracleRecord {
        time_unix_nano: AT_NANOS,
        severity_number,
        body: body.map(|value| oracle::AnyValue { value: Some(value) }),
        ..OracleRecord::default()
    }
}

fn lines(records: Vec<OracleRecord>) -> LogBatch {
    read_logs(&export(records).encode_to_vec(), Form::Protobuf, &bounds()).expect("readable")
}

#[test]
fn the_binary_form_says_the_same() {
    let one = OracleRecord {
        observed_time_unix_nano: AT_NANOS + 1,
        severity_text: "WARN2".to_owned(),
        attributes: vec![
            oracle::text("user.id", "u"),
            oracle::text("feature", "checkout"),
            oracle::text("level", "kept"),
            oracle::attribute("n", oracle::Value::Integer(-7)),
        ],
        trace_id: vec![0xAB; 16],
        span_id: vec![1; 8],
        flags: 1,
        ..record(14, Some(oracle::Value::Text("slow".to_owned())))
    };
    let batch = lines(vec![one]);
    let line = &batch.lines[0];
    assert_eq!((line.level, line.message.as_str()), (LogLevel::Warn, "slow"));
    assert_eq!((line.source.as_str(), line.environment.as_str()), ("shop", "production"));
    assert_eq!((line.user_id.as_str(), line.feature.as_str()), ("u", "checkout"));
    assert_eq!(
        (line.trace_id.as_str(), line.time.millis()),
        ("ab".repeat(16).as_str(), 1_544_712_660_300)
    );
    assert_eq!(
        line.metadata.as_json(),
        r#"{"host.name":"a","level":"kept","n":-7,"span_id":"0101010101010101"}"#
    );
}

#[test]
fn every_severity_has_its_level_and_none_is_looked_for_in_the_text() {
    // The ranges of the data model.
    for (numbers, level) in [
        (1..=8, LogLevel::Debug),
        (9..=12, LogLevel::Info),
        (13..=16, LogLevel::Warn),
        (17..=20, LogLevel::Error),
        (21..=24, LogLevel::Fatal),
    ] {
        for number in numbers {
            let batch = lines(vec![record(number, Some(oracle::Value::Text("x".to_owned())))]);
            assert_eq!(batch.lines[0].level, level, "{number}");
        }
    }
    let text = |text: &str| Some(oracle::Value::Text(text.to_owned()));
    let named = OracleRecord { severity_text: "critical".to_owned(), ..record(0, text("x")) };
    let batch =
        lines(vec![named, record(0, text("ERROR x")), record(0, text("x")), record(99, text("x"))]);
    let levels: Vec<LogLevel> = batch.lines.iter().map(|line| line.level).collect();
    assert_eq!(levels, [LogLevel::Fatal, LogLevel::Error, LogLevel::Info, LogLevel::Info]);
}

#[test]
fn a_body_of_any_kind_is_the_message() {
    let array = oracle::ArrayValue {
        values: vec![oracle::AnyValue { value: Some(oracle::Value::Integer(1)) }],
    };
    let event = OracleRecord { event_name: "device.app.lifecycle".to_owned(), ..record(9, None) };
    let batch = lines(vec![
        record(9, Some(oracle::Value::Integer(7))),
        record(9, Some(oracle::Value::Array(array))),
        record(9, Some(oracle::Value::Bytes(vec![1, 2, 3]))),
        event,
    ]);
    let messages: Vec<&str> = batch.lines.iter().map(|line| line.message.as_str()).collect();
    assert_eq!(messages, ["7", "[1]", "AQID", "device.app.lifecycle"]);
}

#[test]
fn a_record_without_a_time_has_the_one_at_which_it_was_seen_or_now() {
    let seen =
        OracleRecord { time_unix_nano: 0, observed_time_unix_nano: AT_NANOS, ..record(9, None) };
    let never = OracleRecord { time_unix_nano: 0, ..record(9, None) };
    let old = OracleRecord { time_unix_nano: 1, ..record(9, None) };
    let batch = lines(vec![seen, never, old]);
    assert_eq!(batch.lines[0].time.millis(), 1_544_712_660_300);
    assert_eq!(batch.lines[1].time, bounds().now);
    assert_eq!(batch.refused.len(), 1);
    assert_eq!(batch.refused[0].0, 2);
}

#[test]
fn what_is_no_request_or_too_much_of_one_is_refused_as_a_whole() {
    for (body, form) in [
        (&b"{\"resourceLogs\":7}"[..], Form::Json),
        (b"{", Form::Json),
        (&[0x0a, 0x05], Form::Protobuf),
    ] {
        assert!(read_logs(body, form, &bounds()).is_err());
    }
    assert_eq!(read_logs(b"{}", Form::Json, &bounds()), Ok(LogBatch::default()));
    let many = export(vec![OracleRecord::default(); LINES_MAX + 1]).encode_to_vec();
    let error = read_logs(&many, Form::Protobuf, &bounds()).expect_err("too many");
    assert!(error.to_string().contains("more than 100000 lines"), "{error}");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0..400_usize) {
        let _ = read_logs(&bytes, Form::Protobuf, &bounds());
        let _ = read_logs(&bytes, Form::Json, &bounds());
        // A good body with a few bytes changed gets further.
        let mut body = export(vec![record(9, Some(oracle::Value::Text("x".to_owned())))]).encode_to_vec();
        for (place, byte) in bytes.iter().take(3).enumerate() {
            let len = body.len();
            body[(at + place * 7) % len] = *byte;
        }
        let _ = read_logs(&body, Form::Protobuf, &bounds());
    }
}
