//! Exemplars in the engine: durable with their group, bounded, and gone with the old samples.

mod support;

use std::sync::Arc;

use support::disk::{Fault, Random, SimDisk};
use support::engine::{labels, open, series};
use vedette::model::{Exemplar, Labels, Matcher, Timestamp};
use vedette::store::{Store, StoreOptions};
use vedette::tsdb::{Retention, Tsdb, TsdbError, TsdbOptions};

const DAY: i64 = 86_400_000;
/// 2026-03-01T00:00:00Z.
const START: i64 = 1_772_323_200_000;

fn exemplar(number: i64) -> Exemplar {
    let trace = format!("{number:032x}");
    Exemplar {
        labels: labels(&[("trace_id", &trace)]),
        value: number as f64,
        at: Timestamp::from_millis(START + number),
        timed: true,
    }
}

/// Writes a sample and an exemplar of each number, of one series.
fn write(tsdb: &Tsdb, series: &Labels, numbers: &[i64]) -> Result<(), TsdbError> {
    let mut builder = tsdb.batch();
    for number in numbers {
        let key = builder.series(series, None);
        builder.push(key, Timestamp::from_millis(START + number), *number as f64);
        builder.exemplar(key, exemplar(*number));
    }
    let batch = builder.finish();
    tsdb.write(&[batch])
}

fn read(tsdb: &Arc<Tsdb>, from: i64, until: i64) -> Vec<(Labels, Vec<Exemplar>)> {
    let lists = [vec![Matcher::equal("__name__", "m")]];
    let reader = tsdb.reader().expect("a view");
    reader.exemplars(&lists, START + from, START + until).expect("reads")
}

fn numbers(tsdb: &Arc<Tsdb>) -> Vec<i64> {
    let found = read(tsdb, -DAY, 100 * DAY);
    found.iter().flat_map(|(_, all)| all.iter().map(|one| one.value as i64)).collect()
}

#[test]
fn exemplars_come_back_after_a_restart_and_are_known_again() {
    let disk = SimDisk::new();
    let tsdb = open(&disk).expect("opens");
    write(&tsdb, &series(1), &[1, 2]).expect("written");
    write(&tsdb, &series(2), &[3]).expect("written");
    let all = vec![(series(1), vec![exemplar(1), exemplar(2)]), (series(2), vec![exemplar(3)])];
    assert_eq!(read(&tsdb, 0, 10), all);
    assert_eq!(read(&tsdb, 2, 2), [(series(1), vec![exemplar(2)])]);
    drop(tsdb);
    let tsdb = open(&disk).expect("opens");
    assert_eq!(read(&tsdb, 0, 10), all);
    write(&tsdb, &series(1), &[2, 1]).expect("written");
    assert_eq!(tsdb.exemplar_count(), 3, "they were known");
    write(&tsdb, &series(1), &[4]).expect("written");
    assert_eq!(tsdb.exemplar_count(), 4);
    tsdb.flush(&|_| {}).expect("flushes");
    assert_eq!(numbers(&tsdb), [1, 2, 4, 3], "a flush leaves them alone");
}

#[test]
fn the_oldest_make_room_also_over_restarts() {
    let disk = SimDisk::new();
    let reopen = || {
        let store = Store::open(Arc::new(disk.clone()), StoreOptions::default(), &|_| {});
        let options = TsdbOptions { exemplars_max: 3, ..TsdbOptions::default() };
        let (tsdb, _) =
            Tsdb::open(Arc::new(store.expect("opens")), options, &|_| {}).expect("opens");
        Arc::new(tsdb)
    };
    for number in 0..6 {
        write(&reopen(), &series(1), &[number]).expect("written");
    }
    let tsdb = reopen();
    assert_eq!((numbers(&tsdb), tsdb.exemplar_count()), (vec![3, 4, 5], 3));
}

