//! The store on a disk that fails under many hands: its redb handle is replaced, and nobody
//! notices but who wrote.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use vedette::store::{Store, StoreError, StoreOptions, Table};

use super::support::disk::{Fault, Random, SimDisk};

fn open(disk: &SimDisk) -> Store {
    Store::open(Arc::new(disk.clone()), StoreOptions::default(), &|_| {}).expect("opens")
}

fn put(store: &Store, key: &[u8], value: u64) -> Result<(), StoreError> {
    store.write(false, |txn| txn.insert(Table::Meta, key, &value.to_be_bytes()))
}

fn get(store: &Store, key: &[u8]) -> Result<Option<u64>, StoreError> {
    let snapshot = store.read()?;
    let value = snapshot.get(Table::Meta, key)?;
    Ok(value.map(|v| u64::from_be_bytes(v.payload().try_into().expect("eight bytes"))))
}

#[test]
fn readers_go_on_after_a_failed_write_and_writers_once_somebody_has_looked() {
    let disk = SimDisk::new();
    let store = open(&disk);
    put(&store, b"a", 1).expect("written");
    disk.fail_after(0, Fault::Eio);
    assert!(matches!(put(&store, b"a", 2), Err(StoreError::Write(_))));
    assert_eq!(get(&store, b"a").expect("readable"), Some(1));
    assert!(store.has_failed());
    assert!(matches!(put(&store, b"a", 3), Err(StoreError::Failed)));
    store.reopen().expect("opens");
    put(&store, b"a", 4).expect("written");
    assert_eq!(get(&store, b"a").expect("readable"), Some(4));

    // While nothing works at all, that is said; afterwards it goes on.
    disk.fail_after(0, Fault::PowerCut);
    assert!(matches!(put(&store, b"a", 5), Err(StoreError::Write(_))));
    assert!(matches!(get(&store, b"a"), Err(StoreError::Failed)));
    assert!(store.reopen().is_err());
    disk.crash(&mut Random(1));
    store.reopen().expect("opens");
    assert_eq!(get(&store, b"a").expect("readable"), Some(4));
}

#[test]
fn a_refused_value_closes_nothing() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let refused = || StoreError::Encode("too wide".to_owned());
    let wrote: Result<(), _> = store.write(false, |txn| {
        txn.insert(Table::Meta, b"a", &[1])?;
        Err(refused())
    });
    assert_eq!(wrote.expect_err("refused").to_string(), refused().to_string());
    assert!(!store.has_failed());
    assert_eq!(get(&store, b"a").expect("readable"), None);
    put(&store, b"a", 1).expect("written");
}

/// Writers that fail, mend and write at once: a handle that were opened beside another's commit
/// would write over it.
#[test]
fn what_is_acknowledged_to_one_writer_is_not_undone_by_the_mending_of_another() {
    const WRITERS: u8 = 4;
    const ROUNDS: u64 = 400;
    let disk = SimDisk::new();
    let store = open(&disk);
    let over = AtomicBool::new(false);
    let acknowledged: BTreeMap<u8, u64> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let store = &store;
                scope.spawn(move || {
                    let mut last = 0;
                    for round in 1..=ROUNDS {
                        if put(store, &[b'w', writer], round).is_ok() {
                            last = round;
                        } else {
                            // Another's failure may be in between again: the next round tries anew.
                            let _ = store.reopen();
                            // Where opening has failed as well, nobody knows for now.
                            let Ok(known) = store.again(|| get(store, &[b'w', writer])) else {
                                continue;
                            };
                            let known = known.unwrap_or(0);
                            assert!(known >= last, "writer {writer} had {last}, and has {known}");
                            last = known;
                        }
                    }
                    (writer, last)
                })
            })
            .collect();
        let (store, over) = (&store, &over);
        let faults = scope.spawn(|| {
            let mut random = Random(7);
            while !over.load(Ordering::Acquire) {
                disk.fail_after(random.below(40), Fault::Eio);
                std::thread::sleep(std::time::Duration::from_micros(random.below(2000)));
            }
        });
        let reader = scope.spawn(move || {
            let (mut seen, mut reads) = (BTreeMap::new(), 0u64);
            while !over.load(Ordering::Acquire) {
                for writer in 0..WRITERS {
                    let Ok(now) = store.again(|| get(store, &[b'w', writer])) else { continue };
                    let now = now.unwrap_or(0);
                    reads += 1;
                    let before = seen.insert(writer, now).unwrap_or(0);
                    assert!(now >= before, "writer {writer} went back from {before} to {now}");
                }
            }
            assert!(reads > 0, "nothing was read");
        });
        let ended: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        over.store(true, Ordering::Release);
        faults.join().expect("ends");
        reader.join().expect("ends");
        ended.into_iter().map(|writer| writer.expect("ends")).collect()
    });
    disk.heal();
    drop(store);
    let store = open(&disk);
    for (writer, last) in acknowledged {
        let found = get(&store, &[b'w', writer]).expect("readable").unwrap_or(0);
        assert!(found >= last, "writer {writer} was told {last}, and the file says {found}");
    }
}
