//! Many who follow the live feed: how late they hear, what it costs, and whether anybody else is
//! disturbed. `cargo bench --bench live -- [--subscribers 1000] [--rate 100] [--seconds 60]`.
//!
//! A daemon of its own is written to at a fixed pace (samples, and definitions that are changed:
//! each of those is a transaction with its fsync and an event). First nobody follows, then
//! everybody does, then nobody again, so that what is due to the followers can be told from the
//! machine's mood. One of them never reads. All clients live in this process and share the
//! machine with the daemon: figures are for both together. See `docs/performance.md`.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use hdrhistogram::Histogram;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;

/// Samples in one request, and requests in a second.
const SAMPLES: usize = 500;
const WRITES_PER_SECOND: u64 = 10;

struct Wanted {
    subscribers: usize,
    rate: u64,
    seconds: u64,
}

impl Wanted {
    fn read() -> Wanted {
        let mut wanted = Wanted { subscribers: 1000, rate: 100, seconds: 60 };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut number = || {
                let text = arguments.next().unwrap_or_default();
                text.parse().unwrap_or_else(|_| panic!("{argument} needs a number"))
            };
            match argument.as_str() {
                "--subscribers" => wanted.subscribers = number() as usize,
                "--rate" => wanted.rate = number(),
                "--seconds" => wanted.seconds = number(),
                // Whether it runs at all, as in CI.
                "--test" => wanted = Wanted { subscribers: 20, rate: 20, seconds: 3 },
                // What cargo adds.
                "--bench" => {}
                other => panic!("{other}? known: --subscribers, --rate, --seconds, --test"),
            }
        }
        wanted
    }
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_millis()).expect("fits")
}

/// The daemon and where it listens; killed at the end.
struct Daemon(Child, SocketAddr);

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Daemon {
    fn start(directory: &std::path::Path) -> Daemon {
        // A port that was free a moment ago.
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = free.local_addr().expect("an address");
        drop(free);
        let child = Command::new(env!("CARGO_BIN_EXE_vedette"))
            .args(["serve", "--listen", &address.to_string(), "--data-dir"])
            .arg(directory)
            .env("VEDETTE_COLLECT_HOST_ENABLED", "false")
            .env("VEDETTE_DEFAULTS_ENABLED", "false")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        Daemon(child, address)
    }

    fn memory_mib(&self) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()));
        let text = text.unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
        let kib = line.split_whitespace().next().unwrap_or("0").parse::<f64>().unwrap_or(0.0);
        kib / 1024.0
    }

    /// Seconds of processor so far.
    fn processor(&self) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id()));
        let text = text.unwrap_or_default();
        let fields: Vec<&str> = text.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks = |place: usize| fields.get(place).and_then(|f| f.parse::<f64>().ok());
        // utime and stime, in hundredths of a second.
        (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
    }
}

/// Does something so many times a second until told to stop, and gives how long each took (µs).
async fn paced<F: Future<Output = ()>>(
    per_second: u64,
    stop: Arc<AtomicBool>,
    mut act: impl FnMut(u64) -> F,
) -> Histogram<u64> {
    let mut took = Histogram::new(3).expect("a histogram");
    let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / per_second));
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        let began = Instant::now();
        act(n).await;
        let us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        took.record(us).expect("it grows as it must");
        n += 1;
    }
    took
}

fn samples(n: u64) -> String {
    let at = now_ms();
    let one = |series: usize| {
        format!("{{\"name\":\"x\",\"labels\":{{\"s\":\"{series}\"}},\"value\":{n},\"at\":{at}}}")
    };
    let all: Vec<String> = (0..SAMPLES).map(one).collect();
    format!("{{\"samples\":[{}]}}", all.join(","))
}

fn ms(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1000.0
}

struct Clients {
    late: Vec<tokio::task::JoinHandle<Histogram<u64>>>,
    stop: tokio::sync::watch::Sender<bool>,
    _stalled: TcpStream,
}

async fn connect(address: SocketAddr) -> tokio_tungstenite::WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(address).await.expect("connected");
    let url = format!("ws://{address}/api/v1/live");
    tokio_tungstenite::client_async(url, stream).await.expect("open").0
}

/// How long ago (µs) the change was decided of which a frame tells.
fn lateness(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once("\"updated_at\":\"")?;
    let at: jiff::Timestamp = rest.split('"').next()?.parse().ok()?;
    Some(u64::try_from(now_ms() - at.as_millisecond()).ok()? * 1000)
}

