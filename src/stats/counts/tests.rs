use super::*;
use proptest::prelude::*;
use serde_json::Value;

#[test]
fn evidence_is_that_of_mpmath_with_sixty_digits() {
    // See `tests/statistics/sequential.py`.
    let text = include_str!("../../../tests/statistics/sequential.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let rows = all["multinomial"].as_array().unwrap();
    assert!(rows.len() >= 10);
    for row in rows {
        let counts: Vec<u64> = serde_json::from_value(row["counts"].clone()).unwrap();
        let weights: Vec<f64> = serde_json::from_value(row["weights"].clone()).unwrap();
        let ours = multinomial_ln_e(&counts, &weights, row["c"].as_f64().unwrap()).unwrap();
        let theirs = row["ln_e"].as_f64().unwrap();
        assert!(
            (ours - theirs).abs() < 1e-10 * theirs.abs().max(1.0),
            "{ours} is not {theirs}: {row}"
        );
    }
}

#[test]
fn evidence_is_a_martingale_while_the_shares_hold() {
    // The mean of E after one more unit is E, exactly: checked at every state of up to 8 units.
    let (weights, c) = ([0.1, 0.6, 0.3], 7.0);
    for a in 0..5u64 {
        for b in 0..5 {
            for d in 0..5 {
                let e = |x: [u64; 3]| multinomial_ln_e(&x, &weights, c).unwrap().exp();
                let next = weights[0] * e([a + 1, b, d])
                    + weights[1] * e([a, b + 1, d])
                    + weights[2] * e([a, b, d + 1]);
                assert!((next / e([a, b, d]) - 1.0).abs() < 1e-12, "{a} {b} {d}");
            }
        }
    }
}

#[test]
fn two_arms_are_the_binomial_case() {
    let binomial = binomial_ln_e(17, 1000, 0.05, CONCENTRATION_ERRORS).unwrap();
    let multinomial = multinomial_ln_e(&[17, 983], &[5.0, 95.0], CONCENTRATION_ERRORS).unwrap();
    assert!((binomial - multinomial).abs() < 1e-12);
    assert_eq!(binomial_ln_e(3, 2, 0.5, 10.0), None);
    assert_eq!(binomial_ln_e(1, 2, 1.0, 10.0), None);
}

#[test]
fn shares_that_are_none_give_none() {
    assert_eq!(multinomial_ln_e(&[1, 2], &[1.0], 10.0), None);
    assert_eq!(multinomial_ln_e(&[1, 2], &[1.0, -1.0], 10.0), None);
    assert_eq!(multinomial_ln_e(&[1, 2], &[1.0, f64::NAN], 10.0), None);
    assert_eq!(multinomial_ln_e(&[1, 2], &[1.0, 0.0], 10.0), None);
    assert_eq!(multinomial_ln_e(&[1, 2], &[1.0, 1.0], 0.0), None);
    // An arm without a weight is left out with what it counted.
    assert_eq!(
        multinomial_ln_e(&[10, 99, 12], &[1.0, 0.0, 1.0], 10.0),
        multinomial_ln_e(&[10, 12], &[1.0, 1.0], 10.0)
    );
}

proptest! {
    #[test]
    fn counts_of_any_size_give_a_number(
        counts in prop::collection::vec(prop_oneof![0u64..50, any::<u64>()], 0..6),
        weights in prop::collection::vec(
            prop_oneof![Just(0.0), 1e-9f64..1e3, Just(f64::MAX), Just(f64::MIN_POSITIVE)], 0..6),
        c in prop_oneof![Just(10.0), Just(10_000.0), 1e-3f64..1e9],
    ) {
        if let Some(ln_e) = multinomial_ln_e(&counts, &weights, c) {
            prop_assert!(ln_e.is_finite());
        }
    }

    #[test]
    fn a_ratio_further_off_is_more_evidence(n in 1u64..100_000, k in 0u64..50_000) {
        let half = n.max(2 * (k + 1));
        let at = |k: u64| binomial_ln_e(half + k, 2 * half, 0.5, 10_000.0).unwrap();
        prop_assert!(at(k + 1) > at(k));
        prop_assert!(at(0) <= 0.0);
    }
}
