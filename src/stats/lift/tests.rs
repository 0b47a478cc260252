//! Lifts against bisection on Fieller's definition, and against the absolute test.

use proptest::prelude::*;

use super::*;
use crate::stats::figures::{cases, close, number};
use crate::stats::welch;

fn arm(value: f64, variance: f64) -> Estimate {
    Estimate { n: 100, value, variance, unit_variance: variance * 100.0, third: None }
}

#[test]
fn lifts_are_where_fiellers_test_ends() {
    for case in cases("fieller") {
        let control = arm(number(&case, "m_c"), number(&case, "v_c"));
        let treatment = arm(number(&case, "m_t"), number(&case, "v_t"));
        let lift = fieller(&control, &treatment, number(&case, "critical")).expect("a lift");
        close(lift.lift, number(&case, "lift"), 1e-14, &case);
        let interval = lift.interval.expect("an interval");
        close(interval.low, number(&case, "low"), 1e-12, &case);
        close(interval.high, number(&case, "high"), 1e-12, &case);
    }
}

#[test]
fn a_control_that_may_be_zero_has_no_interval() {
    // g = q²·v/m²: 4 × 0.25 / 1 is exactly 1.
    let lift = fieller(&arm(1.0, 0.25), &arm(2.0, 0.1), 2.0).expect("a lift");
    assert_eq!(lift, Lift { lift: 1.0, interval: None });
    assert!(fieller(&arm(1.0, 0.2499), &arm(2.0, 0.1), 2.0).expect("a lift").interval.is_some());
    assert_eq!(fieller(&arm(0.0, 0.1), &arm(2.0, 0.1), 2.0), None);
}

#[test]
fn a_rise_of_a_negative_control_is_a_rise() {
    let lift = fieller(&arm(-10.0, 0.01), &arm(-8.0, 0.01), 2.0).expect("a lift");
    assert_eq!(lift.lift, 0.2);
    let interval = lift.interval.expect("an interval");
    assert!(interval.low > 0.0 && interval.contains(0.2));
}

#[test]
fn without_any_variance_the_interval_is_the_lift() {
    let lift = fieller(&arm(4.0, 0.0), &arm(5.0, 0.0), 2.0).expect("a lift");
    assert_eq!(lift.interval, Some(Interval { low: 0.25, high: 0.25 }));
    let same = fieller(&arm(4.0, 0.0), &arm(4.0, 0.0), 2.0).expect("a lift");
    assert_eq!(same.interval, Some(Interval { low: 0.0, high: 0.0 }));
}

proptest! {
    #[test]
    fn lift_and_difference_never_contradict(
        m_c in prop_oneof![-100.0..-0.1f64, 0.1..100.0f64],
        m_t in -100.0..100.0f64,
        v_c in 1e-6..10.0f64,
        v_t in 1e-6..10.0f64,
    ) {
        let (control, treatment) = (arm(m_c, v_c), arm(m_t, v_t));
        let test = welch(&control, &treatment, 0.05).expect("a test");
        let lift = fieller(&control, &treatment, test.critical).expect("a lift");
        let apart = test.interval.low.abs().min(test.interval.high.abs()) > 1e-9;
        if let Some(interval) = lift.interval && apart {
            prop_assert_eq!(interval.contains(0.0), test.interval.contains(0.0));
            prop_assert!(interval.contains(lift.lift), "{lift:?}");
        }
    }

    #[test]
    fn no_lift_is_ever_infinite(
        m_c in any::<f64>(), m_t in any::<f64>(), v_c in any::<f64>(), v_t in any::<f64>(),
        critical in any::<f64>(),
    ) {
        if let Some(lift) = fieller(&arm(m_c, v_c.abs()), &arm(m_t, v_t.abs()), critical) {
            prop_assert!(lift.lift.is_finite());
            if let Some(interval) = lift.interval {
                prop_assert!(interval.low.is_finite() && interval.high.is_finite());
            }
        }
    }
}
