//! The time-series engine through its public door, on a simulated disk.

mod support;

use support::disk::{Fault, SimDisk};
use support::engine::{Expected, everything, labels, open, read, read_all, series, write};
use vedette::model::{STALE_NAN, Timestamp};
use vedette::promql::Selection;
use vedette::tsdb::{Level, Retention};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// 2026-03-01T00:00:00Z.
const START: i64 = 1_772_323_200_000;

fn expected(samples: &[(vedette::model::Labels, i64, u64)]) -> Expected {
    let mut out = Expected::new();
    for (labels, at, bits) in samples {
        out.entry(labels.clone()).or_default().insert(*at, *bits);
    }
    out
}

fn regular(
    series_count: u64,
    from: i64,
    steps: i64,
    step: i64,
) -> Vec<(vedette::model::Labels, i64, u64)> {
    (0..steps)
        .flat_map(|i| {
            (0..series_count)
                .map(move |s| (series(s), from + i * step, ((i * 3 + s as i64) as f64).to_bits()))
        })
        .collect()
}

#[test]
fn samples_are_there_in_every_stage_of_their_life() {
    let disk = SimDisk::new();
    let tsdb = open(&disk).expect("opens");
    let samples = regular(30, START, 1000, 15_000);
    let all = expected(&samples);
    for chunk in samples.chunks(3000) {
        write(&tsdb, chunk).expect("writes");
    }
    assert!(read_all(&tsdb) == all, "from the head");
    assert_eq!(tsdb.flush(&|_| {}).expect("flushes"), 30_000);
    assert!(read_all(&tsdb) == all, "from a flushed segment");
    let now = Timestamp::from_millis(START + 5 * HOUR);
    assert!(tsdb.merge(now, &|_| {}).expect("merges"));
    assert!(tsdb.segments().iter().all(|segment| segment.level == Level::Hours));
    assert_eq!(tsdb.segments().len(), 3, "250 minutes touch three windows of two hours");
    assert!(read_all(&tsdb) == all, "from windows of two hours");
    let tomorrow = Timestamp::from_millis(START + DAY + 2 * HOUR);
    assert!(tsdb.merge(tomorrow, &|_| {}).expect("merges"));
    assert!(!tsdb.merge(tomorrow, &|_| {}).expect("looks"), "nothing is left to merge");
    assert_eq!(tsdb.segments().iter().map(|s| s.level).collect::<Vec<_>>(), [Level::Day]);
    assert!(read_all(&tsdb) == all, "from a day");
    drop(tsdb);
    assert!(read_all(&open(&disk).expect("opens again")) == all, "after a restart");
}

#[test]
fn a_restart_replays_the_journal_and_goes_on() {
    let disk = SimDisk::new();
    let mut samples = regular(5, START, 20, 1000);
    let tsdb = open(&disk).expect("opens");
    write(&tsdb, &samples).expect("writes");
    drop(tsdb);
    let more = regular(9, START + 20_000, 20, 1000);
    let tsdb = open(&disk).expect("opens again");
    write(&tsdb, &more).expect("writes");
    samples.extend(more);
    assert_eq!(read_all(&tsdb), expected(&samples));
    drop(tsdb);
    assert_eq!(read_all(&open(&disk).expect("opens a third time")), expected(&samples));
}

#[test]
fn a_commit_that_fails_at_any_point_leaves_its_group_whole_or_absent() {
    // Several parts of the journal, so that a wrong guess about the failed group leaves a gap or
    // a leftover part.
    let big = regular(7000, START, 3, 1000);
    let after = regular(3, START + 60_000, 2, 1000);
    let mut outcomes = [0, 0];
    for operation in 0..30 {
        let disk = SimDisk::new();
        let tsdb = open(&disk).expect("opens");
        let before = regular(2, START - 60_000, 2, 1000);
        write(&tsdb, &before).expect("writes");
        disk.fail_after(operation, Fault::Eio);
        let failed = write(&tsdb, &big).is_err();
        disk.heal();
        write(&tsdb, &after).expect("the same process writes on");
        let mut without = before.clone();
        without.extend(after.clone());
        let mut with = without.clone();
        with.extend(big.clone());
        let found = read_all(&tsdb);
        let is_there = found == expected(&with);
        assert!(is_there || (failed && found == expected(&without)), "operation {operation}");
        drop(tsdb);
        assert!(read_all(&open(&disk).expect("opens again")) == found, "operation {operation}");
        if failed {
            outcomes[usize::from(is_there)] += 1;
        }
    }
    assert!(outcomes[0] > 0 && outcomes[1] > 0, "absent and whole, times: {outcomes:?}");
}

