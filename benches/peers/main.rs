//! vedette, Prometheus and VictoriaMetrics on the same load in one run, as ratios.
//!
//! `cargo bench --bench peers -- [--rounds N] [--series N] [--only NAME] [--smoke]` needs
//! `prometheus` and `victoria-metrics` on the PATH (Debian packages of those names). Absolute
//! figures belong to the machine and the moment; compare only within one run.

mod load;
mod process;
mod report;
mod system;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use load::{Load, Rates};
use report::Figures;
use system::System;

struct Arguments {
    series: usize,
    rounds: u64,
    only: Option<String>,
}

fn arguments() -> Arguments {
    let mut out = Arguments { series: 10_000, rounds: 1000, only: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|n| n.parse().ok()).expect("a number follows");
        match word.as_str() {
            "--series" => out.series = number() as usize,
            "--rounds" => out.rounds = number(),
            "--only" => out.only = words.next(),
            "--smoke" => out = Arguments { series: 1000, rounds: 30, only: Some("vedette".into()) },
            // `cargo bench` passes this one on.
            "--bench" => {}
            other => panic!("unknown argument {other}"),
        }
    }
    out
}

fn main() {
    let arguments = arguments();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    // reqwest is built without a TLS provider; loopback needs none, but it asks.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut table = Vec::new();
    for system in System::ALL {
        if arguments.only.as_deref().is_some_and(|only| only != system.name()) {
            continue;
        }
        eprintln!("{}: {} series × {} rounds", system.name(), arguments.series, arguments.rounds);
        table.push(runtime.block_on(measure(system, &arguments)));
    }
    report::print(&table);
}

async fn measure(system: System, arguments: &Arguments) -> Figures {
    let directory = tempfile::tempdir().expect("a directory");
    let mut process = system.start(directory.path()).await;
    let mut figures = Figures { name: system.name(), ..Figures::default() };
    let step_ms = 15_000;
    let now_ms = load::now_ms();
    // Room for the quarter that is written after the queries: nobody takes samples of tomorrow.
    let start_ms = now_ms - arguments.rounds as i64 * step_ms * 5 / 4 - step_ms;
    let load = Arc::new(Load::new(arguments.series, start_ms, step_ms));

    // New series first, apart: one sample each.
    let before = process.cpu();
    load.run(system, 0..1, &AtomicU64::new(0)).await;
    figures.new_series_us = (process.cpu() - before).as_secs_f64() * 1e6 / arguments.series as f64;

    let before = process.cpu();
    let begun = Instant::now();
    let Rates { samples, mut latencies_us } =
        load.run(system, 1..arguments.rounds, &AtomicU64::new(0)).await;
    let elapsed = begun.elapsed();
    // What a system put off counts too.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let millions = samples as f64 / 1e6;
    figures.cpu_s_per_million = (process.cpu() - before).as_secs_f64() / millions;
    figures.samples_per_s = samples as f64 / elapsed.as_secs_f64();
    latencies_us.sort_unstable();
    figures.ack_p50_ms = percentile(&latencies_us, 0.50);
    figures.ack_p99_ms = percentile(&latencies_us, 0.99);
    figures.memory_peak_mib = process.memory_peak_mib();
    figures.memory_steady_mib = process.memory_mib();

    let end_ms = start_ms + arguments.rounds as i64 * step_ms;
    let before = process.cpu();
    figures.query_ms = system.run_queries(start_ms, end_ms).await;
    figures.query_cpu_s = (process.cpu() - before).as_secs_f64();

    // Killed in the middle of further writes.
    let acknowledged = AtomicU64::new(0);
    let rounds = arguments.rounds..arguments.rounds + arguments.rounds / 4;
    tokio::select! {
        _ = load.run(system, rounds, &acknowledged) => {}
        () = tokio::time::sleep(Duration::from_secs(4)) => {}
    }
    process.kill().await;
    let begun = Instant::now();
    let mut process = system.start(directory.path()).await;
    figures.recovery_s = begun.elapsed().as_secs_f64();
    let written = arguments.rounds * arguments.series as u64
        + acknowledged.load(std::sync::atomic::Ordering::SeqCst);
    let found = system.count_samples(now_ms).await;
    figures.missing = written.saturating_sub(found);
    process.terminate().await;
    system.settle(directory.path());
    figures.bytes_per_sample =
        process::directory_bytes(&system.data(directory.path())) as f64 / found.max(1) as f64;
    figures
}

fn percentile(sorted_us: &[u64], share: f64) -> f64 {
    let place = ((sorted_us.len() as f64 * share) as usize).min(sorted_us.len().saturating_sub(1));
    sorted_us.get(place).copied().unwrap_or(0) as f64 / 1000.0
}
