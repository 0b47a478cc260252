use super::*;
use proptest::prelude::*;
use serde_json::Value;

fn of(values: &[f64]) -> QuantileSketch {
    let mut sketch = QuantileSketch::new();
    for value in values {
        sketch.add(*value).unwrap();
    }
    sketch
}

#[test]
fn whole_numbers_up_to_2048_are_exact_and_the_rest_within_half_a_per_mille() {
    for whole in (0..=2048).map(f64::from) {
        assert_eq!(of(&[whole]).value_at_rank(1), Some(whole));
    }
    for value in [0.1, 0.123456789, 2049.0, 1e-9, 3.14159e7, 9.9e17, VALUE_MAX] {
        let kept = of(&[value]).value_at_rank(1).unwrap();
        assert!((kept / value - 1.0).abs() <= 1.0 / 2048.0, "{kept} for {value}");
    }
    assert_eq!(of(&[VALUE_MIN / 2.0]).value_at_rank(1), Some(0.0));
}

#[test]
fn an_hdr_histogram_with_three_figures_puts_the_same_numbers_together() {
    // The reference: hdrhistogram 7, whose buckets are those of Gil Tene's original. Its edges
    // are at whole numbers and it truncates, so widths are compared, which are the same.
    let reference = hdrhistogram::Histogram::<u64>::new_with_max(1 << 40, 3).unwrap();
    for value in [1u64, 2047, 5000, 65_537, 1_000_003, 987_654_321] {
        let width =
            (reference.next_non_equivalent(value) - reference.lowest_equivalent(value)) as f64;
        let ours = width_of(bucket_of(value as f64).unwrap());
        assert!(ours <= width, "{value}: {ours} wider than {width}");
        assert!(value < 2048 || ours == width, "{value}: {ours} is not {width}");
    }
}

#[test]
fn quantiles_and_standard_errors_are_those_of_the_ranks() {
    // Values 1…n, whose value at a rank is the rank; `tests/statistics/sequential.py`.
    let text = include_str!("../../../tests/statistics/sequential.json");
    let all: Value = serde_json::from_str(text).unwrap();
    for row in all["quantile"].as_array().unwrap() {
        let n = row["n"].as_u64().unwrap();
        let sketch = of(&(1..=n).map(|i| i as f64).collect::<Vec<_>>());
        let p = row["p"].as_f64().unwrap();
        let estimate = quantile_estimate(&sketch, p).unwrap();
        assert_eq!(estimate.at_rank, row["value"].as_f64().unwrap(), "{row}");
        // The mean of evenly spaced values is their middle, which lies half a step below np.
        assert!((estimate.value - (n as f64 * p + 0.5)).abs() < 0.01, "{} {row}", estimate.value);
        let rounding = width_of(bucket_of(estimate.at_rank).unwrap()).powi(2) / 12.0;
        let se = (estimate.variance - rounding).sqrt();
        assert!((se / row["se"].as_f64().unwrap() - 1.0).abs() < 1e-9, "{se} {row}");
    }
}

#[test]
fn a_quantile_needs_twenty_units_beyond_it() {
    let sketch = of(&(0..400).map(f64::from).collect::<Vec<_>>());
    assert!(quantile_estimate(&sketch, 0.95).is_some());
    assert!(quantile_estimate(&sketch, 0.951).is_none());
    assert!(quantile_estimate(&QuantileSketch::new(), 0.5).is_none());
    for p in [0.0, 1.0, f64::NAN, -0.5] {
        assert!(quantile_estimate(&sketch, p).is_none());
    }
}

#[test]
fn whole_numbers_with_their_median_between_two_have_it_there() {
    let mut sketch = QuantileSketch::new();
    sketch.add_times(4.0, 500).unwrap();
    sketch.add_times(5.0, 500).unwrap();
    let at = |sketch: &QuantileSketch| quantile_estimate(sketch, 0.5).unwrap();
    assert!((at(&sketch).value - 4.5).abs() < 1e-12);
    // One unit more moves it by what the standard error says of half a rank: 1/(2h), h = 47.4.
    sketch.add(5.0).unwrap();
    assert!((at(&sketch).value - 4.5 - 0.5 / 94.87).abs() < 1e-4, "{:?}", at(&sketch));
    let same = {
        let mut one = QuantileSketch::new();
        one.add_times(7.0, 100).unwrap();
        at(&one)
    };
    assert_eq!((same.value, same.variance), (7.0, 0.0));
}

