//! How long calls took: counts in buckets of a fixed resolution.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Total;
use crate::model::{Buckets, Histogram, ResetHint, bucket_index};

/// The resolution: 16 buckets for every doubling, each 4.4 % wider than the one before, so that a
/// quantile is at most 2.2 % from the truth.
pub const LATENCY_SCHEMA: i32 = 4;
/// Below this (2⁻²⁰ s, about a microsecond) latencies are not told apart.
const ZERO_THRESHOLD_S: f64 = 1.0 / 1_048_576.0;

/// Latencies of some outcomes. Counts are whole numbers, so that they are exact in any order of
/// merging; the sum is compensated and depends on the order in the last bit at most.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencyTally {
    /// Latencies at or below the threshold.
    #[serde(default)]
    zero: u64,
    /// By the index of the bucket, as native histograms number them.
    #[serde(default)]
    buckets: BTreeMap<i32, u64>,
    /// Of all of them, in milliseconds.
    #[serde(default)]
    sum_ms: Total,
}

impl LatencyTally {
    /// Counts one, in milliseconds. It is finite and not negative: see `check_outcome`.
    pub fn observe(&mut self, latency_ms: f64) {
        let seconds = latency_ms / 1000.0;
        if seconds <= ZERO_THRESHOLD_S {
            self.zero += 1;
        } else {
            *self.buckets.entry(bucket_index(seconds, LATENCY_SCHEMA)).or_default() += 1;
        }
        self.sum_ms.add(latency_ms);
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.zero + self.buckets.values().sum::<u64>()
    }

    /// Their sum in milliseconds.
    pub fn sum_ms(&self) -> f64 {
        self.sum_ms.value()
    }

    /// Adds what another counted.
    pub fn merge(&mut self, other: &LatencyTally) {
        self.zero += other.zero;
        for (index, count) in &other.buckets {
            *self.buckets.entry(*index).or_default() += count;
        }
        self.sum_ms.merge(&other.sum_ms);
    }

    /// The native histogram of it, in seconds.
    pub fn histogram(&self) -> Histogram {
        let pairs = self.buckets.iter().map(|(index, count)| (*index, *count as f64));
        Histogram {
            reset_hint: ResetHint::Unknown,
            schema: LATENCY_SCHEMA,
            zero_threshold: ZERO_THRESHOLD_S,
            zero_count: self.zero as f64,
            count: self.count() as f64,
            sum: self.sum_ms() / 1000.0,
            positive: Buckets::from_pairs(pairs),
            negative: Buckets::default(),
            custom_bounds: Vec::new(),
        }
    }

    /// The histogram of nothing, that comes before the first one.
    pub fn nothing() -> Histogram {
        LatencyTally::default().histogram()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_in_the_bucket_whose_bounds_hold_it() {
        let mut tally = LatencyTally::default();
        for ms in [0.0, 0.0005, 1.0, 999.0, 1000.0, 1001.0, 86_400_000.0] {
            tally.observe(ms);
        }
        let histogram = tally.histogram();
        assert_eq!((histogram.count, histogram.zero_count), (7.0, 2.0));
        // 1000 ms is the upper bound, 2^0, of its bucket and so in it together with 999.
        let around: Vec<(f64, f64)> = histogram
            .positive_buckets()
            .filter(|bucket| bucket.lower < 1.01 && bucket.upper > 0.99)
            .map(|bucket| (bucket.upper, bucket.count))
            .collect();
        assert_eq!(around.len(), 2);
        assert_eq!(around[0], (1.0, 2.0));
        assert_eq!(around[1].1, 1.0);
        for (bucket, seconds) in histogram.positive_buckets().zip([0.001, 1.0, 1.001, 86_400.0]) {
            assert!(bucket.lower < seconds && seconds <= bucket.upper, "{seconds} in {bucket:?}");
            assert!(bucket.upper / bucket.lower < 1.045);
        }
        histogram.validate().expect("Prometheus would take it");
    }

    #[test]
    fn the_sum_of_whole_milliseconds_is_exact() {
        let mut tally = LatencyTally::default();
        (1..=1000).for_each(|ms| tally.observe(f64::from(ms)));
        assert_eq!(tally.sum_ms(), 500_500.0);
        assert_eq!(tally.histogram().sum, 500.5);
    }
}
