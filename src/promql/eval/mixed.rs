//! Functions of ranges that hold native histograms, alone or beside numbers.
//!
//! The numbers of a series are folded as if they were alone; here the steps whose window holds a
//! histogram get what `promql/functions.go` gives for them.

use std::sync::Arc;

use super::super::annotations::{Annotation, HistogramOperation};
use super::super::functions::RangeKind;
use super::super::native::{Around, Element, Fold, Point, difference, last_difference};
use super::super::source::Samples;
use super::super::span::Span;
use super::extended::Ends;
use super::grid::{ABSENT, Reference, StepSeries};
use super::rate;
use super::run::{Result, Run};
use crate::model::{Histogram, is_histogram_mark};

/// Takes the histograms out of samples.
pub(super) fn split(samples: &mut Samples) -> Vec<Point> {
    if samples.histograms.is_empty() {
        return Vec::new();
    }
    let mut points = Vec::new();
    let mut kept = 0;
    for at in 0..samples.len() {
        match samples.histograms.get_mut(at).and_then(Option::take) {
            Some(histogram) if is_histogram_mark(samples.values[at]) => {
                points.push((samples.times[at], histogram));
            }
            _ => {
                samples.values[kept] = samples.values[at];
                samples.times[kept] = samples.times[at];
                kept += 1;
            }
        }
    }
    samples.values.truncate(kept);
    samples.times.truncate(kept);
    samples.histograms.clear();
    points
}

/// A call for one series.
pub(super) struct Mixed<'s, 'r> {
    pub run: &'s Run<'r>,
    pub kind: RangeKind,
    /// Where the first argument stands.
    pub span: Span,
    /// The metric's name, for annotations; empty if it has none.
    pub metric: &'s str,
    pub reference: &'s Reference,
    pub range_ms: i64,
    /// What is done at the ends, and how far to reach for it.
    pub ends: (Ends, i64),
    pub numbers: &'s Samples,
    pub histograms: &'s [Point],
}

/// The samples of one step.
struct Parts<'s> {
    times: &'s [i64],
    numbers: &'s [f64],
    points: &'s [Point],
    start: i64,
    end: i64,
}

enum Value {
    Number(f64),
    Histogram(Arc<Histogram>),
}

impl Mixed<'_, '_> {
    /// Replaces the values of all steps that see a histogram.
    pub(super) fn overlay(&self, out: &mut StepSeries) -> Result<()> {
        let mut work = 0;
        let (before, after) = self.ends.0.margins(self.ends.1);
        for step in 0..self.reference.grid.len {
            let end = self.reference.at(step);
            let start = end.saturating_sub(self.range_ms);
            let (first, last) = (start.saturating_sub(before), end.saturating_add(after));
            let from = self.histograms.partition_point(|(at, _)| *at <= first);
            let to = self.histograms.partition_point(|(at, _)| *at <= last);
            let points = self.histograms.get(from..to).unwrap_or(&[]);
            if points.is_empty() {
                continue;
            }
            work += points.len();
            if work > 1 << 12 {
                work = 0;
                self.run.check()?;
            }
            let times = &self.numbers.times;
            let from = times.partition_point(|at| *at <= first);
            let to = times.partition_point(|at| *at <= last);
            let parts = Parts {
                times: times.get(from..to).unwrap_or(&[]),
                numbers: self.numbers.values.get(from..to).unwrap_or(&[]),
                points,
                start,
                end,
            };
            let number = out.values.get(step).copied().unwrap_or(ABSENT);
            match self.value(&parts, number) {
                Value::Histogram(histogram) => out.set_histogram(step, histogram),
                Value::Number(number) => {
                    if let Some(slot) = out.values.get_mut(step) {
                        *slot = number;
                    }
                }
            }
        }
        Ok(())
    }

    fn note(&self, annotation: Annotation) {
        self.run.note(annotation, self.span);
    }

