//! Differences of histograms over time: `rate`, `increase`, `delta`, `irate`, `idelta`.

use std::sync::Arc;

use super::super::annotations::{Annotation, HistogramOperation};
use crate::model::{Histogram, ResetHint};

/// A histogram at a time in Unix milliseconds.
pub(in crate::promql) type Point = (i64, Arc<Histogram>);

pub(super) fn mismatched(operation: HistogramOperation) -> Annotation {
    Annotation::MismatchedCustomBuckets { operation }
}

/// The last of at least two minus the first, for counters plus what resets took away; a gauge.
/// None where they do not fit together. `notes` gets what is worth telling (`histogramRate` in
/// `promql/functions.go`).
pub(in crate::promql) fn difference(
    points: &[Point],
    is_counter: bool,
    metric: &str,
    notes: &mut Vec<Annotation>,
) -> Option<Histogram> {
    let [(_, first), .., (_, last)] = points else { return None };
    let metric = || metric.to_owned();
    let not_counter = || Annotation::HistogramNotCounter { metric: metric() };
    let mixed = || Annotation::MixedExponentialCustom { metric: metric() };
    let is_gauge = |histogram: &Histogram| histogram.reset_hint == ResetHint::Gauge;
    if is_counter && (is_gauge(first) || is_gauge(last)) {
        notes.push(not_counter());
    }
    // Before a reset right behind it the first does not matter, and need not fit.
    let mut previous = Arc::clone(first);
    if is_counter
        && let Some((_, second)) = points.get(1)
        && second.detect_reset(first)
    {
        previous = Arc::new(Histogram {
            schema: second.schema,
            custom_bounds: second.custom_bounds.clone(),
            ..Histogram::default()
        });
    }
    let is_custom = previous.has_custom_bounds();
    if last.has_custom_bounds() != is_custom {
        notes.push(mixed());
        return None;
    }
    let mut schema = last.schema.min(previous.schema);
    if is_counter {
        for (_, histogram) in points.get(1..points.len() - 1).unwrap_or(&[]) {
            if is_gauge(histogram) {
                notes.push(not_counter());
            }
            schema = schema.min(histogram.schema);
            if histogram.has_custom_bounds() != is_custom {
                *notes = vec![mixed()];
                return None;
            }
        }
    }
    let mut result = Histogram::clone(last);
    result.reduce_resolution(schema);
    match result.sub(&previous) {
        Ok(sum) if sum.bounds_reconciled => {
            notes.push(mismatched(HistogramOperation::Subtraction));
        }
        Ok(_) => {}
        Err(_) => {
            *notes = vec![mixed()];
            return None;
        }
    }
    if is_counter {
        for (_, histogram) in points.iter().skip(1) {
            if histogram.detect_reset(&previous) {
                match result.add(&previous) {
                    Ok(sum) if sum.bounds_reconciled => {
                        notes.push(mismatched(HistogramOperation::Addition));
                    }
                    Ok(_) => {}
                    Err(_) => {
                        *notes = vec![mixed()];
                        return None;
                    }
                }
            }
            previous = Arc::clone(histogram);
        }
    } else if !is_gauge(first) || !is_gauge(last) {
        notes.push(Annotation::HistogramNotGauge { metric: metric() });
    }
    result.reset_hint = ResetHint::Gauge;
    result.compact();
    Some(result)
}

