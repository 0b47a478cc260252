//! Moments against exact fractions (Python's, in `figures.json`), and their state against other
//! orders of the same values.

use proptest::prelude::*;

use super::*;
use crate::stats::figures::{cases, number, numbers};

fn summable_values() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits).prop_filter("summable", |value| summable(*value)),
        -1e6..1e6f64,
        prop::sample::select(vec![0.0, -0.0, 5e-324, 1e100, -1e100, 1e9, 1e15 + 0.125]),
    ]
}

/// Exact fractions rounded once are the same doubles: no tolerance at all.
#[test]
fn moments_are_the_exact_ones_rounded_once() {
    for case in cases("moments") {
        let name = &case["name"];
        let moments = Moments::of(&numbers(&case, "values"));
        assert_eq!(moments.mean(), Some(number(&case, "mean")), "{name}");
        assert_eq!(moments.variance(), case["variance"].as_f64(), "{name}");
        assert_eq!(moments.m2(), Some(number(&case, "m2")), "{name}");
        assert_eq!(moments.m3(), case["m3"].as_f64(), "{name}");
        assert_eq!(moments.third(), Some(number(&case, "third")), "{name}");
    }
}

#[test]
fn an_offset_changes_nothing() {
    // 1, 2, 4, 9: mean 4, Σ(x−4)² = 38, Σ(x−4)³ = −27 − 8 + 0 + 125 = 90.
    for offset in [0.0, 1e9, -1e9, 1e15, -1e15] {
        let moments = Moments::of(&[offset + 1.0, offset + 2.0, offset + 4.0, offset + 9.0]);
        assert_eq!(moments.mean(), Some(offset + 4.0));
        assert_eq!(moments.m2(), Some(38.0));
        assert_eq!(moments.variance(), Some(38.0 / 3.0));
        assert_eq!(moments.m3(), Some(90.0));
    }
}

#[test]
fn few_values_have_few_moments() {
    let none = Moments::new();
    assert_eq!((none.n(), none.mean(), none.variance(), none.m2()), (0, None, None, None));
    let one = Moments::of(&[7.5]);
    assert_eq!((one.n(), one.mean(), one.variance(), one.m2()), (1, Some(7.5), None, Some(0.0)));
    let same = Moments::of(&[0.1; 3]);
    assert_eq!((same.mean(), same.variance(), same.m3()), (Some(0.1), Some(0.0), Some(0.0)));
}

#[test]
fn taking_out_before_putting_in_ends_the_same() {
    let mut moments = Moments::new();
    assert!(moments.remove(3.0));
    assert_eq!((moments.n(), moments.mean()), (0, None));
    assert!(!moments.is_empty());
    moments.add(3.0);
    assert_eq!(moments, Moments::new());
    assert!(moments.is_empty());
}

#[test]
fn many_of_the_same_are_as_one_by_one() {
    let mut many = Moments::new();
    many.add_times(0.3, 1000);
    many.remove_times(0.3, 1);
    assert_eq!(many, Moments::of(&[0.3; 999]));
    assert!(!many.add_times(1.0, u64::MAX), "a count that no sample has");
}

#[test]
fn a_million_values_are_kept_in_little() {
    let mut moments = Moments::new();
    let mut value = 0.5f64;
    for _ in 0..10_000 {
        value = (value * 997.13).fract();
        moments.add_times((value * 1e5).round() / 100.0, 100);
    }
    assert_eq!(moments.n(), 1_000_000);
    let bytes = bincode::serialize(&moments).expect("bytes");
    assert!(bytes.len() <= 160, "{} bytes", bytes.len());
}

proptest! {
    #[test]
    fn state_is_the_same_in_any_order(
        values in prop::collection::vec(summable_values(), 1..30),
        extra in prop::collection::vec(summable_values(), 0..10),
        cut in any::<prop::sample::Index>(),
    ) {
        let whole = Moments::of(&values);
        let cut = cut.index(values.len());
        // Backwards, in two parts, with others put in and taken out again.
        let mut left: Vec<f64> = values[..cut].to_vec();
        left.reverse();
        let mut merged = Moments::of(&values[cut..]);
        extra.iter().for_each(|value| { merged.add(*value); });
        merged.merge(&Moments::of(&left));
        merged.subtract(&Moments::of(&extra));
        prop_assert_eq!(&merged, &whole);
        let (ours, theirs) = (bincode::serialize(&merged), bincode::serialize(&whole));
        prop_assert_eq!(ours.expect("bytes"), theirs.expect("bytes"));
        let text = serde_json::to_string(&merged).expect("text");
        prop_assert_eq!(serde_json::from_str::<Moments>(&text).expect("our own"), whole);
    }

    #[test]
    fn nothing_is_ever_infinite(bits in prop::collection::vec(any::<u64>(), 0..20)) {
        let values: Vec<f64> = bits.into_iter().map(f64::from_bits).collect();
        let moments = Moments::of(&values);
        let all = [
            moments.mean(), moments.variance(), moments.m2(), moments.m3(), moments.third(),
            Some(moments.sum().to_f64()),
        ];
        prop_assert!(all.iter().flatten().all(|value| value.is_finite()), "{all:?}");
        prop_assert!(moments.variance().is_none_or(|variance| variance >= 0.0));
    }
}
