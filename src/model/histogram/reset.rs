//! Whether a counter was reset between two histograms.

use super::bounds::exponential_bound;
use super::sum::{Cell, Mode, add_mapped, cells, empty_cells, shared_bounds};
use super::zero::widen;
use super::{Buckets, Histogram, ResetHint};

impl Histogram {
    /// Whether something counts less than in the histogram before it, or its hint says so. A
    /// finer resolution or a narrower zero bucket can only come with a reset (`DetectReset`).
    pub fn detect_reset(&self, previous: &Histogram) -> bool {
        match self.reset_hint {
            ResetHint::Reset => return true,
            ResetHint::NotReset => return false,
            ResetHint::Unknown | ResetHint::Gauge => {}
        }
        if self.count < previous.count {
            return true;
        }
        if self.has_custom_bounds() {
            if !previous.has_custom_bounds() {
                return true;
            }
            if self.custom_bounds != previous.custom_bounds {
                return self.detect_reset_of_shared_bounds(previous);
            }
            return falls(&self.positive, &previous.positive, 0, |_| false);
        }
        if self.schema > previous.schema || self.zero_threshold < previous.zero_threshold {
            return true;
        }
        // Custom bounds before have a schema below all others.
        if previous.has_custom_bounds() {
            return true;
        }
        let mut zero_count = previous.zero_count;
        if self.zero_threshold > previous.zero_threshold {
            let sides = [cells(&previous.positive, None), cells(&previous.negative, None)];
            let [positive, negative] = &sides;
            let sides = [positive.as_slice(), negative.as_slice()];
            let wide = widen(previous, sides, self.zero_threshold, Mode::Plain, &mut 0.0);
            if wide.threshold != self.zero_threshold {
                return true;
            }
            zero_count = wide.count;
        }
        if self.zero_count < zero_count {
            return true;
        }
        let by = previous.schema.saturating_sub(self.schema).unsigned_abs();
        let in_zero = |index| {
            self.zero_threshold > 0.0
                && exponential_bound(index, self.schema) <= self.zero_threshold
        };
        falls(&self.positive, &previous.positive, by, in_zero)
            || falls(&self.negative, &previous.negative, by, in_zero)
    }

    fn detect_reset_of_shared_bounds(&self, previous: &Histogram) -> bool {
        let shared = shared_bounds(&self.custom_bounds, &previous.custom_bounds);
        let mapped = |histogram: &Histogram| -> Vec<Cell> {
            let mut mapped = empty_cells(&shared);
            let own = cells(&histogram.positive, None);
            add_mapped(&mut mapped, &own, &histogram.custom_bounds, &shared, Mode::Plain);
            mapped
        };
        mapped(self).iter().zip(mapped(previous)).any(|(now, before)| now.count < before.count)
    }
}

/// Whether a bucket counts less than before, where those before are of a schema `by` steps finer.
fn falls(now: &Buckets, before: &Buckets, by: u32, skip: impl Fn(i32) -> bool) -> bool {
    let coarser;
    let before = if by == 0 {
        before
    } else {
        coarser = before.coarser(by);
        &coarser
    };
    let mut current = now.iter().filter(|(index, _)| !skip(*index)).peekable();
    for (index, count) in before.iter().filter(|(index, _)| !skip(*index)) {
        while current.peek().is_some_and(|(at, _)| *at < index) {
            current.next();
        }
        // Gone may only be what was empty.
        let now = current.peek().filter(|(at, _)| *at == index).map(|(_, count)| *count);
        if now.map_or(count != 0.0, |now| now < count) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::CUSTOM_BUCKETS_SCHEMA;
    use super::*;

    fn histogram(schema: i32, pairs: &[(i32, f64)]) -> Histogram {
        let positive = Buckets::from_pairs(pairs.iter().copied());
        let count = positive.counts.iter().sum();
        Histogram { schema, count, positive, ..Histogram::default() }
    }

    #[test]
    fn a_bucket_that_falls_or_goes_is_a_reset() {
        let before = histogram(0, &[(0, 2.0), (1, 0.0), (5, 1.0)]);
        assert!(!histogram(0, &[(0, 2.0), (5, 1.0)]).detect_reset(&before));
        assert!(!histogram(0, &[(0, 3.0), (3, 9.0), (5, 1.0)]).detect_reset(&before));
        assert!(histogram(0, &[(0, 1.0), (5, 9.0)]).detect_reset(&before));
        assert!(histogram(0, &[(0, 9.0)]).detect_reset(&before));
        assert!(histogram(0, &[]).detect_reset(&before), "the count falls");
    }

    #[test]
    fn the_hint_is_believed() {
        let before = histogram(0, &[(0, 2.0)]);
        let mut now = before.clone();
        now.reset_hint = ResetHint::Reset;
        assert!(now.detect_reset(&before));
        let mut now = histogram(0, &[]);
        now.reset_hint = ResetHint::NotReset;
        assert!(!now.detect_reset(&before));
        now.reset_hint = ResetHint::Gauge;
        assert!(now.detect_reset(&before));
    }

    #[test]
    fn a_coarser_schema_is_no_reset_but_a_finer_one_is() {
        let fine = histogram(1, &[(1, 1.0), (2, 1.0)]);
        let coarse = histogram(0, &[(1, 2.0)]);
        assert!(!coarse.detect_reset(&fine));
        assert!(fine.detect_reset(&coarse));
        assert!(histogram(0, &[(1, 1.0), (2, 9.0)]).detect_reset(&fine));
    }

    #[test]
    fn a_wider_zero_bucket_takes_over_what_it_covers() {
        // (0.5, 1] and (1, 2].
        let before = histogram(0, &[(0, 2.0), (1, 1.0)]);
        let mut now = histogram(0, &[(1, 1.0)]);
        (now.zero_threshold, now.zero_count, now.count) = (1.0, 2.0, 3.0);
        assert!(!now.detect_reset(&before));
        now.zero_count = 1.0;
        assert!(now.detect_reset(&before));
        (now.zero_threshold, now.zero_count) = (1.5, 9.0);
        assert!(now.detect_reset(&before), "it ends inside a populated bucket");
        let mut narrower = now.clone();
        narrower.zero_threshold = 0.5;
        assert!(narrower.detect_reset(&now));
    }

    #[test]
    fn other_custom_bounds_are_compared_where_they_meet() {
        let custom = |bounds: &[f64], counts: &[f64]| Histogram {
            custom_bounds: bounds.to_vec(),
            ..histogram(
                CUSTOM_BUCKETS_SCHEMA,
                &(0..).zip(counts.iter().copied()).collect::<Vec<_>>(),
            )
        };
        let before = custom(&[1.0, 2.0], &[1.0, 2.0, 3.0]);
        assert!(!custom(&[2.0], &[3.0, 3.0]).detect_reset(&before));
        assert!(custom(&[2.0], &[2.0, 4.0]).detect_reset(&before));
        assert!(!custom(&[7.0], &[0.0, 6.0]).detect_reset(&before), "only +Inf is shared");
        assert!(histogram(0, &[(0, 9.0)]).detect_reset(&before));
        assert!(custom(&[2.0], &[9.0]).detect_reset(&histogram(0, &[(0, 1.0)])));
    }
}
