use super::*;
use proptest::prelude::*;
use serde_json::Value;

/// From mpmath with 60 digits: see `tests/statistics/sequential.py`.
fn figures(topic: &str) -> Vec<Value> {
    let text = include_str!("../../../tests/statistics/sequential.json");
    let all: Value = serde_json::from_str(text).unwrap();
    all[topic].as_array().unwrap().clone()
}

fn number(row: &Value, name: &str) -> f64 {
    row[name].as_f64().unwrap()
}

#[track_caller]
fn close(ours: f64, theirs: f64, what: &Value) {
    let far = (ours - theirs).abs() / theirs.abs().max(1e-300);
    assert!(far < 1e-12 || ours == theirs, "{ours} is not {theirs}: {what}");
}

#[test]
fn bounds_and_evidence_are_those_of_the_paper() {
    for row in figures("sequence") {
        let [diff, se, clock, alpha, n_star] =
            ["diff", "se", "clock", "alpha", "n_star"].map(|name| number(&row, name));
        let look = ConfidenceSequence::tuned(alpha, n_star).unwrap().look(diff, se, clock).unwrap();
        close(look.low, number(&row, "low"), &row);
        close(look.high, number(&row, "high"), &row);
        close(look.ln_e, number(&row, "ln_e"), &row);
        close(look.p_value, number(&row, "p"), &row);
        let sided = OneSidedSequence::tuned(alpha, n_star).unwrap();
        close(sided.lower(diff, se, clock).unwrap(), number(&row, "one_sided_lower"), &row);
    }
}

#[test]
fn one_sided_evidence_never_exceeds_the_half_normal_mixture_it_bounds() {
    for row in figures("sequence") {
        let [diff, se, clock, alpha, n_star] =
            ["diff", "se", "clock", "alpha", "n_star"].map(|name| number(&row, name));
        let sided = OneSidedSequence::tuned(alpha, n_star).unwrap();
        let ours = sided.ln_e_above(diff, 0.0, se, clock).unwrap();
        let exact = number(&row, "half_normal_ln_e");
        assert!(ours <= exact + 1e-9 * exact.abs(), "{ours} above {exact}: {row}");
        assert!(ours > exact - 0.3 - 1e-9 * exact.abs(), "{ours} far below {exact}: {row}");
    }
}

#[test]
fn the_interval_is_tightest_relative_to_its_own_rate_at_the_tuned_sample() {
    // The critical value times 1/√N is what shrinks; the tuning minimises it at N = 5000 among
    // all tunings (the approximate form is within 0.1 % of the best).
    let at = |tuned: f64| ConfidenceSequence::tuned(0.05, tuned).unwrap().critical(5000.0).unwrap();
    let best = (1..400).map(|i| at(100.0 * f64::from(i))).fold(f64::INFINITY, f64::min);
    assert!(at(5000.0) < best * 1.001, "{} against {best}", at(5000.0));
    assert!(at(500.0) > at(5000.0) && at(50_000.0) > at(5000.0));
}

#[test]
fn nonsense_gives_none() {
    assert_eq!(ConfidenceSequence::tuned(0.0, 5000.0), None);
    assert_eq!(ConfidenceSequence::tuned(1.0, 5000.0), None);
    assert_eq!(ConfidenceSequence::tuned(f64::NAN, 5000.0), None);
    assert_eq!(ConfidenceSequence::tuned(0.05, 0.0), None);
    assert_eq!(OneSidedSequence::tuned(0.5, 5000.0), None);
    let sequence = ConfidenceSequence::tuned(0.05, 5000.0).unwrap();
    assert_eq!(sequence.look(1.0, 0.0, 100.0), None);
    assert_eq!(sequence.look(1.0, 1.0, 0.0), None);
    assert_eq!(sequence.look(f64::INFINITY, 1.0, 100.0), None);
    assert_eq!(sequence.at(0.0), None);
    assert_eq!(clock_of_information(0.0, 1.0), None);
    assert_eq!(combine(&[]), None);
}

#[test]
fn both_clocks_show_the_number_of_units_at_equal_arms_and_variances() {
    assert_eq!(clock_of_counts(500, 500), 1000.0);
    // Each arm's variance is 9/500.
    let se = (2.0 * 9.0 / 500.0f64).sqrt();
    assert!((clock_of_information(9.0, se).unwrap() - 1000.0).abs() < 1e-9);
    // 90 to 10 says as much as 36 per cent of it.
    assert!((clock_of_counts(900, 100) - 360.0).abs() < 1e-9);
    assert_eq!(clock_of_counts(0, 100), 0.0);
}

#[test]
fn epochs_join_by_their_size_and_a_short_still_one_does_not_take_over() {
    // By hand: weights 250 and 90·10/100 = 9 … of 500:500 and 90:10.
    let first = EpochDifference { diff: 1.0, variance: 0.04, control: 500, variant: 500 };
    let second = EpochDifference { diff: 3.0, variance: 0.5, control: 90, variant: 10 };
    let joined = combine(&[first, second]).unwrap();
    assert!((joined.diff - (250.0 + 9.0 * 3.0) / 259.0).abs() < 1e-12);
    let variance = (250.0f64.powi(2) * 0.04 + 81.0 * 0.5) / 259.0f64.powi(2);
    assert!((joined.se - variance.sqrt()).abs() < 1e-12);
    assert!((joined.clock - 1036.0).abs() < 1e-9);
    // Nobody converted in it, so that it seems certain of 0.
    let still = EpochDifference { diff: 0.0, variance: 0.0, control: 20, variant: 20 };
    let joined = combine(&[first, still]).unwrap();
    assert!(joined.diff > 0.95);
    let empty = EpochDifference { diff: 7.0, variance: 9.0, control: 0, variant: 20 };
    assert_eq!(combine(&[first, empty]), combine(&[first]));
    assert_eq!(combine(&[empty]), None);
}

