//! Valid histograms for the property tests of this room.

use proptest::prelude::*;

use crate::model::{BucketSpan, Buckets, CUSTOM_BUCKETS_SCHEMA, Histogram, ResetHint};

/// Whether two are equal bit for bit.
pub(super) fn same(a: &Histogram, b: &Histogram) -> bool {
    let bits = |h: &Histogram| {
        let scalars = [h.zero_threshold, h.zero_count, h.count, h.sum];
        let lists = [&h.positive.counts, &h.negative.counts, &h.custom_bounds];
        let mut bits: Vec<u64> = scalars.map(f64::to_bits).to_vec();
        lists.iter().for_each(|list| bits.extend(list.iter().map(|value| value.to_bits())));
        bits
    };
    (a.reset_hint, a.schema, &a.positive.spans, &a.negative.spans, a.custom_bounds.len())
        == (b.reset_hint, b.schema, &b.positive.spans, &b.negative.spans, b.custom_bounds.len())
        && bits(a) == bits(b)
}

fn count() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => (0u32..1000).prop_map(f64::from),
        2 => Just(0.0),
        1 => 0.0f64..1e6,
        1 => Just(9_007_199_254_740_992.0),
        1 => Just(1e300),
    ]
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![any::<u64>().prop_map(f64::from_bits), -1e6f64..1e6, Just(0.0), Just(-0.0)]
}

fn buckets() -> impl Strategy<Value = Buckets> {
    let first = (-50i32..50, 0u32..6);
    let spans = (first, prop::collection::vec((0i32..9, 0u32..6), 0..4));
    spans.prop_flat_map(|(first, rest)| {
        let spans: Vec<BucketSpan> = std::iter::once(first)
            .chain(rest)
            .map(|(offset, length)| BucketSpan { offset, length })
            .collect();
        let total = super::open_histogram::spanned(&spans) as usize;
        prop::collection::vec(count(), total)
            .prop_map(move |counts| Buckets { spans: spans.clone(), counts })
    })
}

fn hint() -> impl Strategy<Value = ResetHint> {
    prop_oneof![
        5 => Just(ResetHint::Unknown),
        1 => Just(ResetHint::Reset),
        1 => Just(ResetHint::NotReset),
        1 => Just(ResetHint::Gauge),
    ]
}

/// A histogram with exponential buckets.
fn exponential() -> impl Strategy<Value = Histogram> {
    let zero = (prop_oneof![Just(0.0), Just(1e-128), 0.0f64..1.0], count());
    ((hint(), -4i32..=8, value(), count()), zero, buckets(), buckets()).prop_map(
        |((reset_hint, schema, sum, count), (zero_threshold, zero_count), positive, negative)| {
            Histogram {
                reset_hint,
                schema,
                zero_threshold,
                zero_count,
                count,
                sum,
                positive,
                negative,
                custom_bounds: Vec::new(),
            }
        },
    )
}

/// A histogram with bounds of its own.
fn custom() -> impl Strategy<Value = Histogram> {
    (hint(), value(), prop::collection::vec(count(), 1..9), 0usize..3).prop_map(
        |(reset_hint, sum, counts, offset)| Histogram {
            reset_hint,
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: counts.iter().sum(),
            sum,
            custom_bounds: (1..counts.len() + offset).map(|bound| bound as f64 / 4.0).collect(),
            positive: Buckets {
                spans: vec![BucketSpan { offset: offset as i32, length: counts.len() as u32 }],
                counts,
            },
            ..Histogram::default()
        },
    )
}

/// What a histogram may become by the next scrape.
#[derive(Clone, Debug)]
enum Step {
    Grow(Vec<u32>, f64),
    Wider,
    Other(Histogram),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (prop::collection::vec(0u32..50, 40), value()).prop_map(|(by, sum)| Step::Grow(by, sum)),
        1 => Just(Step::Wider),
        2 => prop_oneof![exponential(), custom()].prop_map(Step::Other),
    ]
}

fn apply(mut histogram: Histogram, step: Step) -> Histogram {
    match step {
        Step::Grow(by, sum) => {
            let counts = histogram.positive.counts.iter_mut().chain(&mut histogram.negative.counts);
            for (count, by) in counts.zip(&by) {
                *count += f64::from(*by);
                histogram.count += f64::from(*by);
            }
            histogram.sum = sum;
            histogram
        }
        // A bucket more at the upper end.
        Step::Wider => {
            if let Some(span) = histogram.positive.spans.last_mut() {
                span.length += 1;
                histogram.positive.counts.push(1.0);
                histogram.count += 1.0;
            }
            if histogram.has_custom_bounds() {
                histogram.custom_bounds.push(1000.0 + histogram.custom_bounds.len() as f64);
            }
            histogram
        }
        Step::Other(other) => other,
    }
}

/// The histograms of one series, one after the other.
pub(super) fn histograms(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Histogram>> {
    let first = prop_oneof![exponential(), custom()];
    (first, prop::collection::vec(step(), count)).prop_map(|(first, steps)| {
        let mut out: Vec<Histogram> = Vec::new();
        for step in steps {
            let next = match out.last() {
                Some(last) => apply(last.clone(), step),
                None => first.clone(),
            };
            out.push(next);
        }
        out
    })
}