#[test]
fn exemplars_go_with_the_raw_samples() {
    let disk = SimDisk::new();
    let tsdb = open(&disk).expect("opens");
    write(&tsdb, &series(1), &[0]).expect("written");
    write(&tsdb, &series(2), &[2 * DAY]).expect("written");
    let retention = Retention { raw_ms: DAY, rollup_ms: 0, bytes_max: None };
    let now = Timestamp::from_millis(START + DAY);
    tsdb.expire(now, &retention).expect("expires");
    assert_eq!(numbers(&tsdb), [0, 2 * DAY], "at the edge it is kept");
    tsdb.expire(now.plus_millis(1), &retention).expect("expires");
    assert_eq!(numbers(&tsdb), [2 * DAY]);
    drop(tsdb);
    assert_eq!(numbers(&open(&disk).expect("opens")), [2 * DAY]);
}

#[test]
fn exemplars_of_series_that_are_gone_are_not_found() {
    let disk = SimDisk::new();
    let tsdb = open(&disk).expect("opens");
    // The exemplar says a later time than the sample, and so outlives it in the table.
    let mut builder = tsdb.batch();
    let key = builder.series(&series(1), None);
    builder.push(key, Timestamp::from_millis(START), 1.0);
    builder.exemplar(key, exemplar(10 * DAY));
    let batch = builder.finish();
    tsdb.write(&[batch]).expect("written");
    tsdb.flush(&|_| {}).expect("flushes");
    let now = Timestamp::from_millis(START + 5 * DAY);
    let retention = Retention { raw_ms: DAY, rollup_ms: 0, bytes_max: None };
    let mut removed = 0;
    for _ in 0..3 {
        tsdb.merge(now, &|_| {}).expect("merges");
        removed += tsdb.expire(now, &retention).expect("expires").series;
    }
    assert_eq!(removed, 1);
    assert_eq!(numbers(&tsdb), Vec::<i64>::new());
}

#[test]
fn a_commit_that_fails_at_any_point_leaves_exemplars_with_their_samples_or_not_at_all() {
    let mut operation = 0;
    loop {
        let disk = SimDisk::new();
        let tsdb = open(&disk).expect("opens");
        write(&tsdb, &series(1), &[1]).expect("written");
        disk.fail_after(operation, Fault::Eio);
        let failed = write(&tsdb, &series(1), &[2, 3]).is_err();
        disk.heal();
        write(&tsdb, &series(1), &[4]).expect("written");
        let found = numbers(&tsdb);
        let samples = support::engine::read_all(&tsdb)[&series(1)].len();
        assert_eq!(found.len(), samples, "operation {operation}: {found:?}");
        assert!(found == [1, 4] && failed || found == [1, 2, 3, 4], "{operation}: {found:?}");
        assert_eq!(tsdb.exemplar_count(), found.len());
        drop(tsdb);
        assert_eq!(numbers(&open(&disk).expect("opens")), found, "operation {operation}");
        if !failed {
            return assert!(operation > 2, "no operation of the commit failed");
        }
        operation += 1;
    }
}

#[test]
fn acknowledged_exemplars_outlive_power_cuts() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let disk = SimDisk::new();
        let mut acknowledged = 0;
        let mut next = 1;
        for _ in 0..4 {
            disk.fail_after(20 + random.below(200), Fault::PowerCut);
            // Opening may be cut off as well.
            if let Ok(tsdb) = open_any(&disk) {
                while write(&tsdb, &series(1), &[next]).is_ok() {
                    acknowledged = next;
                    next += 1;
                }
            }
            disk.crash(&mut random);
            disk.heal();
            let found = numbers(&open(&disk).expect("opens"));
            let cut_off = acknowledged + 1;
            let all = |last: i64| (1..=last).collect::<Vec<_>>();
            assert!(found == all(acknowledged) || found == all(cut_off), "seed {seed}: {found:?}");
            acknowledged = found.len() as i64;
            next = acknowledged + 1;
        }
    }
}

/// Opens a store on a disk that may fail meanwhile.
fn open_any(disk: &SimDisk) -> Result<Tsdb, TsdbError> {
    let store = Store::open(Arc::new(disk.clone()), StoreOptions::default(), &|_| {})?;
    Ok(Tsdb::open(Arc::new(store), TsdbOptions::default(), &|_| {})?.0)
}
