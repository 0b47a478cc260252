//! Goes through the buckets of a histogram.

use super::bounds::upper_bound;
use super::{BucketSpan, Buckets, Histogram};

/// A bucket with its bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoundedBucket {
    /// Which bounds belong to it, as JSON answers number them: 0 the upper one, 1 the lower one,
    /// 2 neither, 3 both.
    pub rule: u8,
    /// The lower bound.
    pub lower: f64,
    /// The upper bound.
    pub upper: f64,
    /// Observations in it.
    pub count: f64,
}

impl BoundedBucket {
    fn new(lower: f64, upper: f64, inclusive: (bool, bool), count: f64) -> Self {
        let rule = match inclusive {
            (false, true) => 0,
            (true, false) => 1,
            (false, false) => 2,
            (true, true) => 3,
        };
        BoundedBucket { rule, lower, upper, count }
    }
}

impl Buckets {
    /// The index and the count of each bucket, by rising index. Ends where there is no count any
    /// more, however long the spans say they are.
    pub fn iter(&self) -> impl Iterator<Item = (i32, f64)> + '_ {
        let mut next = 0_i32;
        let indexes = self.spans.iter().flat_map(move |span| {
            let first = next.saturating_add(span.offset);
            next = i32::try_from(i64::from(first) + i64::from(span.length)).unwrap_or(i32::MAX);
            (0..span.length).map(move |place| {
                i32::try_from(i64::from(first) + i64::from(place)).unwrap_or(i32::MAX)
            })
        });
        indexes.zip(self.counts.iter().copied())
    }

    /// Whether there is none, not even an empty one.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Buckets of these indexes, which rise.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (i32, f64)>) -> Self {
        let mut buckets = Buckets::default();
        let mut end: Option<i32> = None;
        for (index, count) in pairs {
            match (end, buckets.spans.last_mut()) {
                (Some(end), Some(span)) if end == index => span.length += 1,
                (end, _) => {
                    let offset = index.saturating_sub(end.unwrap_or(0));
                    buckets.spans.push(BucketSpan { offset, length: 1 });
                }
            }
            buckets.counts.push(count);
            end = Some(index.saturating_add(1));
        }
        buckets
    }

    /// Forgets empty buckets; runs that meet become one (`Compact(0)`).
    pub fn compact(&mut self) {
        let is_compact = self.counts.iter().all(|count| *count != 0.0)
            && self.spans.iter().all(|span| span.length > 0)
            && self.spans.iter().skip(1).all(|span| span.offset > 0);
        if !is_compact {
            *self = Self::from_pairs(self.iter().filter(|(_, count)| *count != 0.0));
        }
    }

    /// The same buckets at a coarser schema, `by` steps down.
    pub(super) fn coarser(&self, by: u32) -> Self {
        let mut merged: Vec<(i32, f64)> = Vec::with_capacity(self.counts.len());
        for (index, count) in self.iter() {
            let index = coarser_index(index, by);
            match merged.last_mut() {
                Some((last, sum)) if *last == index => *sum += count,
                _ => merged.push((index, count)),
            }
        }
        Self::from_pairs(merged)
    }
}

/// Where the bucket of an index goes `by` schemas down (`targetIdx`): 1 and 2 to 1, 3 and 4 to 2.
pub(super) fn coarser_index(index: i32, by: u32) -> i32 {
    (index.saturating_sub(1) >> by.min(31)).saturating_add(1)
}

