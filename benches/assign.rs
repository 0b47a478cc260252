//! How many assignments one core makes in a second: the target is 200,000.

#![allow(missing_docs, reason = "criterion's macro writes an undocumented function")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};
use std::hint::black_box;

use vedette::experiments::{InForce, assign, shares};
use vedette::model::{ExperimentDefinition, ExperimentState, ExperimentStatus, Timestamp};

/// Units of one round.
const UNITS: usize = 10_000;

fn running(more: Value) -> InForce {
    let mut whole = json!({
        "name": "one-page-checkout",
        "variants": [
            {"name": "control", "traffic_weight": 50, "is_control": true},
            {"name": "one-page", "traffic_weight": 30},
            {"name": "two-pages", "traffic_weight": 20},
        ],
        "metrics": [{"name": "converted", "estimator": "proportion", "better": "higher"}],
    });
    for (name, value) in more.as_object().expect("an object") {
        whole[name] = value.clone();
    }
    let definition: ExperimentDefinition = serde_json::from_value(whole).expect("a definition");
    let mut state = ExperimentState {
        number: 1,
        status: ExperimentStatus::Running,
        ..ExperimentState::default()
    };
    state.epochs.push(shares(&definition, &state).epoch(Timestamp::from_millis(0)));
    InForce::new(&definition, state).expect("compiles")
}

fn assignments(c: &mut Criterion) {
    let units: Vec<String> = (0..UNITS).map(|unit| format!("user-{unit:08}")).collect();
    let attributes = json!({"country": "NL", "age": 30, "email": "someone@example.org"});
    let plain = running(json!({}));
    let whole = running(json!({
        "traffic_allocation": 80,
        "namespace": {"name": "checkout", "from": 0.0, "to": 0.5},
        "hold_out": {"name": "everything", "percent": 5},
        "targeting": {"country": {"$in": ["NL", "BE"]}, "age": {"$gte": 18},
                      "email": {"$regex": "@example\\.org$"}},
    }));
    let mut group = c.benchmark_group("assign");
    group.throughput(Throughput::Elements(UNITS as u64));
    for (name, experiment) in [("plain", &plain), ("with all conditions", &whole)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                for unit in &units {
                    black_box(assign(experiment, black_box(unit), &attributes, None));
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, assignments);
criterion_main!(benches);
