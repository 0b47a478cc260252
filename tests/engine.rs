//! The time-series engine through its public door, on a simulated disk.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use support::disk::{Fault, Random, SimDisk};
use support::engine::{
    Expected, everything, histogram, labels, marked, open, read, read_all, series, write,
};
use vedette::model::{BucketSpan, Buckets, HISTOGRAM_NAN, Histogram, Labels, STALE_NAN, Timestamp};
use vedette::promql::{Selection, Source as _};
use vedette::tsdb::{Level, Retention, Tsdb};

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
fn where_only_the_newest_sample_counts_it_is_that_of_a_whole_reading() {
    let disk = SimDisk::new();
    let tsdb = open(&disk).expect("opens");
    let at = |minute: i64| START + minute * 60_000;
    write(&tsdb, &regular(4, START, 60, 60_000)).expect("writes");
    tsdb.flush(&|_| {}).expect("flushes");
    // In memory: newer than all that is stored; late; both, out of order; nothing.
    let late = [(0, at(70)), (1, at(5) + 1), (2, at(80)), (2, at(30) + 1), (0, at(75))];
    let bits = |number: f64| number.to_bits();
    write(&tsdb, &late.map(|(id, at)| (series(id), at, bits(-1.0)))).expect("writes");
    for end in [0, 5, 6, 30, 31, 59, 60, 70, 74, 75, 80, 99].map(at) {
        for start in [Timestamp::MIN, Timestamp::from_millis(end - 300_000)] {
            let whole = Selection { start, end: Timestamp::from_millis(end + 2), ..everything() };
            let mut newest = whole.clone();
            newest.hints.newest = true;
            let last = |found: Expected| -> Vec<_> {
                let newest =
                    |(labels, mut found): (_, BTreeMap<i64, u64>)| (labels, found.pop_last());
                found.into_iter().map(newest).collect()
            };
            let [whole, newest] = [whole, newest].map(|s| last(read(&tsdb, &s).expect("reads")));
            assert_eq!(newest, whole, "until {end}");
        }
    }
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

const RETENTION: Retention = Retention { raw_ms: 15 * DAY, rollup_ms: 60 * DAY, bytes_max: None };

/// Writes a day and a lone sample of another series a month later, and lets the raw samples of
/// the day expire.
fn outlive_raw(tsdb: &Tsdb, day: &[(Labels, i64, u64)]) {
    write(tsdb, day).expect("writes");
    write(tsdb, &[(series(2), START + 30 * DAY, 1f64.to_bits())]).expect("writes");
    tsdb.flush(&|_| {}).expect("flushes");
    let now = Timestamp::from_millis(START + 31 * DAY);
    while tsdb.merge(now, &|_| {}).expect("merges") {}
    tsdb.expire(now, &RETENTION).expect("expires");
}

#[test]
fn a_day_past_its_retention_becomes_rollups_and_later_goes_with_its_series() {
    let disk = SimDisk::new();
    let tsdb = open(&disk).expect("opens");
    // A counter of 2 every 15 s, for a day; and one sample of another series much later.
    let day: Vec<_> =
        (0..5760).map(|i| (series(1), START + i * 15_000, (2.0 * i as f64).to_bits())).collect();
    outlive_raw(&tsdb, &day);
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
    let expired = tsdb.expire(later, &RETENTION).expect("expires");
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
fn histograms_are_there_in_every_stage_of_their_life() {
    let disk = SimDisk::new();
    let mut tsdb = open(&disk).expect("opens");
    // Series of histograms, of numbers, and one that changes between them.
    let samples: Vec<_> = (0..900u64)
        .flat_map(|i| {
            let at = START + i as i64 * 15_000;
            let changing = if i % 100 < 50 { marked(i) } else { (i as f64).to_bits() };
            [
                (series(0), at, marked(i)),
                (series(1), at, (i as f64).to_bits()),
                (series(2), at, changing),
                (series(3), at, marked(i * 31)),
            ]
        })
        .collect();
    let all = expected(&samples);
    for (place, chunk) in samples.chunks(500).enumerate() {
        write(&tsdb, chunk).expect("writes");
        if place == 3 {
            drop(tsdb);
            tsdb = open(&disk).expect("replays");
        }
    }
    assert!(read_all(&tsdb) == all, "from the head");
    tsdb.flush(&|_| {}).expect("flushes");
    assert!(read_all(&tsdb) == all, "from a flushed segment");
    let tomorrow = Timestamp::from_millis(START + DAY + 2 * HOUR);
    while tsdb.merge(tomorrow, &|_| {}).expect("merges") {}
    assert_eq!(tsdb.segments().iter().map(|s| s.level).collect::<Vec<_>>(), [Level::Day]);
    assert!(read_all(&tsdb) == all, "from a day");
    drop(tsdb);
    let tsdb = open(&disk).expect("opens again");
    assert!(read_all(&tsdb) == all, "after a restart");
    let (from, until) = (START + 100 * 15_000, START + 120 * 15_000);
    let (start, end) = (Timestamp::from_millis(from), Timestamp::from_millis(until));
    let part = read(&tsdb, &Selection { start, end, ..everything() }).expect("reads");
    for (labels, samples) in &part {
        let expected: Vec<_> = all[labels].range(from..=until).collect();
        assert_eq!(samples.iter().collect::<Vec<_>>(), expected, "{labels}");
    }
}

#[test]
fn of_a_number_and_a_histogram_at_one_time_the_last_wins() {
    let disk = SimDisk::new();
    let tsdb = open(&disk).expect("opens");
    let number = 1.5f64.to_bits();
    let rounds = [
        vec![(series(0), START, marked(1)), (series(1), START, number)],
        vec![(series(0), START, number), (series(1), START, marked(2))],
        vec![(series(0), START, marked(3)), (series(1), START, number)],
    ];
    let mut all = Expected::new();
    for (place, round) in rounds.iter().enumerate() {
        write(&tsdb, round).expect("writes");
        all.extend(expected(round));
        assert_eq!(read_all(&tsdb), all, "round {place}");
        if place == 1 {
            tsdb.flush(&|_| {}).expect("flushes");
            assert_eq!(read_all(&tsdb), all, "after a flush");
        }
    }
    // Late ones, between others.
    let late = [(series(0), START - 5000, marked(9)), (series(0), START - 6000, number)];
    write(&tsdb, &late).expect("writes");
    all.entry(series(0)).or_default().extend(late.map(|(_, at, bits)| (at, bits)));
    tsdb.flush(&|_| {}).expect("flushes");
    let now = Timestamp::from_millis(START + 9 * HOUR);
    while tsdb.merge(now, &|_| {}).expect("merges") {}
    assert_eq!(read_all(&tsdb), all);
}

#[test]
fn a_number_with_the_bits_of_the_mark_is_stored_as_a_plain_nan() {
    let disk = SimDisk::new();
    let tsdb = open(&disk).expect("opens");
    write(&tsdb, &[(series(0), START, HISTOGRAM_NAN), (series(0), START + 1, marked(4))])
        .expect("writes");
    let plain =
        expected(&[(series(0), START, f64::NAN.to_bits()), (series(0), START + 1, marked(4))]);
    assert_eq!(read_all(&tsdb), plain);
    drop(tsdb);
    assert_eq!(read_all(&open(&disk).expect("opens again")), plain);
}

#[test]
fn histograms_larger_than_a_part_of_the_journal_are_kept() {
    let disk = SimDisk::new();
    let tsdb = open(&disk).expect("opens");
    let wide = |seed: u64| {
        let counts: Vec<f64> = (0..16_384u64).map(|i| ((i * seed) % 1009) as f64 + 0.1).collect();
        let length = counts.len() as u32;
        let positive = Buckets { spans: vec![BucketSpan { offset: 0, length }], counts };
        Arc::new(Histogram { positive, ..histogram(0) })
    };
    let mut builder = tsdb.batch();
    for seed in 0..5 {
        let id = builder.series(&series(1), None);
        builder.push_histogram(id, Timestamp::from_millis(START + seed as i64), wide(seed));
        builder.push_labels(&series(2), Timestamp::from_millis(START + seed as i64), 1.0);
    }
    let batch = builder.finish();
    tsdb.write(&[batch]).expect("writes");
    let check = |tsdb: &Arc<vedette::tsdb::Tsdb>, stage: &str| {
        let reader = tsdb.reader().expect("opens a view");
        let mut cursor = reader.select(&everything()).expect("selects");
        let mut samples = vedette::promql::Samples::default();
        cursor.next(&mut samples).expect("reads").expect("a series");
        assert_eq!(samples.len(), 5, "{stage}");
        for seed in 0..5 {
            assert_eq!(samples.histogram(seed), Some(&wide(seed as u64)), "{stage}");
        }
    };
    check(&tsdb, "from the head");
    drop(tsdb);
    let tsdb = open(&disk).expect("opens again");
    check(&tsdb, "from the journal");
    tsdb.flush(&|_| {}).expect("flushes");
    check(&tsdb, "from a segment");
}

#[test]
fn of_histograms_past_their_retention_the_last_of_each_five_minutes_stays() {
    let disk = SimDisk::new();
    let tsdb = open(&disk).expect("opens");
    // Numbers whose histograms say nothing of resets (0 to 6 do).
    let day: Vec<_> = (0..5760u64)
        .map(|i| (series(1), START + i as i64 * 15_000, marked(i / 7 * 21 + i % 7)))
        .collect();
    outlive_raw(&tsdb, &day);
    let last = expected(&day)[&series(1)]
        .iter()
        .filter(|(at, _)| (*at - START) / 15_000 % 20 == 19)
        .map(|(at, bits)| (*at, *bits))
        .collect();
    for function in [None, Some("rate"), Some("sum_over_time"), Some("avg_over_time")] {
        let mut selection = everything();
        selection.hints.function = function;
        selection.hints.range_ms = HOUR;
        let found = read(&tsdb, &selection).expect("reads");
        assert_eq!(found[&series(1)], last, "{function:?}");
    }
    drop(tsdb);
    assert_eq!(read_all(&open(&disk).expect("opens again"))[&series(1)], last);
}

/// Requests whose durations fall into 30 buckets, most into the middle ones, seen every 15 s for
/// a day: once as native histograms, once as what classic histograms make of them.
#[test]
fn a_native_histogram_takes_less_room_than_classic_buckets() {
    const BUCKETS: u64 = 30;
    const STEPS: u64 = 5760;
    let mut random = Random(7);
    let mut sizes = [0, 0];
    for (kind, size) in sizes.iter_mut().enumerate() {
        let disk = SimDisk::new();
        let tsdb = open(&disk).expect("opens");
        for name in 0..4u64 {
            let mut builder = tsdb.batch();
            let (mut counts, mut sum) = ([0.0; BUCKETS as usize], 0.0);
            for step in 0..STEPS {
                for _ in 0..random.below(60) {
                    // The sum of five dice: most often in the middle.
                    let bucket: u64 = (0..5).map(|_| random.below(BUCKETS / 5 + 1)).sum();
                    let bucket = bucket.min(BUCKETS - 1);
                    counts[bucket as usize] += 1.0;
                    sum += 0.001 * 2f64.powf(bucket as f64 / 8.0) * (1.0 + 1e-4 * step as f64);
                }
                let at = Timestamp::from_millis(START + step as i64 * 15_000);
                let total: f64 = counts.iter().sum();
                if kind == 0 {
                    let spans = vec![BucketSpan { offset: -80, length: BUCKETS as u32 }];
                    let positive = Buckets { spans, counts: counts.to_vec() };
                    let native =
                        Histogram { schema: 3, count: total, sum, positive, ..histogram(0) };
                    let id = builder.series(&series(name), None);
                    builder.push_histogram(id, at, Arc::new(native));
                } else {
                    let mut below = 0.0;
                    for (bucket, count) in counts.iter().chain([&0.0]).enumerate() {
                        below += count;
                        let id = series(name * 100 + bucket as u64);
                        builder.push_labels(&id, at, below);
                    }
                    builder.push_labels(&series(name * 100 + 98), at, total);
                    builder.push_labels(&series(name * 100 + 99), at, sum);
                }
            }
            tsdb.write(&[builder.finish()]).expect("writes");
        }
        tsdb.flush(&|_| {}).expect("flushes");
        let now = Timestamp::from_millis(START + 2 * DAY);
        while tsdb.merge(now, &|_| {}).expect("merges") {}
        *size = tsdb.segments().iter().map(|segment| segment.bytes).sum::<u64>();
        println!("{kind}: {:.2} bytes a histogram", *size as f64 / (4 * STEPS) as f64);
    }
    let [native, classic] = sizes;
    assert!(native * 10 < classic * 9, "{native} and {classic} bytes");
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
