//! Instant selectors: at each step the latest sample within the lookback.

use super::super::ast::{At, VectorSelector};
use super::super::source::{Hints, Samples, Selection};
use super::extended;
use super::grid::{ABSENT, Grid, Reference, StepSeries, is_absent};
use super::range_input::remove_stale;
use super::run::{Cursor, Result, Run, SeriesStream, Stream};
use super::tally::Counting;
use crate::model::Timestamp;

/// The fixed time of an `@`.
pub(super) fn fixed_time(run: &Run<'_>, at: Option<At>) -> Option<i64> {
    at.map(|at| match at {
        At::Time(ms) => ms,
        At::Start => run.bounds.0,
        At::End => run.bounds.1,
    })
}

/// What to ask of the source so that every step sees `width` milliseconds back. Both the
/// lookback and ranges are open on the left since Prometheus 3.
pub(super) fn selection(
    selector: &VectorSelector,
    reference: &Reference,
    width_ms: i64,
    range_ms: i64,
    function: Option<&'static str>,
) -> Selection {
    let step_ms = if reference.grid.len > 1 { reference.grid.step } else { 0 };
    Selection {
        matchers: selector.matchers.clone(),
        start: Timestamp::from_millis(reference.first().saturating_sub(width_ms).saturating_add(1)),
        end: Timestamp::from_millis(reference.last()),
        hints: Hints { step_ms, range_ms, function },
    }
}

struct Latest<'r> {
    run: &'r Run<'r>,
    counting: Counting,
    cursor: Cursor<'r>,
    reference: Reference,
    lookback_ms: i64,
    samples: Samples,
    /// Gives the times of the samples instead of their values, without the name.
    times: bool,
    smoothed: bool,
}

/// The series of an instant selector; with `times` the seconds of the samples, for `timestamp`.
pub(super) fn open<'r>(
    run: &'r Run<'r>,
    selector: &'r VectorSelector,
    grid: Grid,
    function: Option<&'static str>,
    times: bool,
) -> Result<Stream<'r>> {
    let fixed = fixed_time(run, selector.at);
    let mut reference = Reference { grid, fixed, offset: selector.offset_ms };
    let lookback_ms = run.options.lookback_ms;
    let mut wanted = selection(selector, &reference, lookback_ms, 0, function);
    // The times of samples are those of the last ones, smoothed or not.
    let smoothed = selector.smoothed && !times;
    if smoothed {
        wanted.end = Timestamp::from_millis(wanted.end.millis().saturating_add(lookback_ms));
    }
    let cursor = run.select(Some(selector), &wanted)?;
    if times && fixed.is_some() {
        // Prometheus reads for the offset, but then looks without it
        // (`rangeEvalTimestampFunctionOverVectorSelector`).
        reference.offset = 0;
    }
    Ok(Box::new(Latest {
        run,
        counting: run.tally.counting(),
        cursor,
        reference,
        lookback_ms,
        samples: Samples::default(),
        times,
        smoothed,
    }))
}

impl SeriesStream for Latest<'_> {
    fn next(&mut self, out: &mut StepSeries) -> Result<bool> {
        while let Some(labels) = self.cursor.next(&mut self.samples)? {
            let any = if self.smoothed {
                remove_stale(&mut self.samples);
                out.histograms.clear();
                extended::smooth(&self.reference, self.lookback_ms, &self.samples, &mut out.values)?
            } else {
                self.fill(out)
            };
            if any {
                self.run.tally.column(self.counting, out);
                out.labels = labels;
                out.drop_name = self.times;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Latest<'_> {
    /// Fills one value per step and says whether there is any.
    fn fill(&self, series: &mut StepSeries) -> bool {
        let (times, values) = (&self.samples.times, &self.samples.values);
        let any_histogram = !self.samples.histograms.is_empty() && !self.times;
        let out = &mut series.values;
        series.histograms.clear();
        let steps = self.reference.grid.len;
        out.clear();
        out.reserve(steps);
        let mut any = false;
        let mut seen = 0;
        for step in 0..steps {
            let now = self.reference.at(step);
            while times.get(seen).is_some_and(|at| *at <= now) {
                seen += 1;
            }
            // A staleness marker is the mark of absence already.
            let value = match seen.checked_sub(1) {
                Some(last) if times[last] > now.saturating_sub(self.lookback_ms) => {
                    let value = values[last];
                    if any_histogram {
                        series.histograms.resize(step, None);
                        series.histograms.push(self.samples.histogram(last).cloned());
                    }
                    if self.times && !is_absent(value) {
                        times[last] as f64 / 1000.0
                    } else {
                        value
                    }
                }
                _ => ABSENT,
            };
            any |= !is_absent(value);
            out.push(value);
        }
        if any_histogram {
            series.histograms.resize(steps, None);
        }
        any
    }
}