impl Histogram {
    /// The buckets above zero (with custom bounds all), by rising bounds.
    pub fn positive_buckets(&self) -> impl Iterator<Item = BoundedBucket> + '_ {
        let custom = self.has_custom_bounds();
        let bound = |index| upper_bound(index, self.schema, &self.custom_bounds);
        self.positive.iter().map(move |(index, count)| {
            let (lower, upper) = (bound(index.saturating_sub(1)), bound(index));
            BoundedBucket::new(lower, upper, (custom && index == 0, custom || upper > 0.0), count)
        })
    }

    /// The buckets below zero, by rising magnitude: away from zero.
    pub fn negative_buckets(&self) -> impl Iterator<Item = BoundedBucket> + '_ {
        let bound = |index| -upper_bound(index, self.schema, &[]);
        self.negative.iter().map(move |(index, count)| {
            let (lower, upper) = (bound(index), bound(index.saturating_sub(1)));
            BoundedBucket::new(lower, upper, (lower < 0.0, false), count)
        })
    }

    /// The bucket around zero.
    pub fn zero_bucket(&self) -> BoundedBucket {
        let threshold = self.zero_threshold;
        BoundedBucket::new(-threshold, threshold, (true, true), self.zero_count)
    }

    /// All buckets from the lowest to the highest, the zero bucket where it holds something.
    /// Bounds that reach into the zero bucket are cut at it (`AllBucketIterator` in
    /// `model/histogram/float_histogram.go`). Of these, JSON answers show those that are not
    /// empty.
    pub fn all_buckets(&self) -> impl DoubleEndedIterator<Item = BoundedBucket> + '_ {
        let threshold = self.zero_threshold;
        let cut = move |mut bucket: BoundedBucket| {
            if bucket.upper < 0.0 && bucket.upper > -threshold {
                bucket.upper = -threshold;
            } else if bucket.lower > 0.0 && bucket.lower < threshold {
                bucket.lower = threshold;
            }
            bucket
        };
        let negative: Vec<BoundedBucket> = self.negative_buckets().collect();
        let positive: Vec<BoundedBucket> = self.positive_buckets().collect();
        let zero = (self.zero_count > 0.0).then(|| self.zero_bucket());
        negative.into_iter().rev().map(cut).chain(zero).chain(positive.into_iter().map(cut))
    }

    /// Forgets empty buckets (`Compact(0)`).
    pub fn compact(&mut self) {
        self.positive.compact();
        self.negative.compact();
    }

    /// Merges buckets so that `schema` fits them. Does nothing where that would need a finer
    /// resolution, or with custom bounds.
    pub fn reduce_resolution(&mut self, schema: i32) {
        if self.has_custom_bounds() || schema >= self.schema {
            return;
        }
        let by = self.schema.saturating_sub(schema).unsigned_abs();
        self.positive = self.positive.coarser(by);
        self.negative = self.negative.coarser(by);
        self.schema = schema;
    }

    /// Whether both say the same: the same buckets, empty ones included, and counts and sum equal
    /// in every bit. The hint about resets does not matter (`FloatHistogram.Equals`).
    pub fn equals(&self, other: &Histogram) -> bool {
        let same = |a: f64, b: f64| a.to_bits() == b.to_bits();
        let same_buckets = |a: &Buckets, b: &Buckets| {
            a.counts.len() == b.counts.len()
                && a.iter().zip(b.iter()).all(|(a, b)| a.0 == b.0 && same(a.1, b.1))
        };
        self.schema == other.schema
            && same(self.count, other.count)
            && same(self.sum, other.sum)
            && (!self.has_custom_bounds() || self.custom_bounds == other.custom_bounds)
            && self.zero_threshold == other.zero_threshold
            && same(self.zero_count, other.zero_count)
            && same_buckets(&self.negative, &other.negative)
            && same_buckets(&self.positive, &other.positive)
    }

    /// What it counts for where samples are limited: one for each 16 bytes that Prometheus would
    /// hold (`HPoint.size` in `promql/value.go`).
    pub fn samples(&self) -> usize {
        let spans = self.positive.spans.len() + self.negative.spans.len();
        let counts = self.positive.counts.len() + self.negative.counts.len();
        // 168 bytes for the struct and 8 for the time.
        (168 + 8 * (spans + counts + self.custom_bounds.len()) + 8) / 16
    }
}

#[cfg(test)]
mod tests {
    use super::super::CUSTOM_BUCKETS_SCHEMA;
    use super::*;

