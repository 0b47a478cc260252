use proptest::prelude::*;
use serde_json::json;

use super::*;

fn comparison(case: &Case) -> Comparison {
    let analysis = case.analysis();
    numbers_only(&analysis);
    analysis.metrics[0].comparisons[0].clone()
}

/// No field that holds a number holds one that JSON does not have. `serde_json` would write null,
/// so that is asked of the text that `Debug` writes.
fn numbers_only(analysis: &Analysis) {
    let text = format!("{analysis:?}");
    for bad in ["NaN", "inf,", "inf)", "inf}", "inf]", "inf "] {
        let at = text.find(bad);
        assert!(at.is_none(), "{bad} in {:?}", at.map(|at| &text[at.saturating_sub(200)..at + 4]));
    }
    serde_json::to_string(analysis).expect("writes");
}

/// Values of both arms with their counts.
type Arms<'a> = [&'a [(f64, u64)]; 2];

fn filled(metric: Value, arms: Arms<'_>) -> Case {
    let mut case = Case::plain(metric, json!({}));
    for (variant, values) in arms.iter().enumerate() {
        for (value, count) in *values {
            case.add((0, variant as u16, 0), *value, *count);
            case.expose(0, variant as u16, *count);
        }
    }
    case
}

#[test]
fn what_is_in_the_way_is_named() {
    let cases: [(Value, Arms<'_>, Readiness, &str); 9] = [
        (json!({}), [&[], &[]], Readiness::NoData, "control has no result"),
        (json!({}), [&[(1.0, 500)], &[]], Readiness::NoData, "variant has no result"),
        (json!({}), [&[(1.0, 1)], &[(2.0, 1)]], Readiness::WarmingUp, "not two units each"),
        (
            json!({}),
            [&[(1.0, 50), (2.0, 49)], &[(1.0, 50), (2.0, 50)]],
            Readiness::WarmingUp,
            "control has 99 of the 100 units",
        ),
        (json!({}), [&[(1.0, 500)], &[(1.0, 500)]], Readiness::ZeroVariance, "all values are"),
        (
            json!({}),
            [&[(0.0, 999_000), (1e6, 1000)], &[(0.0, 999), (1e6, 1)]],
            Readiness::TooSkewed,
            "cap_high",
        ),
        (
            json!({"estimator": "proportion"}),
            [&[(0.0, 996), (1.0, 4)], &[(0.0, 900), (1.0, 100)]],
            Readiness::WarmingUp,
            "control has 4 of the 5 ones",
        ),
        (
            json!({"estimator": "proportion"}),
            [&[(1.0, 1000)], &[(1.0, 1000)]],
            Readiness::WarmingUp,
            "control has 0 of the 5 zeros",
        ),
        (
            json!({"estimator": "quantile", "quantile": 0.99}),
            [&[(5.0, 1999)], &[(5.0, 3000)]],
            Readiness::WarmingUp,
            "a quantile takes 20 units",
        ),
    ];
    for (metric, arms, readiness, reason) in cases {
        let comparison = comparison(&filled(metric, arms));
        assert_eq!(comparison.readiness, readiness, "{reason}");
        assert!(comparison.readiness_reason.contains(reason), "{}", comparison.readiness_reason);
        let answered = [comparison.p_value, comparison.ci_low, comparison.log_e];
        assert_eq!(answered, [None; 3], "{reason}");
        assert!(!comparison.significant);
    }
}

#[test]
fn shares_of_nothing_and_of_all_still_have_newcombes_interval() {
    for value in [0.0, 1.0] {
        let metric = json!({"estimator": "proportion"});
        let comparison = comparison(&filled(metric, [&[(value, 1000)], &[(value, 500)]]));
        assert_eq!((comparison.fixed.t, comparison.fixed.p_value), (None, None));
        let (low, high) = (comparison.fixed.ci_low, comparison.fixed.ci_high);
        // Wilson's interval of 0 of 500 ends at z²/(n + z²) = 0.00762, of 0 of 1000 at 0.00383.
        let ends =
            if value == 0.0 { (-0.003_826_8, 0.007_624_3) } else { (-0.007_624_3, 0.003_826_8) };
        assert!((low.expect("given") - ends.0).abs() < 1e-6, "{low:?}");
        assert!((high.expect("given") - ends.1).abs() < 1e-6, "{high:?}");
        assert_eq!(comparison.diff, Some(0.0));
    }
}

#[test]
fn one_arm_that_does_not_vary_is_still_compared() {
    let arms: Arms<'_> = [&[(1.0, 500)], &[(1.0, 250), (2.0, 250)]];
    let comparison = comparison(&filled(json!({}), arms));
    assert_eq!(comparison.readiness, Readiness::Ready);
    // Welch with one variance 0 has the other arm's degrees of freedom.
    assert!((comparison.fixed.df.expect("given") - 499.0).abs() < 1e-9);
    assert!(comparison.significant);
}

#[test]
fn an_offset_of_a_thousand_million_changes_nothing() {
    let arms = |offset: f64| {
        let values: [Vec<(f64, u64)>; 2] =
            [vec![(offset, 600), (offset + 1.0, 400)], vec![(offset, 500), (offset + 1.0, 500)]];
        comparison(&filled(json!({}), [&values[0], &values[1]]))
    };
    let (near, far) = (arms(0.0), arms(1e9));
    assert_eq!((near.se, near.log_e.is_some()), (far.se, true));
    let (a, b) = (near.diff.expect("given"), far.diff.expect("given"));
    // 1e9 has 7 digits behind the point: means are rounded once each, to 1.2e-7.
    assert!((a - b).abs() < 2.5e-7, "{a} {b}");
}

#[test]
fn a_million_to_ten_waits() {
    let few =
        comparison(&filled(json!({}), [&[(1.0, 500_000), (2.0, 500_000)], &[(9.0, 5), (8.0, 5)]]));
    assert_eq!(few.readiness, Readiness::WarmingUp);
    assert!(few.diff.is_some() && few.p_value.is_none());
}

#[test]
fn a_lift_from_nothing_is_not_given() {
    let around_zero: &[(f64, u64)] = &[(-1.0, 500), (1.0, 500)];
    let comparison = comparison(&filled(json!({}), [around_zero, &[(0.0, 500), (2.0, 500)]]));
    assert_eq!(comparison.readiness, Readiness::Ready);
    assert_eq!(comparison.relative, Relative::default());
    assert!(comparison.significant);
}

#[test]
fn a_metric_that_has_another_estimator_by_now_has_no_data() {
    let mut case = filled(json!({}), [&[(1.0, 500)], &[(0.0, 500)]]);
    case.definition.metrics[0].estimator = Estimator::Proportion;
    assert_eq!(comparison(&case).readiness, Readiness::NoData);
}

fn values() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        Just(1.0),
        Just(-1.0),
        Just(1e100),
        Just(-1e100),
        Just(1e-300),
        Just(5e-324),
        Just(1e9),
        Just(1e9 + 1.0),
        -1e3..1e3,
        1e17..1e18,
    ]
}

