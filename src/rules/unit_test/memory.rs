//! Samples in memory, to run rules over.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Labels, Matcher, Reading, Row};
use crate::promql::{Samples, Selection, SeriesCursor, Source, SourceError};

/// Series by labels; a later sample of the same time replaces the earlier one.
#[derive(Debug, Default)]
pub(super) struct Memory {
    series: BTreeMap<Labels, BTreeMap<i64, Reading>>,
}

impl Memory {
    pub(super) fn add(&mut self, labels: &Labels, at_ms: i64, value: Reading) {
        self.series.entry(labels.clone()).or_default().insert(at_ms, value);
    }

    pub(super) fn add_rows(&mut self, rows: &[Row]) {
        for row in rows {
            self.add(&row.labels, row.at.millis(), row.value.clone());
        }
    }
}

impl Source for Memory {
    fn select<'a>(
        &'a self,
        selection: &Selection,
    ) -> Result<Box<dyn SeriesCursor + 'a>, SourceError> {
        Ok(Box::new(Cursor {
            series: self.series.iter(),
            matchers: selection.matchers.clone(),
            start: selection.start.millis(),
            end: selection.end.millis(),
        }))
    }
}

struct Cursor<'a> {
    series: std::collections::btree_map::Iter<'a, Labels, BTreeMap<i64, Reading>>,
    matchers: Vec<Matcher>,
    start: i64,
    end: i64,
}

impl SeriesCursor for Cursor<'_> {
    fn next(&mut self, samples: &mut Samples) -> Result<Option<Labels>, SourceError> {
        if self.start > self.end {
            return Ok(None);
        }
        for (labels, all) in self.series.by_ref() {
            if !self.matchers.iter().all(|matcher| matcher.matches_labels(labels)) {
                continue;
            }
            samples.clear();
            for (at, value) in all.range(self.start..=self.end) {
                match value {
                    Reading::Float(value) => samples.push(*at, *value),
                    Reading::Histogram(histogram) => {
                        samples.push_histogram(*at, Arc::clone(histogram));
                    }
                }
            }
            if !samples.is_empty() {
                return Ok(Some(labels.clone()));
            }
        }
        Ok(None)
    }
}
