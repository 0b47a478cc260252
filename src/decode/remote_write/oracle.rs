//! Property tests: prost, with the messages as the `.proto` files declare them, is the oracle.

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use prost::Message;

use super::messages::{one, two};
use super::{v1, v2};
use crate::model::{MetricType, Sample};

/// What both sides are brought to before they are compared.
#[derive(Debug, Default, PartialEq)]
struct Plain {
    series: Vec<PlainSeries>,
    metadata: Vec<(String, MetricType, String, String)>,
}

#[derive(Debug, Default, PartialEq)]
struct PlainSeries {
    labels: Vec<(String, String)>,
    samples: Vec<(i64, u64)>,
    exemplars: usize,
    histograms: usize,
    created: Option<i64>,
}

fn bits(sample: Sample) -> (i64, u64) {
    (sample.at.millis(), sample.value.to_bits())
}

fn ours_v1(body: &[u8]) -> Result<Plain, super::super::WireError> {
    let mut plain = Plain::default();
    let mut scratch = Vec::new();
    for entry in v1::Reader::new(body) {
        match entry? {
            v1::Entry::Series(series) => plain.series.push(PlainSeries {
                labels: series
                    .label_key(&mut scratch)
                    .labels()
                    .map(|label| label.map(|(n, v)| (n.to_owned(), v.to_owned())))
                    .collect::<Result<_, _>>()?,
                samples: series.samples().map(|s| s.map(bits)).collect::<Result<_, _>>()?,
                exemplars: series.exemplar_count() as usize,
                histograms: series.histogram_count() as usize,
                created: None,
            }),
            v1::Entry::Metadata(entry) => plain.metadata.push((
                entry.family.to_owned(),
                entry.kind,
                entry.help.to_owned(),
                entry.unit.to_owned(),
            )),
        }
    }
    Ok(plain)
}

fn kind(number: i32) -> MetricType {
    use MetricType::{Counter, Gauge, GaugeHistogram, Histogram, Info, StateSet, Summary, Unknown};
    let kinds = [Unknown, Counter, Gauge, Histogram, GaugeHistogram, Summary, Info, StateSet];
    usize::try_from(number).ok().and_then(|n| kinds.get(n)).copied().unwrap_or(Unknown)
}

fn theirs_v1(body: &[u8]) -> Result<Plain, prost::DecodeError> {
    let request = one::WriteRequest::decode(body)?;
    let points = |samples: &[one::Point]| {
        samples.iter().map(|point| (point.timestamp, point.value.to_bits())).collect()
    };
    Ok(Plain {
        series: request
            .timeseries
            .iter()
            .map(|series| PlainSeries {
                labels: series.labels.iter().map(|l| (l.name.clone(), l.value.clone())).collect(),
                samples: points(&series.samples),
                exemplars: series.exemplars.len(),
                histograms: series.histograms.len(),
                created: None,
            })
            .collect(),
        metadata: request
            .metadata
            .into_iter()
            .map(|m| (m.family, kind(m.kind), m.help, m.unit))
            .collect(),
    })
}

/// Both accept and agree, or both refuse.
fn agree_v1(body: &[u8]) -> TestCaseResult {
    match (ours_v1(body), theirs_v1(body)) {
        (Ok(ours), Ok(theirs)) => {
            // Metadata and series are separate lists in prost; ours keeps their order apart too.
            prop_assert_eq!(ours, theirs);
        }
        (Err(error), Err(_)) => prop_assert!(error.offset <= body.len()),
        (Ok(_), Err(error)) => prop_assert!(false, "prost refuses what we accept: {error}"),
        (Err(error), Ok(_)) => prop_assert!(false, "we refuse what prost accepts: {error}"),
    }
    Ok(())
}