#[test]
fn late_samples_find_their_place_and_the_last_write_of_a_time_wins() {
    let disk = SimDisk::new();
    let tsdb = open(&disk).expect("opens");
    let now = Timestamp::from_millis(START + 3 * DAY);
    let mut written = Vec::new();
    let mut put = |samples: Vec<(vedette::model::Labels, i64, u64)>| {
        write(&tsdb, &samples).expect("writes");
        written.extend(samples);
    };
    put(regular(4, START, 500, 60_000));
    tsdb.flush(&|_| {}).expect("flushes");
    while tsdb.merge(now, &|_| {}).expect("merges") {}
    // Over what is merged: the same times with other values, and times between.
    put(vec![
        (series(1), START + 60_000, 7.5f64.to_bits()),
        (series(1), START + 61_000, 8.5f64.to_bits()),
    ]);
    tsdb.flush(&|_| {}).expect("flushes");
    put(vec![
        (series(1), START + 60_000, 9.5f64.to_bits()),
        (series(2), START - DAY, 1f64.to_bits()),
    ]);
    let all = expected(&written);
    assert_eq!(read_all(&tsdb), all);
    tsdb.flush(&|_| {}).expect("flushes");
    assert_eq!(read_all(&tsdb), all);
    while tsdb.merge(now, &|_| {}).expect("merges") {}
    assert_eq!(read_all(&tsdb), all);
    assert_eq!(all[&series(1)][&(START + 60_000)], 9.5f64.to_bits());
}

#[test]
fn strange_values_keep_their_bits() {
    let disk = SimDisk::new();
    let tsdb = open(&disk).expect("opens");
    let bits = [
        STALE_NAN,
        f64::NAN.to_bits(),
        0xfff8_0000_0000_1234,
        f64::INFINITY.to_bits(),
        f64::NEG_INFINITY.to_bits(),
        (-0.0f64).to_bits(),
        0.1f64.to_bits(),
        f64::MIN_POSITIVE.to_bits(),
        1,
        f64::MAX.to_bits(),
    ];
    let samples: Vec<_> =
        bits.iter().enumerate().map(|(i, bits)| (series(0), i as i64 * 1000, *bits)).collect();
    write(&tsdb, &samples).expect("writes");
    assert_eq!(read_all(&tsdb), expected(&samples));
    tsdb.flush(&|_| {}).expect("flushes");
    while tsdb.merge(Timestamp::from_millis(START), &|_| {}).expect("merges") {}
    assert_eq!(read_all(&tsdb), expected(&samples));
}

#[test]
fn a_backfill_of_fifty_years_is_kept_and_found() {
    let disk = SimDisk::new();
    let tsdb = open(&disk).expect("opens");
    let step = 25 * DAY + 7 * HOUR;
    let samples: Vec<_> =
        (0..700).map(|i| (series(i as u64 % 3), i * step, (i as f64).to_bits())).collect();
    write(&tsdb, &samples).expect("writes");
    tsdb.flush(&|_| {}).expect("flushes");
    let now = Timestamp::from_millis(START);
    while tsdb.merge(now, &|_| {}).expect("merges") {}
    assert!(tsdb.segments().len() > 600, "a segment per day that has samples");
    assert_eq!(read_all(&tsdb), expected(&samples));
    let forever = Retention { raw_ms: 100 * 365 * DAY, rollup_ms: 0, bytes_max: None };
    let expired = tsdb.expire(now, &forever).expect("expires");
    assert_eq!((expired.segments, expired.series), (0, 0));
    let from = Timestamp::from_millis(100 * step);
    let selection = Selection { start: from, end: from, ..everything() };
    let found = read(&tsdb, &selection).expect("reads");
    assert_eq!(found.len(), 1);
    assert_eq!(found[&series(1)].keys().copied().collect::<Vec<_>>(), [100 * step]);
}

