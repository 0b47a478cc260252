//! A source in memory, for tests.

use vedette::model::{Labels, Matcher, Reading};
use vedette::promql::{Samples, Selection, SeriesCursor, Source, SourceError};

/// Series with their samples.
#[derive(Default)]
pub(crate) struct Memory {
    series: Vec<(Labels, Samples)>,
}

impl Memory {
    /// Adds a sample; a series' samples come in order of time.
    pub(crate) fn add(&mut self, labels: &Labels, at_ms: i64, value: impl Into<Reading>) {
        let place = match self.series.iter().position(|(l, _)| l == labels) {
            Some(place) => place,
            None => {
                self.series.push((labels.clone(), Samples::default()));
                self.series.len() - 1
            }
        };
        let samples = &mut self.series[place].1;
        assert!(samples.times.last().is_none_or(|last| *last < at_ms), "times must rise");
        match value.into() {
            Reading::Float(value) => samples.push(at_ms, value),
            Reading::Histogram(histogram) => samples.push_histogram(at_ms, histogram),
        }
    }

    /// Sorts the series by labels, so that order never depends on how they were loaded.
    pub(crate) fn sort(&mut self) {
        self.series.sort_by(|a, b| a.0.cmp(&b.0));
    }
}

impl Source for Memory {
    fn select<'a>(
        &'a self,
        selection: &Selection,
    ) -> Result<Box<dyn SeriesCursor + 'a>, SourceError> {
        Ok(Box::new(MemoryCursor {
            series: self.series.iter(),
            matchers: selection.matchers.clone(),
            start: selection.start.millis(),
            end: selection.end.millis(),
        }))
    }
}

struct MemoryCursor<'a> {
    series: std::slice::Iter<'a, (Labels, Samples)>,
    matchers: Vec<Matcher>,
    start: i64,
    end: i64,
}

impl SeriesCursor for MemoryCursor<'_> {
    fn next(&mut self, samples: &mut Samples) -> Result<Option<Labels>, SourceError> {
        for (labels, all) in self.series.by_ref() {
            if !self.matchers.iter().all(|m| m.matches_labels(labels)) {
                continue;
            }
            samples.clear();
            for (place, at) in all.times.iter().enumerate() {
                if !(self.start..=self.end).contains(at) {
                    continue;
                }
                match all.histogram(place) {
                    Some(histogram) => samples.push_histogram(*at, histogram.clone()),
                    None => samples.push(*at, all.values[place]),
                }
            }
            if !samples.is_empty() {
                return Ok(Some(labels.clone()));
            }
        }
        Ok(None)
    }
}