fn any_positive() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-300f64..300.0).prop_map(|e| 10f64.powf(e)),
        (-3f64..9.0).prop_map(|e| 10f64.powf(e)),
        Just(f64::MIN_POSITIVE),
        Just(f64::MAX),
        Just(5e-324),
    ]
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        any_positive(),
        any_positive().prop_map(|x| -x),
        -10f64..10.0,
        Just(f64::NAN),
        Just(f64::INFINITY)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn p_is_below_alpha_exactly_when_the_interval_excludes_zero(
        z in -8f64..8.0, se in any_positive(), clock in 1f64..1e9, alpha in 1e-6f64..0.5,
    ) {
        let sequence = ConfidenceSequence::tuned(alpha, 5000.0).unwrap();
        if let Some(look) = sequence.look(z * se, se, clock) {
            let excluded = look.low > 0.0 || look.high < 0.0;
            // On the very edge the last digit decides.
            let edge = (look.p_value / alpha - 1.0).abs() < 1e-9;
            prop_assert!(edge || excluded == (look.p_value < alpha), "{look:?} at {alpha}");
        }
        let sided = OneSidedSequence::tuned(alpha * 0.99, 5000.0).unwrap();
        if let (Some(lower), Some(p)) =
            (sided.lower(z * se, se, clock), sided.p_value_above(z * se, 0.0, se, clock))
        {
            let edge = (p / (alpha * 0.99) - 1.0).abs() < 1e-9;
            prop_assert!(edge || (lower > 0.0) == (p < alpha * 0.99), "{lower} {p} at {alpha}");
        }
    }

    #[test]
    fn whatever_goes_in_no_nan_or_infinity_comes_out(
        diff in any_number(), se in any_number(), clock in any_number(),
        alpha in any_number(), samples in any_number(), margin in any_number(),
        counts in prop::array::uniform4(prop_oneof![0u64..3, any::<u64>()]),
    ) {
        let mut seen = vec![clock_of_counts(counts[0], counts[1])];
        seen.extend(clock_of_information(diff, se));
        for sequence in [ConfidenceSequence::tuned(alpha, samples), ConfidenceSequence::tuned(0.05, 5000.0)] {
            let Some(sequence) = sequence else { continue };
            seen.extend(sequence.critical(clock));
            if let Some(look) = sequence.look(diff, se, clock) {
                seen.extend([look.low, look.high, look.ln_e, look.p_value]);
                prop_assert!(look.low <= diff && diff <= look.high);
                prop_assert!((0.0..=1.0).contains(&look.p_value));
            }
            seen.extend(sequence.ln_e(diff, se, clock));
        }
        for sided in [OneSidedSequence::tuned(alpha, samples), OneSidedSequence::tuned(0.05, 5000.0)] {
            let Some(sided) = sided else { continue };
            seen.extend(sided.lower(diff, se, clock));
            seen.extend(sided.upper(diff, se, clock));
            seen.extend(sided.ln_e_above(diff, margin, se, clock));
            seen.extend(sided.p_value_above(diff, margin, se, clock));
        }
        let epoch = |diff, variance, control, variant| EpochDifference { diff, variance, control, variant };
        let epochs = [epoch(diff, se, counts[0], counts[1]), epoch(margin, clock, counts[2], counts[3])];
        if let Some(joined) = combine(&epochs) {
            seen.extend([joined.diff, joined.se, joined.clock]);
        }
        prop_assert!(seen.iter().all(|x| x.is_finite()), "{seen:?}");
    }

    #[test]
    fn a_larger_effect_is_more_evidence_and_a_sharper_level_a_wider_interval(
        z in 0f64..30.0, more in 0f64..5.0, clock in 1f64..1e8, margin in -3f64..3.0,
    ) {
        let sequence = ConfidenceSequence::tuned(0.05, 5000.0).unwrap();
        prop_assert!(sequence.ln_e(z + more, 1.0, clock) >= sequence.ln_e(z, 1.0, clock));
        prop_assert!(sequence.ln_e(z, 1.0, clock) == sequence.ln_e(-z, 1.0, clock));
        prop_assert!(sequence.at(0.01).unwrap().critical(clock) > sequence.critical(clock));
        // Looking without end costs something: never narrower than at a fixed horizon.
        prop_assert!(sequence.critical(clock).unwrap() > 1.959_963_984_540_054);
        let sided = OneSidedSequence::tuned(0.05, 5000.0).unwrap();
        let above = |z: f64| sided.ln_e_above(z, margin, 1.0, clock).unwrap();
        prop_assert!(above(z + more) >= above(z));
        // One-sided is easier to cross than two-sided at the same level.
        prop_assert!(sided.critical(clock) < sequence.critical(clock));
    }
}
