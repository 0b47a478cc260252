//! Histograms as text, as Go prints them: what `count_values` makes labels of.

use std::fmt;

use super::{BoundedBucket, Histogram};

/// A number in Go's `%g`: the shortest form, with an exponent below 1e-4 and from 1e6 on.
struct Short(f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.0;
        if value.is_nan() {
            return f.write_str("NaN");
        }
        if value.is_infinite() {
            return f.write_str(if value > 0.0 { "+Inf" } else { "-Inf" });
        }
        let long = format!("{value:e}");
        match long.split_once('e').map(|(digits, e)| (digits, e.parse::<i32>().unwrap_or(0))) {
            Some((digits, e)) if !(-4..6).contains(&e) => {
                write!(f, "{digits}e{}{:02}", if e < 0 { '-' } else { '+' }, e.abs())
            }
            _ => write!(f, "{value}"),
        }
    }
}

impl fmt::Display for BoundedBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = if matches!(self.rule, 1 | 3) { '[' } else { '(' };
        let close = if matches!(self.rule, 0 | 3) { ']' } else { ')' };
        let (lower, upper) = (Short(self.lower), Short(self.upper));
        write!(f, "{open}{lower},{upper}{close}:{}", Short(self.count))
    }
}

/// `{count:6, sum:3.5, [-2,-1):1, (1,2]:5}`: the buckets that are not empty (`String` in
/// `model/histogram/float_histogram.go`).
impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{count:{}, sum:{}", Short(self.count), Short(self.sum))?;
        let mut negative: Vec<BoundedBucket> = self.negative_buckets().collect();
        negative.reverse();
        let zero = self.zero_bucket();
        let buckets = negative.into_iter().chain([zero]).chain(self.positive_buckets());
        for bucket in buckets.filter(|bucket| bucket.count != 0.0) {
            write!(f, ", {bucket}")?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::Buckets;
    use super::*;

    #[test]
    fn a_histogram_prints_its_populated_buckets_in_order() {
        let histogram = Histogram {
            zero_threshold: 0.001,
            zero_count: 2.0,
            count: 1_000_000.0,
            sum: -0.00001,
            positive: Buckets::from_pairs([(0, 1.5), (1, 0.0), (2, 3.0)]),
            negative: Buckets::from_pairs([(1, 1.0), (2, 4.0)]),
            ..Histogram::default()
        };
        assert_eq!(
            histogram.to_string(),
            "{count:1e+06, sum:-1e-05, [-4,-2):4, [-2,-1):1, [-0.001,0.001]:2, (0.5,1]:1.5, (2,4]:3}"
        );
    }
}
