//! Rollups: what is left of samples when the samples themselves have gone. Each bucket keeps six
//! figures, at the time of its last sample, so that lookback works on them as on samples.

use std::rc::Rc;
use std::sync::Arc;

use super::head::put_in_order;
use super::lane::{BlockReader, Gatherer, Lane};
use super::segment::{Catalog, Column, Level, Resolution};
use crate::model::{ResetHint, is_histogram_mark, is_stale_nan};
use crate::promql::{Samples, Selection};
use crate::store::StoreError;

/// The figures of one series, a bucket each.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) times: Vec<i64>,
    pub(super) columns: [Vec<f64>; 6],
}

/// Reduces samples to buckets of a resolution. `before` is the last value ahead of the first
/// sample, where there is one: a counter's growth from there counts too. Staleness markers and
/// histograms are left out.
pub(super) fn reduce(samples: &Samples, resolution: Resolution, before: Option<f64>) -> Figures {
    let mut out = Figures::default();
    let mut previous = before;
    let mut bucket = None;
    for (at, value) in samples.times.iter().zip(&samples.values) {
        if is_stale_nan(*value) || is_histogram_mark(*value) {
            continue;
        }
        let increase = match previous {
            // A counter that fell was reset: all of its value is new (as in Prometheus' rate).
            Some(previous) if *value < previous => *value,
            Some(previous) => *value - previous,
            None => 0.0,
        };
        previous = Some(*value);
        let this = at.div_euclid(resolution.millis());
        if bucket == Some(this) {
            out.add(*at, *value, increase);
        } else {
            out.begin(*at, *value, increase);
            bucket = Some(this);
        }
    }
    out
}

/// Of each bucket of time the last histogram: rates over many buckets come out of those as they
/// would of all. Where another one of the bucket said that there was a reset, the last says it.
pub(super) fn last_histograms(samples: &Samples, resolution: Resolution) -> Samples {
    let mut out = Samples::default();
    let mut bucket = None;
    let mut reset = false;
    for (at, histogram) in samples.times.iter().zip(&samples.histograms) {
        let Some(histogram) = histogram else { continue };
        let this = at.div_euclid(resolution.millis());
        if bucket == Some(this) {
            out.truncate(out.len() - 1);
        } else {
            (bucket, reset) = (Some(this), false);
        }
        reset |= histogram.reset_hint == ResetHint::Reset;
        let mut histogram = Arc::clone(histogram);
        if reset && histogram.reset_hint != ResetHint::Reset {
            Arc::make_mut(&mut histogram).reset_hint = ResetHint::Reset;
        }
        out.push_histogram(*at, histogram);
    }
    out
}

impl Figures {
    fn begin(&mut self, at: i64, value: f64, increase: f64) {
        self.times.push(at);
        for (column, figure) in Column::ALL.into_iter().zip(&mut self.columns) {
            figure.push(match column {
                Column::Min | Column::Max | Column::Sum | Column::Last => value,
                Column::Count => 1.0,
                Column::Increase | Column::Histogram => increase,
            });
        }
    }

    fn add(&mut self, at: i64, value: f64, increase: f64) {
        if let Some(last) = self.times.last_mut() {
            *last = at;
        }
        for (column, figure) in Column::ALL.into_iter().zip(&mut self.columns) {
            let Some(figure) = figure.last_mut() else { continue };
            *figure = match column {
                Column::Min => figure.min(value),
                Column::Max => figure.max(value),
                Column::Sum => *figure + value,
                Column::Count => *figure + 1.0,
                Column::Last => value,
                Column::Increase | Column::Histogram => *figure + increase,
            };
        }
    }
}

/// What a selection makes of the figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// One column as it is.
    Plain(Column),
    /// Sums divided by counts.
    Mean,
    /// A counter that grows as the real one did and ends at its last value.
    Counter,
}