    /// The value of a step whose numbers alone would give `number`.
    fn value(&self, parts: &Parts<'_>, number: f64) -> Value {
        let metric = || self.metric.to_owned();
        let count = parts.numbers.len() + parts.points.len();
        let (first_number, last_number) = (parts.times.first(), parts.times.last());
        let (first, last) = (parts.points.first(), parts.points.last());
        let seconds = |at: i64| Value::Number(at as f64 / 1000.0);
        match self.kind {
            RangeKind::Rate
            | RangeKind::Increase
            | RangeKind::Delta
            | RangeKind::Sum
            | RangeKind::Avg
                if !parts.numbers.is_empty() =>
            {
                self.note(Annotation::MixedFloatsHistograms { metric: metric() });
                Value::Number(ABSENT)
            }
            RangeKind::Rate | RangeKind::Increase | RangeKind::Delta => self.stretched(parts),
            RangeKind::Sum | RangeKind::Avg => self.folded(parts.points),
            RangeKind::Irate | RangeKind::Idelta => self.last_two(parts),
            RangeKind::Count => Value::Number(count as f64),
            RangeKind::Present => Value::Number(1.0),
            RangeKind::First => match first {
                Some((at, histogram)) if first_number.is_none_or(|other| at <= other) => {
                    Value::Histogram(Arc::clone(histogram))
                }
                _ => Value::Number(number),
            },
            RangeKind::Last => match last {
                Some((at, histogram)) if last_number.is_none_or(|other| at >= other) => {
                    Value::Histogram(Arc::clone(histogram))
                }
                _ => Value::Number(number),
            },
            RangeKind::TimeOfFirst => {
                let at = first.map(|(at, _)| at).into_iter().chain(first_number).min();
                at.map_or(Value::Number(number), |at| seconds(*at))
            }
            RangeKind::TimeOfLast => {
                let at = last.map(|(at, _)| at).into_iter().chain(last_number).max();
                at.map_or(Value::Number(number), |at| seconds(*at))
            }
            RangeKind::Resets => {
                Value::Number(parts.count_pairs(|before, now| match (before, now) {
                    (Element::Number(before), Element::Number(now)) => now < before,
                    (Element::Histogram(before), Element::Histogram(now)) => {
                        now.detect_reset(before)
                    }
                    _ => true,
                }))
            }
            RangeKind::Changes => {
                Value::Number(parts.count_pairs(|before, now| match (before, now) {
                    (Element::Number(before), Element::Number(now)) => {
                        now != before && !(now.is_nan() && before.is_nan())
                    }
                    (Element::Histogram(before), Element::Histogram(now)) => !now.equals(before),
                    _ => true,
                }))
            }
            // The rest looks at numbers only.
            _ => {
                if !parts.numbers.is_empty() {
                    self.note(Annotation::HistogramIgnoredInMixedRange { metric: metric() });
                }
                Value::Number(number)
            }
        }
    }

    /// `rate`, `increase`, `delta`: extrapolated like numbers; a counter's zero is where its
    /// count would be zero.
    fn stretched(&self, parts: &Parts<'_>) -> Value {
        let is_counter = self.kind != RangeKind::Delta;
        if self.ends.0 != Ends::Plain {
            return self.extended(parts, is_counter);
        }
        let ([(first_at, first), .., (last_at, _)], points) = (parts.points, parts.points) else {
            return Value::Number(ABSENT);
        };
        let mut notes = Vec::new();
        let found = difference(points, is_counter, self.metric, &mut notes);
        notes.into_iter().for_each(|note| self.note(note));
        let Some(mut found) = found else { return Value::Number(ABSENT) };
        let per_seconds = (self.kind == RangeKind::Rate).then_some(self.range_ms as f64 / 1000.0);
        let factor = rate::factor(
            (*first_at, *last_at),
            points.len() - 1,
            (parts.start, parts.end),
            is_counter.then_some((first.count, found.count)),
            per_seconds,
        );
        found.mul(factor);
        Value::Histogram(Arc::new(found))
    }

