//! What functions and operators do with native histograms.

mod elements;
mod extended;
mod fold;
mod quantile;
mod rate;
#[cfg(test)]
mod robust;

pub(super) use elements::{Element, Outcome, operate};
pub(super) use extended::Around;
pub(super) use fold::Fold;
pub use quantile::histogram_quantile;
pub(super) use quantile::{fraction, quantile};
pub(super) use rate::{Point, difference, last_difference};

use crate::model::{Histogram, kahan_add};

/// The variance of the observations, each taken to be in the middle of its bucket
/// (`histogramVariance` in `promql/functions.go`).
pub(super) fn variance(histogram: &Histogram) -> f64 {
    let mean = histogram.sum / histogram.count;
    let (mut sum, mut lost) = (0.0, 0.0);
    for bucket in histogram.all_buckets().filter(|bucket| bucket.count != 0.0) {
        let (lower, upper) = (bucket.lower, bucket.upper);
        let value = if histogram.has_custom_bounds() {
            (upper + lower) / 2.0
        } else if lower <= 0.0 && upper >= 0.0 {
            0.0
        } else if upper < 0.0 {
            -(upper * lower).sqrt()
        } else {
            (upper * lower).sqrt()
        };
        let delta = value - mean;
        (sum, lost) = kahan_add(bucket.count * delta * delta, sum, lost);
    }
    (sum + lost) / histogram.count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Buckets;

    #[test]
    fn the_variance_is_that_of_the_middles_of_buckets() {
        // (1, 4] of schema −1: the geometric mean is 2; three of them around a mean of 2.
        let histogram = Histogram {
            schema: -1,
            count: 4.0,
            sum: 4.0,
            zero_count: 1.0,
            zero_threshold: 0.001,
            positive: Buckets::from_pairs([(1, 3.0)]),
            ..Histogram::default()
        };
        // The mean is 1: (0 − 1)² + 3 · (2 − 1)².
        assert_eq!(variance(&histogram), 1.0);
    }
}