async fn follow(address: SocketAddr, count: usize, heard: &Arc<AtomicU64>) -> Clients {
    let (stop, _) = tokio::sync::watch::channel(false);
    let mut late = Vec::with_capacity(count);
    for _ in 0..count {
        let mut socket = connect(address).await;
        let (mut stop, heard) = (stop.subscribe(), Arc::clone(heard));
        late.push(tokio::spawn(async move {
            let mut late = Histogram::new(3).expect("a histogram");
            loop {
                let message = tokio::select! {
                    message = socket.next() => message,
                    _ = stop.changed() => return late,
                };
                let Some(Ok(Message::Text(text))) = message else {
                    eprintln!("a follower was let go: {message:?}");
                    return late;
                };
                if let Some(us) = lateness(&text) {
                    heard.fetch_add(1, Ordering::Relaxed);
                    late.record(us).expect("it grows as it must");
                }
            }
        }));
    }
    // One that reads nothing, with as little room as the system gives.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(2048).expect("set");
    let stream = socket.connect(address).await.expect("connected");
    let url = format!("ws://{address}/api/v1/live");
    let (stalled, _) = tokio_tungstenite::client_async(url, stream).await.expect("open");
    Clients { late, stop, _stalled: stalled.into_inner() }
}

#[tokio::main]
async fn main() {
    let wanted = Wanted::read();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start(directory.path());
    let address = daemon.1;
    let client = reqwest::Client::new();
    let base = format!("http://{address}");
    while client.get(format!("{base}/-/ready")).send().await.is_ok_and(|r| !r.status().is_success())
        || TcpStream::connect(address).await.is_err()
    {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    println!("{} subscribers, {} changes a second", wanted.subscribers, wanted.rate);
    let heard = Arc::new(AtomicU64::new(0));
    let mut writes = Vec::new();
    for (phase, is_followed) in [("nobody", false), ("all", true), ("nobody", false)] {
        let clients = match is_followed {
            true => Some(follow(address, wanted.subscribers, &heard).await),
            false => None,
        };
        tokio::time::sleep(Duration::from_secs(2)).await;
        let stop = Arc::new(AtomicBool::new(false));
        let (put, post) = (client.clone(), client.clone());
        let (to, url) = (base.clone(), format!("{base}/api/v1/samples"));
        let changes = tokio::spawn(paced(wanted.rate, Arc::clone(&stop), move |n| {
            let name = format!("c{}", n % 50);
            let body = format!(
                "{{\"name\":\"{name}\",\"kind\":\"webhook\",\"settings\":{{\"url\":\"http://127.0.0.1:9/{n}\"}}}}"
            );
            let request = put.put(format!("{to}/api/v1/channels/{name}"));
            let request = request.header("content-type", "application/json").body(body);
            async move {
                let answer = request.send().await.expect("answered");
                assert!(answer.status().is_success(), "{}", answer.status());
            }
        }));
        let ingest = tokio::spawn(paced(WRITES_PER_SECOND, Arc::clone(&stop), move |n| {
            let request = post.post(&url).header("content-type", "application/json");
            let request = request.body(samples(n));
            async move {
                let answer = request.send().await.expect("answered");
                assert!(answer.status().is_success(), "{}", answer.status());
            }
        }));
        let (cpu, began) = (daemon.processor(), Instant::now());
        for third in 1..=3 {
            tokio::time::sleep(Duration::from_secs(wanted.seconds) / 3).await;
            println!("  {phase:>6} {third}/3: memory {:.1} MiB", daemon.memory_mib());
        }
        stop.store(true, Ordering::Relaxed);
        let (changes, ingest) = (changes.await.expect("ends"), ingest.await.expect("ends"));
        let cores = (daemon.processor() - cpu) / began.elapsed().as_secs_f64();
        println!(
            "  {phase:>6}: ingest p50 {:.1} ms, p99 {:.1} ms; {} changes, p50 {:.1} ms, p99 {:.1} ms; {cores:.2} cores",
            ms(&ingest, 0.5),
            ms(&ingest, 0.99),
            changes.len(),
            ms(&changes, 0.5),
            ms(&changes, 0.99),
        );
        writes.push(ms(&ingest, 0.5));
        let Some(clients) = clients else { continue };
        tokio::time::sleep(Duration::from_secs(2)).await;
        clients.stop.send_replace(true);
        let mut late: Histogram<u64> = Histogram::new(3).expect("a histogram");
        for one in clients.late {
            late.add(one.await.expect("ends")).expect("added");
        }
        let expected = changes.len() * wanted.subscribers as u64;
        println!(
            "  heard {} of {expected}; from the decision to the client: p50 {:.0} ms, p99 {:.0} ms, most {:.0} ms",
            heard.load(Ordering::Relaxed),
            ms(&late, 0.5),
            ms(&late, 0.99),
            late.max() as f64 / 1000.0,
        );
    }
    println!("ingest p50, followed/not: {:.2}", writes[1] / ((writes[0] + writes[2]) / 2.0));
}
