use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::experiments::shares;
use crate::model::{ExperimentDefinition, ExperimentState};

fn definition(more: Value) -> ExperimentDefinition {
    let mut whole = json!({
        "name": "one-page",
        "configuration": {"limit": 3, "colour": {"bar": "blue", "text": "black"}},
        "variants": [
            {"name": "control", "traffic_weight": 50, "is_control": true},
            {"name": "one-page", "traffic_weight": 50,
             "configuration": {"colour": {"bar": "red", "text": null}}},
        ],
        "metrics": [{"name": "converted", "estimator": "proportion", "better": "higher"}],
    });
    for (name, value) in more.as_object().expect("an object") {
        whole[name] = value.clone();
    }
    serde_json::from_value(whole).expect("a definition")
}

fn in_state(definition: &ExperimentDefinition, status: ExperimentStatus) -> InForce {
    let mut state = ExperimentState { number: 1, status, ..ExperimentState::default() };
    if status != ExperimentStatus::Draft {
        let made = crate::experiments::normalised(definition).expect("fits");
        state.epochs.push(shares(&made, &state).epoch(Timestamp::from_millis(0)));
    }
    InForce::new(definition, state).expect("compiles")
}

fn running(more: Value) -> InForce {
    in_state(&definition(more), ExperimentStatus::Running)
}

fn exposed(variant: u16) -> Option<Exposure> {
    Some(Exposure { variant, epoch: 0, at: Timestamp::from_millis(0), excluded: false })
}

fn gets(
    experiment: &InForce,
    unit: &str,
    known: Option<Exposure>,
) -> (Option<usize>, bool, Reason) {
    let found = assign(experiment, unit, &Value::Null, known);
    (found.variant, found.in_experiment, found.reason)
}

#[test]
fn a_unit_gets_what_its_hash_says() {
    let experiment = running(json!({"seed": "seed"}));
    // Their places are GrowthBook's vectors: 0.0505 and 0.2696; halves are cut at 0.5.
    assert_eq!(gets(&experiment, "a", None), (Some(0), true, Reason::Hash));
    let skewed = running(json!({"seed": "seed", "variants": [
        {"name": "control", "traffic_weight": 1, "is_control": true},
        {"name": "other", "traffic_weight": 4},
    ]}));
    assert_eq!(gets(&skewed, "a", None).0, Some(0));
    assert_eq!(gets(&skewed, "b", None).0, Some(1));
}

#[test]
fn less_allocation_leaves_units_out_and_moves_nobody() {
    let all = running(json!({}));
    let some = running(json!({"traffic_allocation": 20}));
    let mut enrolled = 0;
    for unit in 0..10_000 {
        let unit = unit.to_string();
        let (variant, within, reason) = gets(&some, &unit, None);
        if within {
            enrolled += 1;
            assert_eq!(variant, gets(&all, &unit, None).0, "{unit}");
        } else {
            assert_eq!((variant, reason), (None, Reason::NotAllocated));
        }
    }
    // Binomial with p = 0.2: six standard deviations are 240.
    assert!((1760..=2240).contains(&enrolled), "{enrolled}");
}

#[test]
fn who_was_exposed_keeps_the_variant_unless_the_experiment_is_not_sticky() {
    let sticky = running(json!({"seed": "seed", "targeting": {"country": "NL"}}));
    assert_eq!(gets(&sticky, "a", exposed(1)), (Some(1), true, Reason::Sticky));
    assert_eq!(gets(&sticky, "a", None), (None, false, Reason::NotTargeted));
    let loose = running(json!({"seed": "seed", "sticky": false}));
    assert_eq!(gets(&loose, "a", exposed(1)), (Some(0), true, Reason::Hash));
    let excluded = exposed(1).map(|known| Exposure { excluded: true, ..known });
    assert_eq!(gets(&sticky, "a", excluded), (Some(1), false, Reason::Excluded));
}