#[test]
fn a_day_past_its_retention_becomes_rollups_and_later_goes_with_its_series() {
    let disk = SimDisk::new();
    let tsdb = open(&disk).expect("opens");
    // A counter of 2 every 15 s, for a day; and one sample of another series much later.
    let day: Vec<_> =
        (0..5760).map(|i| (series(1), START + i * 15_000, (2.0 * i as f64).to_bits())).collect();
    write(&tsdb, &day).expect("writes");
    write(&tsdb, &[(series(2), START + 30 * DAY, 1f64.to_bits())]).expect("writes");
    tsdb.flush(&|_| {}).expect("flushes");
    let retention = Retention { raw_ms: 15 * DAY, rollup_ms: 60 * DAY, bytes_max: None };
    let now = Timestamp::from_millis(START + 31 * DAY);
    while tsdb.merge(now, &|_| {}).expect("merges") {}
    tsdb.expire(now, &retention).expect("expires");
    let found = read_all(&tsdb);
    assert_eq!(found[&series(2)].len(), 1, "young samples stay as they are");
    let rolled = &found[&series(1)];
    assert_eq!(rolled.len(), 288, "one figure per 5 minutes");
    // The last sample of the first bucket: the 20th, at 19 × 15 s, with the value 38.
    assert_eq!(rolled.first_key_value(), Some((&(START + 285_000), &38f64.to_bits())));

    let with = |function: &'static str| {
        let mut selection = everything();
        selection.hints.function = Some(function);
        selection.hints.range_ms = HOUR;
        read(&tsdb, &selection).expect("reads")[&series(1)].clone()
    };
    let first = |figures: &std::collections::BTreeMap<i64, u64>| {
        figures.first_key_value().map(|(_, bits)| f64::from_bits(*bits))
    };
    assert_eq!(first(&with("min_over_time")), Some(0.0));
    assert_eq!(first(&with("max_over_time")), Some(38.0));
    assert_eq!(first(&with("avg_over_time")), Some(19.0), "the mean of 0, 2, … 38");
    assert_eq!(first(&with("sum_over_time")), Some(380.0));
    assert_eq!(first(&with("increase")), Some(38.0), "the counter as it was");

    let later = Timestamp::from_millis(START + 62 * DAY);
    let expired = tsdb.expire(later, &retention).expect("expires");
    assert_eq!(expired.series, 1);
    assert_eq!(read_all(&tsdb).keys().cloned().collect::<Vec<_>>(), [series(2)]);
    drop(tsdb);
    let tsdb = open(&disk).expect("opens again");
    assert_eq!(tsdb.series_count(), 1);
    // Its id is not given out again, and the same labels may come back.
    write(&tsdb, &[(series(1), START + 62 * DAY, 5f64.to_bits())]).expect("writes");
    assert_eq!(read_all(&tsdb)[&series(1)].len(), 1);
}

#[test]
fn labels_are_listed_for_the_times_asked() {
    let disk = SimDisk::new();
    let tsdb = open(&disk).expect("opens");
    let old = labels(&[("__name__", "up"), ("job", "old")]);
    let new = labels(&[("__name__", "up"), ("job", "new"), ("zone", "a")]);
    write(&tsdb, &[(old.clone(), START, 1)]).expect("writes");
    tsdb.flush(&|_| {}).expect("flushes");
    write(&tsdb, &[(new.clone(), START + 5 * DAY, 1)]).expect("writes");
    let reader = tsdb.reader().expect("opens a view");
    let (from, until) = (START, START + 5 * DAY);
    assert_eq!(reader.label_values("job", &[], from, until).expect("lists"), ["new", "old"]);
    assert_eq!(reader.label_values("job", &[], from, from + 1).expect("lists"), ["old"]);
    assert_eq!(reader.label_names(&[], until, until).expect("lists"), ["__name__", "job", "zone"]);
    assert_eq!(reader.series(&[], from, until, 10).expect("lists"), [new, old]);
    assert_eq!(reader.series(&[], from, until, 1).expect("lists").len(), 1);
}
