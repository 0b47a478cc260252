//! How an hour or a day went: results by status, and a histogram of how long they took.
//!
//! ```text
//! version 1 | healthy | degraded | unhealthy | unknown | sum of µs | buckets: (value − last, count)…
//! ```
//! The histogram is HdrHistogram's with two significant digits, from 1 µs to 1 h: what it says is
//! off by 1 % at most, and histograms add up to that of the whole. Only results that were healthy
//! or degraded are in it: how long a failure took says when somebody lost patience.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::model::{CheckResult, CheckStatus, Timestamp};
use crate::tsdb::varint::{put, take};

use super::keys::{Area, DAY_MS, HOUR_MS};

const VERSION: u8 = 1;
const DIGITS: u8 = 2;
const HIGHEST_US: u64 = 3_600_000_000;

/// How long a rollup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollupStep {
    /// An hour, by UTC.
    Hour,
    /// A day, by UTC.
    Day,
}

impl RollupStep {
    /// Both.
    pub(super) const ALL: [RollupStep; 2] = [RollupStep::Hour, RollupStep::Day];

    /// Its milliseconds.
    pub const fn millis(self) -> i64 {
        match self {
            RollupStep::Hour => HOUR_MS,
            RollupStep::Day => DAY_MS,
        }
    }

    pub(super) const fn area(self) -> Area {
        match self {
            RollupStep::Hour => Area::Hours,
            RollupStep::Day => Area::Days,
        }
    }
}

/// How a stretch of time went.
#[derive(Clone, Debug)]
pub struct Rollup {
    /// When it began.
    pub at: Timestamp,
    /// Results that were healthy.
    pub healthy: u64,
    /// Results that were degraded.
    pub degraded: u64,
    /// Results that were unhealthy.
    pub unhealthy: u64,
    /// Results that say nothing.
    pub unknown: u64,
    sum_us: u64,
    /// In µs; made when there is something to count.
    latencies: Option<Histogram<u64>>,
}

/// How long answers took, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// How many answers.
    pub count: u64,
    /// Their mean.
    pub mean_us: f64,
    /// The shortest, to 1 %.
    pub min_us: u64,
    /// Half took no longer, to 1 %.
    pub p50_us: u64,
    /// Nine in ten took no longer, to 1 %.
    pub p90_us: u64,
    /// 95 % took no longer, to 1 %.
    pub p95_us: u64,
    /// 99 % took no longer, to 1 %.
    pub p99_us: u64,
    /// The longest, to 1 %.
    pub max_us: u64,
}

impl Rollup {
    /// An empty one that begins at `at`.
    pub fn new(at: Timestamp) -> Rollup {
        let (healthy, degraded, unhealthy, unknown, sum_us) = (0, 0, 0, 0, 0);
        Rollup { at, healthy, degraded, unhealthy, unknown, sum_us, latencies: None }
    }

    fn histogram(&mut self) -> Option<&mut Histogram<u64>> {
        if self.latencies.is_none() {
            // Constant bounds that are known to fit.
            self.latencies = Histogram::new_with_bounds(1, HIGHEST_US, DIGITS).ok();
        }
        self.latencies.as_mut()
    }

    /// Adds a result.
    pub fn add(&mut self, result: &CheckResult) {
        match result.status {
            CheckStatus::Healthy => self.healthy += 1,
            CheckStatus::Degraded => self.degraded += 1,
            CheckStatus::Unhealthy => self.unhealthy += 1,
            CheckStatus::Unknown | CheckStatus::Paused => self.unknown += 1,
        }
        if matches!(result.status, CheckStatus::Healthy | CheckStatus::Degraded) {
            let micros = result.phases.total_us;
            self.sum_us = self.sum_us.saturating_add(micros);
            if let Some(histogram) = self.histogram() {
                histogram.saturating_record(micros);
            }
        }
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Rollup) {
        self.healthy += other.healthy;
        self.degraded += other.degraded;
        self.unhealthy += other.unhealthy;
        self.unknown += other.unknown;
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        if let (Some(theirs), Some(ours)) = (&other.latencies, self.histogram()) {
            for value in theirs.iter_recorded() {
                ours.saturating_record_n(value.value_iterated_to(), value.count_at_value());
            }
        }
    }

    /// How long answers took; none where there were none.
    pub fn latency(&self) -> Option<Latency> {
        let histogram = self.latencies.as_ref().filter(|histogram| !histogram.is_empty())?;
        let quantile = |q| histogram.value_at_quantile(q);
        Some(Latency {
            count: histogram.len(),
            mean_us: self.sum_us as f64 / histogram.len() as f64,
            min_us: histogram.min(),
            p50_us: quantile(0.5),
            p90_us: quantile(0.9),
            p95_us: quantile(0.95),
            p99_us: quantile(0.99),
            max_us: histogram.max(),
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        for count in [self.healthy, self.degraded, self.unhealthy, self.unknown, self.sum_us] {
            put(&mut out, count);
        }
        let mut last = 0;
        for bucket in self.latencies.iter().flat_map(Histogram::iter_recorded) {
            put(&mut out, bucket.value_iterated_to() - last);
            put(&mut out, bucket.count_at_value());
            last = bucket.value_iterated_to();
        }
        out
    }

    pub(super) fn decode(at: Timestamp, payload: &[u8]) -> Option<Rollup> {
        let (version, mut rest) = payload.split_first()?;
        if *version != VERSION {
            return None;
        }
        let mut rollup = Rollup::new(at);
        let counts =
            [&mut rollup.healthy, &mut rollup.degraded, &mut rollup.unhealthy, &mut rollup.unknown];
        for count in counts {
            *count = take(&mut rest)?;
        }
        rollup.sum_us = take(&mut rest)?;
        let mut value = 0u64;
        while !rest.is_empty() {
            value = value.checked_add(take(&mut rest)?)?;
            let count = take(&mut rest)?;
            rollup.histogram()?.saturating_record_n(value, count);
        }
        Some(rollup)
    }
}