#[test]
fn a_paused_experiment_enrols_nobody_and_keeps_who_is_in_it() {
    for sticky in [true, false] {
        let paused = in_state(&definition(json!({"sticky": sticky})), ExperimentStatus::Paused);
        assert_eq!(gets(&paused, "a", None), (None, false, Reason::Paused));
        assert_eq!(gets(&paused, "a", exposed(1)), (Some(1), true, Reason::Sticky));
    }
}

#[test]
fn before_the_start_and_after_the_end_nobody_is_in_it() {
    let plain = definition(json!({}));
    let draft = in_state(&plain, ExperimentStatus::Draft);
    assert_eq!(gets(&draft, "a", None), (None, false, Reason::Draft));
    for status in [ExperimentStatus::Completed, ExperimentStatus::Cancelled] {
        let over = in_state(&plain, status);
        assert_eq!(gets(&over, "a", exposed(1)), (None, false, Reason::Ended));
        let mut state = ExperimentState::clone(&over.state);
        state.shipped = Some(1);
        let shipped = over.with_state(state.clone());
        assert_eq!(gets(&shipped, "a", exposed(0)), (Some(1), false, Reason::Shipped));
        state.rolled_back = true;
        let back = over.with_state(state);
        assert_eq!(gets(&back, "a", exposed(1)), (Some(0), false, Reason::RolledBack));
    }
}

#[test]
fn a_forced_unit_gets_its_variant_and_is_in_no_analysis() {
    let plain = definition(json!({"forced": {"me": "one-page"}}));
    for status in [ExperimentStatus::Draft, ExperimentStatus::Running, ExperimentStatus::Paused] {
        let experiment = in_state(&plain, status);
        assert_eq!(gets(&experiment, "me", None), (Some(1), false, Reason::Forced));
    }
}

#[test]
fn experiments_of_one_namespace_share_no_unit() {
    let part = |name: &str, from: f64, to: f64| {
        running(json!({"name": name, "namespace": {"name": "checkout", "from": from, "to": to}}))
    };
    let (one, other) = (part("one", 0.0, 0.4), part("other", 0.4, 1.0));
    for unit in 0..1000 {
        let unit = unit.to_string();
        let within = [gets(&one, &unit, None), gets(&other, &unit, None)];
        assert_eq!(within.iter().filter(|(_, within, _)| *within).count(), 1, "{unit}");
    }
}

#[test]
fn a_hold_out_holds_the_same_units_out_of_all_its_experiments() {
    let with = |name: &str| {
        running(json!({"name": name, "hold_out": {"name": "everything", "percent": 10}}))
    };
    let (one, other) = (with("one"), with("other"));
    let mut held = 0;
    for unit in 0..10_000 {
        let unit = unit.to_string();
        let reasons = (gets(&one, &unit, None).2, gets(&other, &unit, None).2);
        assert_eq!(reasons.0 == Reason::HeldOut, reasons.1 == Reason::HeldOut);
        held += usize::from(reasons.0 == Reason::HeldOut);
    }
    // Binomial with p = 0.1: six standard deviations are 180.
    assert!((820..=1180).contains(&held), "{held}");
}

#[test]
fn attributes_that_fit_are_let_in() {
    let experiment = running(json!({"targeting": {"country": {"$in": ["NL", "BE"]}}}));
    let of = |attributes| assign(&experiment, "a", &attributes, None).reason;
    assert_eq!(of(json!({"country": "NL"})), Reason::Hash);
    assert_eq!(of(json!({"country": "DE"})), Reason::NotTargeted);
    assert_eq!(of(Value::Null), Reason::NotTargeted);
}

