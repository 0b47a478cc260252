//! Ranges with `anchored` or `smoothed`: they reach for the samples outside of their ends, so
//! that nothing has to be extrapolated (`extendedRate` in `promql/functions.go`, `smoothSeries`
//! and `extendFloats` in `promql/engine.go`).

use super::super::answer::QueryError;
use super::super::ast::VectorSelector;
use super::super::functions::RangeKind;
use super::super::source::Samples;
use super::grid::{ABSENT, Reference};
use super::run::Result;
use crate::model::is_histogram_mark;

/// What is done at the ends of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// Nothing: only samples inside count.
    Plain,
    /// The last sample before the start counts as the one at the start.
    Anchored,
    /// At both ends the line between the samples around counts.
    Smoothed,
}

impl Ends {
    pub(super) fn of(selector: &VectorSelector) -> Self {
        match (selector.anchored, selector.smoothed) {
            (true, _) => Ends::Anchored,
            (_, true) => Ends::Smoothed,
            _ => Ends::Plain,
        }
    }

    /// How far before the start and after the end samples are looked for.
    pub(super) fn margins(self, lookback_ms: i64) -> (i64, i64) {
        match self {
            Ends::Plain => (0, 0),
            Ends::Anchored => (lookback_ms, 0),
            Ends::Smoothed => (lookback_ms, lookback_ms),
        }
    }

    /// Refuses the functions that these ends make no sense for.
    pub(super) fn check(self, function: &str) -> Result<()> {
        let (word, allowed) = match self {
            Ends::Plain => return Ok(()),
            Ends::Anchored => ("anchored", &["changes", "delta", "increase", "rate", "resets"][..]),
            Ends::Smoothed => ("smoothed", &["delta", "increase", "rate"][..]),
        };
        if allowed.contains(&function) {
            return Ok(());
        }
        let allowed = allowed.join(", ");
        Err(QueryError::Execution(format!(
            "{word} modifier can only be used with: {allowed} - not with {function}"
        )))
    }
}

/// The samples around one range, at least one, with the open left and the closed right end.
#[derive(Clone, Copy)]
struct Around<'s> {
    times: &'s [i64],
    values: &'s [f64],
    start: i64,
    end: i64,
    smoothed: bool,
}

/// A range's own samples and its values at both ends.
struct Extent {
    /// The samples strictly inside, as places `inside.0..inside.1`.
    inside: (usize, usize),
    left: f64,
    right: f64,
}

impl Around<'_> {
    /// The place of the last sample at or before the start, or 0.
    fn first(&self) -> usize {
        let last = self.times.len() - 1;
        self.times[..last].partition_point(|at| *at <= self.start).saturating_sub(1)
    }

    /// Nothing where there is no sample after the start.
    fn extent(&self, is_counter: bool) -> Option<Extent> {
        let mut first = self.first();
        let mut last = self.times.len() - 1;
        if self.smoothed {
            last = self.times[..last].partition_point(|at| *at < self.end);
        }
        if self.times[last] <= self.start {
            return None;
        }
        let left = if self.smoothed && self.times[first] < self.start {
            self.interpolate(first, self.start, is_counter)
        } else {
            self.values[first]
        };
        let right = if self.smoothed && last > 0 && self.times[last] > self.end {
            self.interpolate(last - 1, self.end, is_counter)
        } else {
            self.values[last]
        };
        let mut past = last + 1;
        if self.times[first] <= self.start {
            first += 1;
        }
        if self.times[last] >= self.end {
            past -= 1;
        }
        Some(Extent { inside: (first, past.max(first)), left, right })
    }

    /// The value at a time between the sample at `place` and the next. A counter that falls began
    /// at 0.
    fn interpolate(&self, place: usize, at: i64, is_counter: bool) -> f64 {
        let (t1, t2) = (self.times[place], self.times[place + 1]);
        let (mut v1, v2) = (self.values[place], self.values[place + 1]);
        if is_counter && v2 < v1 {
            v1 = 0.0;
        }
        v1 + (v2 - v1) * (at - t1) as f64 / (t2 - t1) as f64
    }

    fn difference(&self, is_counter: bool) -> f64 {
        if self.smoothed && self.times[self.first()] > self.end {
            return ABSENT;
        }
        let Some(extent) = self.extent(is_counter) else { return ABSENT };
        let mut difference = extent.right - extent.left;
        if is_counter {
            let mut before = extent.left;
            let inside = &self.values[extent.inside.0..extent.inside.1];
            for value in inside.iter().chain(std::iter::once(&extent.right)) {
                if *value < before {
                    difference += before;
                }
                before = *value;
            }
        }
        difference
    }

    /// How often neighbours differ, from the sample at the start on.
    fn count(&self, differs: impl Fn(f64, f64) -> bool) -> f64 {
        if self.times[self.times.len() - 1] <= self.start {
            return ABSENT;
        }
        let values = &self.values[self.first()..];
        values.windows(2).filter(|pair| differs(pair[0], pair[1])).count() as f64
    }
}

