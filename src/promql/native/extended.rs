//! `rate`, `increase` and `delta` of histograms in `anchored` and `smoothed` ranges
//! (`extendedHistogramRate` in `promql/functions.go`).

use super::super::annotations::{Annotation, HistogramOperation};
use super::rate::{Point, mismatched};
use crate::model::{Histogram, IncompatibleSchemas, ResetHint, SumNotes};

/// Histograms around a range, which is open on the left.
#[derive(Clone, Copy)]
pub(in crate::promql) struct Around<'s> {
    pub points: &'s [Point],
    /// Unix milliseconds.
    pub start: i64,
    pub end: i64,
    /// Whether the values at the ends are on the line between their neighbours.
    pub smoothed: bool,
    pub is_counter: bool,
    /// The metric's name, for annotations.
    pub metric: &'s str,
}

type Notes<'n> = &'n mut Vec<Annotation>;

impl Around<'_> {
    /// What came in between both ends, as a gauge; nothing without a sample after the start, or
    /// where the histograms do not fit together. `notes` gets what is worth telling.
    pub(in crate::promql) fn difference(&self, notes: Notes<'_>) -> Option<Histogram> {
        let mut last = self.points.len().checked_sub(1)?;
        let before_last = self.points.get(..last)?;
        let first = before_last.partition_point(|(at, _)| *at <= self.start).saturating_sub(1);
        if self.smoothed {
            last = before_last.partition_point(|(at, _)| *at < self.end);
        }
        let (first_at, first_histogram) = self.points.get(first)?;
        let (last_at, last_histogram) = self.points.get(last)?;
        if *last_at <= self.start || (self.smoothed && *first_at > self.end) {
            return None;
        }
        let window = self.points.get(first..=last)?;
        let is_custom = first_histogram.has_custom_bounds();
        for (_, histogram) in window {
            if histogram.has_custom_bounds() != is_custom {
                notes.push(self.mixed());
                return None;
            }
            if self.is_counter && histogram.reset_hint == ResetHint::Gauge {
                notes.push(Annotation::HistogramNotCounter { metric: self.metric.to_owned() });
            }
        }
        let left = if self.smoothed && *first_at < self.start {
            self.interpolate(window.first()?, window.get(1)?, self.start, notes)?
        } else {
            Histogram::clone(first_histogram)
        };
        let right = if self.smoothed && last > 0 && *last_at > self.end {
            let before = self.points.get(last - 1)?;
            self.interpolate(before, self.points.get(last)?, self.end, notes)?
        } else {
            Histogram::clone(last_histogram)
        };
        let gauges = [left.reset_hint, right.reset_hint] == [ResetHint::Gauge; 2];
        if !self.is_counter && !gauges {
            notes.push(Annotation::HistogramNotGauge { metric: self.metric.to_owned() });
        }
        let mut result = right.clone();
        self.tell(result.sub(&left), HistogramOperation::Subtraction, notes)?;
        if self.is_counter
            && let Some(lost) = self.lost_in_resets(window, &left, &right, notes)?
        {
            self.tell(result.add(&lost), HistogramOperation::Addition, notes)?;
        }
        result.reset_hint = ResetHint::Gauge;
        result.compact();
        Some(result)
    }

    fn mixed(&self) -> Annotation {
        Annotation::MixedExponentialCustom { metric: self.metric.to_owned() }
    }

    fn tell(
        &self,
        done: Result<SumNotes, IncompatibleSchemas>,
        operation: HistogramOperation,
        notes: Notes<'_>,
    ) -> Option<()> {
        match done {
            Ok(sum) if sum.bounds_reconciled => notes.push(mismatched(operation)),
            Ok(_) => {}
            Err(_) => {
                notes.push(self.mixed());
                return None;
            }
        }
        Some(())
    }

    /// The histogram at a time between two. A counter that was reset began at nothing.
    fn interpolate(
        &self,
        (t1, before): &Point,
        (t2, after): &Point,
        at: i64,
        notes: Notes<'_>,
    ) -> Option<Histogram> {
        if at == *t1 {
            return Some(Histogram::clone(before));
        }
        let mut result = Histogram::clone(after);
        if at == *t2 {
            return Some(result);
        }
        let share = (at - t1) as f64 / (t2 - t1) as f64;
        if self.is_counter && after.detect_reset(before) {
            result.mul(share);
            return Some(result);
        }
        self.tell(result.sub(before), HistogramOperation::Subtraction, notes)?;
        result.mul(share);
        self.tell(result.add(before), HistogramOperation::Addition, notes)?;
        Some(result)
    }

    /// What resets between both ends took away; `left` and `right` stand for the first and the
    /// last of the window.
    fn lost_in_resets(
        &self,
        window: &[Point],
        left: &Histogram,
        right: &Histogram,
        notes: Notes<'_>,
    ) -> Option<Option<Histogram>> {
        let mut from = 1;
        let mut previous = left;
        if let [(at, first), (_, second), ..] = window
            && self.smoothed
            && *at < self.start
            && second.detect_reset(first)
        {
            // The line to the left end went over that reset already.
            previous = second;
            from = 2;
        }
        let Some(between) = window.get(from..window.len() - 1) else { return Some(None) };
        let mut lost: Option<Histogram> = None;
        for now in between.iter().map(|(_, histogram)| &**histogram).chain([right]) {
            if now.detect_reset(previous) {
                match &mut lost {
                    None => lost = Some(previous.clone()),
                    Some(lost) => {
                        self.tell(lost.add(previous), HistogramOperation::Addition, notes)?;
                    }
                }
            }
            previous = now;
        }
        Some(lost)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Buckets;

    fn points(counts: &[(i64, f64)]) -> Vec<Point> {
        let histogram = |count| Histogram {
            count,
            sum: count,
            positive: Buckets::from_pairs([(0, count)]),
            ..Histogram::default()
        };
        counts.iter().map(|(at, count)| (*at, Arc::new(histogram(*count)))).collect()
    }

    fn increase(counts: &[(i64, f64)], smoothed: bool) -> Option<f64> {
        let points = points(counts);
        let mut notes = Vec::new();
        let around =
            Around { points: &points, start: 10, end: 20, smoothed, is_counter: true, metric: "h" };
        let found = around.difference(&mut notes);
        assert_eq!(notes, []);
        found.map(|histogram| histogram.count)
    }

    #[test]
    fn anchored_ranges_begin_with_the_sample_before() {
        assert_eq!(increase(&[(2, 1.0), (8, 3.0), (14, 5.0), (18, 9.0)], false), Some(6.0));
        assert_eq!(increase(&[(2, 1.0), (8, 3.0)], false), None);
        // A reset: 3 to 5, and 2 since.
        assert_eq!(increase(&[(8, 3.0), (14, 5.0), (18, 2.0)], false), Some(4.0));
    }

    #[test]
    fn smoothed_ranges_begin_and_end_on_lines() {
        // 4 at the start, 10 at the end.
        assert_eq!(increase(&[(5, 2.0), (15, 6.0), (25, 14.0)], true), Some(6.0));
        // Across a reset the line begins at nothing: 3 at the start, 6 then, 10 at the end.
        assert_eq!(increase(&[(5, 9.0), (15, 6.0), (25, 14.0)], true), Some(7.0));
        assert_eq!(increase(&[(25, 14.0)], true), None);
        // A reset in between: 4 to 6, and 1.5, half of what there is at 25, since.
        assert_eq!(increase(&[(5, 2.0), (15, 6.0), (25, 3.0)], true), Some(3.5));
    }
}