#[test]
fn a_switch_of_blue_and_green_takes_everybody_along() {
    let plain = definition(json!({"kind": "blue_green"}));
    let blue = in_state(&plain, ExperimentStatus::Running);
    assert_eq!(gets(&blue, "a", None), (Some(0), true, Reason::Hash));
    let mut state = ExperimentState::clone(&blue.state);
    state.live = Some(1);
    state.epochs.push(shares(&blue.definition, &state).epoch(Timestamp::from_millis(1)));
    let green = blue.with_state(state.clone());
    assert_eq!(gets(&green, "new", None), (Some(1), true, Reason::Hash));
    assert_eq!(gets(&green, "a", exposed(0)), (Some(1), false, Reason::Switched));
    assert_eq!(gets(&green, "b", exposed(1)), (Some(1), true, Reason::Sticky));
    state.status = ExperimentStatus::Paused;
    let paused = green.with_state(state);
    assert_eq!(gets(&paused, "new", None), (Some(1), false, Reason::Paused));
}

#[test]
fn a_canary_grows_and_takes_everybody_at_its_full_share() {
    let steps = json!({"kind": "canary", "steps": [{"traffic": 10}, {"traffic": 50},
                       {"traffic": 100}]});
    let mut before = running(steps.clone());
    let mut state = ExperimentState::clone(&before.state);
    for step in 1..3 {
        state.step = step;
        state.epochs.push(shares(&before.definition, &state).epoch(Timestamp::from_millis(1)));
        let after = before.with_state(state.clone());
        for unit in 0..1000 {
            let unit = unit.to_string();
            if gets(&before, &unit, None).0 == Some(1) {
                assert_eq!(gets(&after, &unit, None).0, Some(1), "{unit} is taken out again");
            }
        }
        before = after;
    }
    assert_eq!(gets(&before, "a", exposed(0)), (Some(1), false, Reason::Switched));
}

#[test]
fn factors_make_all_combinations_and_the_first_is_the_control() {
    let experiment = running(json!({
        "kind": "multivariate", "variants": [],
        "factors": [{"name": "button", "levels": ["green", "red"]},
                    {"name": "text", "levels": ["buy", "order", "pay"]}],
    }));
    let names: Vec<&str> =
        experiment.definition.variants.iter().map(|variant| variant.name.as_str()).collect();
    assert_eq!(names, ["green-buy", "green-order", "green-pay", "red-buy", "red-order", "red-pay"]);
    assert_eq!(experiment.definition.control(), Some(0));
    assert_eq!(experiment.definition.variants[4].levels["text"], "order");
}

#[test]
fn a_variants_configuration_is_merged_over_the_experiments() {
    let experiment = running(json!({}));
    let common = json!({"limit": 3, "colour": {"bar": "blue", "text": "black"}});
    assert_eq!(experiment.configuration(None), common);
    assert_eq!(experiment.configuration(Some(0)), common);
    assert_eq!(experiment.configuration(Some(1)), json!({"limit": 3, "colour": {"bar": "red"}}));
}

#[test]
fn a_unit_has_an_id_of_bounded_length() {
    assert!(check_unit("user-17").is_ok());
    assert!(check_unit("").is_err());
    assert!(check_unit(&"x".repeat(257)).is_err());
}

proptest! {
    #[test]
    fn the_same_unit_always_gets_the_same_and_weight_zero_gets_nobody(
        unit in ".{1,40}",
        weights in prop::collection::vec(0.0f64..100.0, 2..6),
        allocation in 0.0f64..=100.0,
    ) {
        let mut weights = weights;
        weights[0] = 0.0;
        prop_assume!(weights.iter().sum::<f64>() > 0.0);
        let variants: Vec<Value> = weights.iter().enumerate().map(|(at, weight)| json!({
            "name": format!("v{at}"), "traffic_weight": weight, "is_control": at == 0,
        })).collect();
        let made = definition(json!({"variants": variants, "traffic_allocation": allocation}));
        let experiment = in_state(&made, ExperimentStatus::Running);
        let first = assign(&experiment, &unit, &Value::Null, None);
        prop_assert_eq!(first, assign(&experiment, &unit, &Value::Null, None));
        prop_assert_ne!(first.variant, Some(0));
        if allocation >= 100.0 {
            prop_assert!(first.in_experiment);
        }
    }
}
