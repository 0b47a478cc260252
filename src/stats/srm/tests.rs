use super::*;
use proptest::prelude::*;
use serde_json::Value;

fn one(observed: &[u64], weights: &[f64]) -> SampleRatio {
    sample_ratio(&[EpochCounts { observed, weights }]).unwrap()
}

#[test]
fn chi_square_is_that_of_scipy() {
    // scipy.stats.chisquare, see `tests/statistics/sequential.py`; the first row is the worked
    // example of Kohavi, Tang & Xu (2020), p = 1.8e-6.
    let text = include_str!("../../../tests/statistics/sequential.json");
    let all: Value = serde_json::from_str(text).unwrap();
    for row in all["chisquare"].as_array().unwrap() {
        let counts: Vec<u64> = serde_json::from_value(row["counts"].clone()).unwrap();
        let weights: Vec<f64> = serde_json::from_value(row["weights"].clone()).unwrap();
        let ours = one(&counts, &weights);
        let (chi2, p) = (row["chi2"].as_f64().unwrap(), row["p"].as_f64().unwrap());
        assert!((ours.chi2 - chi2).abs() <= 1e-11 * chi2, "{ours:?} {row}");
        let ours_p = ours.p_value.unwrap();
        assert!((ours_p - p).abs() <= 1e-10 * p, "{ours_p} is not {p}: {row}");
    }
}

#[test]
fn epochs_add_chi_square_and_multiply_evidence() {
    let (a, b) = (one(&[900, 110], &[9.0, 1.0]), one(&[480, 520], &[1.0, 1.0]));
    let both = sample_ratio(&[
        EpochCounts { observed: &[900, 110], weights: &[9.0, 1.0] },
        EpochCounts { observed: &[480, 520], weights: &[1.0, 1.0] },
    ])
    .unwrap();
    assert!((both.chi2 - a.chi2 - b.chi2).abs() < 1e-12);
    assert!((both.ln_e - a.ln_e - b.ln_e).abs() < 1e-12);
    assert_eq!((both.df, both.observed.clone()), (2, vec![1380, 630]));
    assert!((both.expected[0] - 1409.0).abs() < 1e-9);
    // For two degrees of freedom the tail is exp(−χ²/2).
    assert!((both.p_value.unwrap() / (-both.chi2 / 2.0).exp() - 1.0).abs() < 1e-12);
}

#[test]
fn a_change_of_weights_is_no_mismatch_where_one_epoch_alone_would_say_so() {
    // 1:9, then 1:1. Taken together 2,800 to 5,200 would look absurd at 1:1.
    let epochs = [
        EpochCounts { observed: &[298, 2702], weights: &[0.1, 0.9] },
        EpochCounts { observed: &[2502, 2498], weights: &[0.5, 0.5] },
    ];
    let ratio = sample_ratio(&epochs).unwrap();
    assert!(ratio.p_value.unwrap() > 0.9 && ratio.ln_e < 0.0);
}

#[test]
fn small_epochs_count_in_the_exact_test_alone() {
    let small = one(&[7, 1], &[1.0, 1.0]);
    assert_eq!((small.df, small.p_value), (0, None));
    assert!(small.ln_e != 0.0);
    let off = one(&[70_000, 60_000], &[1.0, 1.0]);
    assert!(super::super::sequential::p_value(off.ln_e) < ALARM_BELOW);
    assert_eq!(one(&[10_000_000, 1], &[1.0, 1.0]).p_value, Some(0.0));
}

#[test]
fn an_arm_without_weight_is_left_out_and_one_arm_alone_has_no_ratio() {
    let ratio = one(&[50, 7, 50], &[1.0, 0.0, 1.0]);
    assert_eq!((ratio.df, ratio.chi2, ratio.observed), (1, 0.0, vec![50, 0, 50]));
    assert_eq!(sample_ratio(&[]), None);
    assert_eq!(sample_ratio(&[EpochCounts { observed: &[5, 5], weights: &[1.0, 0.0] }]), None);
    assert_eq!(sample_ratio(&[EpochCounts { observed: &[5, 5], weights: &[1.0] }]), None);
    assert_eq!(sample_ratio(&[EpochCounts { observed: &[5, 5], weights: &[1.0, f64::NAN] }]), None);
}

proptest! {
    #[test]
    fn no_counts_or_weights_give_anything_but_numbers(
        observed in prop::collection::vec(prop_oneof![0u64..100, any::<u64>()], 3),
        weights in prop::collection::vec(
            prop_oneof![Just(0.0), 1e-9f64..1e3, Just(f64::MAX), Just(f64::MIN_POSITIVE)], 3),
    ) {
        let epoch = EpochCounts { observed: &observed, weights: &weights };
        if let Some(ratio) = sample_ratio(&[epoch, epoch]) {
            prop_assert!(ratio.chi2.is_finite() && ratio.chi2 >= 0.0 && ratio.ln_e.is_finite());
            prop_assert!(ratio.expected.iter().all(|x| x.is_finite()));
            prop_assert!(ratio.p_value.is_none_or(|p| (0.0..=1.0).contains(&p)));
        }
    }
}
