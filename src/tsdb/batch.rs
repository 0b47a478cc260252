//! Samples on their way in: resolved to series as far as these are known.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLockReadGuard};

use super::Tsdb;
use super::series_keys::{SeriesHasher, SeriesKey, SeriesKeys};
use super::writer::{BatchSample, NEW_SERIES, NewSeries};
use crate::model::{Exemplar, HISTOGRAM_NAN, Histogram, Labels, Metadata, Timestamp};

/// Samples that are written together: all or none of a batch becomes durable.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) samples: Vec<BatchSample>,
    /// Those of the samples whose value is the mark, in their order.
    pub(super) histograms: Vec<Arc<Histogram>>,
    /// Bytes that the histograms take.
    histogram_bytes: usize,
    pub(super) new: Vec<NewSeries>,
    pub(super) metadata: Vec<(String, Metadata)>,
    pub(super) exemplars: Vec<(u32, Exemplar)>,
    /// Keys of known series that the table of keys does not have yet.
    pub(super) learned: Vec<(SeriesKey, u32)>,
    /// The round of removals of series that its ids belong to.
    pub(super) removals: u64,
}

impl Batch {
    /// How many samples it holds.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether it holds nothing at all.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.metadata.is_empty() && self.exemplars.is_empty()
    }

    /// How many exemplars it holds.
    pub fn exemplars(&self) -> usize {
        self.exemplars.len()
    }

    /// How many of the samples are histograms.
    pub fn histograms(&self) -> usize {
        self.histograms.len()
    }

    /// How many numbers take as much memory as this batch does.
    pub fn weight(&self) -> usize {
        self.samples.len()
            + self.histogram_bytes / size_of::<BatchSample>()
            + self.exemplars.len() * EXEMPLAR_WEIGHT
    }

    /// How many of its series were not known.
    pub fn new_series(&self) -> usize {
        self.new.len()
    }
}

/// The series of a sample that is about to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSeries(u32);

/// Puts a batch together. Holds a read lock on the known series: short-lived, never across a
/// wait.
pub struct BatchBuilder<'t> {
    tsdb: &'t Tsdb,
    keys: RwLockReadGuard<'t, SeriesKeys>,
    hasher: SeriesHasher,
    batch: Batch,
    new_by_labels: HashMap<Labels, u32>,
    /// Series that the store has without this batch.
    series_before: usize,
}

impl<'t> BatchBuilder<'t> {
    pub(super) fn new(tsdb: &'t Tsdb) -> Self {
        BatchBuilder {
            tsdb,
            keys: tsdb.keys.read().unwrap_or_else(PoisonError::into_inner),
            hasher: tsdb.hasher,
            // Under the lock on the keys: no series is removed while it is held.
            batch: Batch { removals: tsdb.removals(), ..Batch::default() },
            new_by_labels: HashMap::new(),
            series_before: tsdb.series_count() as usize,
        }
    }

    /// The key of a label set in the form that arrived on the wire.
    #[inline]
    pub fn key(&self, form: u8, bytes: &[u8]) -> SeriesKey {
        self.hasher.key(form, bytes)
    }

    /// The series of a key that was seen before.
    #[inline]
    pub fn known(&self, key: SeriesKey) -> Option<BatchSeries> {
        self.keys.get(key).map(BatchSeries)
    }

    /// The series of a valid label set, new or not; `key` is remembered for the next time.
    pub fn series(&mut self, labels: &Labels, key: Option<SeriesKey>) -> BatchSeries {
        if key.is_none() {
            // Without a key of its own the canonical form serves as one.
            let canonical = self.hasher.key(CANONICAL_FORM, labels.as_bytes());
            return self.known(canonical).unwrap_or_else(|| self.series(labels, Some(canonical)));
        }
        if let Some(place) = self.new_by_labels.get(labels) {
            return BatchSeries(*place | NEW_SERIES);
        }
        if let Some(id) = self.tsdb.find_series(labels) {
            self.batch.learned.extend(key.map(|key| (key, id)));
            return BatchSeries(id);
        }
        let place = self.batch.new.len() as u32;
        self.batch.new.push(NewSeries { labels: labels.clone(), key });
        self.new_by_labels.insert(labels.clone(), place);
        BatchSeries(place | NEW_SERIES)
    }

    /// Like [`BatchBuilder::series`], but `None` where the series is new and the store has
    /// `max` already.
    pub fn series_within(
        &mut self,
        labels: &Labels,
        key: Option<SeriesKey>,
        max: usize,
    ) -> Option<BatchSeries> {
        let new_before = self.batch.new.len();
        let series = self.series(labels, key);
        if self.batch.new.len() == new_before {
            return Some(series);
        }
        if self.series_before + self.batch.new.len() <= max {
            return Some(series);
        }
        self.batch.new.pop();
        self.new_by_labels.remove(labels);
        None
    }

    /// The series of a label set, if the store or this batch has it already.
    pub fn existing(&self, labels: &Labels) -> Option<BatchSeries> {
        let canonical = self.hasher.key(CANONICAL_FORM, labels.as_bytes());
        self.known(canonical)
            .or_else(|| self.new_by_labels.get(labels).map(|n| BatchSeries(*n | NEW_SERIES)))
            .or_else(|| self.tsdb.find_series(labels).map(BatchSeries))
    }

    /// Adds an exemplar. Whether it is news is seen when the batch is written.
    pub fn exemplar(&mut self, series: BatchSeries, exemplar: Exemplar) {
        self.batch.exemplars.push((series.0, exemplar));
    }

    /// Adds a sample. A number with the very bits that mark a histogram becomes a plain NaN.
    #[inline]
    pub fn push(&mut self, series: BatchSeries, at: Timestamp, value: f64) {
        let bits = value.to_bits();
        let bits = if bits == HISTOGRAM_NAN { f64::NAN.to_bits() } else { bits };
        self.batch.samples.push(BatchSample { series: series.0, at: at.millis(), bits });
    }

    /// Adds a histogram, which must be valid. A series may have numbers and histograms.
    pub fn push_histogram(&mut self, series: BatchSeries, at: Timestamp, value: Arc<Histogram>) {
        let bits = HISTOGRAM_NAN;
        self.batch.samples.push(BatchSample { series: series.0, at: at.millis(), bits });
        let spans = value.positive.spans.len() + value.negative.spans.len();
        let counts = value.positive.counts.len() + value.negative.counts.len();
        self.batch.histogram_bytes +=
            size_of::<Histogram>() + 8 * (spans + counts + value.custom_bounds.len());
        self.batch.histograms.push(value);
    }

    /// Adds a sample of a label set.
    pub fn push_labels(&mut self, labels: &Labels, at: Timestamp, value: f64) {
        let series = self.series(labels, None);
        self.push(series, at, value);
    }

    /// Adds the type, unit and help of a metric family.
    pub fn metadata(&mut self, family: &str, metadata: Metadata) {
        self.batch.metadata.push((family.to_owned(), metadata));
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.batch.len()
    }

    /// Bytes that the histograms take so far.
    pub fn histogram_bytes(&self) -> usize {
        self.batch.histogram_bytes
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// The finished batch.
    pub fn finish(self) -> Batch {
        self.batch
    }
}

/// Samples that take as much memory as an exemplar with a trace's identifier.
const EXEMPLAR_WEIGHT: usize = 8;

/// The form of [`Labels::as_bytes`].
const CANONICAL_FORM: u8 = 0;
