//! The queries of well-known dashboards, to vedette and to Prometheus on the same data, in turns:
//! the CPU time that each takes for each.
//!
//! `cargo bench --bench dashboards -- [--nodes N] [--repeats N] [--smoke]` needs `prometheus` on
//! the PATH (Debian's package). A ratio below 1 is in vedette's favour. Both are asked over
//! HTTP and pay for reading the request and writing the answer. Compare only within one run.

mod data;
mod queries;
mod side;

use std::time::Duration;

use side::Side;

/// Seconds between samples, and between the steps of range queries.
const INTERVAL_S: i64 = 15;
const STEP_S: i64 = 30;

struct Arguments {
    nodes: usize,
    rounds: i64,
    repeats: u32,
    only: String,
}

fn arguments() -> Arguments {
    let mut out = Arguments { nodes: 12, rounds: 300, repeats: 6, only: String::new() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--nodes" => out.nodes = number(words.next()),
            "--repeats" => out.repeats = number(words.next()) as u32,
            "--only" => out.only = words.next().unwrap_or_default(),
            "--smoke" => (out.nodes, out.rounds, out.repeats) = (2, 40, 1),
            // `cargo bench` passes this one on.
            "--bench" => {}
            other => panic!("unknown argument {other}"),
        }
    }
    out
}

fn number(word: Option<String>) -> usize {
    word.and_then(|n| n.parse().ok()).expect("a number follows")
}

/// What one query took on each side, and how many series it gave.
struct Measured {
    query: String,
    cpu: [Duration; 2],
    series: [usize; 2],
}

impl Measured {
    fn ratio(&self) -> f64 {
        self.cpu[0].as_secs_f64() / self.cpu[1].as_secs_f64().max(1e-9)
    }
}

fn main() {
    let arguments = arguments();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    // reqwest is built without a TLS provider; loopback needs none, but it asks.
    let _ = rustls::crypto::ring::default_provider().install_default();
    runtime.expect("a runtime").block_on(run(&arguments));
}

async fn run(arguments: &Arguments) {
    let directory = tempfile::tempdir().expect("a directory");
    let sides = [Side::vedette(directory.path()).await, Side::prometheus(directory.path()).await];
    let queries = queries::queries();
    let series = data::fleet(arguments.nodes, &queries);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let end_s = now.expect("after 1970").as_secs() as i64 / INTERVAL_S * INTERVAL_S - INTERVAL_S;
    let start_s = end_s - (arguments.rounds - 1) * INTERVAL_S;
    eprintln!("{} series × {} rounds", series.len(), arguments.rounds);
    for side in &sides {
        data::write(side, &series, start_s, arguments.rounds).await;
    }
    // What either put off is not a query's doing.
    let settled = if arguments.rounds > 100 { 20 } else { 1 };
    tokio::time::sleep(Duration::from_secs(settled)).await;

    let span = (arguments.rounds * INTERVAL_S * 4 / 5).min(3600);
    let range = Some((end_s - span, end_s, STEP_S));
    for (title, range) in [("range queries", range), ("instant queries", None)] {
        let mut all = Vec::new();
        for query in queries.iter().filter(|query| query.contains(&arguments.only)) {
            let mut measured =
                Measured { query: query.clone(), cpu: [Duration::ZERO; 2], series: [0; 2] };
            // Once unmeasured: neither pays for what comes first.
            for (place, side) in sides.iter().enumerate() {
                measured.series[place] = side.ask(query, end_s, range).await;
            }
            for _ in 0..2 {
                for (place, side) in sides.iter().enumerate() {
                    let before = side.cpu();
                    for _ in 0..arguments.repeats {
                        side.ask(query, end_s, range).await;
                    }
                    measured.cpu[place] += side.cpu().saturating_sub(before);
                }
            }
            all.push(measured);
        }
        report(title, all, arguments.repeats * 2);
    }
}

fn report(title: &str, mut all: Vec<Measured>, repeats: u32) {
    let differing = all.iter().filter(|one| one.series[0] != one.series[1]);
    for one in differing {
        println!("differs: {} and {} series: {}", one.series[0], one.series[1], one.query);
    }
    let empty = all.iter().filter(|one| one.series[1] == 0).count();
    let total = |place: usize| all.iter().map(|one| one.cpu[place]).sum::<Duration>() / repeats;
    let (ours, theirs) = (total(0), total(1));
    all.sort_by(|a, b| a.ratio().total_cmp(&b.ratio()));
    let at = |share: f64| {
        let place = ((all.len() as f64 * share) as usize).min(all.len().saturating_sub(1));
        all.get(place).map_or(f64::NAN, Measured::ratio)
    };
    println!("| {title} | vedette | prometheus | ratio |\n|---|---|---|---|");
    println!(
        "| CPU of {} queries ({empty} find nothing), ms | {:.1} | {:.1} | {:.2} |",
        all.len(),
        ours.as_secs_f64() * 1e3,
        theirs.as_secs_f64() * 1e3,
        ours.as_secs_f64() / theirs.as_secs_f64()
    );
    let mut columns = [Vec::new(), Vec::new()];
    for one in &all {
        for (place, column) in columns.iter_mut().enumerate() {
            column.push(one.cpu[place].as_secs_f64() * 1e3 / f64::from(repeats));
        }
    }
    columns.iter_mut().for_each(|column| column.sort_by(f64::total_cmp));
    for (name, share) in [("median", 0.5), ("p99", 0.99)] {
        let value = |place: usize| {
            let column = &columns[place];
            column[((column.len() as f64 * share) as usize).min(column.len() - 1)]
        };
        println!(
            "| CPU per query, {name}, ms | {:.3} | {:.3} | {:.2} |",
            value(0),
            value(1),
            value(0) / value(1)
        );
    }
    println!(
        "| ratio per query: median {:.2}, p90 {:.2}, p99 {:.2} | | | |",
        at(0.5),
        at(0.9),
        at(0.99)
    );
    println!("\nThe dearest beside Prometheus:");
    for one in all.iter().rev().take(12) {
        let ms = |place: usize| one.cpu[place].as_secs_f64() * 1e3 / f64::from(repeats);
        println!("{:5.2}× {:8.3} ms {:8.3} ms {}", one.ratio(), ms(0), ms(1), one.query);
    }
    all.sort_by_key(|one| one.cpu[0]);
    println!("\nThe dearest of all:");
    for one in all.iter().rev().take(12) {
        let ms = |place: usize| one.cpu[place].as_secs_f64() * 1e3 / f64::from(repeats);
        println!("{:5.2}× {:8.3} ms {:8.3} ms {}", one.ratio(), ms(0), ms(1), one.query);
    }
    println!();
}