fn ours_v2(body: &[u8]) -> Result<Plain, super::super::WireError> {
    let mut plain = Plain::default();
    let mut scratch = Vec::new();
    let request = v2::Request::read(body)?;
    for series in request.series() {
        let series = series?;
        let key = series.label_key(&mut scratch)?;
        plain.series.push(PlainSeries {
            labels: key
                .labels()
                .map(|label| label.map(|(n, v)| (n.to_owned(), v.to_owned())))
                .collect::<Result<_, _>>()?,
            samples: series.samples().map(|s| s.map(bits)).collect::<Result<_, _>>()?,
            exemplars: series.exemplar_count() as usize,
            histograms: series.histogram_count() as usize,
            created: series.created_ms(),
        });
        if let Some(entry) = series.metadata()? {
            plain.metadata.push((
                entry.family.to_owned(),
                entry.kind,
                entry.help.to_owned(),
                entry.unit.to_owned(),
            ));
        }
    }
    Ok(plain)
}

/// What prost reads, with the references resolved. `Err` for a broken reference, too.
fn theirs_v2(body: &[u8]) -> Result<Plain, String> {
    let request = two::Request::decode(body).map_err(|error| error.to_string())?;
    let symbol = |reference: u32| {
        request.symbols.get(reference as usize).cloned().ok_or("no such symbol".to_owned())
    };
    let mut plain = Plain::default();
    for series in &request.timeseries {
        let mut labels = Vec::new();
        for pair in series.labels_refs.chunks(2) {
            let [name, value] = pair else { return Err("odd".to_owned()) };
            labels.push((symbol(*name)?, symbol(*value)?));
        }
        if let Some(metadata) = series.metadata {
            // Series in these tests are named so that no suffix is stripped.
            let named = labels.iter().rev().find(|(name, _)| name == "__name__");
            let family = named.map(|(_, value)| value.clone()).unwrap_or_default();
            let read =
                |reference| if reference == 0 { Ok(String::new()) } else { symbol(reference) };
            plain.metadata.push((
                family,
                kind(metadata.kind),
                read(metadata.help_ref)?,
                read(metadata.unit_ref)?,
            ));
        }
        plain.series.push(PlainSeries {
            labels,
            samples: series.samples.iter().map(|p| (p.timestamp, p.value.to_bits())).collect(),
            exemplars: series.exemplars.len(),
            histograms: series.histograms.len(),
            created: series.created,
        });
    }
    Ok(plain)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-z_]{1,12}",
        "\\PC{0,8}",
        "[a-z]{120,140}",
        Just("__name__".to_owned()),
    ]
}

fn point() -> impl Strategy<Value = one::Point> {
    let timestamp = prop_oneof![
        1_700_000_000_000_i64..1_900_000_000_000,
        any::<i64>(),
        Just(0),
        Just((1 << 35) - 1),
        Just(1 << 35),
        Just((1 << 42) - 1),
        Just(1 << 42),
    ];
    let value = prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        Just(0.0),
        Just(-0.0),
        Just(f64::from_bits(crate::model::STALE_NAN)),
        Just(f64::INFINITY),
    ];
    (value, timestamp).prop_map(|(value, timestamp)| one::Point { value, timestamp })
}

fn blobs() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..3)
}

prop_compose! {
    fn series_v1()(
        labels in prop::collection::vec((text(), text()), 0..6),
        samples in prop::collection::vec(point(), 0..6),
        exemplars in blobs(),
        histograms in blobs(),
    ) -> one::TimeSeries {
        let labels = labels.into_iter().map(|(name, value)| one::Label { name, value }).collect();
        one::TimeSeries { labels, samples, exemplars, histograms }
    }
}

prop_compose! {
    fn metadata_v1()(kind in any::<i32>(), small in -1..9_i32, pick in any::<bool>(),
        family in text(), help in text(), unit in text()) -> one::Metadata {
        one::Metadata { kind: if pick { small } else { kind }, family, help, unit }
    }
}

fn request_v1() -> impl Strategy<Value = one::WriteRequest> {
    (prop::collection::vec(series_v1(), 0..5), prop::collection::vec(metadata_v1(), 0..3))
        .prop_map(|(timeseries, metadata)| one::WriteRequest { timeseries, metadata })
}

