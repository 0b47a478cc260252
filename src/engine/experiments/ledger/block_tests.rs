//! Blocks of units in the file: how much room they take, and what a salvage makes of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::tests::Bench;
use super::{Exposure, Request, block, inspect, keys};
use crate::store::Table;

/// Blocks as a salvage of a file would bring them back: all that were ever written, the newest of
/// each key.
#[test]
fn blocks_that_a_salvage_brings_back_are_sorted_out() {
    let mut bench = Bench::new();
    let mut ever: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let blocks = |bench: &Bench| -> BTreeMap<Vec<u8>, Vec<u8>> {
        let snapshot = bench.core.shared().store.read().expect("readable");
        let (from, until) = (keys::block(1, 0), keys::after_blocks(1));
        let table = snapshot.table(Table::Units).expect("opens");
        let all = table.range(&from, &until).expect("readable");
        all.map(|entry| {
            let entry = entry.expect("readable");
            let key = entry.key().to_vec();
            (key, entry.open().expect("intact").payload().to_vec())
        })
        .collect()
    };
    for flush in 0..6 {
        let entries: Vec<Value> = (0..900)
            .map(|n| {
                let unit = format!("u{}", n * (flush + 1));
                json!({"unit": unit, "variant": "new", "metric": "spent", "value": 0.1 + flush as f64})
            })
            .collect();
        bench.send(json!(entries));
        for n in 0..40 {
            let unit = format!("u{}", n * 7 + flush);
            bench.ask(Request::Forget { number: 1, unit });
        }
        bench.core.flush().expect("flushes");
        ever.extend(blocks(&bench));
    }
    let now = blocks(&bench);
    assert!(ever.len() > now.len() + 3, "{} of {}", now.len(), ever.len());
    let units = |blocks: &BTreeMap<Vec<u8>, Vec<u8>>| -> Vec<block::Row> {
        let rows = |payload: &Vec<u8>| {
            block::Block::open(payload).and_then(|block| block.rows()).expect("decodes")
        };
        blocks.values().flat_map(rows).collect()
    };
    let expected = units(&now);
    let store = Arc::clone(&bench.core.shared().store);
    store
        .write(false, |txn| {
            txn.insert(Table::Units, &keys::salvaged(), &[])?;
            ever.iter().try_for_each(|(key, payload)| txn.insert(Table::Units, key, payload))
        })
        .expect("writes");
    drop(store);
    let sums = bench.sums();
    let bench = bench.reopen();
    assert_eq!(units(&blocks(&bench)), expected);
    assert_eq!(bench.sums(), sums);
    for (hash, unit) in expected.iter().step_by(50) {
        let found = bench.core.shared().exposure((1, *hash)).expect("readable");
        assert_eq!(found, Some(unit.exposure()));
    }
}

/// Random hashes in random order over ten flushes, three metrics each, none of them short.
#[test]
fn units_take_little_room_and_are_found_again() {
    const UNITS: u64 = 100_000;
    let mut bench = Bench::new();
    let mut largest = 0;
    for flush in 0..10u64 {
        for group in 0..10u64 {
            let entries: Vec<Value> = (0..UNITS / 100)
                .flat_map(|i| {
                    let n = (flush * 10 + group) * (UNITS / 100) + i;
                    let unit = format!("user-{n}");
                    let variant = if n.is_multiple_of(2) { "old" } else { "new" };
                    let value = (n as f64).sqrt();
                    ["spent", "latency_ms"].map(|metric| {
                        json!({"unit": unit, "variant": variant, "metric": metric, "value": value})
                    })
                })
                .collect();
            bench.now = bench.now.plus_millis(977);
            assert!(bench.send(json!(entries)).refused.is_empty());
        }
        bench.core.flush().expect("flushes");
        let bytes = bench.core.shared().store.file_bytes().expect("readable");
        largest = largest.max(bytes);
    }
    let mut bytes = 0;
    let mut blocks = 0;
    {
        let snapshot = bench.core.shared().store.read().expect("readable");
        let table = snapshot.table(Table::Units).expect("opens");
        let (from, until) = (keys::block(1, 0), keys::after_blocks(1));
        for entry in table.range(&from, &until).expect("readable") {
            let entry = entry.expect("readable");
            bytes += entry.sealed_bytes();
            blocks += 1;
            let key = entry.key().to_vec();
            inspect(Table::Units, &key, entry.open().expect("intact").payload()).expect("decodes");
        }
    }
    println!("{blocks} blocks, {bytes} bytes, file at most {largest} bytes");
    // 64 MB for a million units of three metrics; here are two.
    assert!(blocks * 16_384 <= 56 * UNITS as usize, "{blocks} blocks of 16 KiB");
    assert!(bytes <= 40 * UNITS as usize, "{bytes} bytes");
    assert_eq!(bench.units(), [((0, 0), UNITS / 2), ((0, 1), UNITS / 2)]);
    let mut seen = 0;
    let see = |_, exposure: Exposure| seen += u64::from(exposure.variant < 2);
    bench.core.shared().scan(1, see).expect("readable");
    assert_eq!(seen, UNITS);
    for n in (0..UNITS).step_by(997) {
        let found = bench.core.exposure(1, &format!("user-{n}")).expect("readable");
        assert_eq!(found.map(|found| u64::from(found.variant)), Some(n % 2));
    }
}
