//! The things that count.

use std::collections::BTreeMap;
use std::sync::RwLock;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use super::RELAXED;
use super::render::Sink;

/// Only ever grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, RELAXED);
    }

    /// How much there is.
    pub fn get(&self) -> u64 {
        self.0.load(RELAXED)
    }
}

/// Goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Sets the value.
    #[inline]
    pub fn set(&self, value: i64) {
        self.0.store(value, RELAXED);
    }

    /// Adds `n`, which may be negative.
    #[inline]
    pub fn add(&self, n: i64) {
        self.0.fetch_add(n, RELAXED);
    }

    /// The value.
    pub fn get(&self) -> i64 {
        self.0.load(RELAXED)
    }
}

/// How often durations fell under each of some bounds. Takes no lock.
#[derive(Debug)]
pub struct DurationHistogram {
    bounds_s: &'static [f64],
    /// One more than there are bounds: the last counts what is above them all.
    buckets: Vec<AtomicU64>,
    sum_ns: AtomicU64,
}

impl DurationHistogram {
    /// A histogram with these upper bounds in seconds, in rising order.
    pub fn new(bounds_s: &'static [f64]) -> Self {
        let buckets = (0..=bounds_s.len()).map(|_| AtomicU64::new(0)).collect();
        DurationHistogram { bounds_s, buckets, sum_ns: AtomicU64::new(0) }
    }

    /// Counts one duration.
    pub fn observe(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let place = self.bounds_s.partition_point(|bound| *bound < seconds);
        self.buckets[place].fetch_add(1, RELAXED);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.sum_ns.fetch_add(nanos, RELAXED);
    }

    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(RELAXED)).sum()
    }

    pub(super) fn points(&self, sink: &mut dyn Sink) {
        let mut count = 0;
        for (place, bucket) in self.buckets.iter().enumerate() {
            count += bucket.load(RELAXED);
            let bound = match self.bounds_s.get(place) {
                // Debug writes 5.0 where Display writes 5: the form that OpenMetrics wants.
                Some(bound) => format!("{bound:?}"),
                None => "+Inf".to_owned(),
            };
            sink.point("_bucket", &[("le", &bound)], count as f64);
        }
        sink.point("_sum", &[], self.sum_ns.load(RELAXED) as f64 / 1e9);
        sink.point("_count", &[], count as f64);
    }
}

/// Children beyond this share one whose labels all say `other`.
const CHILDREN_MAX: usize = 512;

/// A counter for each combination of `N` label values. The first sight of a combination takes a
/// lock for writing, every further one a lock for reading.
#[derive(Debug)]
pub struct LabeledCounter<const N: usize> {
    names: [&'static str; N],
    children: RwLock<BTreeMap<[String; N], Counter>>,
}

impl<const N: usize> LabeledCounter<N> {
    /// A family with these label names.
    pub fn new(names: [&'static str; N]) -> Self {
        LabeledCounter { names, children: RwLock::default() }
    }

    /// Adds `n` to the child with these label values, in the order of the names.
    pub fn add(&self, values: [&str; N], n: u64) {
        let key = values.map(str::to_owned);
        {
            let children = self.children.read().unwrap_or_else(|poisoned| poisoned.into_inner());
            if let Some(child) = children.get(&key) {
                return child.add(n);
            }
        }
        let mut children = self.children.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        let full = children.len() >= CHILDREN_MAX && !children.contains_key(&key);
        let key = if full { std::array::from_fn(|_| "other".to_owned()) } else { key };
        children.entry(key).or_default().add(n);
    }

    /// The count of the child with these label values.
    pub fn get(&self, values: [&str; N]) -> u64 {
        let children = self.children.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        children.get(&values.map(str::to_owned)).map_or(0, Counter::get)
    }

    /// How many combinations there are.
    pub fn children(&self) -> usize {
        self.children.read().unwrap_or_else(|poisoned| poisoned.into_inner()).len()
    }

    pub(super) fn points(&self, sink: &mut dyn Sink) {
        let children = self.children.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        for (values, counter) in children.iter() {
            let labels: [(&str, &str); N] =
                std::array::from_fn(|place| (self.names[place], values[place].as_str()));
            sink.point("", &labels, counter.get() as f64);
        }
    }
}
