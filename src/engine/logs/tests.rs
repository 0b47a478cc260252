//! On a file in a folder of its own. What a query must answer comes from a list of all lines and
//! the filter, line by line.

use proptest::prelude::*;

use super::*;
use crate::clock::ManualClock;
use crate::engine::Policy;
use crate::engine::feed::{Since, Topic};
use crate::logs::tests::{filter, line};
use crate::model::LogLevel;
use crate::store::{DiskMedium, Snapshot, Store, StoreOptions, Table};
use crate::telemetry::Telemetry;
use crate::tsdb::{Tsdb, TsdbOptions};

const GO_ON: &dyn Fn() -> bool = &|| false;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn open_tsdb(folder: &tempfile::TempDir) -> Arc<Tsdb> {
    let medium = DiskMedium::open(&folder.path().join("db")).expect("a folder");
    let store = Store::open(Arc::new(medium), StoreOptions::default(), &|_| {}).expect("opens");
    let (tsdb, _) = Tsdb::open(Arc::new(store), TsdbOptions::default(), &|_| {}).expect("opens");
    Arc::new(tsdb)
}

struct Bench {
    core: Core,
    keeper: Keeper,
    folder: tempfile::TempDir,
    /// All lines that were written, in the order of their ids.
    all: Vec<StoredLine>,
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().expect("a folder");
        let core = Core::open(open_tsdb(&folder), at(0)).expect("opens");
        let keeper = Keeper::new(&core).expect("memory");
        Bench { core, keeper, folder, all: Vec::new() }
    }

    /// As after a crash: nothing but the file is left.
    fn reopen(self) -> Bench {
        let Bench { core, keeper, folder, all } = self;
        drop((core, keeper));
        let core = Core::open(open_tsdb(&folder), at(0)).expect("opens");
        let keeper = Keeper::new(&core).expect("memory");
        Bench { core, keeper, folder, all }
    }

    fn write(&mut self, lines: Vec<LogLine>) {
        let written = self.core.write(at(0), lines, &[]).expect("commits");
        self.all.extend(written.lines);
        self.all.sort_by_key(|line| line.id);
    }

    fn shared(&self) -> &Arc<Shared> {
        self.core.shared()
    }

    fn snapshot(&self) -> Snapshot {
        self.shared().tsdb.store().read().expect("readable")
    }

    fn expected(&self, query: &LogQuery) -> (Vec<StoredLine>, Option<LogId>) {
        let fits = |line: &&StoredLine| {
            query.filter.matches(&line.line)
                && query.after.is_none_or(|after| match query.order {
                    Order::Newest => line.id < after,
                    Order::Oldest => line.id > after,
                })
        };
        let mut found: Vec<StoredLine> = match query.order {
            Order::Newest => self.all.iter().rev().filter(fits).cloned().collect(),
            Order::Oldest => self.all.iter().filter(fits).cloned().collect(),
        };
        let has_more = found.len() > query.limit;
        found.truncate(query.limit);
        let next = found.last().map(|line| line.id).filter(|_| has_more);
        (found, next)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Write(Vec<LogLine>),
    Pack,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => prop::collection::vec(line(), 1..12).prop_map(Step::Write),
        2 => Just(Step::Pack),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..9)
}

