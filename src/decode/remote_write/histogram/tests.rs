//! Tests of [`super`], with prost's messages as what senders write.

use proptest::prelude::*;
use prost::Message as _;

use super::super::messages::both::{self, Count, Span, ZeroCount};
use super::super::messages::{one, two};
use super::super::{v1, v2};
use super::*;

type Read = Result<Vec<(Timestamp, Result<Reading, Reason>)>, WireError>;

fn read_v1(messages: &[Vec<u8>]) -> Read {
    let series = one::TimeSeries { histograms: messages.to_vec(), ..Default::default() };
    let body = one::WriteRequest { timeseries: vec![series], metadata: vec![] }.encode_to_vec();
    let Some(Ok(v1::Entry::Series(series))) = v1::Reader::new(&body).next() else {
        panic!("one series")
    };
    assert_eq!(series.histogram_count() as usize, messages.len());
    series.histograms(100).collect()
}

fn read_v2(messages: &[Vec<u8>]) -> Read {
    let series = two::TimeSeries { histograms: messages.to_vec(), ..Default::default() };
    let body = two::Request { symbols: vec![], timeseries: vec![series] }.encode_to_vec();
    let request = v2::Request::read(&body).expect("whole");
    let series = request.series().next().expect("one").expect("whole");
    assert_eq!(series.histogram_count() as usize, messages.len());
    series.histograms(100).collect()
}

fn read(message: &both::Histogram) -> Result<Reading, Reason> {
    let (mut one, two) = (read_v1(&[message.encode_to_vec()]), read_v2(&[message.encode_to_vec()]));
    // NaN sums are unequal; those tests look closer.
    if !message.sum.is_nan() {
        assert_eq!(one, two, "both versions read the same");
    }
    let (at, reading) = one.as_mut().expect("well-formed").remove(0);
    assert_eq!(at.millis(), message.timestamp);
    reading
}

fn span(offset: i32, length: u32) -> Span {
    Span { offset, length }
}

/// The example of Prometheus's `prompb` tests in spirit: three buckets on each side.
fn whole() -> both::Histogram {
    both::Histogram {
        count: Some(Count::Whole(21)),
        sum: 18.4,
        schema: 1,
        zero_threshold: 0.001,
        zero_count: Some(ZeroCount::Whole(2)),
        negative_spans: vec![span(-1, 1), span(3, 1)],
        negative_deltas: vec![4, -3],
        positive_spans: vec![span(0, 2), span(1, 2)],
        positive_deltas: vec![1, 1, 3, -1],
        timestamp: 1_700_000_000_123,
        reset_hint: 1,
        ..Default::default()
    }
}

fn histogram(reading: Result<Reading, Reason>) -> Histogram {
    match reading {
        Ok(Reading::Histogram(histogram)) => Histogram::clone(&histogram),
        other => panic!("{other:?}"),
    }
}

#[test]
fn differences_become_counts() {
    let mut message = whole();
    // 1, 2, 5, 4 above zero; 4, 1 below; 2 at zero.
    message.count = Some(Count::Whole(19));
    let read = histogram(read(&message));
    assert_eq!(read.positive.counts, [1.0, 2.0, 5.0, 4.0]);
    assert_eq!(read.negative.counts, [4.0, 1.0]);
    assert_eq!(read.positive.spans[1], BucketSpan { offset: 1, length: 2 });
    assert_eq!(read.negative.spans[0], BucketSpan { offset: -1, length: 1 });
    assert_eq!((read.count, read.zero_count, read.zero_threshold), (19.0, 2.0, 0.001));
    assert_eq!((read.schema, read.sum, read.reset_hint), (1, 18.4, ResetHint::Reset));
}

#[test]
fn whole_counts_that_do_not_add_up_are_refused() {
    let error = read(&whole()).expect_err("21 are not 19").to_string();
    assert!(
        error.contains("19 observations found in buckets, but the Count field is 21"),
        "{error}"
    );
}

