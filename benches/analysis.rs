//! How long the analysis of the largest experiment takes: 64 variants, 32 metrics, 4 epochs.
//! Prints milliseconds, judges nothing: `cargo bench --bench analysis`.

use std::hint::black_box;
use std::time::Instant;

use serde_json::{Value, json};
use vedette::experiments::{Progress, Sums, analyze, guard};
use vedette::model::{ExperimentDefinition, ExperimentState, Timestamp, UnitValue};

const VARIANTS: u16 = 64;
const METRICS: u16 = 32;
const EPOCHS: u16 = 4;
const RUNS: u32 = 20;

fn main() {
    let estimators = ["mean", "proportion", "ratio", "quantile"];
    let metrics: Vec<Value> = (0..usize::from(METRICS))
        .map(|place| {
            let estimator = estimators[place % 4];
            let mut metric = json!({
                "name": format!("m{place}"), "better": "lower", "estimator": estimator,
                "minimum_detectable_effect": 0.1,
            });
            if estimator == "quantile" {
                metric["quantile"] = json!(0.95);
            }
            if place % 8 == 7 {
                metric["role"] = json!("guardrail");
                metric["margin"] = json!(1.0);
            }
            metric
        })
        .collect();
    let variants: Vec<Value> = (0..VARIANTS)
        .map(|place| json!({"name": format!("v{place}"), "is_control": place == 0}))
        .collect();
    let definition = json!({"name": "largest", "variants": variants, "metrics": metrics});
    let weights = vec![1.0; usize::from(VARIANTS)];
    let epochs: Vec<Value> = (0..EPOCHS)
        .map(|place| json!({"from": place, "weights": weights, "traffic_allocation": 100.0}))
        .collect();
    let state = json!({"number": 1, "status": "running", "started_at": 0, "epochs": epochs});
    let definition: ExperimentDefinition = serde_json::from_value(definition).expect("valid");
    let state: ExperimentState = serde_json::from_value(state).expect("valid");

    let mut sums = Sums::default();
    let mut seed = 1u64;
    for epoch in 0..EPOCHS {
        for variant in 0..VARIANTS {
            sums.units.insert((epoch, variant), 500);
            for metric in 0..METRICS {
                let of = &definition.metrics[usize::from(metric)];
                let cell = sums.cell((epoch, variant, metric), of);
                for _ in 0..500 {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let random = (seed >> 11) as f64 / (1u64 << 53) as f64;
                    let value = if metric % 4 == 1 { random.round() } else { random * 100.0 };
                    let covariate = (metric % 8 == 0).then_some(random * 3.0 + 0.5);
                    let unit = UnitValue { value, denominator: 1.0 + random, covariate };
                    cell.add(&unit, 1).expect("a number");
                }
            }
        }
    }
    let progress = Progress::default();
    let now = Timestamp::from_millis(86_400_000);
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let from = Instant::now();
            black_box(analyze(&definition, &state, black_box(&sums), &progress, now));
            from.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let from = Instant::now();
    black_box(guard(&definition, &state, &sums, &progress));
    let guards = from.elapsed().as_secs_f64() * 1000.0;
    let bytes = serde_json::to_vec(&sums).map_or(0, |bytes| bytes.len());
    println!(
        "{VARIANTS} variants x {METRICS} metrics x {EPOCHS} epochs: analysis {:.1} ms (median of \
         {RUNS}), guardrails {guards:.1} ms, sums {} KiB as JSON",
        times[times.len() / 2],
        bytes / 1024
    );
}