fn counts() -> impl Strategy<Value = u64> {
    prop_oneof![Just(1u64), 1u64..200, Just(1_000_000), Just(1u64 << 50)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_state_makes_a_number_that_is_none(
        units in proptest::collection::vec(
            (0u16..3, 0u16..3, 0u16..4, values(), 0.0..5.0, proptest::option::of(values()), counts()),
            0..60,
        ),
        exposed in proptest::collection::vec((0u16..3, 0u16..3, counts()), 0..9),
        weights in proptest::collection::vec(
            proptest::collection::vec(prop_oneof![Just(0.0), 0.1..9.0, Just(1e9)], 3), 0..3,
        ),
        fixed in any::<bool>(),
        alpha in prop_oneof![Just(0.05), Just(0.5), Just(1e-300)],
        margin in prop_oneof![Just(0.0), Just(1.0), Just(1e100)],
        effect in prop_oneof![Just(1e-100), Just(1.0), Just(1e100)],
    ) {
        let metrics = json!([
            {"name": "mean", "better": "higher", "minimum_detectable_effect": effect},
            {"name": "share", "better": "lower", "estimator": "proportion", "role": "secondary"},
            {"name": "ratio", "better": "lower", "estimator": "ratio", "role": "guardrail", "margin": margin},
            {"name": "tail", "better": "lower", "estimator": "quantile", "quantile": 0.9},
        ]);
        let mut case = Case::new(
            json!({
                "name": "case", "metrics": metrics,
                "variants": [
                    {"name": "a", "is_control": true}, {"name": "b"}, {"name": "c"},
                ],
                "analysis": {"alpha": alpha, "method": if fixed { "fixed" } else { "sequential" }},
                "end_at": 1_700_000_000_000i64,
            }),
            running(&json!(weights)),
        );
        for (epoch, variant, metric, value, denominator, covariate, count) in units {
            let value = match metric {
                1 => f64::from(u8::from(value > 0.0)),
                3 => value.abs().min(1e18),
                _ => value,
            };
            let unit = UnitValue { value, denominator, covariate };
            case.add_unit((epoch, variant, metric), unit, count);
        }
        for (epoch, variant, units) in exposed {
            case.expose(epoch, variant, units);
        }
        let analysis = case.analysis();
        numbers_only(&analysis);
        advance(&mut case.progress, &analysis);
        numbers_only(&case.analysis());
        for comparison in analysis.metrics.iter().flat_map(|metric| &metric.comparisons) {
            if let (Some(p), Some(low), Some(high), false) =
                (comparison.p_value, comparison.ci_low, comparison.ci_high, fixed)
            {
                let excludes = low > 0.0 || high < 0.0;
                prop_assert!((p < alpha) == excludes || (p - alpha).abs() < 1e-9 * alpha);
            }
        }
    }
}
