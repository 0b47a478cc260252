//! Beliefs against mpmath and closed sums in exact fractions.

use proptest::prelude::*;

use super::*;
use crate::stats::figures::{close, number, topic};

#[test]
fn the_belief_in_a_difference_is_the_normal_one() {
    for case in topic("bayes")["normal"].as_array().expect("cases") {
        let prior = case["prior_variance"]
            .as_f64()
            .map(|variance| Prior { mean: number(case, "prior_mean"), variance });
        let belief =
            difference(number(case, "diff"), number(case, "variance"), prior).expect("a belief");
        close(belief.chance_above, number(case, "chance"), 1e-12, case);
        close(belief.loss_of_treatment, number(case, "loss_of_treatment"), 1e-11, case);
        close(belief.loss_of_control, number(case, "loss_of_control"), 1e-11, case);
    }
}

/// Exact fractions for small counts; for large ones scipy's tails in Simpson's rule, which are
/// good to some 1e-12.
#[test]
fn the_belief_in_conversions_is_exact() {
    for case in topic("bayes")["conversions"].as_array().expect("cases") {
        let count = |key: &str| number(case, key) as u64;
        let tolerance = if count("f_c") > 100_000 { 2e-12 } else { 2e-14 };
        let arm = |s: &str, f: &str| Conversions { successes: count(s), failures: count(f) };
        let belief = conversions(arm("s_c", "f_c"), arm("s_t", "f_t")).expect("a belief");
        for (ours, key) in [
            (belief.chance_above, "chance"),
            (belief.loss_of_treatment, "loss_of_treatment"),
            (belief.loss_of_control, "loss_of_control"),
        ] {
            let error = (ours - number(case, key)).abs();
            assert!(error < tolerance, "{key} of {case}: {ours}, off by {error:e}");
        }
    }
}

#[test]
fn without_data_neither_arm_is_ahead() {
    let nothing = Conversions { successes: 0, failures: 0 };
    let belief = conversions(nothing, nothing).expect("a belief");
    // Two uniform numbers: one is above the other by a sixth on average, counting 0 if not.
    assert!((belief.chance_above - 0.5).abs() < 1e-14);
    assert!((belief.loss_of_treatment - 1.0 / 6.0).abs() < 1e-14);
    assert!((belief.loss_of_control - 1.0 / 6.0).abs() < 1e-14);
    assert_eq!(difference(1.0, 0.0, None), None);
    assert_eq!(difference(f64::NAN, 1.0, None), None);
    assert_eq!(difference(1.0, 1.0, Some(Prior { mean: 0.0, variance: 0.0 })), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn arms_that_change_places_change_the_belief(
        s_c in 0u64..2_000_000, f_c in 0u64..2_000_000, s_t in 0u64..2000, f_t in 0u64..2000,
    ) {
        let c = Conversions { successes: s_c, failures: f_c };
        let t = Conversions { successes: s_t, failures: f_t };
        let (one, other) = (conversions(c, t).expect("one"), conversions(t, c).expect("one"));
        prop_assert!((one.chance_above + other.chance_above - 1.0).abs() < 1e-12);
        prop_assert!((one.loss_of_control - other.loss_of_treatment).abs() < 1e-12);
        prop_assert!(one.loss_of_control >= 0.0 && one.loss_of_treatment >= 0.0);
    }

    #[test]
    fn no_belief_is_ever_infinite(diff in any::<f64>(), variance in any::<f64>(), mean in any::<f64>(), spread in any::<f64>()) {
        for prior in [None, Some(Prior { mean, variance: spread })] {
            if let Some(belief) = difference(diff, variance, prior) {
                let all = [belief.chance_above, belief.loss_of_control, belief.loss_of_treatment];
                prop_assert!(all.iter().all(|value| value.is_finite()), "{belief:?}");
            }
        }
    }
}