fn query() -> impl Strategy<Value = LogQuery> {
    let after = prop::option::of((-30..30i64, 0..60u64));
    (filter(), any::<bool>(), after, 1..25usize).prop_map(|(filter, newest, after, limit)| {
        let order = if newest { Order::Newest } else { Order::Oldest };
        let after = after.map(|(time, number)| LogId { time: at(time), number });
        LogQuery { filter, order, after, limit }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn answers_are_those_of_a_list_of_all_lines(
        steps in steps(),
        queries in prop::collection::vec(query(), 12),
        places in prop::collection::vec((any::<prop::sample::Index>(), 0..6usize, 0..6usize), 4),
        from in -40..20i64,
        span in 1..60i64,
        step_ms in 1..20i64,
    ) {
        let mut bench = Bench::new();
        for step in steps {
            match step {
                Step::Write(lines) => bench.write(lines),
                Step::Pack => { bench.keeper.pack(at(0)).expect("packs"); }
                Step::Reopen => bench = bench.reopen(),
            }
        }
        for query in &queries {
            let page = bench.shared().query(query, GO_ON).expect("readable");
            prop_assert_eq!((page.lines, page.next), bench.expected(query), "{:?}", query);
        }
        for (place, before, after) in places.into_iter().filter(|_| !bench.all.is_empty()) {
            let place = place.index(bench.all.len());
            let id = bench.all[place].id;
            let filter = &queries[0].filter;
            let found = bench.shared().context(id, before, after, filter, GO_ON).expect("readable");
            let fits = |line: &&StoredLine| filter.matches(&line.line);
            let mut earlier: Vec<StoredLine> =
                bench.all[..place].iter().rev().filter(fits).take(before).cloned().collect();
            earlier.reverse();
            let later: Vec<StoredLine> =
                bench.all[place + 1..].iter().filter(fits).take(after).cloned().collect();
            let line = Some(bench.all[place].clone());
            prop_assert_eq!(found, Context { before: earlier, line, after: later });
        }
        let filter = &queries[1].filter;
        let (from, until) = (at(from), at(from + span));
        let buckets =
            bench.shared().histogram(filter, (from, until), step_ms, GO_ON).expect("readable");
        for bucket in &buckets {
            prop_assert_eq!(bucket.from.millis().rem_euclid(step_ms), 0);
            let mut counts = [0; 5];
            for line in bench.all.iter().filter(|line| filter.matches(&line.line)) {
                let time = line.id.time;
                let within = time >= bucket.from && time < bucket.from.plus_millis(step_ms);
                if within && time >= from && time < until {
                    counts[line.line.level as usize] += 1;
                }
            }
            prop_assert_eq!(bucket.counts, counts);
        }
        let mut scanned = Vec::new();
        let mut sink = |line| { scanned.push(line); ControlFlow::Continue(()) };
        bench.shared().scan(&LogFilter::default(), Order::Oldest, &mut sink, GO_ON).expect("readable");
        prop_assert_eq!(&scanned, &bench.all);
        let figures = bench.shared().figures();
        prop_assert_eq!(figures.lines, bench.all.len() as u64);
        prop_assert_eq!(figures.oldest, bench.all.first().map(|line| line.id.time));
    }
}

fn said(time: i64, message: &str) -> LogLine {
    LogLine { time: at(time), message: message.to_owned(), ..LogLine::default() }
}

fn messages(bench: &Bench) -> Vec<String> {
    let query = LogQuery { order: Order::Oldest, limit: 100, ..LogQuery::default() };
    let page = bench.shared().query(&query, GO_ON).expect("readable");
    page.lines.into_iter().map(|stored| stored.line.message).collect()
}

#[test]
fn packing_cuts_the_journal_and_numbers_go_on_after_everything_has_expired() {
    let mut bench = Bench::new();
    bench.write(vec![said(10, "a"), said(20, "b")]);
    assert_eq!(bench.keeper.pack(at(100)).expect("commits"), 1);
    assert_eq!(bench.snapshot().table(Table::LogJournal).expect("there").len().expect("read"), 0);
    assert_eq!(bench.keeper.pack(at(100)).expect("commits"), 0, "nothing waits");
    let retention = LogRetention { max_age_ms: 50, max_bytes: 0 };
    assert_eq!(bench.keeper.expire(at(70), &retention).expect("commits"), 0, "20 is 50 ms ago");
    assert_eq!(bench.keeper.expire(at(71), &retention).expect("commits"), 1);
    assert_eq!(bench.shared().figures(), LogFigures::default());
    // Nothing is left but the mark.
    assert_eq!(bench.snapshot().table(Table::Logs).expect("there").len().expect("read"), 1);
    let mut bench = bench.reopen();
    let written = bench.core.write(at(0), vec![said(30, "c")], &[]).expect("commits");
    assert_eq!(written.lines[0].id.number, 2);
}

#[test]
fn the_oldest_blocks_go_when_all_take_too_much_and_lines_of_the_future_do_not_stay() {
    let mut bench = Bench::new();
    // Numbers that do not repeat themselves, so that they take room.
    let noise = |seed: u64| -> String {
        (0..400u64)
            .map(|n| format!("{:x}", (n + seed).wrapping_mul(0x9E37_79B9_7F4A_7C15)))
            .collect()
    };
    for (time, now) in [(10, 10), (900_000, 20), (30, 30)] {
        bench.write(vec![said(time, &noise(now))]);
        bench.keeper.pack(at(now as i64)).expect("packs");
    }
    let each = bench.shared().figures().bytes / 3;
    let retention = LogRetention { max_age_ms: i64::MAX, max_bytes: each * 2 + each / 2 };
    assert_eq!(bench.keeper.expire(at(40), &retention).expect("commits"), 1);
    assert_eq!(messages(&bench), [noise(30), noise(20)], "the one of 10 went");
    // What claims to be of 900,000 was packed at 20, and counts as of then.
    let retention = LogRetention { max_age_ms: 5, max_bytes: 0 };
    assert_eq!(bench.keeper.expire(at(30), &retention).expect("commits"), 1);
    assert_eq!(messages(&bench), [noise(30)]);
    assert_eq!(messages(&bench.reopen()), [noise(30)]);
}

#[test]
fn damaged_blocks_and_records_are_skipped_and_counted() {
    let mut bench = Bench::new();
    for message in ["a", "b"] {
        bench.write(vec![said(10, message)]);
        bench.keeper.pack(at(0)).expect("packs");
    }
    for message in ["c", "d"] {
        bench.write(vec![said(20, message)]);
    }
    let store = Arc::clone(bench.shared().tsdb.store());
    store
        .write(false, |txn| {
            let key = crate::logs::block_key(crate::logs::Part::Messages, 0);
            txn.insert(Table::Logs, &key, b"no texts")?;
            txn.insert(Table::LogJournal, &crate::logs::journal_key(2), b"no record")
        })
        .expect("commits");
    drop(store);
    let bench = bench.reopen();
    assert_eq!(bench.shared().damaged(), 1, "the record");
    assert_eq!(messages(&bench), ["b", "d"]);
    assert_eq!(bench.shared().damaged(), 2, "and the block");
}

#[test]
fn a_page_has_no_more_bytes_than_it_may_but_at_least_a_line() {
    let mut bench = Bench::new();
    let long = |letter: &str| letter.repeat(LINE_BYTES_MAX - 8);
    // 40 MiB of lines, a little more than a page may have.
    for n in 0..40 {
        bench.write(vec![said(n, &long("x"))]);
    }
    let mut query = LogQuery { order: Order::Oldest, limit: 100, ..LogQuery::default() };
    let page = bench.shared().query(&query, GO_ON).expect("readable");
    assert_eq!(page.lines.len(), 31);
    assert_eq!(page.next, Some(bench.all[30].id));
    query.after = page.next;
    let rest = bench.shared().query(&query, GO_ON).expect("readable");
    assert_eq!((rest.lines.len(), rest.next), (9, None));
}

#[test]
fn a_search_ends_when_it_is_told_to() {
    let mut bench = Bench::new();
    bench.write(vec![said(1, "a")]);
    let query = LogQuery { limit: 5, ..LogQuery::default() };
    assert_eq!(bench.shared().query(&query, &|| true), Err(LogsError::TimedOut));
    let asked = bench.shared().histogram(&LogFilter::default(), (at(0), at(9)), 0, GO_ON);
    assert!(asked.is_err_and(|e| e.to_string().contains("longer than nothing")));
    let asked = bench.shared().histogram(&LogFilter::default(), (at(0), at(90_000)), 1, GO_ON);
    assert!(asked.is_err_and(|e| e.to_string().contains("at most 10000")));
}

fn start(
    folder: &tempfile::TempDir,
    retention: LogRetention,
) -> (Logs, Feed, Arc<Telemetry>, Pipeline) {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(at(1_000_000)));
    let telemetry = Arc::new(Telemetry::new());
    let policy = Policy {
        limits: crate::config::Limits::default(),
        retention: crate::tsdb::Retention::default(),
        free_bytes_min: Some(1),
    };
    let tsdb = open_tsdb(folder);
    let pipeline = Pipeline::new(tsdb, Arc::clone(&clock), Arc::clone(&telemetry), policy);
    let pipeline = pipeline.expect("starts");
    let feed = Feed::new(Arc::clone(&clock));
    let logs = Logs::start(pipeline.clone(), clock, feed.clone(), retention);
    (logs.expect("starts"), feed, telemetry, pipeline)
}

#[tokio::test]
async fn lines_are_acknowledged_told_and_counted_and_none_is_taken_after_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let (logs, feed, telemetry, pipeline) = start(&folder, LogRetention::default());
    let before = feed.last_id();
    let line = |level| LogLine {
        level,
        source: "api".to_owned(),
        feature: "search".to_owned(),
        ..said(5, "hello")
    };
    let mut lines = vec![line(LogLevel::Error); 300];
    lines.push(line(LogLevel::Info));
    assert_eq!(logs.write(lines).await, Ok(301));
    assert_eq!(logs.write(Vec::new()).await, Ok(0));
    let page = logs.query(&LogQuery { limit: 1000, ..LogQuery::default() }, GO_ON);
    assert_eq!(page.expect("readable").lines.len(), 301);
    let Since::Events(events) = feed.since(before) else { panic!("in the ring") };
    assert!(events.iter().all(|event| event.fact.topic == Topic::Logs));
    let told: Vec<u64> =
        events.iter().flat_map(|event| event.fact.lines.iter()).map(|l| l.id.number).collect();
    assert_eq!(told, (0..301).collect::<Vec<u64>>(), "each once, in order");
    assert_eq!(telemetry.log_lines.get(["error", "api", "search"]), 300);
    assert_eq!(telemetry.log_lines.get(["info", "api", "search"]), 1);
    let names = logs.names();
    assert_eq!(
        (names.sources, names.features),
        (vec!["api".to_owned()], vec!["search".to_owned()])
    );
    let long = said(1, &"x".repeat(LINE_BYTES_MAX + 1));
    let refused = logs.write(vec![long]).await;
    assert!(refused.is_err_and(|e| e.to_string().contains("at most 1048576; cut it")));
    logs.close().await;
    assert_eq!(logs.write(vec![said(1, "late")]).await, Err(LogsError::Stopping));
    assert_eq!(logs.check_open(), Err(LogsError::Stopping));
    drop((logs, pipeline));
}

