//! Sums against a reference in big integers, and against other orders.

use num_bigint::BigInt;
use proptest::prelude::*;

use super::*;

/// `value` in units of 2^−1074, exactly.
fn units(value: f64) -> BigInt {
    let Parts { negative, mantissa, exponent } = Parts::of(value);
    if mantissa == 0 {
        return BigInt::ZERO;
    }
    let whole = BigInt::from(mantissa) << (exponent + 1074) as usize;
    if negative { -whole } else { whole }
}

/// A sum in the same units; its limbs are whole units.
fn sum_units(sum: &ExactSum) -> BigInt {
    let bytes: Vec<u8> = sum.limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect();
    let place = i32::from(sum.place) * LIMB_BITS + 1074;
    let whole = BigInt::from_signed_bytes_le(&bytes);
    if place >= 0 { whole << place as usize } else { whole >> -place as usize }
}

fn canonical(sum: &ExactSum) -> bool {
    let mut trimmed = sum.clone();
    trimmed.trim();
    trimmed == *sum
}

/// Values of every kind, the nasty ones often.
pub(crate) fn summable_values() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits).prop_filter("summable", |value| summable(*value)),
        (-1000i32..1000).prop_map(f64::from),
        -1e9..1e9f64,
        prop::sample::select(vec![
            0.0,
            -0.0,
            5e-324,
            -5e-324,
            1e-310,
            1e100,
            -1e100,
            1e9,
            1e15,
            0.1,
            1.0,
            -1.0,
            18446744073709551616.0,
            -18446744073709551616.0,
            9223372036854775808.0,
        ]),
    ]
}

proptest! {
    #[test]
    fn a_sum_is_what_big_integers_say(
        values in prop::collection::vec((summable_values(), any::<bool>(), 0u64..1000), 0..40),
    ) {
        let mut sum = ExactSum::new();
        let mut expected = BigInt::ZERO;
        for (value, take_out, count) in values {
            if take_out {
                sum.sub(value);
                expected -= units(value);
            } else {
                sum.add_times(value, count);
                expected += units(value) * count;
            }
            prop_assert!(canonical(&sum), "{sum:?}");
            prop_assert_eq!(sum_units(&sum), expected.clone());
        }
    }

    #[test]
    fn order_and_grouping_leave_no_trace(
        values in prop::collection::vec(summable_values(), 1..40),
        order in any::<prop::sample::Index>(),
        seed in any::<u64>(),
    ) {
        let mut whole = ExactSum::new();
        values.iter().for_each(|value| { whole.add(*value); });
        let mut shuffled = values.clone();
        for at in (1..shuffled.len()).rev() {
            let other = (seed.rotate_left(at as u32) as usize).wrapping_mul(at + 7) % (at + 1);
            shuffled.swap(at, other);
        }
        let cut = order.index(shuffled.len());
        let (mut left, mut right) = (ExactSum::new(), ExactSum::new());
        shuffled[..cut].iter().for_each(|value| { left.add(*value); });
        shuffled[cut..].iter().for_each(|value| { right.add(*value); });
        let mut merged = left.clone();
        merged.merge(&right);
        prop_assert_eq!(&merged, &whole);
        merged.subtract(&right);
        prop_assert_eq!(&merged, &left);
        prop_assert_eq!(left.negated().negated(), left.clone());
        shuffled[..cut].iter().for_each(|value| { merged.sub(*value); });
        prop_assert!(merged.is_zero());
        prop_assert_eq!(merged, ExactSum::new());
    }

    #[test]
    fn a_written_sum_comes_back(values in prop::collection::vec(summable_values(), 0..20)) {
        let mut sum = ExactSum::new();
        for value in values {
            sum.add_product([value, value, value], 3, false);
        }
        let text = serde_json::to_string(&sum).expect("a text");
        prop_assert_eq!(&serde_json::from_str::<ExactSum>(&text).expect("our own text"), &sum);
        let bytes = bincode::serialize(&sum).expect("bytes");
        prop_assert_eq!(&bincode::deserialize::<ExactSum>(&bytes).expect("our own bytes"), &sum);
    }

    #[test]
    fn what_is_read_never_panics(text in "-?[0-9]{0,6}:?[0-9a-f.]{0,60}") {
        if let Ok(sum) = text.parse::<ExactSum>() {
            prop_assert!(canonical(&sum));
            prop_assert!(sum.to_f64().is_finite());
        }
    }
}

#[test]
fn the_sum_of_ten_tenths_is_rounded_once() {
    // 0.1 is a little more than a tenth; ten times it rounds to 1, while adding one by one in
    // doubles gives 0.9999999999999999.
    let mut sum = ExactSum::new();
    for _ in 0..10 {
        sum.add(0.1);
    }
    assert_eq!(sum.to_f64(), 1.0);
    sum.sub(1.0);
    // What is over: ten times (0.1 − 1/10), which is 10 × 5.55e-18, a power of two: 2^−54.
    assert_eq!(sum.to_f64(), f64::powi(2.0, -54));
}

#[test]
fn what_cancels_leaves_what_was_small() {
    let mut sum = ExactSum::new();
    for value in [1e100, 1.0, 5e-324, -1e100, -1.0] {
        assert!(sum.add(value));
    }
    assert_eq!(sum.to_f64(), 5e-324);
}

#[test]
fn what_is_not_summable_is_left_out() {
    let mut sum = ExactSum::new();
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.1e100, -f64::MAX] {
        assert!(!sum.add(value));
    }
    assert!(sum.is_zero());
    assert!(sum.add(VALUE_MAX));
}

#[test]
fn sums_of_enormous_cubes_are_held_at_the_end_of_the_doubles() {
    let mut sum = ExactSum::new();
    for _ in 0..4 {
        sum.add_product([-1e100; 3], u64::MAX, false);
    }
    assert_eq!(sum.to_f64(), f64::MIN);
    let text = sum.to_string();
    assert_eq!(text.parse::<ExactSum>().as_ref(), Ok(&sum));
}

#[test]
fn foreign_text_is_refused_with_the_reason() {
    assert!(matches!("12".parse::<ExactSum>(), Err(ExactSumError::Malformed(_))));
    assert!(matches!("0:xyz".parse::<ExactSum>(), Err(ExactSumError::Malformed(_))));
    assert!(matches!("9000:1".parse::<ExactSum>(), Err(ExactSumError::TooWide { .. })));
    assert!(matches!("-9000:1".parse::<ExactSum>(), Err(ExactSumError::TooWide { .. })));
    assert_eq!("0:0.1".parse::<ExactSum>(), Err(ExactSumError::NotCanonical));
    assert_eq!("0:1.0".parse::<ExactSum>(), Err(ExactSumError::NotCanonical));
    assert_eq!("3:".parse::<ExactSum>(), Err(ExactSumError::NotCanonical));
    assert_eq!("0:".parse::<ExactSum>(), Ok(ExactSum::new()));
}
