//! What outcomes cost: groups of them go through the ledger into a file, as its thread hands them
//! over. Prints seconds of processor and of clock per 100,000, and how long it takes to look a
//! unit up. `cargo bench --bench outcomes`; see `docs/performance.md`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use vedette::engine::experiments::ledger::{Core, Request};
use vedette::experiments::InForce;
use vedette::model::{
    Epoch, ExperimentDefinition, ExperimentState, ExperimentStatus, Name, Outcome, Timestamp,
};
use vedette::store::{DiskMedium, Store, StoreOptions};
use vedette::tsdb::{Tsdb, TsdbOptions};

const OUTCOMES: u64 = 300_000;
const UNITS: u64 = 100_000;

/// Seconds of processor that this process has taken, of all its threads.
fn processor() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |place: usize| -> f64 {
        fields.get(place).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0)
    };
    // utime and stime, in hundredths of a second.
    (ticks(11) + ticks(12)) / 100.0
}

fn board() -> BTreeMap<Name, Arc<InForce>> {
    let definition: ExperimentDefinition = serde_json::from_value(json!({
        "name": "rank", "feature": "search",
        "variants": [
            {"name": "old", "traffic_weight": 1, "is_control": true},
            {"name": "new", "traffic_weight": 1},
        ],
        "metrics": [
            {"name": "success", "estimator": "proportion", "better": "higher"},
            {"name": "latency_ms", "estimator": "quantile", "quantile": 0.95, "better": "lower"},
            {"name": "cost", "better": "lower"},
        ],
    }))
    .expect("a definition");
    let epoch =
        Epoch { from: Timestamp::default(), weights: vec![1.0, 1.0], traffic_allocation: 100.0 };
    let state = ExperimentState {
        number: 1,
        status: ExperimentStatus::Running,
        epochs: vec![epoch],
        ..ExperimentState::default()
    };
    let in_force = InForce::new(&definition, state).expect("in force");
    BTreeMap::from([(Name::new("rank").expect("a name"), Arc::new(in_force))])
}

fn group(from: u64, size: u64) -> Vec<Outcome> {
    (from..from + size)
        .map(|n| {
            // Scattered, so that no block is nearer than another.
            let unit = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % UNITS;
            serde_json::from_value(json!({
                "id": format!("outcome-{n}"), "feature": "search", "provider": "acme",
                "model": format!("m{}", n % 4), "ok": n % 17 != 0,
                "latency_ms": 20.0 + (n % 1009) as f64 * 0.37, "cost": (n % 97) as f64 * 1.3e-4,
                "input_tokens": n % 800, "output_tokens": n % 300,
                "unit": format!("user-{unit}"), "experiment": "rank",
                "variant": if unit % 2 == 0 { "old" } else { "new" },
            }))
            .expect("an outcome")
        })
        .collect()
}

fn main() {
    for size in [100u64, 1_000, 10_000] {
        let folder = tempfile::tempdir().expect("a folder");
        let medium = DiskMedium::open(&folder.path().join("db")).expect("a folder");
        let store = Store::open(Arc::new(medium), StoreOptions::default(), &|_| {}).expect("opens");
        let (tsdb, _) =
            Tsdb::open(Arc::new(store), TsdbOptions::default(), &|_| {}).expect("opens");
        let tsdb = Arc::new(tsdb);
        let mut core = Core::open(Arc::clone(&tsdb), |_| Ok(())).expect("opens");
        let board = board();
        let total = if size == 100 { OUTCOMES / 10 } else { OUTCOMES };
        let (mut cpu, mut wall) = (0.0, 0.0);
        for from in (0..total).step_by(size as usize) {
            let request = Request::Outcomes { outcomes: group(from, size), key: None };
            let (before, begun) = (processor(), Instant::now());
            let now = Timestamp::from_millis(1_795_132_800_000 + from as i64);
            let reply = core.apply(now, &board, std::slice::from_ref(&request)).remove(0);
            while core.wants_flush() {
                core.flush_step().expect("flushes");
            }
            cpu += processor() - before;
            wall += begun.elapsed().as_secs_f64();
            assert!(matches!(reply, Ok(vedette::engine::experiments::ledger::Reply::Taken(taken))
                if taken.accepted == size));
        }
        core.flush().expect("flushes");
        let each = 100_000.0 / total as f64;
        println!(
            "groups of {size}: {:.2} s of processor, {:.2} s of clock per 100,000 outcomes",
            cpu * each,
            wall * each
        );
        let begun = Instant::now();
        let looked = 20_000;
        for n in 0..looked {
            let unit = (n * 7919) % UNITS;
            core.exposure(1, &format!("user-{unit}")).expect("readable");
        }
        let micros = begun.elapsed().as_secs_f64() * 1e6 / looked as f64;
        let bytes = tsdb.store().file_bytes().expect("readable");
        println!("  a look-up: {micros:.1} µs; the file: {bytes} bytes");
    }
}
