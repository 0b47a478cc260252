//! Zero buckets of different width.

use super::Histogram;
use super::bounds::exponential_bound;
use super::sum::{Cell, Mode, cells};

/// The zero bucket if it were wider.
pub(super) struct Widened {
    pub count: f64,
    pub threshold: f64,
}

/// What a zero bucket of at least `wanted` would count, given the buckets above and below zero.
/// Where `wanted` falls inside a populated bucket it grows to that bucket's end
/// (`zeroCountForLargerThreshold`). `lost` is the compensation of the count.
pub(super) fn widen(
    histogram: &Histogram,
    [positive, negative]: [&[Cell]; 2],
    wanted: f64,
    mode: Mode,
    lost: &mut f64,
) -> Widened {
    let schema = histogram.schema;
    let mut threshold = wanted;
    'again: loop {
        let mut count = histogram.zero_count;
        for (side, again) in [(positive, false), (negative, true)] {
            for cell in side {
                let lower = exponential_bound(cell.index.saturating_sub(1), schema);
                if lower >= threshold {
                    break;
                }
                (count, *lost) = mode.add(cell.count, count, *lost);
                if mode == Mode::Compensated {
                    (count, *lost) = mode.add(cell.lost, count, *lost);
                }
                let upper = exponential_bound(cell.index, schema);
                if upper > threshold {
                    if cell.count != 0.0 {
                        threshold = upper;
                        // The buckets above zero were counted for a narrower one.
                        if again {
                            continue 'again;
                        }
                    }
                    break;
                }
            }
        }
        return Widened { count, threshold };
    }
}

impl Histogram {
    /// Widens the zero bucket so that it holds that of `other` and cuts no populated bucket of
    /// either; `sides` are this one's buckets above and below zero. Gives what the other's zero
    /// bucket would count then (`reconcileZeroBuckets`).
    pub(super) fn reconcile_zero(
        &mut self,
        other: &Histogram,
        mode: Mode,
        lost: &mut f64,
        sides: &mut [&mut Vec<Cell>; 2],
    ) -> f64 {
        let widening = if mode == Mode::Compensated { mode } else { Mode::Plain };
        let (mut count, mut threshold) = (other.zero_count, other.zero_threshold);
        // Thresholds only grow, from one bucket's end to the next; NaN would never be equal.
        while threshold.partial_cmp(&self.zero_threshold).is_some_and(|order| order.is_ne()) {
            if self.zero_threshold > threshold {
                let theirs = [cells(&other.positive, None), cells(&other.negative, None)];
                let [positive, negative] = &theirs;
                let sides = [positive.as_slice(), negative.as_slice()];
                let wide = widen(other, sides, self.zero_threshold, Mode::Plain, &mut 0.0);
                (count, threshold) = (wide.count, wide.threshold);
            }
            if threshold > self.zero_threshold {
                let [positive, negative] = &*sides;
                let wide = widen(
                    self,
                    [positive.as_slice(), negative.as_slice()],
                    threshold,
                    widening,
                    lost,
                );
                (self.zero_count, self.zero_threshold) = (wide.count, wide.threshold);
                for side in sides.iter_mut() {
                    side.retain(|cell| {
                        let lower = exponential_bound(cell.index.saturating_sub(1), self.schema);
                        lower >= wide.threshold && cell.count != 0.0
                    });
                }
            }
        }
        count
    }
}