fn request_v2() -> impl Strategy<Value = two::Request> {
    let metadata = (0..9_i32, 0..8_u32, 0..8_u32)
        .prop_map(|(kind, help_ref, unit_ref)| two::Metadata { kind, help_ref, unit_ref });
    let series = (
        prop::collection::vec((0..8_u32, 0..8_u32), 0..5),
        prop::collection::vec(point(), 0..5),
        blobs(),
        prop::option::of(metadata),
        prop::option::of(any::<i64>()),
    )
        .prop_map(|(pairs, samples, exemplars, metadata, created)| two::TimeSeries {
            labels_refs: pairs.into_iter().flat_map(|(name, value)| [name, value]).collect(),
            samples,
            histograms: exemplars.clone(),
            exemplars,
            metadata,
            created,
        });
    // Seven or eight symbols: reference 7 is broken in half of the cases.
    let symbols = prop::collection::vec(text(), 6..8).prop_map(|mut symbols| {
        symbols.insert(0, String::new());
        symbols
    });
    (symbols, prop::collection::vec(series, 0..4))
        .prop_map(|(symbols, timeseries)| two::Request { symbols, timeseries })
}

/// Fields with numbers that no message here has, one of each layout.
fn unknown_field(pick: u8) -> Vec<u8> {
    match pick % 5 {
        0 => vec![0x78, 0x96, 0x01],             // 15: varint
        1 => vec![0x79, 1, 2, 3, 4, 5, 6, 7, 8], // 15: 64 bits
        2 => vec![0x7A, 3, 0x0A, 0xFF, 0x12],    // 15: bytes
        3 => vec![0x7D, 1, 2, 3, 4],             // 15: 32 bits
        _ => vec![0x7B, 0x08, 0x01, 0x7C],       // 15: a group
    }
}

/// Cuts a message into its fields (the messages come from prost, so this may be simple).
fn fields(message: &[u8]) -> Vec<Vec<u8>> {
    let mut cursor = super::super::wire::Cursor::new(message, 0);
    let mut out = Vec::new();
    while !cursor.is_empty() {
        let start = cursor.rest;
        let (field, wire) = cursor.key().expect("prost wrote it");
        cursor.skip(field, wire).expect("prost wrote it");
        out.push(start[..start.len() - cursor.rest.len()].to_vec());
    }
    out
}

/// Shuffles the fields of a message and mixes in unknown ones.
fn scramble(message: &[u8], order: &[u8]) -> Vec<u8> {
    let mut fields = fields(message);
    for (place, pick) in order.iter().enumerate() {
        if pick % 3 == 0 {
            fields.push(unknown_field(*pick));
        }
        if !fields.is_empty() {
            let len = fields.len();
            fields.swap(place % len, usize::from(*pick) % len);
        }
    }
    fields.concat()
}

/// The same request with its series scrambled inside, and then as a whole.
fn scramble_request(request: &[u8], series_field: u8, order: &[u8]) -> Vec<u8> {
    let key = series_field << 3 | 2;
    let mut out = Vec::new();
    for field in fields(request) {
        if field[0] == key {
            let mut cursor = super::super::wire::Cursor::new(&field[1..], 0);
            let inner = scramble(cursor.bytes().expect("prost wrote it"), order);
            out.push(key);
            prost::encoding::encode_varint(inner.len() as u64, &mut out);
            out.extend_from_slice(&inner);
        } else {
            out.extend_from_slice(&field);
        }
    }
    scramble(&out, order)
}

