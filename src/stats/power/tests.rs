//! Plans against statsmodels, and against each other.

use proptest::prelude::*;

use super::*;
use crate::stats::figures::{close, number, topic};

#[test]
fn plans_for_means_are_those_of_statsmodels() {
    for case in topic("power")["means"].as_array().expect("cases") {
        let plan = Plan {
            alpha: number(case, "alpha"),
            power: number(case, "power"),
            ratio: number(case, "ratio"),
        };
        let (variance, effect) = (number(case, "variance"), number(case, "effect"));
        let units = units_for_means([variance; 2], effect, &plan).expect("a plan");
        // statsmodels counts the wrong side too, far below one unit here.
        assert_eq!(units.treatment, number(case, "n_treatment").ceil() as u64, "{case}");
        let critical = normal_critical(plan.alpha).expect("a level");
        let se = standard_error([variance; 2], units).expect("a standard error");
        close(
            power_at(effect, se, critical).expect("a power"),
            number(case, "power_there"),
            1e-12,
            case,
        );
        let found = detectable(se, critical, plan.power).expect("an effect");
        assert!(found <= effect && found > effect * 0.98, "{found} of {effect}");
    }
}

#[test]
fn plans_for_proportions_are_those_of_statsmodels() {
    for case in topic("power")["proportions"].as_array().expect("cases") {
        let (alpha, power) = (number(case, "alpha"), number(case, "power"));
        let plan = Plan { alpha, power, ratio: number(case, "ratio") };
        let (control, treatment) = (number(case, "control"), number(case, "treatment"));
        let units = units_for_proportions(control, treatment, &plan).expect("a plan");
        assert_eq!(units.treatment, number(case, "n_treatment").ceil() as u64, "{case}");
        let there = power_of_proportions(control, treatment, units, alpha).expect("a power");
        close(there, number(case, "power_there"), 1e-10, case);
        if treatment > control {
            let rise = detectable_rise(control, units, alpha, power).expect("a rise");
            assert!(rise <= treatment - control && rise > (treatment - control) * 0.98, "{rise}");
        }
    }
}

#[test]
fn looking_all_the_time_costs_units() {
    let plan = Plan { alpha: 0.05, power: 0.8, ratio: 1.0 };
    let fixed = units_for_means([1.0; 2], 0.1, &plan).expect("a plan");
    let sequence = ConfidenceSequence::tuned(0.05, 5000.0).expect("a sequence");
    let watched = units_for_sequence([1.0; 2], 0.1, sequence, &plan).expect("a plan");
    // By hand: fixed is (1.96 + 0.8416)²·2/0.01 = 1570.
    assert_eq!(fixed, Units { control: 1570, treatment: 1570 });
    assert!(watched.treatment > fixed.treatment && watched.treatment < 3 * fixed.treatment);
    // At those units it is just enough, and one less is not.
    let reach = |n: u64| {
        let units = Units { control: n, treatment: n };
        let se = standard_error([1.0; 2], units).expect("a standard error");
        let critical = sequence.critical(clock_of_counts(n, n)).expect("a critical value");
        detectable(se, critical, 0.8).expect("an effect")
    };
    assert!(reach(watched.treatment) <= 0.1 && reach(watched.treatment - 1) > 0.1);
}

#[test]
fn what_cannot_be_planned_has_no_plan() {
    let plan = Plan { alpha: 0.05, power: 0.8, ratio: 1.0 };
    assert_eq!(units_for_means([1.0; 2], 0.0, &plan), None);
    assert_eq!(units_for_means([1.0; 2], f64::NAN, &plan), None);
    assert_eq!(units_for_means([1.0; 2], 1e-9, &plan), None, "more than anybody has");
    assert_eq!(units_for_means([1.0; 2], 1.0, &Plan { power: 1.0, ..plan }), None);
    assert_eq!(units_for_means([1.0; 2], 1.0, &Plan { ratio: 0.0, ..plan }), None);
    assert_eq!(units_for_proportions(0.1, 0.1, &plan), None);
    assert_eq!(units_for_proportions(0.0, 0.1, &plan), None);
    let few = Units { control: 2, treatment: 2 };
    assert_eq!(detectable_rise(0.9, few, 0.05, 0.8), None);
    assert_eq!(power_at(1.0, 0.0, 1.96), None);
    let none = Units { control: 0, treatment: 0 };
    assert_eq!(standard_error([1.0; 2], none), None);
    assert_eq!(power_of_proportions(0.1, 0.2, none, 0.05), None);
}

proptest! {
    #[test]
    fn no_plan_is_ever_infinite(
        a in any::<f64>(), b in any::<f64>(), c in any::<f64>(), alpha in any::<f64>(),
        power in 0.0..1.0f64, ratio in prop_oneof![0.01..100.0f64, any::<f64>()], n in any::<u64>(),
    ) {
        let plan = Plan { alpha, power, ratio };
        let units = Units { control: n, treatment: n / 2 };
        let numbers = [
            power_at(a, b, c), detectable(a, b, c), standard_error([a, b], units),
            power_of_proportions(a, power, units, alpha), detectable_rise(power, units, alpha, 0.9),
        ];
        prop_assert!(numbers.iter().flatten().all(|value| value.is_finite()), "{numbers:?}");
        // They may be none, but they come back.
        let _ = (units_for_means([a, b], c, &plan), units_for_proportions(power, alpha, &plan));
    }
}
