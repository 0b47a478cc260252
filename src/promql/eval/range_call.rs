//! Functions of ranges: slides a window over the samples of one series after the other.

use super::super::annotations::Annotation;
use super::super::answer::{MatrixSeries, QueryError};
use super::super::ast::{Call, Expr, ValueType};
use super::super::functions::RangeKind;
use super::super::native::Point;
use super::super::source::Samples;
use super::super::span::Span;
use super::call::argument_span;
use super::extended::{self, Ends};
use super::grid::{ABSENT, Grid, Reference, Scalars, StepSeries, is_absent};
use super::range_input::RangeInput;
use super::run::{Result, Run, SeriesStream, Stream};
use super::scalar::scalars;
use super::{mixed, over_time, rate, regression};
use crate::model::{Labels, is_histogram_mark};

/// What a window function sees at one step: at least one sample.
pub(super) struct Window<'s> {
    /// All samples of the series, of which the window is `from..to`.
    pub all: &'s Samples,
    pub from: usize,
    pub to: usize,
    /// The open left and the closed right end, Unix milliseconds.
    pub start: i64,
    pub end: i64,
    pub step: usize,
}

impl<'s> Window<'s> {
    #[inline]
    pub(super) fn times(&self) -> &'s [i64] {
        &self.all.times[self.from..self.to]
    }

    #[inline]
    pub(super) fn values(&self) -> &'s [f64] {
        &self.all.values[self.from..self.to]
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.to - self.from
    }
}

/// Fills one value per step; both ends of the window only move forward.
#[inline]
fn slide(
    reference: &Reference,
    range_ms: i64,
    all: &Samples,
    out: &mut Vec<f64>,
    mut f: impl FnMut(&Window<'_>) -> f64,
) {
    let times = all.times.as_slice();
    out.clear();
    out.reserve(reference.grid.len);
    let (mut from, mut to) = (0, 0);
    for step in 0..reference.grid.len {
        let end = reference.at(step);
        let start = end.saturating_sub(range_ms);
        while times.get(to).is_some_and(|at| *at <= end) {
            to += 1;
        }
        while from < to && times[from] <= start {
            from += 1;
        }
        out.push(if from < to { f(&Window { all, from, to, start, end, step }) } else { ABSENT });
    }
}

struct RangeCall<'r> {
    run: &'r Run<'r>,
    input: RangeInput<'r>,
    kind: RangeKind,
    params: Vec<Scalars>,
    /// Where the first argument and the range stand.
    spans: (Span, Span),
    samples: Samples,
    /// Reused by functions that sort or count ahead.
    scratch: Vec<f64>,
    counts: Vec<u32>,
}

/// The series of a function of a range.
pub(super) fn open<'r>(
    run: &'r Run<'r>,
    call: &'r Call,
    kind: RangeKind,
    grid: Grid,
) -> Result<Stream<'r>> {
    let mut params = Vec::new();
    let mut input = None;
    let mut spans = (call.span, call.span);
    if let Some(first) = call.args.first() {
        spans.0 = argument_span(first);
    }
    for arg in &call.args {
        if arg.value_type() == ValueType::Matrix {
            spans.1 = argument_span(arg);
            input = Some(RangeInput::open(run, arg, grid, Some(call.function.name))?);
        } else {
            params.push(scalars(run, arg, grid)?);
        }
    }
    let Some(input) = input else {
        return Err(QueryError::Execution(format!("{} without a range", call.function.name)));
    };
    Ok(Box::new(RangeCall {
        run,
        input,
        kind,
        params,
        spans,
        samples: Samples::default(),
        scratch: Vec::new(),
        counts: Vec::new(),
    }))
}

