//! Where samples come from: the one trait between the evaluator and a store.

use std::sync::Arc;

use super::answer::Stop;
use crate::model::{HISTOGRAM_NAN, Histogram, Labels, Matcher, Timestamp};

/// What one selector asks of a store.
#[derive(Clone, Debug)]
pub struct Selection {
    /// All must hold.
    pub matchers: Vec<Matcher>,
    /// The earliest sample wanted, inclusive.
    pub start: Timestamp,
    /// The latest sample wanted, inclusive.
    pub end: Timestamp,
    /// What the samples are for.
    pub hints: Hints,
}

/// What the samples of a selection are for, so that a store may answer from coarser data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// The distance between evaluation steps in milliseconds; 0 for an instant query.
    pub step_ms: i64,
    /// The width of the range selector in milliseconds; 0 for an instant selector.
    pub range_ms: i64,
    /// The function or aggregation directly around the selector, if any.
    pub function: Option<&'static str>,
}

/// Why a store cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The query was cancelled or ran out of time while the store was reading.
    #[error("stopped")]
    Stopped,
    /// The selection touches more than the store allows.
    #[error("{0}")]
    Limit(String),
    /// The store failed.
    #[error("storage: {0}")]
    Storage(String),
}

/// Samples of one series, in columns of equal length, times strictly rising.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// Unix milliseconds.
    pub times: Vec<i64>,
    /// Values; staleness markers included, and [`HISTOGRAM_NAN`](crate::model::HISTOGRAM_NAN)
    /// where the sample is a histogram.
    pub values: Vec<f64>,
    /// Empty where there is no histogram; otherwise of the length of the others, with the
    /// histogram wherever the value says so.
    pub histograms: Vec<Option<Arc<Histogram>>>,
}

impl Samples {
    /// Forgets the samples and keeps the memory.
    pub fn clear(&mut self) {
        self.times.clear();
        self.values.clear();
        self.histograms.clear();
    }

    /// Adds one sample at the end.
    pub fn push(&mut self, at_ms: i64, value: f64) {
        self.times.push(at_ms);
        self.values.push(value);
        if !self.histograms.is_empty() {
            self.histograms.push(None);
        }
    }

    /// Adds one histogram at the end.
    pub fn push_histogram(&mut self, at_ms: i64, histogram: Arc<Histogram>) {
        self.histograms.resize(self.times.len(), None);
        self.times.push(at_ms);
        self.values.push(f64::from_bits(HISTOGRAM_NAN));
        self.histograms.push(Some(histogram));
    }

    /// Adds those of another's samples that stand from `from` up to, not including, `until`.
    pub fn extend_from(&mut self, other: &Samples, from: usize, until: usize) {
        if !(self.histograms.is_empty() && other.histograms.is_empty()) {
            self.histograms.resize(self.times.len(), None);
            match other.histograms.get(from..until) {
                Some(histograms) => self.histograms.extend_from_slice(histograms),
                None => self.histograms.resize(self.times.len() + (until - from), None),
            }
        }
        self.times.extend_from_slice(&other.times[from..until]);
        self.values.extend_from_slice(&other.values[from..until]);
    }

    /// Forgets the samples from a place on.
    pub fn truncate(&mut self, len: usize) {
        self.times.truncate(len);
        self.values.truncate(len);
        self.histograms.truncate(len);
    }

    /// The histogram at a place, if it is one.
    pub fn histogram(&self, place: usize) -> Option<&Arc<Histogram>> {
        self.histograms.get(place).and_then(Option::as_ref)
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }
}

/// Goes through the series of a selection, one at a time.
pub trait SeriesCursor {
    /// Moves to the next series that has samples within the selection, replaces the contents of
    /// `samples` by all of them, and gives the labels; `None` after the last. Each label set
    /// comes once; the order of the series is the store's own, but stable.
    fn next(&mut self, samples: &mut Samples) -> Result<Option<Labels>, SourceError>;
}

/// A store of samples, as one consistent view for the length of a query.
pub trait Source: Sync {
    /// Opens a selection.
    fn select<'a>(
        &'a self,
        selection: &Selection,
    ) -> Result<Box<dyn SeriesCursor + 'a>, SourceError>;

    /// The same, ending with [`SourceError::Stopped`] once the evaluation is to stop. A store
    /// that may pass over many series before it finds one with samples looks in between.
    fn select_until<'a>(
        &'a self,
        selection: &Selection,
        stop: &Arc<Stop>,
    ) -> Result<Box<dyn SeriesCursor + 'a>, SourceError> {
        let _ = stop;
        self.select(selection)
    }
}