#[test]
fn what_was_never_added_cannot_be_removed_and_nothing_changes() {
    let mut sketch = of(&[1.0, 2.0, 2.0]);
    let before = sketch.clone();
    assert_eq!(sketch.remove(3.0), Err(SketchError::NotThere { value: 3.0, times: 1 }));
    assert_eq!(sketch.remove_times(2.0, 3), Err(SketchError::NotThere { value: 2.0, times: 3 }));
    assert_eq!(sketch, before);
    for value in [-1.0, f64::NAN, f64::INFINITY, VALUE_MAX * 2.0] {
        assert!(matches!(sketch.add(value), Err(SketchError::OutOfRange(_))));
    }
    sketch.add(-0.0).unwrap();
    assert_eq!(sketch.value_at_rank(1), Some(0.0));
    assert_eq!(sketch.add_times(1.0, u64::MAX), Err(SketchError::Full));
}

#[test]
fn bytes_out_of_order_are_refused() {
    let read = |bytes: &[u8]| serde_json::from_value::<QuantileSketch>(serde_json::json!(bytes));
    assert!(read(&[1, 1, 1, 1]).is_ok());
    // A bucket twice, a count of 0, a number cut off, one too long, a bucket beyond the last.
    for bytes in
        [&[1u8, 1, 0, 1][..], &[1, 0], &[1], &[0x80; 12], &[0xff, 0xff, 0xff, 0xff, 0x0f, 1]]
    {
        assert!(read(bytes).is_err(), "{bytes:?}");
    }
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        0f64..100.0,
        (0u32..20).prop_map(f64::from),
        (-25f64..17.0).prop_map(|e| 10f64.powf(e))
    ];
    prop::collection::vec(value, 0..200)
}

proptest! {
    #[test]
    fn merging_is_adding_and_removing_is_its_reverse(a in values(), b in values()) {
        let (first, second) = (of(&a), of(&b));
        let mut merged = first.clone();
        merged.merge(&second).unwrap();
        let backwards: Vec<f64> = a.iter().chain(&b).rev().copied().collect();
        prop_assert_eq!(&merged, &of(&backwards));
        for value in &b {
            merged.remove(*value).unwrap();
        }
        prop_assert_eq!(&merged, &first);
    }

    #[test]
    fn what_is_read_again_is_the_same_to_the_bit(a in values()) {
        let sketch = of(&a);
        let text = serde_json::to_string(&sketch).unwrap();
        prop_assert_eq!(serde_json::from_str::<QuantileSketch>(&text).unwrap(), sketch);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(sketch) = serde_json::from_value::<QuantileSketch>(serde_json::json!(bytes)) {
            prop_assert_eq!(sketch.n(), sketch.counts.values().sum::<u64>());
            prop_assert!(sketch.n() == 0 || sketch.value_at_rank(sketch.n()).unwrap() <= VALUE_MAX);
        }
    }

    #[test]
    fn ranks_are_those_of_the_sorted_values(mut a in values()) {
        let sketch = of(&a);
        a.sort_by(f64::total_cmp);
        for (i, value) in a.iter().enumerate() {
            let kept = sketch.value_at_rank(i as u64 + 1).unwrap();
            prop_assert!((kept - value).abs() <= value / 2048.0 + VALUE_MIN, "{} {}", kept, value);
        }
        prop_assert_eq!(sketch.value_at_rank(a.len() as u64 + 1), None);
        prop_assert_eq!(sketch.value_at_rank(0), None);
    }

    #[test]
    fn a_quantile_lies_between_the_least_and_the_greatest(a in values(), p in 0f64..1.0) {
        let sketch = of(&a);
        if let Some(estimate) = quantile_estimate(&sketch, p) {
            prop_assert!(estimate.variance.is_finite() && estimate.variance >= 0.0);
            prop_assert!(estimate.value >= sketch.value_at_rank(1).unwrap());
            prop_assert!(estimate.value <= sketch.value_at_rank(sketch.n()).unwrap());
        }
    }
}
