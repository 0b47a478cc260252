//! What the ways in cost: a remote-write request of 2,000 series with one sample each (as
//! Prometheus sends it), a scrape of 10,000 series, a round of the host collector.

#![allow(missing_docs, reason = "criterion's macro writes an undocumented function")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use hashbrown::HashMap;
use vedette::collect::host::{HostCollector, HostRoots};
use vedette::collect::scrape::{Plan, ScrapeState, Target};
use vedette::config::{Limits, ScrapeConfig};
use vedette::decode::inflate::snappy_into;
use vedette::decode::remote_write::v1;
use vedette::model::Timestamp;

const SERIES: u64 = 2_000;

fn field(key: u8, content: &[u8], out: &mut Vec<u8>) {
    out.push(key);
    let mut len = content.len();
    while len >= 0x80 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
    out.extend_from_slice(content);
}

/// A version 1 request: eight labels a series, named as node_exporter names them.
fn request() -> Vec<u8> {
    let mut body = Vec::new();
    for n in 0..SERIES {
        let mut series = Vec::new();
        let (cpu, instance) =
            ((n % 64).to_string(), format!("host-{:03}.example.net:9100", n / 64));
        for (name, value) in [
            ("__name__", "node_cpu_seconds_total"),
            ("cluster", "production-eu-west"),
            ("cpu", &cpu),
            ("environment", "production"),
            ("instance", &instance),
            ("job", "node"),
            ("mode", "idle"),
            ("region", "eu-west-1"),
        ] {
            let mut label = Vec::new();
            field(0x0A, name.as_bytes(), &mut label);
            field(0x12, value.as_bytes(), &mut label);
            field(0x0A, &label, &mut series);
        }
        let mut sample = vec![0x09];
        sample.extend_from_slice(&(n as f64 * 1.5).to_le_bytes());
        sample.push(0x10);
        let mut millis = 1_790_000_000_000_u64 + n;
        while millis >= 0x80 {
            sample.push(millis as u8 | 0x80);
            millis >>= 7;
        }
        sample.push(millis as u8);
        field(0x12, &sample, &mut series);
        field(0x0A, &series, &mut body);
    }
    body
}

fn decode(c: &mut Criterion) {
    let body = request();
    let packed = snap::raw::Encoder::new().compress_vec(&body).expect("fits");
    let mut group = c.benchmark_group("remote write 1.0");
    group.throughput(Throughput::Elements(SERIES));

    group.bench_function("inflate", |b| {
        let mut out = Vec::new();
        b.iter(|| snappy_into(black_box(&packed), 1 << 24, &mut out).expect("whole"));
    });

    group.bench_function("read", |b| {
        b.iter(|| {
            let mut sum = 0.0;
            for entry in v1::Reader::new(black_box(&body)) {
                if let v1::Entry::Series(series) = entry.expect("whole") {
                    for sample in series.samples() {
                        sum += sample.expect("whole").value;
                    }
                }
            }
            sum
        });
    });

    group.bench_function("inflate, read and look up", |b| {
        let hash = xxhash_rust::xxh3::xxh3_64;
        let mut scratch = Vec::new();
        let mut known: HashMap<u64, u32> = HashMap::new();
        for entry in v1::Reader::new(&body) {
            if let v1::Entry::Series(series) = entry.expect("whole") {
                let id = known.len() as u32;
                known.insert(hash(series.label_key(&mut scratch).as_bytes()), id);
            }
        }
        let mut out = Vec::new();
        b.iter_batched_ref(
            Vec::new,
            |rows: &mut Vec<(u32, i64, f64)>| {
                snappy_into(black_box(&packed), 1 << 24, &mut out).expect("whole");
                for entry in v1::Reader::new(&out) {
                    let v1::Entry::Series(series) = entry.expect("whole") else { continue };
                    let key = hash(series.label_key(&mut scratch).as_bytes());
                    let id = *known.get(&key).expect("seen above");
                    for sample in series.samples() {
                        let sample = sample.expect("whole");
                        rows.push((id, sample.at.millis(), sample.value));
                    }
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// One scrape of 10,000 series of which each is known already.
fn scrape(c: &mut Criterion) {
    use std::fmt::Write as _;
    let config = ScrapeConfig { job_name: "bench".to_owned(), ..ScrapeConfig::default() };
    let plan = Plan::new(&[config], &Limits::default()).expect("good settings");
    let pool = &plan.pools[0];
    let target = Target::new(pool, "host:9100", &BTreeMap::new()).expect("good").expect("kept");
    let mut state = ScrapeState::new(Arc::clone(pool), &target);
    let mut body = String::from("# TYPE http_requests_total counter\n");
    for n in 0..10_000 {
        writeln!(
            body,
            "http_requests_total{{method=\"get\",handler=\"/api/v1/orders/{n}\",code=\"200\"}} {}",
            f64::from(n) * 1.5
        )
        .expect("to memory");
    }
    let mut round = 0;
    c.bench_function("scrape of 10,000 known series", |b| {
        b.iter(|| {
            round += 15_000;
            let answer = Ok((body.as_bytes(), None));
            let now = Timestamp::from_millis(round);
            black_box(state.apply(answer, now, Duration::from_millis(5)).rows.len())
        });
    });
}

/// One round of the host collector on this machine.
fn host(c: &mut Criterion) {
    let mut collector = HostCollector::new(HostRoots::default(), "bench");
    let mut round = 0;
    c.bench_function("host collector", |b| {
        b.iter(|| {
            round += 15_000;
            black_box(collector.collect(Timestamp::from_millis(round)).rows.len())
        });
    });
}

criterion_group!(benches, decode, scrape, host);
criterion_main!(benches);