impl SeriesStream for RangeCall<'_> {
    fn next(&mut self, out: &mut StepSeries) -> Result<bool> {
        while let Some(labels) = self.input.next(&mut self.samples)? {
            self.run.check()?;
            let histograms = mixed::split(&mut self.samples);
            self.fill(&mut out.values)?;
            out.histograms.clear();
            if !histograms.is_empty() {
                let metric = labels.metric_name().unwrap_or("");
                self.mixed(metric, &histograms).overlay(out)?;
            }
            if out.has_values() {
                self.note_non_counter(&labels, out);
                out.labels = labels;
                out.drop_name = !self.kind.keeps_name();
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl<'r> RangeCall<'r> {
    /// `rate` and `increase` of floats under a name that is not a counter's.
    fn note_non_counter(&self, labels: &Labels, out: &StepSeries) {
        const SUFFIXES: [&str; 4] = ["_total", "_sum", "_count", "_bucket"];
        if !matches!(self.kind, RangeKind::Rate | RangeKind::Increase) {
            return;
        }
        let Some(name) = labels.metric_name().filter(|name| !name.is_empty()) else { return };
        if SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
            return;
        }
        let is_float = |value: &f64| !is_absent(*value) && !is_histogram_mark(*value);
        if out.values.iter().any(is_float) {
            let metric = name.to_owned();
            self.run.note(Annotation::PossibleNonCounter { metric }, self.spans.1);
        }
    }

    fn mixed<'s>(&'s self, metric: &'s str, histograms: &'s [Point]) -> mixed::Mixed<'s, 'r> {
        mixed::Mixed {
            run: self.run,
            kind: self.kind,
            span: self.spans.0,
            metric,
            reference: &self.input.reference,
            range_ms: self.input.range_ms,
            ends: self.input.ends,
            numbers: &self.samples,
            histograms,
        }
    }

    fn param(&self, place: usize, step: usize) -> f64 {
        self.params.get(place).map_or(f64::NAN, |scalars| scalars.at(step))
    }

    fn fill(&mut self, out: &mut Vec<f64>) -> Result<()> {
        let mut counts = std::mem::take(&mut self.counts);
        let mut scratch = std::mem::take(&mut self.scratch);
        let done = self.fill_with(out, &mut counts, &mut scratch);
        self.counts = counts;
        self.scratch = scratch;
        done
    }

    fn fill_with(
        &self,
        out: &mut Vec<f64>,
        counts: &mut Vec<u32>,
        scratch: &mut Vec<f64>,
    ) -> Result<()> {
        let (at, range, all) = (&self.input.reference, self.input.range_ms, &self.samples);
        if self.input.ends.0 != Ends::Plain {
            return extended::fill(self.kind, at, range, self.input.ends, all, out);
        }
        let seconds = range as f64 / 1000.0;
        // A long window under many steps is where time goes: ask to stop in between.
        let mut work = 0_usize;
        let mut stopped = Ok(());
        let mut heavy = |window: &Window<'_>| {
            work += window.len();
            if work > 1 << 20 {
                work = 0;
                if stopped.is_ok() {
                    stopped = self.run.check();
                }
            }
            stopped.is_ok()
        };
        match self.kind {
            RangeKind::Rate | RangeKind::Increase => {
                rate::count_resets(&all.values, counts);
                let per_second = (self.kind == RangeKind::Rate).then_some(seconds);
                slide(at, range, all, out, |w| rate::counter(w, counts, per_second));
            }
            RangeKind::Delta => slide(at, range, all, out, rate::gauge),
            RangeKind::Irate => slide(at, range, all, out, |w| rate::last_two(w, true)),
            RangeKind::Idelta => slide(at, range, all, out, |w| rate::last_two(w, false)),
            RangeKind::Resets => {
                rate::count_resets(&all.values, counts);
                slide(at, range, all, out, |w| rate::counted(w, counts));
            }
            RangeKind::Changes => {
                rate::count_changes(&all.values, counts);
                slide(at, range, all, out, |w| rate::counted(w, counts));
            }
            RangeKind::Deriv => {
                slide(at, range, all, out, |w| if heavy(w) { regression::slope(w) } else { ABSENT })
            }
            RangeKind::PredictLinear => slide(at, range, all, out, |w| {
                let ahead = self.param(0, w.step);
                if heavy(w) { regression::predict(w, at.grid.at(w.step), ahead) } else { ABSENT }
            }),
            RangeKind::Smoothing => {
                self.check_smoothing()?;
                slide(at, range, all, out, |w| {
                    let (factor, trend) = (self.param(0, w.step), self.param(1, w.step));
                    if heavy(w) { regression::smooth(w, factor, trend) } else { ABSENT }
                });
            }
            RangeKind::Quantile => slide(at, range, all, out, |w| {
                let q = self.param(0, w.step);
                over_time::warn_of_quantile(self.run, q, self.spans.0);
                if heavy(w) { over_time::quantile_of(q, w.values(), scratch) } else { ABSENT }
            }),
            RangeKind::Mad => slide(at, range, all, out, |w| {
                if heavy(w) { over_time::mad(w.values(), scratch) } else { ABSENT }
            }),
            RangeKind::Min => {
                let mut extreme = over_time::Extreme::new(counts);
                slide(at, range, all, out, |w| extreme.of(w, |value, best| value < best));
            }
            RangeKind::Max => {
                let mut extreme = over_time::Extreme::new(counts);
                slide(at, range, all, out, |w| extreme.of(w, |value, best| value > best));
            }
            RangeKind::Count => slide(at, range, all, out, |w| w.len() as f64),
            RangeKind::Present => slide(at, range, all, out, |_| 1.0),
            RangeKind::Last => slide(at, range, all, out, |w| all.values[w.to - 1]),
            RangeKind::First => slide(at, range, all, out, |w| all.values[w.from]),
            RangeKind::TimeOfFirst => {
                slide(at, range, all, out, |w| all.times[w.from] as f64 / 1000.0);
            }
            RangeKind::TimeOfLast => {
                slide(at, range, all, out, |w| all.times[w.to - 1] as f64 / 1000.0);
            }
            RangeKind::TimeOfMin => slide(at, range, all, out, |w| {
                over_time::time_of_extreme(w, |value, best| value <= best)
            }),
            RangeKind::TimeOfMax => slide(at, range, all, out, |w| {
                over_time::time_of_extreme(w, |value, best| value >= best)
            }),
            kind => {
                let f = over_time::fold(kind);
                slide(at, range, all, out, |w| if heavy(w) { f(w.values()) } else { ABSENT });
            }
        }
        stopped
    }

    fn check_smoothing(&self) -> Result<()> {
        for step in 0..self.input.reference.grid.len {
            for (place, name) in [(0, "smoothing factor"), (1, "trend factor")] {
                let value = self.param(place, step);
                if value <= 0.0 || value >= 1.0 {
                    let short = if place == 0 { "sf" } else { "tf" };
                    return Err(QueryError::Execution(format!(
                        "invalid {name}. Expected: 0 < {short} < 1, got: {value:.6}"
                    )));
                }
            }
        }
        Ok(())
    }
}

