//! Bodies as Loki's documentation shows them, and as prost encodes `push.proto`.

use prost::Message as _;

use super::*;
use crate::model::LogLevel;

const NOW: Timestamp = Timestamp::from_millis(1_570_818_238_500);

fn bounds() -> LogBounds {
    LogBounds::new(NOW, 86_400_000, 600)
}

macro_rules! messages {
    ($($name:ident { $($(#[$attribute:meta])* $field:ident: $kind:ty,)* })*) => {$(
        #[derive(Clone, PartialEq, prost::Message)]
        struct $name { $($(#[$attribute])* $field: $kind,)* }
    )*};
}

messages! {
    PushRequest {
        #[prost(message, repeated, tag = "1")] streams: Vec<StreamAdapter>,
        #[prost(string, tag = "2")] format: String,
    }
    StreamAdapter {
        #[prost(string, tag = "1")] labels: String,
        #[prost(message, repeated, tag = "2")] entries: Vec<EntryAdapter>,
        #[prost(uint64, tag = "3")] hash: u64,
    }
    EntryAdapter {
        #[prost(message, optional, tag = "1")] timestamp: Option<Stamp>,
        #[prost(string, tag = "2")] line: String,
        #[prost(message, repeated, tag = "3")] structured_metadata: Vec<Pair>,
    }
    Pair {
        #[prost(string, tag = "1")] name: String,
        #[prost(string, tag = "2")] value: String,
    }
    Stamp {
        #[prost(int64, tag = "1")] seconds: i64,
        #[prost(int32, tag = "2")] nanos: i32,
    }
}

#[test]
fn the_examples_of_the_documentation_are_read() {
    let body = r#"{"streams": [{ "stream": { "foo": "bar2" }, "values": [
        [ "1570818238000000000", "fizzbuzz" ],
        [ "1570818238000000001", "WARN again", {"trace_id": "0242ac120002", "user_id": "superUser123"}] ] }]}"#;
    let batch = read_loki(body.as_bytes(), true, &bounds()).expect("readable");
    assert!(batch.refused.is_empty(), "{:?}", batch.refused);
    let [first, second] = batch.lines.as_slice() else { panic!("two lines") };
    assert_eq!((first.message.as_str(), first.time), ("fizzbuzz", NOW.plus_millis(-500)));
    assert_eq!(first.metadata.as_json(), r#"{"foo":"bar2"}"#);
    assert_eq!(
        (second.trace_id.as_str(), second.user_id.as_str()),
        ("0242ac120002", "superUser123")
    );
    assert_eq!((first.level, second.level), (LogLevel::Info, LogLevel::Warn));
}

#[test]
fn labels_name_source_level_and_environment() {
    let pair = |name: &str, value: &str| Pair { name: name.to_owned(), value: value.to_owned() };
    let entry = |line: &str, metadata| EntryAdapter {
        timestamp: Some(Stamp { seconds: 1_570_818_238, nanos: 7_000_000 }),
        line: line.to_owned(),
        structured_metadata: metadata,
    };
    let request = PushRequest {
        streams: vec![
            StreamAdapter {
                labels: r#"{app="shop", env="production", job="j", path="a\"b,c"}"#.to_owned(),
                entries: vec![
                    entry("level=error msg=no", Vec::new()),
                    entry("x", vec![pair("detected_level", "fatal"), pair("k", "v")]),
                ],
                hash: 7,
            },
            StreamAdapter {
                labels: "{level=`warn`,}".to_owned(),
                entries: vec![entry("plain", Vec::new())],
                hash: 0,
            },
        ],
        format: "loki".to_owned(),
    };
    let batch = read_loki(&request.encode_to_vec(), false, &bounds()).expect("readable");
    let levels: Vec<LogLevel> = batch.lines.iter().map(|line| line.level).collect();
    assert_eq!(levels, [LogLevel::Error, LogLevel::Fatal, LogLevel::Warn]);
    let line = &batch.lines[1];
    assert_eq!((line.source.as_str(), line.environment.as_str()), ("shop", "production"));
    assert_eq!(line.time.millis(), 1_570_818_238_007);
    assert_eq!(line.metadata.as_json(), r#"{"job":"j","k":"v","path":"a\"b,c"}"#);
}

#[test]
fn a_bad_entry_is_refused_by_its_place_and_a_bad_body_as_a_whole() {
    let body = r#"{"streams":[{"stream":{"job":"a"},"values":[["soon","x"],["1570818238000000000","y"],7]},
        {"values":[["1","z"]]}]}"#;
    let batch = read_loki(body.as_bytes(), true, &bounds()).expect("readable");
    assert_eq!((batch.lines.len(), batch.lines[0].source.as_str()), (1, "a"));
    let places: Vec<usize> = batch.refused.iter().map(|(place, _)| *place).collect();
    assert_eq!(places, [0, 2, 3]);
    assert!(batch.refused[0].1.contains("nanoseconds"), "{:?}", batch.refused);
    assert!(batch.refused[2].1.contains("logs.retention"), "{:?}", batch.refused);

    assert!(read_loki(b"{\"streams\":7}", true, &bounds()).is_err());
    assert!(read_loki(&[0x0a, 0xff], false, &bounds()).is_err());
    let labels = StreamAdapter { labels: "{a=b}".to_owned(), entries: Vec::new(), hash: 0 };
    let request = PushRequest { streams: vec![labels], format: String::new() };
    let error = read_loki(&request.encode_to_vec(), false, &bounds()).expect_err("refused");
    assert!(error.to_string().contains("are no labels"), "{error}");
}

#[test]
fn no_labels_make_it_panic() {
    for text in
        ["", "{}", "{", "{a", "{a=", "{a=\"", "{a=\"\\", "{a=\"\\\"", "{a=\"b\"x}", "{=\"b\"}"]
    {
        let _ = read_labels(text);
    }
    assert_eq!(read_labels("{}"), Ok(BTreeMap::new()));
}
