//! On a store in a folder of its own; times are counted from 20 November 2026.

use std::sync::Arc;

use super::keys::{DAY_MS, HOUR_MS};
use super::*;
use crate::checks::{Span, UnknownReason};
use crate::model::{CheckStatus, Phases};
use crate::store::{DiskMedium, StoreOptions, Write};

const START: i64 = 1_795_132_800_000;

fn ms(offset: i64) -> Timestamp {
    Timestamp::from_millis(START + offset)
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

struct Bench {
    store: Store,
    history: History,
    folder: tempfile::TempDir,
}

fn open(folder: &tempfile::TempDir) -> Store {
    let medium = DiskMedium::open(&folder.path().join("db")).expect("a folder");
    Store::open(Arc::new(medium), StoreOptions::default(), &|_| {}).expect("opens")
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(&folder);
        let history = History::open(&store).expect("opens");
        Bench { store, history, folder }
    }

    /// As after a crash: nothing but the file is left.
    fn reopen(self) -> Bench {
        let Bench { store, history, folder } = self;
        drop((store, history));
        let store = open(&folder);
        let history = History::open(&store).expect("opens");
        Bench { store, history, folder }
    }

    fn commit(&self, writes: &[Write]) {
        self.store
            .write(false, |txn| {
                writes.iter().try_for_each(|write| match write {
                    Write::Put { table, key, payload } => txn.insert(*table, key, payload),
                    Write::Remove { table, key } => txn.remove(*table, key).map(|_| ()),
                })
            })
            .expect("commits");
    }

    fn record(&self, results: &[CheckResult]) {
        self.commit(&[self.history.record(results)]);
    }

    fn change(&self, check: &str, from: CheckStatus, to: CheckStatus, at: Timestamp) {
        let transition = Transition {
            from,
            to,
            at,
            decided_at: at,
            flapping: false,
            reason: (to == CheckStatus::Unknown).then_some(UnknownReason::Downtime),
        };
        self.commit(&[self.history.record_transition(&name(check), &transition)]);
    }

    fn pack(&self) {
        while self.history.pack(&self.store).expect("packs") {}
    }

    fn page(&self, check: &str, from: i64, until: i64, limit: usize) -> ResultPage {
        let snapshot = self.store.read().expect("reads");
        results(&snapshot, &name(check), ms(from), ms(until), limit).expect("reads")
    }

    /// All that is kept of a check, oldest first, read in pages.
    fn all(&self, check: &str, limit: usize) -> Vec<CheckResult> {
        let mut out = Vec::new();
        let mut until = ms(1000 * DAY_MS);
        loop {
            let page = self.page(check, -1000 * DAY_MS, until.millis() - START, limit);
            out.extend(page.results);
            match page.next_until {
                Some(next) => until = next,
                None => break,
            }
        }
        out.reverse();
        out
    }

    fn rollups(&self, check: &str, step: RollupStep) -> Vec<Rollup> {
        let snapshot = self.store.read().expect("reads");
        rollups(&snapshot, &name(check), step, ms(-DAY_MS), ms(40 * DAY_MS)).expect("reads")
    }

    fn bytes_of(&self, area: Area) -> u64 {
        let snapshot = self.store.read().expect("reads");
        let table = snapshot.table(Table::Checks).expect("a table");
        let entries = table.all().expect("reads").map(|entry| entry.expect("reads"));
        let mine = entries.filter(|entry| keys::area_of(entry.key()) == Some(area));
        mine.map(|entry| (entry.key().len() + entry.sealed_bytes()) as u64).sum()
    }

    fn verify(&self) {
        let snapshot = self.store.read().expect("reads");
        for entry in snapshot.table(Table::Checks).expect("a table").all().expect("reads") {
            let entry = entry.expect("reads");
            let key = entry.key().to_vec();
            inspect(&key, entry.open().expect("intact").payload()).expect("decodes");
        }
    }
}

fn result(check: &str, at: i64, total_us: u64) -> CheckResult {
    CheckResult {
        check: name(check),
        at: ms(at),
        status: CheckStatus::Healthy,
        phases: Phases { total_us, ..Phases::default() },
        failed_condition: None,
        error: None,
        metadata: serde_json::Map::new(),
    }
}

fn failure(check: &str, at: i64) -> CheckResult {
    CheckResult {
        status: CheckStatus::Unhealthy,
        failed_condition: Some("[STATUS] (503) == 200".to_owned()),
        error: Some("the server said no".to_owned()),
        ..result(check, at, 900)
    }
}

/// Numbers that look random and are the same every time (an LCG; Knuth's constants).
struct Noise(u64);