    fn spans(pairs: &[(i32, u32)]) -> Vec<BucketSpan> {
        pairs
            .iter()
            .map(|(offset, length)| BucketSpan { offset: *offset, length: *length })
            .collect()
    }

    #[test]
    fn all_buckets_go_from_the_lowest_to_the_highest() {
        let histogram = Histogram {
            schema: 0,
            zero_threshold: 0.75,
            zero_count: 2.0,
            count: 9.0,
            positive: Buckets { spans: spans(&[(0, 1), (1, 1)]), counts: vec![1.0, 3.0] },
            negative: Buckets { spans: spans(&[(0, 2)]), counts: vec![2.0, 1.0] },
            ..Histogram::default()
        };
        let found: Vec<(u8, f64, f64, f64)> =
            histogram.all_buckets().map(|b| (b.rule, b.lower, b.upper, b.count)).collect();
        // Index 0 of schema 0 is (0.5, 1], cut at the zero threshold on both sides.
        let wanted = [
            (1, -2.0, -1.0, 1.0),
            (1, -1.0, -0.75, 2.0),
            (3, -0.75, 0.75, 2.0),
            (0, 0.75, 1.0, 1.0),
            (0, 2.0, 4.0, 3.0),
        ];
        assert_eq!(found, wanted);
        let mut back: Vec<f64> = histogram.all_buckets().rev().map(|b| b.lower).collect();
        back.reverse();
        assert_eq!(back, wanted.map(|b| b.1));
    }

    #[test]
    fn the_first_custom_bucket_is_closed_on_both_sides() {
        let histogram = Histogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            positive: Buckets { spans: spans(&[(0, 3)]), counts: vec![1.0, 0.0, 2.0] },
            custom_bounds: vec![5.0, 10.0],
            ..Histogram::default()
        };
        let found: Vec<(u8, f64, f64)> =
            histogram.all_buckets().map(|b| (b.rule, b.lower, b.upper)).collect();
        let inf = f64::INFINITY;
        assert_eq!(found, [(3, -inf, 5.0), (0, 5.0, 10.0), (0, 10.0, inf)]);
    }

    #[test]
    fn compacting_cuts_empty_buckets_and_joins_runs() {
        let mut buckets = Buckets {
            spans: spans(&[(-2, 2), (0, 1), (1, 0), (2, 3)]),
            counts: vec![0.0, 1.0, 2.0, 3.0, 0.0, 4.0],
        };
        let before: Vec<(i32, f64)> = buckets.iter().filter(|b| b.1 != 0.0).collect();
        assert_eq!(before, [(-1, 1.0), (0, 2.0), (4, 3.0), (6, 4.0)]);
        buckets.compact();
        assert_eq!(buckets.spans, spans(&[(-1, 2), (3, 1), (1, 1)]));
        assert_eq!(buckets.iter().collect::<Vec<_>>(), before);
    }

    #[test]
    fn a_coarser_schema_merges_pairs_of_buckets() {
        // Schema 1 to 0: (1, 1.41] and (1.41, 2] (indexes 1 and 2) make (1, 2] (index 1).
        let mut histogram = Histogram {
            schema: 1,
            positive: Buckets { spans: spans(&[(-1, 5)]), counts: vec![1.0, 2.0, 3.0, 4.0, 5.0] },
            ..Histogram::default()
        };
        histogram.reduce_resolution(0);
        let found: Vec<_> = histogram.positive.iter().collect();
        assert_eq!(found, [(0, 3.0), (1, 7.0), (2, 5.0)]);
        histogram.reduce_resolution(3);
        assert_eq!(histogram.schema, 0, "nothing makes it finer");
    }

    #[test]
    fn spans_that_promise_too_much_end_with_the_counts() {
        let buckets =
            Buckets { spans: spans(&[(i32::MAX, u32::MAX), (9, 9)]), counts: vec![1.0; 3] };
        assert_eq!(buckets.iter().count(), 3);
    }
}
