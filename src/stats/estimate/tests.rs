//! Estimates against exact fractions and statsmodels, and at their edges.

use proptest::prelude::*;

use super::*;
use crate::stats::figures::{cases, close, number, numbers};

fn pairs(x: &[f64], y: &[f64]) -> PairMoments {
    let mut sample = PairMoments::new();
    for (x, y) in x.iter().zip(y) {
        assert!(sample.add(*x, *y));
    }
    sample
}

/// The ratio itself is rounded once; the rest passes it and a few operations on doubles on.
#[test]
fn a_ratio_has_the_variance_of_the_delta_method() {
    for case in cases("ratio") {
        let name = &case["name"];
        let ratio =
            Estimate::ratio(&pairs(&numbers(&case, "x"), &numbers(&case, "y"))).expect("a ratio");
        assert_eq!(ratio.value, number(&case, "value"), "{name}");
        close(ratio.unit_variance, number(&case, "unit_variance"), 2e-14, name);
        close(ratio.variance, number(&case, "variance"), 2e-14, name);
        close(ratio.third.expect("a third moment"), number(&case, "third"), 1e-12, name);
    }
}

/// statsmodels works in doubles on a system of equations: 1e-11 is what its figures are good for.
#[test]
fn cuped_is_the_analysis_of_covariance() {
    for case in cases("cuped") {
        let name = &case["name"];
        let control = pairs(&numbers(&case, "x_control"), &numbers(&case, "y_control"));
        let treatment = pairs(&numbers(&case, "x_treatment"), &numbers(&case, "y_treatment"));
        let adjusted = Estimate::cuped(&control, &treatment).expect("two arms");
        close(adjusted.theta, number(&case, "theta"), 1e-11, name);
        close(adjusted.control.value, number(&case, "control"), 1e-11, name);
        close(adjusted.treatment.value, number(&case, "treatment"), 1e-11, name);
        close(adjusted.control.variance, number(&case, "variance_control"), 1e-11, name);
        close(adjusted.treatment.variance, number(&case, "variance_treatment"), 1e-11, name);
        close(adjusted.control.third.expect("third"), number(&case, "third_control"), 1e-9, name);
        let effect = adjusted.treatment.value - adjusted.control.value;
        close(effect, number(&case, "effect"), 1e-10, name);
    }
}

#[test]
fn a_covariate_that_does_not_vary_adjusts_nothing() {
    let control = pairs(&[5.0; 4], &[1.0, 2.0, 3.0, 4.0]);
    let treatment = pairs(&[5.0; 3], &[2.0, 4.0, 9.0]);
    let adjusted = Estimate::cuped(&control, &treatment).expect("two arms");
    assert_eq!(adjusted.theta, 0.0);
    assert_eq!(Some(adjusted.control), Estimate::mean(control.y()));
    assert_eq!(Some(adjusted.treatment), Estimate::mean(treatment.y()));
    assert_eq!(Estimate::cuped(&control, &pairs(&[1.0], &[1.0])), None);
    assert_eq!(Estimate::cuped(&PairMoments::new(), &PairMoments::new()), None);
}

#[test]
fn a_metric_that_its_covariate_foretells_has_no_variance_left() {
    // y = 3x exactly, so nothing is left but the mean: 3 × the mean of all x, which is 5.
    let control = pairs(&[1.0, 2.0, 6.0], &[3.0, 6.0, 18.0]);
    let treatment = pairs(&[4.0, 8.0, 9.0], &[12.0, 24.0, 27.0]);
    let adjusted = Estimate::cuped(&control, &treatment).expect("two arms");
    assert_eq!(adjusted.theta, 3.0);
    assert_eq!((adjusted.control.value, adjusted.control.variance), (15.0, 0.0));
    assert_eq!((adjusted.treatment.value, adjusted.treatment.variance), (15.0, 0.0));
}

#[test]
fn a_proportion_is_given_from_none_to_all() {
    let of = |successes: u64, failures: u64| {
        let mut sample = Moments::new();
        sample.add_times(1.0, successes);
        sample.add_times(0.0, failures);
        Estimate::proportion(&sample)
    };
    assert_eq!(of(0, 0), None);
    let quarter = of(25, 75).expect("a proportion");
    // p(1−p) = 3/16, and the third moment p(1−p)(1−2p) = 3/32.
    assert_eq!((quarter.value, quarter.unit_variance), (0.25, 0.1875));
    assert_eq!((quarter.variance, quarter.third), (0.001875, Some(0.09375)));
    for (none_or_all, value) in [(of(0, 9), 0.0), (of(9, 0), 1.0), (of(1, 0), 1.0)] {
        let estimate = none_or_all.expect("a proportion");
        assert_eq!((estimate.value, estimate.variance), (value, 0.0));
    }
    assert_eq!(Estimate::proportion(&Moments::of(&[2.0])), None, "more than all");
    assert_eq!(Estimate::proportion(&Moments::of(&[-1.0])), None, "less than none");
}

#[test]
fn what_has_no_ratio_says_so() {
    assert_eq!(Estimate::ratio(&PairMoments::new()), None);
    assert_eq!(Estimate::ratio(&pairs(&[1.0], &[1.0])), None, "one unit has no variance");
    assert_eq!(Estimate::ratio(&pairs(&[1.0, -1.0], &[1.0, 2.0])), None, "nothing below");
    assert_eq!(Estimate::mean(&Moments::of(&[1.0])), None);
}

proptest! {
    #[test]
    fn no_estimate_is_ever_infinite(
        control in prop::collection::vec((any::<u64>(), any::<u64>()), 0..12),
        treatment in prop::collection::vec((any::<u64>(), any::<u64>()), 0..12),
    ) {
        let sample = |bits: Vec<(u64, u64)>| {
            let mut sample = PairMoments::new();
            for (x, y) in bits {
                sample.add(f64::from_bits(x), f64::from_bits(y));
            }
            sample
        };
        let (control, treatment) = (sample(control), sample(treatment));
        let mut all = vec![
            Estimate::ratio(&control),
            Estimate::mean(control.x()),
            Estimate::proportion(control.y()),
        ];
        if let Some(adjusted) = Estimate::cuped(&control, &treatment) {
            prop_assert!(adjusted.theta.is_finite());
            all.extend([Some(adjusted.control), Some(adjusted.treatment)]);
        }
        for estimate in all.into_iter().flatten() {
            let parts = [
                estimate.value, estimate.variance, estimate.unit_variance,
                estimate.standard_error(), estimate.third.unwrap_or(0.0),
            ];
            prop_assert!(parts.iter().all(|part| part.is_finite()), "{estimate:?}");
            prop_assert!(estimate.variance >= 0.0);
        }
    }
}
