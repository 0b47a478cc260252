use proptest::prelude::*;
use serde_json::json;

use super::*;

fn metric(estimator: &str) -> MetricDefinition {
    let mut definition = json!({"name": "m", "better": "higher", "estimator": estimator});
    if estimator == "quantile" {
        definition["quantile"] = json!(0.95);
    }
    serde_json::from_value(definition).expect("a metric")
}

fn entry(value: f64) -> ResultEntry {
    ResultEntry { metric: "m".to_owned(), value: Some(value), ..ResultEntry::default() }
}

fn ratio(numerator: f64, denominator: Option<f64>) -> ResultEntry {
    let numerator = Some(numerator);
    ResultEntry { metric: "m".to_owned(), numerator, denominator, ..ResultEntry::default() }
}

fn of_unit(metric: &MetricDefinition, entries: &[ResultEntry]) -> Result<UnitValue, String> {
    let mut value = None;
    for entry in entries {
        value = Some(fold(metric, value.as_ref(), entry)?);
    }
    Ok(value.expect("an entry"))
}

#[test]
fn several_results_of_a_unit_become_one_value_as_the_metric_says() {
    let entries = [entry(3.0), entry(5.0), entry(4.0)];
    for (aggregate, expected) in [("sum", 12.0), ("last", 4.0), ("first", 3.0), ("max", 5.0)] {
        let mut metric = metric("mean");
        metric.aggregate = serde_json::from_value(json!(aggregate)).expect("an aggregate");
        let folded = of_unit(&metric, &entries).expect("fine");
        assert_eq!(folded.value, expected, "{aggregate}");
        assert_eq!(folded.denominator, 1.0);
    }
    // Unless it says: whether it ever happened, the last, and sums.
    let ones = [entry(0.0), entry(1.0), entry(0.0)];
    assert_eq!(of_unit(&metric("proportion"), &ones).expect("fine").value, 1.0);
    assert_eq!(of_unit(&metric("quantile"), &entries).expect("fine").value, 4.0);
    let parts = [ratio(3.0, Some(2.0)), ratio(1.0, None)];
    let folded = of_unit(&metric("ratio"), &parts).expect("fine");
    assert_eq!((folded.value, folded.denominator), (4.0, 3.0));
}

#[test]
fn a_sum_of_conversions_stays_one() {
    let mut metric = metric("proportion");
    metric.aggregate = Some(UnitAggregate::Sum);
    assert_eq!(of_unit(&metric, &[entry(1.0), entry(1.0)]).expect("fine").value, 1.0);
}

#[test]
fn the_first_covariate_stays() {
    let with = |covariate| ResultEntry { covariate, ..entry(1.0) };
    let entries = [with(None), with(Some(7.0)), with(Some(8.0))];
    assert_eq!(of_unit(&metric("mean"), &entries).expect("fine").covariate, Some(7.0));
}

#[test]
fn what_cannot_be_summed_is_refused_with_its_field() {
    let both = ResultEntry { value: Some(1.0), ..ratio(1.0, None) };
    let neither = ResultEntry { metric: "m".to_owned(), ..ResultEntry::default() };
    let covariate = ResultEntry { covariate: Some(f64::NAN), ..entry(1.0) };
    let cases = [
        ("mean", entry(f64::NAN), "value"),
        ("mean", entry(f64::INFINITY), "value"),
        ("mean", entry(1.1e100), "value"),
        ("mean", neither.clone(), "value: is missing"),
        ("mean", ratio(1.0, None), "numerator, denominator: only"),
        ("mean", covariate, "covariate"),
        ("proportion", entry(0.5), "value: 0 or 1"),
        ("proportion", entry(-1.0), "value: 0 or 1"),
        ("ratio", neither, "numerator: is missing"),
        ("ratio", both, "value: \"m\" is a ratio"),
        ("ratio", ratio(1.0, Some(-1.0)), "denominator: 0 or more"),
        ("ratio", ratio(f64::NAN, None), "numerator"),
        ("quantile", entry(-1.0), "value: 0 to"),
        ("quantile", entry(1e19), "value: 0 to"),
    ];
    for (estimator, entry, expected) in cases {
        let said = fold(&metric(estimator), None, &entry).expect_err(expected);
        assert!(said.starts_with(expected), "{estimator}: {said}");
    }
    let much = fold(&metric("mean"), None, &entry(1e100)).expect("the largest");
    let said = fold(&metric("mean"), Some(&much), &entry(1e100)).expect_err("too much");
    assert!(said.starts_with("with the unit's earlier results"), "{said}");
}