#[test]
fn floats_come_as_they_are_and_need_not_add_up() {
    let message = both::Histogram {
        count: Some(Count::Float(7.5)),
        zero_count: Some(ZeroCount::Float(0.25)),
        positive_spans: vec![span(3, 2)],
        positive_counts: vec![1.5, 2.25],
        timestamp: 5,
        reset_hint: 3,
        ..Default::default()
    };
    let read = histogram(read(&message));
    assert_eq!(read.positive.counts, [1.5, 2.25]);
    assert_eq!((read.count, read.zero_count, read.reset_hint), (7.5, 0.25, ResetHint::Gauge));
}

#[test]
fn a_stale_sum_is_the_marker_of_an_ended_series() {
    let message = both::Histogram { sum: f64::from_bits(STALE_NAN), ..Default::default() };
    let Ok(Reading::Float(value)) = read(&message) else { panic!("a marker") };
    assert_eq!(value.to_bits(), STALE_NAN);
}

#[test]
fn custom_bounds_are_read_and_checked() {
    let mut message = both::Histogram {
        count: Some(Count::Whole(6)),
        schema: -53,
        positive_spans: vec![span(0, 3)],
        positive_deltas: vec![1, 1, 1],
        custom_values: vec![0.5, 10.0],
        ..Default::default()
    };
    let read_back = histogram(read(&message));
    assert_eq!(read_back.custom_bounds, [0.5, 10.0]);
    message.custom_values = vec![0.5];
    assert!(matches!(read(&message), Err(Reason::InvalidHistogram(_))));
    message.custom_values = vec![10.0, 0.5];
    assert!(matches!(read(&message), Err(Reason::InvalidHistogram(_))));
}

#[test]
fn what_is_no_histogram_is_refused() {
    let good = both::Histogram { count: Some(Count::Whole(19)), ..whole() };
    let refused = |change: fn(&mut both::Histogram)| {
        let mut message = good.clone();
        change(&mut message);
        assert!(matches!(read(&message), Err(Reason::InvalidHistogram(_))), "{message:?}");
    };
    refused(|h| h.schema = -5);
    refused(|h| h.schema = 53);
    refused(|h| h.positive_deltas[0] = -1);
    refused(|h| h.positive_deltas.truncate(3));
    refused(|h| h.positive_spans[1].offset = -1);
    refused(|h| h.positive_spans[0].offset = i32::MAX);
    refused(|h| h.positive_deltas = vec![i64::MAX, i64::MAX, 0, 0]);
    refused(|h| h.custom_values = vec![1.0]);
    refused(|h| h.count = Some(Count::Float(-1.0)));
}

#[test]
fn a_bucket_too_many_is_refused_before_it_is_kept() {
    let message = |buckets: usize| both::Histogram {
        count: Some(Count::Whole(buckets as u64)),
        positive_spans: vec![span(0, buckets as u32)],
        positive_deltas: std::iter::once(1).chain(std::iter::repeat_n(0, buckets - 1)).collect(),
        ..Default::default()
    };
    assert!(read(&message(100)).is_ok());
    for buckets in [101, 5000] {
        let expected = Reason::TooManyBuckets { found: buckets, max: 100 };
        assert_eq!(read(&message(buckets)), Err(expected));
    }
    let spans = both::Histogram { positive_spans: vec![span(1, 0); 101], ..Default::default() };
    assert!(matches!(read(&spans), Err(Reason::TooManyBuckets { .. })));
}

/// Of schema 9 two buckets make one of schema 8: those of indexes 1 and 2 make 1, 3 and 4 make 2
/// (`targetIdx` in `model/histogram/generic.go`).
#[test]
fn finer_resolutions_become_the_finest_that_is_stored() {
    let message = both::Histogram {
        count: Some(Count::Whole(10)),
        schema: 9,
        positive_spans: vec![span(1, 4)],
        positive_deltas: vec![1, 1, 1, 1],
        ..Default::default()
    };
    let read = histogram(read(&message));
    assert_eq!((read.schema, &read.positive.counts[..]), (8, &[3.0, 7.0][..]));
    assert_eq!(read.positive.spans, [BucketSpan { offset: 1, length: 2 }]);
}

