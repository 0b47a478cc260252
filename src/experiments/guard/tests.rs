use serde_json::json;

use super::*;
use crate::experiments::accumulate::Cell;
use crate::model::UnitValue;

/// A guardrail that latency may become worse by 10, with two arms of these values and counts.
fn guarded(
    arms: [&[(f64, u64)]; 2],
    better: &str,
) -> (ExperimentDefinition, ExperimentState, Sums) {
    let definition: ExperimentDefinition = serde_json::from_value(json!({
        "name": "case",
        "variants": [{"name": "control", "is_control": true}, {"name": "variant"}],
        "metrics": [
            {"name": "m", "better": "higher"},
            {"name": "g", "better": better, "role": "guardrail", "margin": 10},
        ],
        "guardrails": [{"metric": "g", "action": "rollback"}],
    }))
    .expect("a definition");
    let epoch = json!({"from": 0, "weights": [1, 1], "traffic_allocation": 100.0});
    let state = json!({"number": 1, "status": "running", "epochs": [epoch]});
    let mut sums = Sums::default();
    for (variant, values) in arms.iter().enumerate() {
        let metric = &definition.metrics[1];
        let place = (0, variant as u16, 1);
        for (value, count) in *values {
            let unit = UnitValue { value: *value, denominator: 1.0, covariate: None };
            let cell = sums.cells.entry(place).or_insert_with(|| Cell::new(metric));
            cell.add(&unit, *count).expect("can be summed");
        }
    }
    (definition, serde_json::from_value(state).expect("a state"), sums)
}

fn verdict(arms: [&[(f64, u64)]; 2], better: &str) -> GuardrailVerdict {
    let (definition, state, sums) = guarded(arms, better);
    let mut verdicts = guard(&definition, &state, &sums, &Progress::default());
    assert_eq!(verdicts.len(), 1, "one guardrail and one variant");
    verdicts.remove(0)
}

const CONTROL: &[(f64, u64)] = &[(100.0, 1000), (120.0, 1000)];

#[test]
fn a_variant_that_is_certainly_beyond_the_margin_breaches() {
    let seen = verdict([CONTROL, &[(130.0, 1000), (150.0, 1000)]], "lower");
    assert_eq!((seen.verdict, seen.action), (Verdict::Breached, GuardrailAction::Rollback));
    assert_eq!((seen.guardrail.as_str(), seen.worse_by), ("metric g", Some(30.0)));
    assert!(seen.worse_by_at_least.expect("certain") > 10.0);
    assert!(seen.reason.starts_with("variant is worse by 30 in \"g\""), "{}", seen.reason);
}

#[test]
fn worse_within_the_margin_is_fine_and_so_is_better() {
    let within = verdict([CONTROL, &[(105.0, 1000), (125.0, 1000)]], "lower");
    assert_eq!(within.verdict, Verdict::Ok, "{}", within.reason);
    let better = verdict([CONTROL, &[(50.0, 1000), (70.0, 1000)]], "lower");
    assert_eq!(better.verdict, Verdict::Ok);
    // The same values where more is better.
    let fewer = verdict([CONTROL, &[(50.0, 1000), (70.0, 1000)]], "higher");
    assert_eq!(fewer.verdict, Verdict::Breached);
}

#[test]
fn beyond_the_margin_and_not_certain_is_a_doubt() {
    let seen = verdict([CONTROL, &[(110.1, 1000), (130.1, 1000)]], "lower");
    assert_eq!(seen.verdict, Verdict::Doubt, "{}", seen.reason);
    assert!(seen.reason.contains("not certain"), "{}", seen.reason);
}

#[test]
fn missing_data_breaches_nothing_and_promotes_nothing() {
    let cases: [[&[(f64, u64)]; 2]; 4] = [
        [&[], &[]],
        [CONTROL, &[]],
        [&[], &[(1e9, 5000)]],
        // Far beyond the margin, of too few units.
        [CONTROL, &[(900.0, 25), (920.0, 25)]],
    ];
    for arms in cases {
        let seen = verdict(arms, "lower");
        assert_eq!(seen.verdict, Verdict::Doubt);
        assert!(!seen.reason.is_empty());
        assert!(may_step(&[seen], None).is_err());
    }
}

#[test]
fn values_that_never_vary_are_fine_within_the_margin() {
    let same: &[(f64, u64)] = &[(5.0, 500)];
    assert_eq!(verdict([same, same], "lower").verdict, Verdict::Ok);
    assert_eq!(verdict([same, &[(500.0, 500)]], "lower").verdict, Verdict::Doubt);
}

#[test]
fn a_canary_steps_only_with_everything_in_order() {
    assert_eq!(may_step(&[], None), Ok(()));
    let fine = verdict([CONTROL, CONTROL], "lower");
    assert_eq!(may_step(std::slice::from_ref(&fine), None), Ok(()));
    let bad = verdict([CONTROL, &[(130.0, 1000), (150.0, 1000)]], "lower");
    let said = may_step(&[fine, bad], None).expect_err("breached");
    assert!(said.starts_with("guardrail metric g is breached"), "{said}");
    let alarm = SampleRatioAnswer {
        chi2: 100.0,
        df: 1,
        p_value: Some(0.0),
        max_log_e: 50.0,
        p_sequential: 0.0,
        alarm: true,
        observed: vec![1, 2],
        expected: vec![1.5, 1.5],
    };
    assert!(may_step(&[], Some(&alarm)).is_err());
    assert_eq!(may_step(&[], Some(&SampleRatioAnswer { alarm: false, ..alarm })), Ok(()));
}