/// The samples of a range selector or subquery at one step, for instant queries of that type.
pub(super) fn raw_matrix<'r>(
    run: &'r Run<'r>,
    expr: &'r Expr,
    grid: Grid,
) -> Result<Vec<MatrixSeries>> {
    let mut input = RangeInput::open(run, expr, grid, None)?;
    let mut held = run.hold(0)?;
    let mut matrix = Vec::new();
    let mut samples = Samples::default();
    while let Some(labels) = input.next(&mut samples)? {
        if samples.is_empty() {
            continue;
        }
        let (ends, lookback_ms) = input.ends;
        if ends != Ends::Plain {
            let (at, range) = (&input.reference, input.range_ms);
            samples = extended::samples_with_ends(at, range, ends, lookback_ms, &samples)?;
            if samples.is_empty() {
                continue;
            }
        }
        let histograms = samples.histograms.iter().flatten().map(|h| h.samples());
        held.grow(samples.len() + histograms.sum::<usize>())?;
        matrix.push(MatrixSeries { labels, samples: std::mem::take(&mut samples) });
    }
    matrix.sort_by(|a, b| a.labels.cmp(&b.labels));
    if matrix.windows(2).any(|pair| pair[0].labels == pair[1].labels) {
        return Err(super::merge::same_labels());
    }
    Ok(matrix)
}

/// `absent_over_time`: which steps have any sample in their window.
pub(super) fn steps_with_samples<'r>(
    run: &'r Run<'r>,
    expr: &'r Expr,
    grid: Grid,
) -> Result<Vec<bool>> {
    let mut input = RangeInput::open(run, expr, grid, Some("absent_over_time"))?;
    let mut present = vec![false; grid.len];
    let mut samples = Samples::default();
    let mut column = Vec::new();
    while input.next(&mut samples)?.is_some() {
        slide(&input.reference, input.range_ms, &samples, &mut column, |_| 1.0);
        for (slot, value) in present.iter_mut().zip(&column) {
            *slot |= !is_absent(*value);
        }
    }
    Ok(present)
}