proptest! {
    #[test]
    fn version_1_reads_what_prost_reads(request in request_v1()) {
        let body = request.encode_to_vec();
        prop_assert!(ours_v1(&body).is_ok());
        agree_v1(&body)?;
    }

    #[test]
    fn version_1_reads_shuffled_and_unknown_fields_as_prost_does(
        request in request_v1(),
        order in prop::collection::vec(any::<u8>(), 0..12),
    ) {
        let body = scramble_request(&request.encode_to_vec(), 1, &order);
        prop_assert!(ours_v1(&body).is_ok());
        agree_v1(&body)?;
    }

    #[test]
    fn version_1_refuses_what_prost_refuses(
        request in request_v1(),
        cut in any::<prop::sample::Index>(),
        flip in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let mut body = request.encode_to_vec();
        prop_assume!(!body.is_empty());
        let at = flip.index(body.len());
        body[at] ^= 1 << bit;
        agree_v1(&body)?;
        body.truncate(cut.index(body.len() + 1));
        agree_v1(&body)?;
    }

    #[test]
    fn no_bytes_make_version_1_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        agree_v1(&body)?;
    }

    #[test]
    fn version_2_reads_what_prost_reads_in_any_order(
        request in request_v2(),
        order in prop::collection::vec(any::<u8>(), 0..12),
    ) {
        let body = request.encode_to_vec();
        let scrambled = scramble_request(&body, 5, &order);
        for body in [body, scrambled] {
            match (ours_v2(&body), theirs_v2(&body)) {
                (Ok(ours), Ok(mut theirs)) => {
                    for entry in &mut theirs.metadata {
                        let name = entry.0.clone();
                        if entry.1 == MetricType::Summary || entry.1 == MetricType::Histogram {
                            entry.0 = name.trim_end_matches("_sum").to_owned();
                        }
                    }
                    prop_assert_eq!(ours, theirs);
                }
                (Err(_), Err(_)) => {}
                (ours, theirs) => prop_assert!(false, "{:?} and {:?}", ours, theirs),
            }
        }
    }

    #[test]
    fn no_bytes_make_version_2_panic(
        request in request_v2(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        noise in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut body = request.encode_to_vec();
        for (at, byte) in flips {
            if !body.is_empty() {
                let at = at.index(body.len());
                body[at] = byte;
            }
        }
        drop(ours_v2(&body));
        drop(ours_v2(&noise));
    }
}

#[test]
fn scrambled_labels_still_make_one_key_of_label_fields_alone() {
    let label = |name: &str| one::Label { name: name.to_owned(), value: "v".to_owned() };
    let point = one::Point { value: 1.0, timestamp: 1_700_000_000_000 };
    let first = one::TimeSeries { labels: vec![label("a")], ..Default::default() };
    let second = one::TimeSeries { samples: vec![point], labels: vec![], ..Default::default() };
    let third = one::TimeSeries { labels: vec![label("b")], ..Default::default() };
    let mut series = first.encode_to_vec();
    series.extend(second.encode_to_vec());
    series.extend(third.encode_to_vec());
    let mut body = vec![0x0A, series.len() as u8];
    body.extend(series);

    let together = one::TimeSeries { labels: vec![label("a"), label("b")], ..Default::default() };
    let Some(Ok(v1::Entry::Series(read))) = v1::Reader::new(&body).next() else {
        panic!("one series")
    };
    let mut scratch = Vec::new();
    assert_eq!(read.label_key(&mut scratch).as_bytes(), together.encode_to_vec());
    assert_eq!(read.samples().count(), 1);
}

#[test]
fn both_versions_give_the_same_key_for_the_same_series() {
    let long = "x".repeat(300);
    let labels = [("__name__", "up"), ("job", long.as_str())];
    let one = one::WriteRequest {
        timeseries: vec![one::TimeSeries {
            labels: labels
                .iter()
                .map(|(n, v)| one::Label { name: (*n).to_owned(), value: (*v).to_owned() })
                .collect(),
            ..Default::default()
        }],
        metadata: vec![],
    };
    let mut symbols = vec![String::new()];
    symbols.extend(labels.iter().flat_map(|(n, v)| [(*n).to_owned(), (*v).to_owned()]));
    let two = two::Request {
        symbols,
        timeseries: vec![two::TimeSeries { labels_refs: vec![1, 2, 3, 4], ..Default::default() }],
    };
    let (one, two) = (one.encode_to_vec(), two.encode_to_vec());
    let Some(Ok(v1::Entry::Series(first))) = v1::Reader::new(&one).next() else {
        panic!("one series")
    };
    let request = v2::Request::read(&two).expect("whole");
    let second = request.series().next().expect("one").expect("whole");
    let (mut a, mut b) = (Vec::new(), Vec::new());
    assert_eq!(
        first.label_key(&mut a).as_bytes(),
        second.label_key(&mut b).expect("good references").as_bytes()
    );
}

#[test]
fn an_error_names_the_byte() {
    // A series of ten bytes of which four are there.
    let body = [0x0A, 0x0A, 0x12, 0x02, 0x10, 0x05];
    let error = v1::Reader::new(&body).next().expect("one").expect_err("cut off");
    assert_eq!(error.offset, 1);
    assert_eq!(
        error.to_string(),
        "malformed protobuf at byte 1 of the inflated body: a field is longer than what is left"
    );
}