    /// The same without extrapolation: the range reaches for the samples around it.
    fn extended(&self, parts: &Parts<'_>, is_counter: bool) -> Value {
        let around = Around {
            points: parts.points,
            start: parts.start,
            end: parts.end,
            smoothed: self.ends.0 == Ends::Smoothed,
            is_counter,
            metric: self.metric,
        };
        let mut notes = Vec::new();
        let found = around.difference(&mut notes);
        notes.into_iter().for_each(|note| self.note(note));
        let Some(mut found) = found else { return Value::Number(ABSENT) };
        if self.kind == RangeKind::Rate {
            found.div(self.range_ms as f64 / 1000.0);
        }
        Value::Histogram(Arc::new(found))
    }

    /// `irate` and `idelta`: from the last two samples of either kind.
    fn last_two(&self, parts: &Parts<'_>) -> Value {
        let mut last = parts.elements_backwards();
        let (Some((t1, now)), Some((t0, before))) = (last.next(), last.next()) else {
            return Value::Number(ABSENT);
        };
        let is_rate = self.kind == RangeKind::Irate;
        let seconds = (t1 - t0) as f64 / 1000.0;
        match (before, now) {
            (Element::Histogram(before), Element::Histogram(now)) => {
                let mut notes = Vec::new();
                let found = last_difference(before, now, is_rate, self.metric, &mut notes);
                notes.into_iter().for_each(|note| self.note(note));
                let Some(mut found) = found else { return Value::Number(ABSENT) };
                if is_rate {
                    found.div(seconds);
                }
                Value::Histogram(Arc::new(found))
            }
            (Element::Number(before), Element::Number(now)) => {
                let value = if is_rate && now < before { now } else { now - before };
                Value::Number(if is_rate { value / seconds } else { value })
            }
            _ => {
                let metric = self.metric.to_owned();
                self.note(Annotation::MixedFloatsHistograms { metric });
                Value::Number(ABSENT)
            }
        }
    }

    /// `sum_over_time` and `avg_over_time`.
    fn folded(&self, points: &[Point]) -> Value {
        let Some(((_, first), rest)) = points.split_first() else {
            return Value::Number(ABSENT);
        };
        let is_mean = self.kind == RangeKind::Avg;
        let mut fold = Fold::new(first);
        for (_, histogram) in rest {
            let added = if is_mean { fold.add_to_mean(histogram) } else { fold.add(histogram) };
            if added.is_err() {
                let metric = self.metric.to_owned();
                self.note(Annotation::MixedExponentialCustom { metric });
                return Value::Number(ABSENT);
            }
        }
        let operation = HistogramOperation::Aggregation;
        if fold.collides() {
            self.note(Annotation::CounterResetCollision { operation });
        }
        if fold.is_reconciled() {
            self.note(Annotation::MismatchedCustomBuckets { operation });
        }
        Value::Histogram(Arc::new(if is_mean { fold.mean() } else { fold.sum() }))
    }
}

impl<'s> Parts<'s> {
    /// Numbers and histograms from the latest to the earliest.
    fn elements_backwards(&self) -> impl Iterator<Item = (i64, Element<'s>)> + use<'s> {
        let mut numbers = self.times.iter().zip(self.numbers).rev().peekable();
        let mut points = self.points.iter().rev().peekable();
        std::iter::from_fn(move || {
            let number_at = numbers.peek().map(|(at, _)| **at);
            match points.peek() {
                Some((at, _)) if number_at.is_none_or(|other| *at >= other) => {
                    points.next().map(|(at, histogram)| (*at, Element::Histogram(histogram)))
                }
                _ => numbers.next().map(|(at, value)| (*at, Element::Number(*value))),
            }
        })
    }

    /// How many neighbours differ, from the last sample at or before the start on if there is one
    /// (`pickFirstSampleIndices`); absent where none is after the start.
    fn count_pairs(&self, differs: impl Fn(Element<'_>, Element<'_>) -> bool) -> f64 {
        let mut count = 0.0;
        let mut later: Option<Element<'_>> = None;
        for (at, element) in self.elements_backwards() {
            match later {
                None if at <= self.start => return ABSENT,
                Some(later) if differs(element, later) => count += 1.0,
                _ => {}
            }
            if at <= self.start {
                break;
            }
            later = Some(element);
        }
        count
    }
}