/// The error for histograms in a range that is not plain.
fn refuse_histograms(ends: Ends) -> Result<()> {
    if ends == Ends::Plain {
        return Ok(());
    }
    Err(QueryError::Execution(
        "smoothed and anchored modifiers do not work with native histograms".to_owned(),
    ))
}

/// Goes through the ranges of a grid.
fn each<'s>(
    reference: &Reference,
    range_ms: i64,
    ends: Ends,
    lookback_ms: i64,
    samples: &'s Samples,
    mut f: impl FnMut(Option<Around<'s>>),
) -> Result<()> {
    let (before, after) = ends.margins(lookback_ms);
    let times = samples.times.as_slice();
    if samples.values.iter().any(|value| is_histogram_mark(*value)) {
        refuse_histograms(ends)?;
    }
    let (mut from, mut to) = (0, 0);
    for step in 0..reference.grid.len {
        let end = reference.at(step);
        let start = end.saturating_sub(range_ms);
        while times.get(to).is_some_and(|at| *at <= end.saturating_add(after)) {
            to += 1;
        }
        while from < to && times[from] <= start.saturating_sub(before) {
            from += 1;
        }
        f((from < to).then(|| Around {
            times: &times[from..to],
            values: &samples.values[from..to],
            start,
            end,
            smoothed: ends == Ends::Smoothed,
        }));
    }
    Ok(())
}

/// Fills one value per step for one of the functions that `Ends::check` lets through.
pub(super) fn fill(
    kind: RangeKind,
    reference: &Reference,
    range_ms: i64,
    (ends, lookback_ms): (Ends, i64),
    samples: &Samples,
    out: &mut Vec<f64>,
) -> Result<()> {
    out.clear();
    each(reference, range_ms, ends, lookback_ms, samples, |around| {
        let Some(around) = around else { return out.push(ABSENT) };
        out.push(match kind {
            RangeKind::Rate => {
                let increase = around.difference(true);
                if super::is_absent(increase) {
                    ABSENT
                } else {
                    increase / (range_ms as f64 / 1000.0)
                }
            }
            RangeKind::Increase => around.difference(true),
            RangeKind::Delta => around.difference(false),
            RangeKind::Resets => around.count(|before, now| now < before),
            RangeKind::Changes => {
                around.count(|before, now| now != before && !(now.is_nan() && before.is_nan()))
            }
            _ => ABSENT,
        });
    })
}

/// The samples of the first range of a grid, with its values at both ends.
pub(super) fn samples_with_ends(
    reference: &Reference,
    range_ms: i64,
    ends: Ends,
    lookback_ms: i64,
    samples: &Samples,
) -> Result<Samples> {
    let mut extended = Samples::default();
    let first = Reference { grid: reference.grid.first(), ..*reference };
    each(&first, range_ms, ends, lookback_ms, samples, |around| {
        let Some((around, extent)) =
            around.and_then(|around| Some((around, around.extent(false)?)))
        else {
            return;
        };
        extended.push(around.start, extent.left);
        for place in extent.inside.0..extent.inside.1 {
            extended.push(around.times[place], around.values[place]);
        }
        extended.push(around.end, extent.right);
    })?;
    Ok(extended)
}

/// `smoothed` instant selectors: the value on the line between the samples around each step; the
/// last one where none follows; nothing where none came before. Says whether there is any.
pub(super) fn smooth(
    reference: &Reference,
    lookback_ms: i64,
    samples: &Samples,
    out: &mut Vec<f64>,
) -> Result<bool> {
    out.clear();
    let mut any = false;
    // A range of no width: both ends are the step itself.
    each(reference, 0, Ends::Smoothed, lookback_ms, samples, |around| {
        out.push(around.map_or(ABSENT, |around| {
            let next = around.times.partition_point(|at| *at < around.start);
            match (around.times.get(next), next.checked_sub(1)) {
                (Some(at), _) if *at == around.start => around.values[next],
                (Some(_), Some(before)) => around.interpolate(before, around.start, false),
                (None, Some(before)) => around.values[before],
                (_, None) => ABSENT,
            }
        }));
        any |= out.last().is_some_and(|value| !super::is_absent(*value));
    })?;
    Ok(any)
}
