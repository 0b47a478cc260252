//! Whatever is stored, nothing here panics or hangs: tried with histograms that no validation let
//! through.

use std::sync::Arc;

use super::{Element, Fold, difference, fraction, last_difference, operate, quantile, variance};
use crate::model::{
    BoundedBucket, BucketSpan, Buckets, CUSTOM_BUCKETS_SCHEMA, Histogram, ResetHint,
};
use crate::promql::ast::BinaryOp;
use crate::promql::notation::{parse_histogram, write_histogram};

/// A small generator of numbers (xorshift), the same at every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    fn number(&mut self) -> f64 {
        let special = [0.0, -0.0, 1.0, -3.0, 0.5, f64::NAN, f64::INFINITY, f64::MAX, 1e-300];
        if self.below(3) == 0 { self.pick(&special) } else { self.below(100) as f64 / 4.0 }
    }

    fn buckets(&mut self) -> Buckets {
        let offsets = [0, 1, 2, 5, -2, -7, 3000, i32::MAX, i32::MIN];
        let spans = (0..self.below(4))
            .map(|_| BucketSpan { offset: self.pick(&offsets), length: self.below(4) as u32 })
            .collect();
        Buckets { spans, counts: (0..self.below(8)).map(|_| self.number()).collect() }
    }

    fn histogram(&mut self) -> Arc<Histogram> {
        let schema = self.pick(&[CUSTOM_BUCKETS_SCHEMA, -4, -1, 0, 1, 2, 8, 100, i32::MIN]);
        let hints = [ResetHint::Unknown, ResetHint::Reset, ResetHint::NotReset, ResetHint::Gauge];
        Arc::new(Histogram {
            reset_hint: self.pick(&hints),
            schema,
            zero_threshold: self.number(),
            zero_count: self.number(),
            count: self.number(),
            sum: self.number(),
            positive: self.buckets(),
            negative: self.buckets(),
            custom_bounds: (0..self.below(4)).map(|_| self.number()).collect(),
        })
    }
}

#[test]
fn nonsense_gives_nonsense_and_no_panic() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut buckets = 0;
    for _ in 0..3_000 {
        let histograms = [numbers.histogram(), numbers.histogram(), numbers.histogram()];
        let [a, b, c] = &histograms;
        let at = numbers.number();
        buckets += a.all_buckets().count();
        variance(a);
        quantile(at, a, "");
        quantile(0.3, a, "");
        quantile(0.7, a, "");
        fraction(at, numbers.number(), a, "");
        for op in [BinaryOp::Add, BinaryOp::Sub, BinaryOp::Equal] {
            operate(op, Element::Histogram(a), Element::Histogram(b), |_| {});
        }
        for op in [BinaryOp::Mul, BinaryOp::Div, BinaryOp::TrimLower, BinaryOp::TrimUpper] {
            operate(op, Element::Histogram(a), Element::Number(at), |_| {});
        }
        let mut fold = Fold::new(a);
        let _ = fold.add_to_mean(b).and_then(|()| fold.add_to_mean(c));
        fold.mean();
        let points: Vec<_> = (0..).zip(histograms.iter().cloned()).collect();
        difference(&points, true, "", &mut Vec::new());
        last_difference(a, b, true, "", &mut Vec::new());
        let _ = a.validate_whole();
        let _ = parse_histogram(&write_histogram(a));
        assert!(!a.to_string().is_empty());
    }
    assert!(buckets > 3_000, "too few were tried: {buckets}");
}

#[test]
fn what_is_valid_stays_valid_when_it_is_added() {
    let mut numbers = Numbers(42);
    let mut checked = 0;
    for _ in 0..5_000 {
        // Of one schema: where a zero bucket ends inside a bucket of the coarser one, Prometheus counts
        // twice what lies between, and so do we.
        let schema = numbers.below(4) as i32 - 1;
        let mut valid = || {
            let mut pairs: Vec<(i32, f64)> =
                (0..numbers.below(6)).map(|_| (numbers.below(12) as i32 - 6, 2.0)).collect();
            pairs.sort_by_key(|pair| pair.0);
            pairs.dedup_by_key(|pair| pair.0);
            let all = Histogram {
                schema,
                zero_threshold: numbers.pick(&[0.0, 0.001, 0.7, 3.0]),
                zero_count: numbers.below(3) as f64,
                positive: Buckets::from_pairs(pairs),
                ..Histogram::default()
            };
            // No populated bucket lies in the zero bucket.
            let outside = |bucket: BoundedBucket| bucket.lower >= all.zero_threshold;
            let kept = all.positive.iter().zip(all.positive_buckets().map(outside));
            let positive =
                Buckets::from_pairs(kept.filter(|(_, keep)| *keep).map(|(pair, _)| pair));
            let count = positive.counts.iter().sum::<f64>() + all.zero_count;
            Histogram { count, positive, ..all }
        };
        let (a, b) = (valid(), valid());
        let mut sum = a.clone();
        sum.add(&b).expect("both exponential");
        // Counts are small whole numbers: sums are exact, whatever moved into the zero bucket.
        assert_eq!(sum.validate_whole(), Ok(()), "{a} + {b} = {sum}");
        let mut other = b.clone();
        other.add(&a).expect("both exponential");
        sum.compact();
        other.compact();
        assert!(sum.equals(&other), "{a} + {b}: {sum}, {other}");
        // Nothing is ever a reset behind its own part.
        if a.zero_threshold >= b.zero_threshold {
            assert!(!sum.detect_reset(&a), "{a} then {sum}");
            checked += 1;
        }
    }
    assert!(checked > 1_000);
}