#[test]
fn numbers_may_stand_in_fields_of_their_own() {
    let packed = both::Histogram { count: Some(Count::Whole(3)), ..Default::default() };
    let mut bytes = packed.encode_to_vec();
    // Field 12 twice as a varint (zig-zag 1 and 1), and its span.
    bytes.extend([0x60, 0x02, 0x60, 0x02, 0x5A, 0x02, 0x10, 0x02]);
    let read = read_v1(&[bytes]).expect("well-formed").remove(0).1;
    assert_eq!(histogram(read).positive.counts, [1.0, 2.0]);
}

#[test]
fn a_malformed_message_fails_the_request() {
    assert!(read_v1(&[vec![0x0A, 0x01, 0x00]]).is_err(), "field 1 is no bytes");
    assert!(read_v1(&[vec![0x62, 0x01, 0x80]]).is_err(), "a varint is cut off");
}

fn arbitrary() -> impl Strategy<Value = both::Histogram> {
    let float = || any::<u64>().prop_map(f64::from_bits);
    let spans = || {
        let one = (any::<i32>(), 0u32..9).prop_map(|(offset, length)| Span { offset, length });
        prop::collection::vec(one, 0..4)
    };
    let count = prop_oneof![any::<u64>().prop_map(Count::Whole), float().prop_map(Count::Float)];
    let zero =
        prop_oneof![any::<u64>().prop_map(ZeroCount::Whole), float().prop_map(ZeroCount::Float)];
    let deltas = || prop::collection::vec(any::<i64>(), 0..9);
    let floats = move || prop::collection::vec(float(), 0..9);
    (
        (prop::option::of(count), float(), any::<i32>(), float(), prop::option::of(zero)),
        (spans(), deltas(), floats(), spans(), deltas(), floats()),
        (any::<i32>(), any::<i64>(), floats()),
    )
        .prop_map(|((count, sum, schema, zero_threshold, zero_count), buckets, rest)| {
            both::Histogram {
                count,
                sum,
                schema,
                zero_threshold,
                zero_count,
                negative_spans: buckets.0,
                negative_deltas: buckets.1,
                negative_counts: buckets.2,
                positive_spans: buckets.3,
                positive_deltas: buckets.4,
                positive_counts: buckets.5,
                reset_hint: rest.0,
                timestamp: rest.1,
                custom_values: rest.2,
            }
        })
}

proptest! {
    #[test]
    fn what_is_written_is_what_is_read(message in arbitrary()) {
        let bytes = message.encode_to_vec();
        let read = Message::read(Cursor::new(&bytes, 0), 100).expect("prost wrote it");
        prop_assert_eq!(read.at_ms, message.timestamp);
        prop_assert_eq!(read.hint as i32, message.reset_hint);
        prop_assert_eq!(read.schema, message.schema);
        prop_assert_eq!(read.sum.to_bits(), message.sum.to_bits());
        let (count, is_float) = match message.count {
            Some(Count::Whole(count)) => (count as f64, false),
            Some(Count::Float(count)) => (count, true),
            None => (0.0, false),
        };
        prop_assert_eq!((read.count.to_bits(), read.is_float), (count.to_bits(), is_float));
        let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&read.bounds), bits(&message.custom_values));
        for (side, spans, deltas, counts) in [
            (&read.negative, &message.negative_spans, &message.negative_deltas, &message.negative_counts),
            (&read.positive, &message.positive_spans, &message.positive_deltas, &message.positive_counts),
        ] {
            let read_spans: Vec<Span> = side.spans.iter().map(|s| span(s.offset, s.length)).collect();
            prop_assert_eq!(&read_spans, spans);
            prop_assert_eq!(&side.deltas, deltas);
            prop_assert_eq!(bits(&side.counts), bits(counts));
        }
        // Valid or not: it is judged.
        let _ = read.reading(100);
    }

    #[test]
    fn both_accept_the_same_bytes(
        message in arbitrary(),
        flip in any::<prop::sample::Index>(),
        bit in 0..8_u8,
        noise in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut bytes = message.encode_to_vec();
        if !bytes.is_empty() {
            let at = flip.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        for bytes in [bytes, noise] {
            let ours = Message::read(Cursor::new(&bytes, 0), 100);
            prop_assert_eq!(ours.is_ok(), both::Histogram::decode(&bytes[..]).is_ok(), "{:?}", ours);
        }
    }
}