impl Noise {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[test]
fn results_are_read_the_same_before_and_after_packing_and_a_restart() {
    let bench = Bench::new();
    let mut expected = Vec::new();
    for n in 0..40i64 {
        let at = n * 3 * HOUR_MS;
        let one = if n % 7 == 3 { failure("a", at) } else { result("a", at, 230 + n as u64) };
        bench.record(&[one.clone(), result("b", at, 5)]);
        expected.push(one);
        if n % 9 == 5 {
            bench.pack();
        }
    }
    assert_eq!(bench.all("a", 1000), expected);
    assert_eq!(bench.all("a", 3), expected);
    let bench = bench.reopen();
    assert_eq!(bench.all("a", 1000), expected);
    bench.pack();
    assert_eq!(bench.bytes_of(Area::Rows), 0);
    assert_eq!(bench.all("a", 7), expected);
    assert_eq!(bench.all("b", 1000).len(), 40);
    assert_eq!(bench.all("c", 1000), []);
    bench.verify();
    // A row that comes after a restart does not take the place of another.
    let bench = bench.reopen();
    bench.record(&[result("a", 500 * HOUR_MS, 1)]);
    bench.record(&[result("a", 501 * HOUR_MS, 1)]);
    assert_eq!(bench.all("a", 1000).len(), 42);
}

#[test]
fn a_range_has_its_start_and_not_its_end_and_pages_do_not_overlap() {
    let bench = Bench::new();
    for n in 0..10 {
        bench.record(&[result("a", n * 1000, 1)]);
        if n == 4 {
            bench.pack();
        }
    }
    let times = |page: &ResultPage| -> Vec<i64> {
        page.results.iter().map(|r| (r.at.millis() - START) / 1000).collect()
    };
    let page = bench.page("a", 2000, 8000, 4);
    assert_eq!((times(&page), page.next_until), (vec![7, 6, 5, 4], Some(ms(4000))));
    let page = bench.page("a", 2000, 4000, 4);
    assert_eq!((times(&page), page.next_until), (vec![3, 2], None));
    assert!(bench.page("a", 8000, 2000, 4).results.is_empty());
    let snapshot = bench.store.read().expect("reads");
    let last = last_result(&snapshot, &name("a")).expect("reads");
    assert_eq!(last.map(|result| result.at), Some(ms(9000)));
    // Results of one time are not torn apart.
    bench.record(&[result("a", 9000, 2), result("a", 9000, 3)]);
    assert_eq!(bench.page("a", 0, 10_000, 1).results.len(), 3);
}

#[test]
fn a_clock_that_was_set_back_loses_nothing() {
    let bench = Bench::new();
    let mut times = Vec::new();
    for (from, count) in [(0, 1200), (300_000, 700), (100_000, 700), (0, 3)] {
        for n in 0..count {
            times.push(from + n * 1000);
        }
        let batch: Vec<_> =
            times[times.len() - count as usize..].iter().map(|at| result("a", *at, 1)).collect();
        bench.record(&batch);
        bench.pack();
    }
    times.sort_unstable();
    let found: Vec<i64> = bench.all("a", 100).iter().map(|r| r.at.millis() - START).collect();
    assert_eq!(found, times);
    bench.verify();
}

#[test]
fn more_than_fits_into_a_chunk_is_packed_at_once_and_bit_by_bit() {
    let bench = Bench::new();
    let batch: Vec<_> = (0..2000).map(|n| result("a", n * 1000, 1)).collect();
    bench.record(&batch[..700]);
    bench.pack();
    bench.record(&batch[700..]);
    bench.pack();
    assert_eq!(bench.all("a", 10_000), batch);
    for n in 2000..2700 {
        bench.record(&[result("a", n * 1000, 1)]);
        if n % 50 == 0 {
            bench.pack();
        }
    }
    bench.pack();
    assert_eq!(bench.all("a", 10_000).len(), 2700);
    assert_eq!(bench.all("a", 333).len(), 2700);
}

#[test]
fn an_ordinary_result_takes_eight_bytes_at_most() {
    let bench = Bench::new();
    let mut noise = Noise(7);
    let mut at = 0;
    for batch in 0..96i64 {
        let results: Vec<_> = (0..90)
            .map(|_| {
                // A check of a site across the continent, every 10 s; the start wavers by a few
                // milliseconds, each phase by a tenth, and now and then one takes three times as
                // long.
                at += 9_998 + noise.below(5) as i64;
                let mut phase = |typical: u64| {
                    let wavers = typical * 9 / 10 + noise.below(typical / 5);
                    if noise.below(50) == 0 { wavers * 3 } else { wavers }
                };
                let (connect, tls, first) = (phase(11_000), phase(24_000), phase(38_000));
                let metadata = serde_json::json!({"status": 200, "ip": "192.0.2.7"});
                CheckResult {
                    phases: Phases {
                        dns_us: Some(phase(1_200)),
                        connect_us: Some(connect),
                        tls_us: Some(tls),
                        first_byte_us: Some(first),
                        total_us: connect + tls + first + 1_500,
                    },
                    metadata: metadata.as_object().cloned().unwrap_or_default(),
                    ..result("a", at, 0)
                }
            })
            .collect();
        bench.record(&results);
        if batch % 3 == 2 {
            bench.pack();
        }
    }
    let per_result = bench.bytes_of(Area::Chunks) as f64 / (96.0 * 90.0);
    println!("{per_result:.2} bytes a result, keys and seals included");
    let rollups = bench.bytes_of(Area::Hours) as f64 / 24.0;
    println!("{rollups:.0} bytes an hourly rollup");
    assert!(per_result <= 8.0, "{per_result} bytes");
}

#[test]
fn what_explains_results_is_bounded_and_large_explanations_close_a_chunk() {
    let bench = Bench::new();
    let mut large = failure("a", 0);
    large.error = Some("x".repeat(100_000));
    large.metadata.insert("body".to_owned(), "y".repeat(100_000).into());
    bench.record(&[large]);
    bench.pack();
    let kept = bench.all("a", 10).remove(0);
    assert_eq!(kept.error.map(|error| error.len()), Some(2_000));
    assert_eq!(kept.metadata.get("truncated"), Some(&true.into()));
    let mut noise = Noise(1);
    for n in 1..200 {
        let mut one = failure("b", n * 1000);
        let text: String = (0..1_500).map(|_| char::from(b'a' + noise.below(26) as u8)).collect();
        one.error = Some(text);
        bench.record(&[one]);
    }
    bench.pack();
    assert_eq!(bench.all("b", 1000).len(), 199);
    let snapshot = bench.store.read().expect("reads");
    let table = snapshot.table(Table::Checks).expect("a table");
    for entry in table.all().expect("reads") {
        assert!(entry.expect("reads").sealed_bytes() < 128 << 10);
    }
}

#[test]
fn changes_are_kept_in_order_and_say_how_a_check_was_at_any_time() {
    use CheckStatus::{Healthy, Unhealthy, Unknown};
    let bench = Bench::new();
    bench.change("a", Unknown, Healthy, ms(1000));
    bench.change("a", Healthy, Unhealthy, ms(5000));
    bench.change("a", Unhealthy, Unknown, ms(6000));
    bench.change("a", Unknown, Healthy, ms(8000));
    // A name that another begins with.
    bench.change("aa", Unknown, Unhealthy, ms(0));
    bench.change("a-", Unknown, Unhealthy, ms(0));
    let bench = bench.reopen();
    let snapshot = bench.store.read().expect("reads");
    let at = |offset| status_at(&snapshot, &name("a"), ms(offset)).expect("reads");
    let found = [at(0), at(999), at(1000), at(4999), at(5000), at(6000), at(99_999)];
    assert_eq!(found, [Unknown, Unknown, Healthy, Healthy, Unhealthy, Unknown, Healthy]);
    let changes = transitions(&snapshot, &name("a"), ms(1000), ms(8000)).expect("reads");
    assert_eq!(changes.iter().map(|c| c.to).collect::<Vec<_>>(), [Healthy, Unhealthy, Unknown]);
    assert_eq!(transitions(&snapshot, &name("a"), ms(8), ms(7)).expect("reads"), []);
    // Up 1–5 and 8–10, down 5–6, unknown 0–1 and 6–8, of which 9–10 is maintenance.
    let window = Span { from: ms(0), until: ms(10_000) };
    let work = [Span { from: ms(9_000), until: ms(20_000) }];
    let found = uptime_of(&snapshot, &name("a"), window, &work).expect("reads");
    assert_eq!((found.healthy_ms, found.unhealthy_ms), (5_000, 1_000));
    assert_eq!((found.unknown_ms, found.maintenance_ms), (3_000, 1_000));
    assert_eq!(found.ratio(), Some(5.0 / 6.0));
    bench.verify();
}

#[test]
fn rollups_count_everything_once_packed_or_not_and_add_up() {
    let bench = Bench::new();
    for n in 0..100u64 {
        // 1 to 100 ms, one in every ten a failure, over five hours.
        let at = n as i64 * 180_000;
        let one = if n % 10 == 9 { failure("a", at) } else { result("a", at, (n + 1) * 1000) };
        bench.record(&[one]);
        if n == 33 || n == 70 {
            bench.pack();
        }
    }
    for packed in [false, true] {
        if packed {
            bench.pack();
        }
        let hours = bench.rollups("a", RollupStep::Hour);
        assert_eq!(hours.len(), 5);
        assert!(hours.iter().all(|hour| (hour.healthy, hour.unhealthy) == (18, 2)));
        assert_eq!(hours[2].at, ms(2 * HOUR_MS));
        let days = bench.rollups("a", RollupStep::Day);
        assert_eq!(days.len(), 1);
        let mut sum = Rollup::new(ms(0));
        hours.iter().for_each(|hour| sum.merge(hour));
        for whole in [&days[0], &sum] {
            assert_eq!((whole.healthy, whole.unhealthy, whole.degraded), (90, 10, 0));
            let latency = whole.latency().expect("there is some");
            assert_eq!(latency.count, 90);
            // Of 1..=100 without every tenth: the 45th is 49, the 81st 89, the 86th 95, the 90th
            // 99; the mean is 4500 / 90.
            assert!((latency.mean_us - 50_000.0).abs() < 600.0, "{latency:?}");
            for (found, expected) in [
                (latency.p50_us, 49_000.0),
                (latency.p90_us, 89_000.0),
                (latency.p95_us, 95_000.0),
                (latency.max_us, 99_000.0),
                (latency.min_us, 1_000.0),
            ] {
                let off = found as f64 / expected - 1.0;
                assert!(off.abs() <= 0.01, "{found} for {expected}");
            }
        }
    }
}

#[test]
fn what_is_too_old_goes_and_the_rest_stays() {
    use CheckStatus::{Healthy, Unhealthy, Unknown};
    let bench = Bench::new();
    for day in 0..60 {
        for check in ["a", "b"] {
            bench.record(&[result(check, day * DAY_MS, 1), result(check, day * DAY_MS + 1, 1)]);
        }
    }
    bench.pack();
    let (mut from, mut to) = (Unknown, Healthy);
    for month in 0..20 {
        bench.change("a", from, to, ms(month * 31 * DAY_MS));
        (from, to) = (to, if to == Healthy { Unhealthy } else { Healthy });
    }
    bench.change("b", Unknown, Healthy, ms(0));
    let expire = |now| while bench.history.expire(&bench.store, now).expect("expires") {};
    expire(ms(59 * DAY_MS));
    // Days 29 to 59 are younger than 30 days; a chunk goes when all of its day may.
    let kept = bench.all("a", 1000);
    assert_eq!(kept.first().map(|result| result.at), Some(ms(28 * DAY_MS)));
    assert_eq!(bench.rollups("a", RollupStep::Hour).first().map(|r| r.at), Some(ms(29 * DAY_MS)));
    // All of the forty days that are asked for.
    assert_eq!(bench.rollups("b", RollupStep::Day).len(), 40);
    // 20 months on: changes from before the last 13 go, but for the last of them.
    expire(ms(20 * 31 * DAY_MS + 1));
    let snapshot = bench.store.read().expect("reads");
    let changes = transitions(&snapshot, &name("a"), ms(0), ms(700 * DAY_MS)).expect("reads");
    assert_eq!(changes.first().map(|change| change.at), Some(ms(7 * 31 * DAY_MS)));
    assert_eq!(changes.len(), 13);
    let still = status_at(&snapshot, &name("b"), ms(600 * DAY_MS)).expect("reads");
    assert_eq!(still, Healthy);
    assert_eq!(bench.all("a", 1000), []);
    assert!(!bench.history.expire(&bench.store, ms(20 * 31 * DAY_MS + 1)).expect("expires"));
}

#[test]
fn damage_is_found_and_does_not_stop_others() {
    let bench = Bench::new();
    bench.record(&[result("a", 0, 1)]);
    let Write::Put { key, .. } = bench.history.record(&[]) else { panic!("puts") };
    bench.store.write(false, |txn| txn.insert(Table::Checks, &key, &[9, 9])).expect("commits");
    assert!(inspect(&key, &[9, 9]).is_err());
    assert!(inspect(&[], &[]).is_err());
    let chunk_key = keys::timed(Area::Chunks, "a", ms(0));
    assert!(inspect(&chunk_key, &[1, 255, 255, 255, 255, 127, 0]).is_err());
    // The row that cannot be read goes; the one before it is packed.
    bench.pack();
    assert_eq!(bench.all("a", 10).len(), 1);
}