#[tokio::test]
async fn the_keeper_lets_go_what_is_too_old() {
    let folder = tempfile::tempdir().expect("a folder");
    {
        let mut core = Core::open(open_tsdb(&folder), at(0)).expect("opens");
        let mut keeper = Keeper::new(&core).expect("memory");
        core.write(at(0), vec![said(5, "old")], &[]).expect("commits");
        keeper.pack(at(5)).expect("packs");
    }
    // The clock stands at 1,000,000.
    let retention = LogRetention { max_age_ms: 999_994, max_bytes: 0 };
    let (logs, _feed, _, pipeline) = start(&folder, retention);
    let began = std::time::Instant::now();
    while logs.figures().lines > 0 {
        assert!(began.elapsed().as_secs() < 120, "the line is still there");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    logs.close().await;
    drop((logs, pipeline));
}

#[test]
fn verify_looks_into_every_value_and_a_salvage_saves_each_line_once() {
    let mut bench = Bench::new();
    let noted = |n: i64| LogLine {
        trace_id: format!("t{n}"),
        metadata: crate::model::LogMetadata::from_stored(format!("{{\"n\":{n}}}")),
        ..said(n, &format!("line {n}"))
    };
    bench.write((0..30).map(noted).collect());
    bench.keeper.pack(at(0)).expect("packs");
    // What was in the journal may still be in pages that nobody uses.
    bench.write((10..20).map(noted).collect());
    let looked_into = std::cell::Cell::new(0);
    let inspect = |table, key: &[u8], payload: &[u8]| match table {
        Table::Logs | Table::LogJournal => {
            looked_into.set(looked_into.get() + 1);
            crate::logs::inspect(table, key, payload)
        }
        _ => Ok(()),
    };
    let report = crate::store::verify(&bench.snapshot(), 1, &inspect, &|_| {}).expect("readable");
    assert_eq!(report.damage, Vec::<String>::new());
    // The mark, six parts of a block, a record.
    assert_eq!(looked_into.get(), 8);
    let broken: [(&[u8], &[u8]); 4] =
        [(&[9], &[]), (&[0], &[1]), (&[1, 0], &[]), (&[2; 9], &[200])];
    for (key, payload) in broken {
        assert!(crate::logs::inspect(Table::Logs, key, payload).is_err(), "{key:?}");
    }
    assert!(crate::logs::inspect(Table::LogJournal, &[0; 8], &[9]).is_err());

    let Bench { core, keeper, folder, all } = bench;
    drop((core, keeper));
    let target = tempfile::tempdir().expect("a folder");
    let medium = DiskMedium::open(&target.path().join("db")).expect("a folder");
    let store = Store::open(Arc::new(medium), StoreOptions::default(), &|_| {}).expect("opens");
    crate::tsdb::salvage(&folder.path().join("db"), &store, &|_| {}).expect("salvages");
    drop(store);
    let core = Core::open(open_tsdb(&target), at(0)).expect("opens");
    let query = LogQuery { order: Order::Oldest, limit: 100, ..LogQuery::default() };
    assert_eq!(core.query(&query, GO_ON).expect("readable").lines, all);
}