#[test]
fn caps_bound_what_counts() {
    let mut capped = metric("mean");
    (capped.cap_low, capped.cap_high) = (Some(1.0), Some(10.0));
    let mut cell = Cell::new(&capped);
    for value in [-5.0, 4.0, 1000.0] {
        let unit = fold(&capped, None, &entry(value)).expect("fine");
        cell.add(&unit, 1).expect("fine");
    }
    let CellSums::Mean { bare, .. } = cell.sums() else { panic!("a mean") };
    assert_eq!(bare.mean(), Some(5.0));
    // What was capped on its way in is capped on its way out.
    cell.remove(&UnitValue { value: 1000.0, denominator: 1.0, covariate: None }, 1).expect("fine");
    let CellSums::Mean { bare, .. } = cell.sums() else { panic!("a mean") };
    assert_eq!((bare.n(), bare.mean()), (2, Some(2.5)));
}

#[test]
fn more_than_there_is_cannot_be_taken_out() {
    for estimator in ["mean", "proportion", "ratio", "quantile"] {
        let mut cell = Cell::new(&metric(estimator));
        let one = UnitValue { value: 1.0, denominator: 1.0, covariate: None };
        cell.add(&one, 2).expect("fine");
        let before = cell.clone();
        cell.remove(&one, 3).expect_err("too many");
        assert_eq!(cell, before);
        cell.add(&one, u64::MAX).expect_err("too many");
        assert_eq!(cell, before);
    }
}

fn units() -> impl Strategy<Value = Vec<(u8, f64, f64, Option<f64>)>> {
    let values = prop_oneof![Just(0.0), Just(1.0), Just(1e9 + 0.5), 0.0..1e6, Just(1e17)];
    let unit = (0u8..3, values, 0.0..9.0, proptest::option::of(-5.0..5.0));
    proptest::collection::vec(unit, 1..40)
}

proptest! {
    #[test]
    fn any_order_of_adding_taking_out_and_merging_gives_the_same_bits(
        units in units(),
        taken in proptest::collection::vec(any::<bool>(), 40),
        estimator in prop_oneof![Just("mean"), Just("ratio"), Just("quantile")],
    ) {
        let metric = metric(estimator);
        let value = |unit: &(u8, f64, f64, Option<f64>)| UnitValue {
            value: unit.1, denominator: unit.2, covariate: unit.3,
        };
        let mut expected = Cell::new(&metric);
        for (unit, taken) in units.iter().zip(&taken) {
            if !taken {
                expected.add(&value(unit), u64::from(unit.0)).expect("fine");
            }
        }
        // Backwards, in two halves, with what does not belong added and taken out again.
        let mut halves = [Cell::new(&metric), Cell::new(&metric)];
        for (place, (unit, _)) in units.iter().zip(&taken).enumerate().rev() {
            halves[place % 2].add(&value(unit), u64::from(unit.0)).expect("fine");
        }
        for (place, (unit, taken)) in units.iter().zip(&taken).enumerate() {
            if *taken {
                halves[place % 2].remove(&value(unit), u64::from(unit.0)).expect("there");
            }
        }
        let [mut whole, other] = halves;
        whole.merge(&other).expect("the same metric");
        let bytes = |cell: &Cell| serde_json::to_vec(cell).expect("writes");
        prop_assert_eq!(bytes(&whole), bytes(&expected));
        let back: Cell = serde_json::from_slice(&bytes(&whole)).expect("reads");
        prop_assert_eq!(back, expected);
    }
}

#[test]
fn sums_survive_json() {
    let metric = metric("mean");
    let mut sums = Sums { results: 3, ..Sums::default() };
    let unit = UnitValue { value: 0.1, denominator: 1.0, covariate: Some(2.0) };
    sums.cell((0, 1, 2), &metric).add(&unit, 3).expect("fine");
    sums.units.insert((0, 1), 3);
    sums.units.insert((1, 1), 4);
    sums.excluded.insert(1, 2);
    let text = serde_json::to_string(&sums).expect("writes");
    assert_eq!(serde_json::from_str::<Sums>(&text).expect("reads"), sums);
    assert_eq!(sums.units_of(1), 7);
    let mut twice = sums.clone();
    twice.merge(&sums).expect("alike");
    assert_eq!((twice.units_of(1), twice.results, twice.excluded[&1]), (14, 6, 4));
    assert_eq!(twice.cells[&(0, 1, 2)].n(), 6);
}
