//! What log lines cost: taking them (numbered, packed, committed, packed into blocks), the bytes
//! that they take in the file, and searching ten million of them. Prints seconds of processor.
//! `cargo bench --bench logs`, with `-- --quick` for a hundredth of the lines.

use std::sync::Arc;
use std::time::Instant;

use vedette::engine::logs::{Core, Keeper, LogFilter, LogQuery, LogRetention, Order, TextMatch};
use vedette::model::{LogLevel, LogLevels, LogLine, LogMetadata, Timestamp};
use vedette::store::{DiskMedium, Store, StoreOptions};
use vedette::tsdb::{Tsdb, TsdbOptions};

const START: i64 = 1_795_132_800_000;
const GROUP: u64 = 5_000;

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

fn mixed(n: u64) -> u64 {
    // SplitMix64's finish: scattered, and the same on every run.
    let mut z = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A line of about 150 bytes: one of five kinds, each with figures of its own; every fourth is
/// part of a trace of its own, every tenth has metadata.
fn line(n: u64) -> LogLine {
    let r = mixed(n);
    let (a, b, c) = (r % 100_000, (r >> 17) % 1000, (r >> 27) % 97);
    let (level, message) = match r >> 60 {
        0..8 => (
            LogLevel::Info,
            format!(
                "GET /api/v1/items/{a}/details 200 in {b}.{c} ms, 4{c}12 bytes, from 10.0.{c}.17"
            ),
        ),
        8..12 => (
            LogLevel::Debug,
            format!(
                "cache lookup for key session:{a}:{b} took {c} us and found an entry of 12{c} bytes"
            ),
        ),
        12..14 => (
            LogLevel::Info,
            format!(
                "order {a} of customer {b} was accepted; {c} items are on their way to shipping"
            ),
        ),
        14 => (
            LogLevel::Warn,
            format!("slow query on table orders: {b} ms for SELECT * FROM orders WHERE id = {a}"),
        ),
        _ => (
            LogLevel::Error,
            format!("connection to upstream payment-{c} timed out after {b} ms; attempt {c} of 5"),
        ),
    };
    let source = ["api", "web", "worker", "db"][(r >> 8) as usize % 4];
    let feature = ["search", "checkout", "login"][(r >> 12) as usize % 3];
    let metadata = match n.is_multiple_of(10) {
        true => LogMetadata::from_stored(format!(r#"{{"host":"node-{c}","pid":{b}}}"#)),
        false => LogMetadata::default(),
    };
    LogLine {
        time: Timestamp::from_millis(START + n as i64 / 10),
        level,
        message,
        source: source.to_owned(),
        feature: feature.to_owned(),
        environment: "production".to_owned(),
        trace_id: if r & 3 == 0 { format!("{:032x}", u128::from(mixed(r))) } else { String::new() },
        user_id: if r & 4 == 0 { format!("user-{b}") } else { String::new() },
        metadata,
    }
}

fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick" || arg == "--test");
    let total: u64 = if quick { 100_000 } else { 10_000_000 };
    let folder = tempfile::tempdir().expect("a folder");
    let medium = DiskMedium::open(&folder.path().join("db")).expect("a folder");
    let store = Store::open(Arc::new(medium), StoreOptions::default(), &|_| {}).expect("opens");
    let (tsdb, _) = Tsdb::open(Arc::new(store), TsdbOptions::default(), &|_| {}).expect("opens");
    let tsdb = Arc::new(tsdb);
    let now = Timestamp::from_millis(START);
    let mut core = Core::open(Arc::clone(&tsdb), now).expect("opens");
    let mut keeper = Keeper::new(&core).expect("memory");
    let (mut cpu, mut packing, mut wall, mut bytes) = (0.0, 0.0, 0.0, 0u64);
    for from in (0..total).step_by(GROUP as usize) {
        let lines: Vec<LogLine> = (from..from + GROUP).map(line).collect();
        bytes += lines.iter().map(|line| vedette::logs::text_bytes(line) as u64).sum::<u64>();
        let (before, begun) = (processor(), Instant::now());
        let written = core.write(now, lines, &[]).expect("commits");
        let committed = processor();
        if keeper.wants_pack(now) {
            keeper.pack(now).expect("packs");
        }
        packing += processor() - committed;
        cpu += processor() - before;
        wall += begun.elapsed().as_secs_f64();
        assert_eq!(written.lines.len() as u64, GROUP);
    }
    keeper.pack(now).expect("packs");
    keeper.expire(now, &LogRetention::default()).expect("reads");
    let figures = core.figures();
    println!(
        "in, groups of {GROUP}: {:.0} lines per second of processor ({:.0} % of it packing blocks), {:.0} per second",
        total as f64 / cpu,
        100.0 * packing / cpu,
        total as f64 / wall,
    );
    println!(
        "a line: {:.0} bytes of text, {:.1} in blocks, {:.1} in the file with what is free in it",
        bytes as f64 / total as f64,
        figures.bytes as f64 / total as f64,
        tsdb.store().file_bytes().expect("readable") as f64 / total as f64,
    );
    let text = |text: &str, ignore_case| LogFilter {
        text: Some(TextMatch::substring(text, ignore_case)),
        ..LogFilter::default()
    };
    let regex = |pattern: &str| LogFilter {
        text: Some(TextMatch::regex(pattern).expect("valid")),
        ..LogFilter::default()
    };
    let last = line(total / 2);
    let trace = (0..).map(|n| line(total / 2 + n).trace_id).find(|id| !id.is_empty());
    let searches = [
        ("a text that no line has", text("refused by peer", false)),
        ("the same in any case", text("refused by peer", true)),
        ("a text of one line", text(&last.message, false)),
        ("the same in any case", text(&last.message, true)),
        ("a text of letters that are everywhere", text("to the end of the in", false)),
        ("an expression", regex(r"payment-\d+ refused")),
        (
            "fatal lines",
            LogFilter { levels: LogLevels::NONE.with(LogLevel::Fatal), ..LogFilter::default() },
        ),
        (
            "errors with a text that none has",
            LogFilter {
                levels: LogLevels::from_level_up(LogLevel::Error),
                ..text("refused", true)
            },
        ),
        ("a trace", LogFilter { trace_id: trace, ..LogFilter::default() }),
        ("a page of all", LogFilter::default()),
    ];
    for (name, filter) in searches {
        let query = LogQuery { filter, order: Order::Newest, after: None, limit: 100 };
        let (before, begun) = (processor(), Instant::now());
        let page = core.query(&query, &|| false).expect("readable");
        println!(
            "{name}: {:.2} s of processor, {:.2} s, {} of {} lines",
            processor() - before,
            begun.elapsed().as_secs_f64(),
            page.lines.len(),
            page.scanned,
        );
    }
    let (from, until) = (now, now.plus_millis(total as i64 / 10 + 1));
    let step = (total as i64 / 1000).max(1);
    for (name, filter) in [
        ("counts of levels over time", LogFilter::default()),
        (
            "those of a source",
            LogFilter { sources: vec!["api".to_owned()], ..LogFilter::default() },
        ),
    ] {
        let (before, begun) = (processor(), Instant::now());
        let buckets = core.histogram(&filter, from, until, step, &|| false).expect("readable");
        let lines: u64 = buckets.iter().flat_map(|bucket| bucket.counts).sum();
        println!(
            "{name}: {:.2} s of processor, {:.2} s, {lines} lines in {} steps",
            processor() - before,
            begun.elapsed().as_secs_f64(),
            buckets.len(),
        );
    }
}