impl Use {
    fn of(function: Option<&str>) -> Self {
        match function {
            Some("min_over_time") => Use::Plain(Column::Min),
            Some("max_over_time") => Use::Plain(Column::Max),
            Some("sum_over_time") => Use::Plain(Column::Sum),
            Some("avg_over_time") => Use::Mean,
            Some("rate" | "increase" | "irate" | "resets") => Use::Counter,
            _ => Use::Plain(Column::Last),
        }
    }

    /// The columns that it needs.
    fn columns(self) -> (Column, Option<Column>) {
        match self {
            Use::Plain(column) => (column, None),
            Use::Mean => (Column::Sum, Some(Column::Count)),
            Use::Counter => (Column::Last, Some(Column::Increase)),
        }
    }
}

/// Reads rollups for one selection.
pub(super) struct RollupReader<'a> {
    how: Use,
    first: Vec<Lane<'a>>,
    second: Vec<Lane<'a>>,
    histograms: Vec<Lane<'a>>,
    gatherer: Gatherer,
    other: Samples,
}

impl<'a> RollupReader<'a> {
    /// `None` where no rollup reaches into the selection.
    pub(super) fn new(
        catalog: &Catalog,
        selection: &Selection,
        blocks: &Rc<BlockReader<'a>>,
    ) -> Option<Self> {
        let hour = Resolution::Hour.millis();
        // An hour's figure serves where a window holds whole hours of them; an instant selector
        // would look back 5 minutes and find none.
        let coarse = selection.hints.step_ms >= hour && selection.hints.range_ms >= 4 * hour;
        let resolution = if coarse { Resolution::Hour } else { Resolution::FiveMinutes };
        let function = selection.hints.function.filter(|_| selection.hints.range_ms > 0);
        let how = Use::of(function);
        let lanes = |column: Column| -> Vec<Lane<'a>> {
            catalog
                .segments
                .iter()
                .filter(|s| s.level == Level::Rollup(resolution, column))
                .filter(|s| s.overlaps(selection.start.millis(), selection.end.millis()))
                .map(|s| Lane::new(s.clone(), Rc::clone(blocks)))
                .collect()
        };
        let (first, second) = how.columns();
        let first = lanes(first);
        let second = second.map(lanes).unwrap_or_default();
        let histograms = lanes(Column::Histogram);
        (!(first.is_empty() && histograms.is_empty())).then(|| RollupReader {
            how,
            first,
            second,
            histograms,
            gatherer: Gatherer::default(),
            other: Samples::default(),
        })
    }

    /// The figures of a series, as samples, in place of what is in `out`.
    pub(super) fn read(
        &mut self,
        series: u32,
        start: i64,
        end: i64,
        out: &mut Samples,
    ) -> Result<(), StoreError> {
        gather(&mut self.first, &mut self.gatherer, series, (start, end), out)?;
        if !self.second.is_empty() {
            gather(&mut self.second, &mut self.gatherer, series, (start, end), &mut self.other)?;
            combine(self.how, out, &self.other);
        }
        if !self.histograms.is_empty() {
            let range = (start, end);
            gather(&mut self.histograms, &mut self.gatherer, series, range, &mut self.other)?;
            if !self.other.is_empty() {
                out.extend_from(&self.other, 0, self.other.len());
                put_in_order(out);
            }
        }
        Ok(())
    }
}