/// The last minus the one before it, or after a reset of a counter the last alone; a gauge
/// (`instantValue`).
pub(in crate::promql) fn last_difference(
    before: &Histogram,
    last: &Histogram,
    is_counter: bool,
    metric: &str,
    notes: &mut Vec<Annotation>,
) -> Option<Histogram> {
    let metric = || metric.to_owned();
    let hints = [before.reset_hint, last.reset_hint];
    if is_counter && hints.contains(&ResetHint::Gauge) {
        notes.push(Annotation::HistogramNotCounter { metric: metric() });
    }
    if !is_counter && hints != [ResetHint::Gauge; 2] {
        notes.push(Annotation::HistogramNotGauge { metric: metric() });
    }
    let mut result = last.clone();
    if !is_counter || !last.detect_reset(before) {
        match result.sub(before) {
            Ok(sum) if sum.bounds_reconciled => {
                notes.push(mismatched(HistogramOperation::Subtraction));
            }
            Ok(_) => {}
            Err(_) => {
                notes.push(Annotation::MixedExponentialCustom { metric: metric() });
                return None;
            }
        }
    }
    result.reset_hint = ResetHint::Gauge;
    result.compact();
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Buckets, CUSTOM_BUCKETS_SCHEMA};

    fn histogram(pairs: &[(i32, f64)]) -> Histogram {
        let positive = Buckets::from_pairs(pairs.iter().copied());
        let count = positive.counts.iter().sum();
        Histogram { count, sum: count, positive, ..Histogram::default() }
    }

    fn points(histograms: Vec<Histogram>) -> Vec<Point> {
        (0..).zip(histograms.into_iter().map(Arc::new)).collect()
    }

    fn counted(histograms: Vec<Histogram>) -> (Option<Histogram>, Vec<Annotation>) {
        let mut notes = Vec::new();
        (difference(&points(histograms), true, "h", &mut notes), notes)
    }

    #[test]
    fn what_a_reset_took_away_is_added_again() {
        let (found, notes) = counted(vec![
            histogram(&[(0, 2.0), (1, 1.0)]),
            histogram(&[(0, 5.0), (1, 1.0)]),
            histogram(&[(0, 1.0)]),
            histogram(&[(0, 4.0)]),
        ]);
        let found = found.expect("a histogram");
        // 3 up to the reset and 4 behind it; nothing came into the other bucket.
        assert_eq!(found.positive.iter().collect::<Vec<_>>(), [(0, 7.0)]);
        assert_eq!((found.count, found.reset_hint), (7.0, ResetHint::Gauge));
        assert_eq!(notes, []);
    }

    #[test]
    fn the_first_does_not_matter_before_a_reset() {
        let custom = Histogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            custom_bounds: vec![1.0],
            ..histogram(&[(0, 9.0)])
        };
        let (found, notes) =
            counted(vec![custom.clone(), histogram(&[(0, 1.0)]), histogram(&[(0, 3.0)])]);
        assert_eq!(found.map(|h| h.count), Some(3.0));
        assert_eq!(notes, []);
        let (found, notes) = counted(vec![histogram(&[(0, 1.0)]), histogram(&[(0, 1.0)]), custom]);
        assert_eq!(found, None);
        assert_eq!(notes, [Annotation::MixedExponentialCustom { metric: "h".to_owned() }]);
    }

    #[test]
    fn the_coarsest_schema_of_all_is_used() {
        let fine = |pairs: &[(i32, f64)]| Histogram { schema: 1, ..histogram(pairs) };
        let (found, _) = counted(vec![
            fine(&[(1, 1.0), (2, 1.0)]),
            histogram(&[(1, 3.0)]),
            histogram(&[(1, 5.0), (2, 1.0)]),
        ]);
        let found = found.expect("a histogram");
        assert_eq!((found.schema, found.count), (0, 4.0));
        assert_eq!(found.positive.iter().collect::<Vec<_>>(), [(1, 3.0), (2, 1.0)]);
    }

    #[test]
    fn gauges_and_counters_are_told_apart() {
        let gauge = Histogram { reset_hint: ResetHint::Gauge, ..histogram(&[(0, 5.0)]) };
        let (_, notes) = counted(vec![gauge.clone(), gauge.clone()]);
        assert_eq!(notes, [Annotation::HistogramNotCounter { metric: "h".to_owned() }]);
        let mut notes = Vec::new();
        let small = Histogram { reset_hint: ResetHint::Gauge, ..histogram(&[(0, 2.0)]) };
        let found = difference(&points(vec![gauge.clone(), small]), false, "h", &mut notes);
        assert_eq!(found.map(|h| h.count), Some(-3.0));
        assert_eq!(notes, []);
        last_difference(&gauge, &histogram(&[(0, 1.0)]), false, "h", &mut notes);
        assert_eq!(notes, [Annotation::HistogramNotGauge { metric: "h".to_owned() }]);
    }

    #[test]
    fn after_a_reset_the_last_stands_alone() {
        let (before, last) = (histogram(&[(0, 5.0)]), histogram(&[(0, 2.0)]));
        let mut notes = Vec::new();
        let mut of = |counter| last_difference(&before, &last, counter, "h", &mut notes);
        assert_eq!(of(true).map(|h| h.count), Some(2.0));
        assert_eq!(of(false).map(|h| h.count), Some(-3.0));
    }
}
