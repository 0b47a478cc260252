//! What opens while somebody else's writes fail takes nothing for absent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use vedette::engine::watch::{Catalog, Defined};
use vedette::model::{ChannelDefinition, Origin, Timestamp};
use vedette::store::{DocumentKind, Store, StoreOptions, Table, Write};

use super::support::disk::{Fault, Random, SimDisk};

/// Enough for several pages.
const CHANNELS: usize = 300;
const OPENINGS: usize = 100;
/// In the course of one opening: fewer than what reads is run again.
const FAILURES: u64 = 4;

fn channel(number: usize) -> Defined<ChannelDefinition> {
    let definition = serde_json::json!({
        "name": format!("channel-{number}"),
        "kind": "webhook",
        "settings": {"url": format!("http://127.0.0.1:{number}/{}", "x".repeat(100))},
    });
    Defined {
        definition: serde_json::from_value(definition).expect("a channel"),
        origin: Origin::Api,
        created_at: Timestamp::from_millis(0),
        updated_at: Timestamp::from_millis(0),
    }
}

#[test]
fn all_definitions_are_found_while_writes_fail_beside_the_opening() {
    let disk = SimDisk::new();
    let store = Store::open(Arc::new(disk.clone()), StoreOptions::default(), &|_| {});
    let store = store.expect("opens");
    store
        .write(false, |txn| {
            (0..CHANNELS).try_for_each(|number| {
                let name = format!("channel-{number}");
                Write::document(Table::Watch, DocumentKind::Channel, &name, &channel(number))?
                    .apply(txn)
            })
        })
        .expect("written");

    let (over, allowed, failed) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Random(3);
            while !over.load(Ordering::Acquire) {
                if allowed.load(Ordering::Acquire) > 0 {
                    disk.fail_after(random.below(3), Fault::Eio);
                    if store.write(false, |txn| txn.insert(Table::Meta, b"a", &[1])).is_err() {
                        allowed.fetch_sub(1, Ordering::AcqRel);
                        failed.fetch_add(1, Ordering::AcqRel);
                    }
                    disk.heal();
                    store.reopen().expect("the disk works again");
                }
                std::thread::sleep(std::time::Duration::from_micros(random.below(3000)));
            }
        });
        for _ in 0..OPENINGS {
            allowed.store(FAILURES, Ordering::Release);
            let found = Catalog::open(&store).map(|catalog| catalog.channels.list().len());
            if !matches!(found, Ok(CHANNELS)) {
                over.store(true, Ordering::Release);
            }
            assert_eq!(found.expect("opens"), CHANNELS);
        }
        over.store(true, Ordering::Release);
    });
    assert!(failed.load(Ordering::Acquire) > 0, "no write failed beside the openings");
}
