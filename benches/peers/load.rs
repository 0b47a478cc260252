//! The load: a typical mix of series, written by remote write 1.0 from several clients, a round
//! of all series at a time.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::system::System;

pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64
}

/// Samples in a request, as a busy Prometheus sends them.
const REQUEST_SAMPLES: usize = 2000;
/// No client runs further ahead of another than this: Prometheus refuses what is too late.
const ROUNDS_APART: u64 = 20;

pub(crate) struct Load {
    /// The encoded labels of each series.
    labels: Vec<Vec<u8>>,
    start_ms: i64,
    step_ms: i64,
}

pub(crate) struct Rates {
    pub(crate) samples: u64,
    pub(crate) latencies_us: Vec<u64>,
}

fn put_field(out: &mut Vec<u8>, key: u8, bytes: &[u8]) {
    out.push(key);
    let mut len = bytes.len();
    while len >= 0x80 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
    out.extend_from_slice(bytes);
}

/// Label sets like those of a fleet of hosts and services: 9 labels, about 190 bytes.
fn labels(series: usize) -> Vec<u8> {
    let host = series / 100;
    let name = match series % 4 {
        0 => "http_requests_total",
        1 => "node_memory_available_bytes",
        2 => "process_load_ratio",
        _ => "http_request_duration_seconds_bucket",
    };
    let instance = format!("10.0.{}.{}:9100", host / 250, host % 250);
    let path = format!("/api/v1/resource/{}", series % 100);
    let pod = format!("checkout-service-7d9f8b6c5-{host:05}");
    let pairs = [
        ("__name__", name),
        ("cluster", "production-eu-west"),
        ("instance", &instance),
        ("job", "checkout"),
        ("le", ["", "", "", "0.25"][series % 4]),
        ("method", ["GET", "POST", "PUT", "DELETE"][series / 4 % 4]),
        ("namespace", "shop"),
        ("path", &path),
        ("pod", &pod),
    ];
    let mut out = Vec::new();
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        let mut label = Vec::new();
        put_field(&mut label, 0x0A, name.as_bytes());
        put_field(&mut label, 0x12, value.as_bytes());
        put_field(&mut out, 0x0A, &label);
    }
    out
}

/// Half of the series move as busy ones do (a counter, a gauge in bytes, a ratio with three
/// digits, a bucket), half hardly: that is what a scrape of real exporters looks like.
fn value(series: usize, round: u64) -> f64 {
    let noise = |salt: u64, round: u64| {
        let mut z =
            (series as u64 ^ salt << 32).wrapping_add(round.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (z ^ (z >> 31)) % 1000
    };
    match series % 8 {
        0 => (round * 37 + noise(1, round) % 20) as f64,
        1 => (4_000_000_000 + noise(2, round) * 4096) as f64,
        2 => noise(3, round) as f64 / 1000.0,
        3 => (round / 4 * 3) as f64,
        4 => (series as u64 + round / 40) as f64,
        5 => (16_000_000_000 + series * 1024) as f64,
        6 => (noise(4, round / 10) % 5) as f64 / 10.0,
        _ => series as f64,
    }
}

impl Load {
    pub(crate) fn new(series: usize, start_ms: i64, step_ms: i64) -> Self {
        Load { labels: (0..series).map(labels).collect(), start_ms, step_ms }
    }

    fn request(&self, series: Range<usize>, round: u64) -> Vec<u8> {
        let at = self.start_ms + round as i64 * self.step_ms;
        let mut body = Vec::with_capacity(series.len() * 240);
        let mut one = Vec::new();
        for number in series {
            one.clear();
            one.extend_from_slice(&self.labels[number]);
            let mut sample = vec![0x09];
            sample.extend_from_slice(&value(number, round).to_le_bytes());
            sample.push(0x10);
            let mut rest = at as u64;
            while rest >= 0x80 {
                sample.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            sample.push(rest as u8);
            put_field(&mut one, 0x12, &sample);
            put_field(&mut body, 0x0A, &one);
        }
        snap::raw::Encoder::new().compress_vec(&body).expect("compresses")
    }

    /// Writes rounds of all series; counts what was acknowledged.
    pub(crate) async fn run(
        self: &Arc<Self>,
        system: System,
        rounds: Range<u64>,
        acknowledged: &AtomicU64,
    ) -> Rates {
        let shards: Vec<Range<usize>> = (0..self.labels.len())
            .step_by(REQUEST_SAMPLES)
            .map(|from| from..(from + REQUEST_SAMPLES).min(self.labels.len()))
            .collect();
        let client = reqwest::Client::new();
        let places: Vec<AtomicU64> = shards.iter().map(|_| AtomicU64::new(rounds.start)).collect();
        let writers = shards.iter().enumerate().map(|(place, shard)| {
            let (client, places, rounds) = (client.clone(), &places, rounds.clone());
            async move {
                let mut latencies = Vec::new();
                for round in rounds {
                    let body = self.request(shard.clone(), round);
                    while places.iter().any(|p| p.load(Ordering::SeqCst) + ROUNDS_APART < round) {
                        tokio::task::yield_now().await;
                    }
                    let begun = Instant::now();
                    let request = client
                        .post(system.write_url())
                        .header("Content-Encoding", "snappy")
                        .header("Content-Type", "application/x-protobuf")
                        .header("X-Prometheus-Remote-Write-Version", "0.1.0")
                        .body(body);
                    let Ok(response) = request.send().await else { break };
                    let status = response.status();
                    if !status.is_success() {
                        panic!("{status}: {}", response.text().await.unwrap_or_default());
                    }
                    latencies.push(begun.elapsed().as_micros() as u64);
                    acknowledged.fetch_add(shard.len() as u64, Ordering::SeqCst);
                    places[place].store(round + 1, Ordering::SeqCst);
                }
                places[place].store(u64::MAX / 2, Ordering::SeqCst);
                latencies
            }
        });
        let latencies_us = futures_util::future::join_all(writers).await.concat();
        Rates { samples: acknowledged.load(Ordering::SeqCst), latencies_us }
    }
}
