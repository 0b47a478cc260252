//! Keeps whole streams, and joins series of equal labels.

use std::sync::Arc;

use hashbrown::HashMap;

use super::super::answer::QueryError;
use super::grid::{StepSeries, is_absent};
use super::run::{Held, Result, Run, SeriesStream, Stream};
use crate::model::Labels;

/// Series that are kept, with the account for them.
pub(in crate::promql) struct Collected<'r> {
    pub series: Vec<StepSeries>,
    pub held: Held<'r>,
}

/// Keeps all series of a stream that have values.
pub(in crate::promql) fn collect<'r>(
    run: &'r Run<'r>,
    mut stream: Stream<'r>,
) -> Result<Collected<'r>> {
    let mut held = run.hold(0)?;
    let mut series = Vec::new();
    let mut buffer = StepSeries::default();
    while stream.next(&mut buffer)? {
        held.grow(buffer.samples())?;
        if buffer.has_values() {
            series.push(std::mem::take(&mut buffer));
        }
    }
    Ok(Collected { series, held })
}

/// Joins series of equal labels; two values at the same step are an error, as in Prometheus
/// (`mergeSeriesWithSameLabelset` in `promql/engine.go`).
pub(in crate::promql) fn merge_by_labels(series: Vec<StepSeries>) -> Result<Vec<StepSeries>> {
    let mut places: HashMap<(Labels, bool), usize> = HashMap::with_capacity(series.len());
    let mut merged: Vec<StepSeries> = Vec::with_capacity(series.len());
    for one in series {
        match places.entry((one.labels.clone(), one.drop_name)) {
            hashbrown::hash_map::Entry::Vacant(entry) => {
                entry.insert(merged.len());
                merged.push(one);
            }
            hashbrown::hash_map::Entry::Occupied(entry) => {
                let Some(first) = merged.get_mut(*entry.get()) else { continue };
                for (step, value) in one.values.iter().enumerate() {
                    if is_absent(*value) {
                        continue;
                    }
                    let Some(slot) = first.values.get_mut(step) else { continue };
                    if !is_absent(*slot) {
                        return Err(same_labels());
                    }
                    *slot = *value;
                    if let Some(histogram) = one.histogram(step) {
                        first.set_histogram(step, Arc::clone(histogram));
                    }
                }
            }
        }
    }
    Ok(merged)
}

/// The error for two series that cannot be told apart.
pub(in crate::promql) fn same_labels() -> QueryError {
    QueryError::Execution("vector cannot contain metrics with the same labelset".to_owned())
}

/// Series that were kept, as a stream again.
pub(in crate::promql) struct Replay<'r> {
    series: std::vec::IntoIter<StepSeries>,
    _held: Held<'r>,
}

impl<'r> Replay<'r> {
    pub(in crate::promql) fn stream(series: Vec<StepSeries>, held: Held<'r>) -> Stream<'r> {
        Box::new(Replay { series: series.into_iter(), _held: held })
    }
}

impl SeriesStream for Replay<'_> {
    fn next(&mut self, out: &mut StepSeries) -> Result<bool> {
        match self.series.next() {
            Some(series) => {
                *out = series;
                Ok(true)
            }
            None => Ok(false),
        }
    }
}
