//! Tests at a fixed horizon against scipy and statsmodels, and at their edges.

use proptest::prelude::*;

use super::*;
use crate::stats::Moments;
use crate::stats::figures::{cases, close, number, numbers};

fn mean(values: &[f64]) -> Estimate {
    Estimate::mean(&Moments::of(values)).expect("two values")
}

fn proportion(successes: u64, n: u64) -> Estimate {
    let mut sample = Moments::new();
    sample.add_times(1.0, successes);
    sample.add_times(0.0, n - successes);
    Estimate::proportion(&sample).expect("a proportion")
}

/// scipy's variances are sums in doubles: 1e-11 is what its figures are good for.
#[test]
fn welchs_test_is_that_of_scipy() {
    for case in cases("welch") {
        let name = &case["name"];
        let control = if case.get("control").is_some() {
            mean(&numbers(&case, "control"))
        } else {
            let mut sample = Moments::new();
            let counts = numbers(&case, "control_counts");
            for (value, count) in numbers(&case, "control_values").into_iter().zip(counts) {
                sample.add_times(value, count as u64);
            }
            Estimate::mean(&sample).expect("many values")
        };
        let treatment = mean(&numbers(&case, "treatment"));
        for alpha in [0.05, 0.001] {
            let test = welch(&control, &treatment, alpha).expect("a test");
            close(test.statistic, number(&case, "statistic"), 1e-11, name);
            close(test.df.expect("df"), number(&case, "df"), 1e-11, name);
            close(test.p_value, number(&case, "p_value"), 1e-9, name);
            close(test.interval.low, number(&case, &format!("low_{alpha}")), 1e-10, name);
            close(test.interval.high, number(&case, &format!("high_{alpha}")), 1e-10, name);
        }
    }
}

#[test]
fn the_pooled_test_is_that_of_statsmodels() {
    for case in cases("proportions") {
        let count = |key: &str| number(&case, key) as u64;
        let control = proportion(count("successes_control"), count("n_control"));
        let treatment = proportion(count("successes_treatment"), count("n_treatment"));
        match (pooled_z(&control, &treatment, 0.05), case["z"].as_f64()) {
            (Some(test), Some(z)) => {
                close(test.statistic, z, 1e-12, &case);
                close(test.p_value, number(&case, "p_value"), 1e-12, &case);
            }
            (None, None) => {}
            (ours, theirs) => panic!("{case}: {ours:?}, expected {theirs:?}"),
        }
    }
}

#[test]
fn a_test_of_nothing_is_none() {
    let same = mean(&[2.0, 2.0, 2.0]);
    let other = mean(&[3.0, 3.0]);
    assert_eq!(welch(&same, &other, 0.05), None, "neither varies");
    let varied = mean(&[1.0, 2.0, 4.0]);
    let test = welch(&same, &varied, 0.05).expect("one that varies is enough");
    // With all variance in one arm the degrees of freedom are its own.
    assert_eq!(test.df, Some(2.0));
    let one = Estimate { n: 1, ..varied };
    assert_eq!(welch(&one, &varied, 0.05), None);
    assert_eq!(welch(&varied, &varied, 0.0), None, "no level");
    assert_eq!(welch(&varied, &varied, f64::NAN), None);
    assert_eq!(pooled_z(&proportion(0, 9), &proportion(0, 4), 0.05), None);
    assert_eq!(pooled_z(&proportion(9, 9), &proportion(4, 4), 0.05), None);
}

#[test]
fn an_offset_of_1e15_leaves_a_test_as_it_is() {
    let (c, t) = ([1.0, 3.0, 4.0, 8.0, 2.0], [4.0, 9.0, 7.0, 5.0]);
    let plain = welch(&mean(&c), &mean(&t), 0.05).expect("a test");
    let far = |values: &[f64]| mean(&values.iter().map(|v| v + 1e15).collect::<Vec<_>>());
    let shifted = welch(&far(&c), &far(&t), 0.05).expect("a test");
    // Means near 1e15 have eighths: the difference, 2.65, is 2.625; se and df are the same.
    assert_eq!(shifted.df, plain.df);
    assert_eq!(
        shifted.interval.high - shifted.interval.low,
        plain.interval.high - plain.interval.low
    );
    assert!((shifted.statistic / plain.statistic - 2.625 / 2.65).abs() < 1e-12);
}

proptest! {
    /// A test rejects at α exactly when its interval excludes 0.
    #[test]
    fn p_value_and_interval_say_the_same(
        control in prop::collection::vec(-1e3..1e3f64, 2..20),
        treatment in prop::collection::vec(-1e3..1e3f64, 2..20),
        alpha in 0.0001..0.5f64,
    ) {
        let test = welch(&mean(&control), &mean(&treatment), alpha);
        if let Some(test) = test {
            prop_assert!((0.0..=1.0).contains(&test.p_value));
            let near = (test.p_value / alpha - 1.0).abs() < 1e-9;
            prop_assert!(near || (test.p_value < alpha) != test.interval.contains(0.0), "{test:?}");
        }
    }

    #[test]
    fn no_test_is_ever_infinite(
        control in prop::collection::vec(any::<f64>(), 0..8),
        treatment in prop::collection::vec(any::<f64>(), 0..8),
        alpha in any::<f64>(),
    ) {
        let arms = [control, treatment].map(|values| Moments::of(&values));
        let both = [Estimate::mean, Estimate::proportion].map(|of| arms.each_ref().map(of));
        for arms in both {
            let [Some(c), Some(t)] = arms else { continue };
            for test in [welch(&c, &t, alpha), pooled_z(&c, &t, alpha)].into_iter().flatten() {
                let all = [test.statistic, test.p_value, test.interval.low, test.interval.high,
                    test.critical, test.df.unwrap_or(0.0)];
                prop_assert!(all.iter().all(|value| value.is_finite()), "{test:?}");
            }
        }
    }
}
