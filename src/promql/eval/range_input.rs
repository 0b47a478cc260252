//! Where functions of ranges get their samples: a range selector or a subquery.

use std::sync::Arc;

use super::super::ast::{Expr, MatrixSelector, Subquery, ValueType};
use super::super::source::Samples;
use super::extended::Ends;
use super::grid::{Grid, Reference, StepSeries, is_absent};
use super::merge::{Replay, collect, merge_by_labels};
use super::run::{Cursor, Result, Run, Stream};
use super::selector::{fixed_time, selection};
use super::tally::{Counting, Tally};
use super::vector::vector;
use crate::model::{Labels, Timestamp, is_stale_nan};

/// Series with the samples that all windows of a grid need, staleness markers removed.
pub(super) struct RangeInput<'r> {
    kind: Input<'r>,
    pub reference: Reference,
    pub range_ms: i64,
    /// What is done at the ends, and how far to reach for it.
    pub ends: (Ends, i64),
    tally: &'r Tally,
    counting: Counting,
}

enum Input<'r> {
    Store(Cursor<'r>),
    Steps { stream: Stream<'r>, grid: Grid, buffer: StepSeries },
    Nothing,
}

impl<'r> RangeInput<'r> {
    /// Opens an expression of type range vector.
    pub(super) fn open(
        run: &'r Run<'r>,
        expr: &'r Expr,
        grid: Grid,
        function: Option<&'static str>,
    ) -> Result<Self> {
        match expr.unwrap_parens() {
            Expr::Matrix(matrix) => Self::store(run, matrix, grid, function),
            Expr::Subquery(subquery) => Self::subquery(run, subquery, grid),
            other => {
                debug_assert_eq!(other.value_type(), ValueType::Matrix);
                let reference = Reference { grid, fixed: None, offset: 0 };
                Ok(Self::new(run, Input::Nothing, reference, 1))
            }
        }
    }

    fn new(run: &'r Run<'r>, kind: Input<'r>, reference: Reference, range_ms: i64) -> Self {
        let counting = run.tally.counting();
        let ends = (Ends::Plain, run.options.lookback_ms);
        RangeInput { kind, reference, range_ms, ends, tally: &run.tally, counting }
    }

    fn store(
        run: &'r Run<'r>,
        matrix: &'r MatrixSelector,
        grid: Grid,
        function: Option<&'static str>,
    ) -> Result<Self> {
        let selector = &matrix.selector;
        let fixed = fixed_time(run, selector.at);
        let reference = Reference { grid, fixed, offset: selector.offset_ms };
        let range_ms = matrix.range_ms;
        let ends = Ends::of(selector);
        function.map_or(Ok(()), |name| ends.check(name))?;
        let lookback_ms = run.options.lookback_ms;
        let (before, after) = ends.margins(lookback_ms);
        let width = range_ms.saturating_add(before);
        let mut wanted = selection(selector, &reference, width, range_ms, function);
        wanted.end = Timestamp::from_millis(wanted.end.millis().saturating_add(after));
        let kind = Input::Store(run.select(Some(selector), &wanted)?);
        let input = Self::new(run, kind, reference, range_ms);
        Ok(RangeInput { ends: (ends, lookback_ms), ..input })
    }

    fn subquery(run: &'r Run<'r>, subquery: &'r Subquery, grid: Grid) -> Result<Self> {
        let fixed = fixed_time(run, subquery.at);
        let reference = Reference { grid, fixed, offset: subquery.offset_ms };
        let range_ms = subquery.range_ms;
        let step = subquery.step_ms.unwrap_or(run.options.default_subquery_step_ms).max(1);
        // The first multiple of the step after the open left end of the first window.
        let open_end = reference.first().saturating_sub(range_ms);
        let first = open_end.div_euclid(step).saturating_mul(step).saturating_add(step);
        let Some(inner) = Grid::new(first, reference.last(), step) else {
            return Ok(Self::new(run, Input::Nothing, reference, range_ms));
        };
        let steps = run.admit(inner)?;
        let stream =
            run.tally.within(Counting::Off, || vector(run, &subquery.expr, steps, None))?;
        // Windows must see all samples of a series at once: join what comes in parts.
        let stream = match subquery.expr.unwrap_parens() {
            Expr::Vector(_) => stream,
            _ => {
                let collected = collect(run, stream)?;
                Replay::stream(merge_by_labels(collected.series)?, collected.held)
            }
        };
        let kind = Input::Steps { stream, grid: inner, buffer: StepSeries::default() };
        Ok(Self::new(run, kind, reference, range_ms))
    }

    /// Replaces `samples` by those of the next series, and gives its labels.
    pub(super) fn next(&mut self, samples: &mut Samples) -> Result<Option<Labels>> {
        let found = self.read(samples)?;
        if found.is_some() {
            self.tally.windows(self.counting, &self.reference, self.range_ms, samples);
        }
        Ok(found)
    }

    fn read(&mut self, samples: &mut Samples) -> Result<Option<Labels>> {
        match &mut self.kind {
            Input::Nothing => Ok(None),
            Input::Store(cursor) => {
                let Some(labels) = cursor.next(samples)? else { return Ok(None) };
                remove_stale(samples);
                Ok(Some(labels))
            }
            Input::Steps { stream, grid, buffer } => {
                if !stream.next(buffer)? {
                    return Ok(None);
                }
                samples.clear();
                for (step, value) in buffer.values.iter().enumerate() {
                    if let Some(histogram) = buffer.histogram(step) {
                        samples.push_histogram(grid.at(step), Arc::clone(histogram));
                    } else if !is_absent(*value) {
                        samples.push(grid.at(step), *value);
                    }
                }
                Ok(Some(buffer.labels.clone()))
            }
        }
    }
}

/// Takes the staleness markers out.
pub(super) fn remove_stale(samples: &mut Samples) {
    if !samples.values.iter().any(|v| is_stale_nan(*v)) {
        return;
    }
    let mut kept = 0;
    for at in 0..samples.len() {
        if !is_stale_nan(samples.values[at]) {
            samples.values[kept] = samples.values[at];
            samples.times[kept] = samples.times[at];
            if !samples.histograms.is_empty() {
                samples.histograms[kept] = samples.histograms[at].take();
            }
            kept += 1;
        }
    }
    samples.values.truncate(kept);
    samples.times.truncate(kept);
    samples.histograms.truncate(kept);
}
