//! An engine on a simulated disk, and what it should hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use vedette::model::{
    BucketSpan, Buckets, CUSTOM_BUCKETS_SCHEMA, HISTOGRAM_NAN, Histogram, Labels, MatchOp, Matcher,
    ResetHint, Timestamp,
};
use vedette::promql::{Hints, Samples, Selection, Source};
use vedette::store::{Medium, Store, StoreError, StoreOptions};
use vedette::tsdb::{Tsdb, TsdbError, TsdbOptions};

/// Samples by their bits; a histogram by [`marked`] and its number.
pub type Expected = BTreeMap<Labels, BTreeMap<i64, u64>>;

/// NaNs of this kind stand for histograms in [`Expected`] and in what [`write`] is given.
const HISTOGRAMS: u64 = 0xfffb << 48;

/// What stands for the histogram of a number below 2^48.
pub fn marked(number: u64) -> u64 {
    HISTOGRAMS | number
}

fn number_of(bits: u64) -> Option<u64> {
    (bits >> 48 == HISTOGRAMS >> 48).then_some(bits & ((1 << 48) - 1))
}

/// A histogram of its own for each number. Neighbours mostly have the same buckets, and grow.
pub fn histogram(number: u64) -> Histogram {
    let kind = number / 64 % 5;
    let buckets = 3 + kind * 2 + number / 16 % 2;
    // Half of the kinds count in fractions.
    let unit = if kind.is_multiple_of(2) { 1.0 } else { 0.37 };
    let counts: Vec<f64> =
        (0..buckets).map(|bucket| ((number * (bucket + 1)) % 100_003) as f64 * unit).collect();
    let total: f64 = counts.iter().sum();
    let positive =
        Buckets { spans: vec![BucketSpan { offset: 0, length: buckets as u32 }], counts };
    let common = Histogram { count: total, sum: number as f64, positive, ..Histogram::default() };
    if kind == 4 {
        let custom_bounds = (1..buckets).map(|bound| bound as f64 / 8.0).collect();
        return Histogram { schema: CUSTOM_BUCKETS_SCHEMA, custom_bounds, ..common };
    }
    let hints = [ResetHint::Unknown, ResetHint::Reset, ResetHint::Gauge];
    Histogram {
        reset_hint: hints[(number / 7 % 3) as usize],
        schema: kind as i32 - 1,
        zero_threshold: 1e-9,
        zero_count: (number % 11) as f64,
        count: total + (number % 11) as f64,
        negative: Buckets {
            spans: vec![BucketSpan { offset: -2, length: 1 }, BucketSpan { offset: 3, length: 1 }],
            counts: vec![number as f64, 1.0],
        },
        ..common
    }
}

pub fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied()).expect("valid labels")
}

pub fn series(number: u64) -> Labels {
    labels(&[("__name__", "m"), ("n", &number.to_string())])
}

pub fn open(medium: &(impl Medium + Clone + 'static)) -> Result<Arc<Tsdb>, TsdbError> {
    let options = StoreOptions { cache_bytes: 1 << 20 };
    let store = Store::open(Arc::new(medium.clone()), options, &|_| {})?;
    let (tsdb, report) = Tsdb::open(Arc::new(store), TsdbOptions::default(), &|_| {})?;
    assert_eq!(report.damage, Vec::<String>::new());
    Ok(Arc::new(tsdb))
}

pub fn write(tsdb: &Tsdb, samples: &[(Labels, i64, u64)]) -> Result<(), TsdbError> {
    let mut builder = tsdb.batch();
    for (labels, at, bits) in samples {
        let at = Timestamp::from_millis(*at);
        match number_of(*bits) {
            Some(number) => {
                let series = builder.series(labels, None);
                builder.push_histogram(series, at, Arc::new(histogram(number)));
            }
            None => builder.push_labels(labels, at, f64::from_bits(*bits)),
        }
    }
    let batch = builder.finish();
    tsdb.write(&[batch])
}

pub fn everything() -> Selection {
    Selection {
        matchers: vec![Matcher::new("__name__", MatchOp::Regex, ".+").expect("valid")],
        start: Timestamp::MIN,
        end: Timestamp::MAX,
        hints: Hints::default(),
    }
}

pub fn read(tsdb: &Arc<Tsdb>, selection: &Selection) -> Result<Expected, StoreError> {
    let reader = tsdb.reader()?;
    let mut cursor = reader.select(selection).map_err(|e| StoreError::Read(e.to_string()))?;
    let mut samples = Samples::default();
    let mut out = Expected::new();
    loop {
        let next = cursor.next(&mut samples).map_err(|e| StoreError::Read(e.to_string()))?;
        let Some(labels) = next else { break };
        assert!(samples.times.windows(2).all(|pair| pair[0] < pair[1]), "times rise");
        let bits = (0..samples.len()).map(|place| bits_of(&samples, place));
        let found = samples.times.iter().copied().zip(bits).collect();
        assert!(out.insert(labels, found).is_none(), "each label set comes once");
    }
    Ok(out)
}

/// The bits of a sample; of a histogram its number, which its sum tells, if all of it is right.
fn bits_of(samples: &Samples, place: usize) -> u64 {
    let bits = samples.values[place].to_bits();
    assert!(samples.histograms.is_empty() || samples.histograms.len() == samples.len());
    let Some(found) = samples.histogram(place) else {
        assert_ne!(bits, HISTOGRAM_NAN, "a mark without its histogram");
        return bits;
    };
    assert_eq!(bits, HISTOGRAM_NAN, "a histogram without its mark");
    let number = found.sum as u64;
    assert_eq!(**found, histogram(number));
    marked(number)
}

pub fn read_all(tsdb: &Arc<Tsdb>) -> Expected {
    read(tsdb, &everything()).expect("reads")
}