fn gather(
    lanes: &mut [Lane<'_>],
    gatherer: &mut Gatherer,
    series: u32,
    (start, end): (i64, i64),
    out: &mut Samples,
) -> Result<(), StoreError> {
    gatherer.clear();
    for lane in lanes {
        lane.gather(series, start, end, gatherer)?;
    }
    gatherer.finish(start, end, out);
    Ok(())
}

/// Makes `first` what `how` says, with the second column. Both have the same times, unless a
/// block is damaged; then only what both have stays.
fn combine(how: Use, first: &mut Samples, second: &Samples) {
    if first.times != second.times {
        let common: Vec<(i64, f64)> = first
            .times
            .iter()
            .zip(&first.values)
            .filter(|(at, _)| second.times.binary_search(at).is_ok())
            .map(|(at, value)| (*at, *value))
            .collect();
        first.clear();
        common.into_iter().for_each(|(at, value)| first.push(at, value));
    }
    let figure = |at: i64| second.times.binary_search(&at).map_or(0.0, |i| second.values[i]);
    match how {
        Use::Plain(_) => {}
        Use::Mean => {
            for (at, value) in first.times.iter().zip(&mut first.values) {
                *value /= figure(*at);
            }
        }
        Use::Counter => {
            // Backwards from the last value, so that samples which follow join on to it.
            for place in (0..first.values.len().saturating_sub(1)).rev() {
                first.values[place] = first.values[place + 1] - figure(first.times[place + 1]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Histogram, STALE_NAN};

    fn samples(pairs: &[(i64, f64)]) -> Samples {
        let mut out = Samples::default();
        pairs.iter().for_each(|(at, value)| out.push(*at, *value));
        out
    }

    #[test]
    fn a_bucket_keeps_six_figures_at_its_last_time() {
        let stale = f64::from_bits(STALE_NAN);
        let input =
            samples(&[(0, 5.0), (100_000, 9.0), (299_999, 2.0), (300_000, 4.0), (310_000, stale)]);
        let figures = reduce(&input, Resolution::FiveMinutes, Some(3.0));
        assert_eq!(figures.times, [299_999, 300_000]);
        let [min, max, sum, count, last, increase] = figures.columns;
        assert_eq!((min, max), (vec![2.0, 4.0], vec![9.0, 4.0]));
        assert_eq!((sum, count), (vec![16.0, 4.0], vec![3.0, 1.0]));
        assert_eq!(last, [2.0, 4.0]);
        // 3 → 5 → 9, then a reset to 2; then 2 → 4.
        assert_eq!(increase, [8.0, 2.0]);
    }

    #[test]
    fn of_histograms_the_last_of_a_bucket_stays_and_tells_of_resets() {
        let mut input = Samples::default();
        let hints = [
            (0, ResetHint::Unknown),
            (200_000, ResetHint::Reset),
            (299_999, ResetHint::Unknown),
            (300_000, ResetHint::Unknown),
            (610_000, ResetHint::Gauge),
        ];
        for (at, reset_hint) in hints {
            let histogram = Histogram { sum: at as f64, reset_hint, ..Histogram::default() };
            input.push_histogram(at, Arc::new(histogram));
            input.push(at + 1, 1.0);
        }
        let last = last_histograms(&input, Resolution::FiveMinutes);
        let told: Vec<_> =
            last.histograms.iter().flatten().map(|h| (h.sum, h.reset_hint)).collect();
        let expected = [
            (299_999.0, ResetHint::Reset),
            (300_000.0, ResetHint::Unknown),
            (610_000.0, ResetHint::Gauge),
        ];
        assert_eq!(told, expected);
        assert_eq!(last.times, [299_999, 300_000, 610_000]);
        // The figures are those of the numbers alone.
        let figures = reduce(&input, Resolution::FiveMinutes, None);
        assert_eq!(figures.times, [200_001, 300_001, 610_001]);
        assert_eq!(figures.columns[3], [2.0, 2.0, 1.0]);
    }

    #[test]
    fn a_rebuilt_counter_ends_at_the_last_value_and_never_falls() {
        let mut last = samples(&[(1, 100.0), (2, 10.0), (3, 30.0)]);
        combine(Use::Counter, &mut last, &samples(&[(1, 7.0), (2, 25.0), (3, 20.0)]));
        assert_eq!(last.values, [-15.0, 10.0, 30.0]);
    }

    #[test]
    fn a_mean_is_the_sum_by_the_count() {
        let mut sums = samples(&[(1, 10.0), (2, 9.0)]);
        combine(Use::Mean, &mut sums, &samples(&[(1, 4.0), (2, 3.0)]));
        assert_eq!(sums.values, [2.5, 3.0]);
    }
}
