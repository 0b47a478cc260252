//! `kill -9` in the middle of results from several clients: each counts once, however often it had
//! to be sent.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::process::Daemon;

const CLIENTS: usize = 4;
/// Results of one request: as many without a unit as with one, which sends two metrics.
const RESULTS: u64 = 20;

/// Sends a body; whether it was acknowledged.
fn post(address: SocketAddr, path: &str, body: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let sent = write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut answer = String::new();
    sent.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
}

fn body(client: usize, number: u64) -> String {
    let results: Vec<Value> = (0..RESULTS)
        .flat_map(|i| {
            let variant = if (number + i).is_multiple_of(2) { "old" } else { "new" };
            let unit = format!("{client}-{number}-{i}");
            [
                json!({"variant": variant, "metric": "spent", "value": i, "id": format!("n{unit}")}),
                json!({"unit": unit, "variant": variant, "metric": "bought", "value": 1, "id": unit}),
                // A sum: twice the same would be seen.
                json!({"unit": unit, "metric": "spent", "value": 0.25, "id": format!("s{unit}")}),
            ]
        })
        .collect();
    json!({ "results": results }).to_string()
}

const RESULTS_PATH: &str = "/api/v1/experiments/rank/results";

fn send_until_gone(address: SocketAddr, client: usize, from: u64, seen: &AtomicU64) -> u64 {
    let mut number = from;
    while post(address, RESULTS_PATH, &body(client, number)) {
        number += 1;
        seen.fetch_add(1, Ordering::SeqCst);
    }
    number
}

/// Units and the mean of a metric's values, over both variants.
fn measured(daemon: &Daemon, metric: &str) -> (u64, f64) {
    let (status, analysis) = daemon.get("/api/v1/experiments/rank/analysis");
    assert_eq!(status, 200, "{analysis}");
    let metrics = analysis["data"]["metrics"].as_array().expect("metrics");
    let found = metrics.iter().find(|found| found["name"] == metric).expect("the metric");
    let variants = found["variants"].as_array().expect("variants");
    let n = |variant: &Value| variant["n"].as_u64().unwrap_or(0);
    let sum = |variant: &Value| variant["mean"].as_f64().unwrap_or(0.0) * n(variant) as f64;
    let all: u64 = variants.iter().map(n).sum();
    (all, variants.iter().map(sum).sum::<f64>())
}

#[test]
fn every_acknowledged_result_counts_once_after_kill_nine_under_load() {
    let directory = tempfile::tempdir().expect("a directory");
    let env = [
        ("VEDETTE_COLLECT_HOST_ENABLED", "false"),
        ("VEDETTE_COLLECT_OWN_ENABLED", "false"),
        ("VEDETTE_DEFAULTS_ENABLED", "false"),
        ("VEDETTE_STORAGE_FREE_BYTES_MIN", "1"),
    ];
    let daemon = Daemon::start_with(directory.path(), &[], &env);
    let definition = json!({
        "name": "rank",
        "variants": [
            {"name": "old", "traffic_weight": 1, "is_control": true},
            {"name": "new", "traffic_weight": 1},
        ],
        "metrics": [
            {"name": "bought", "estimator": "proportion", "better": "higher"},
            {"name": "spent", "better": "higher"},
        ],
    });
    let (status, text) = daemon.post("/api/v1/experiments", &definition.to_string());
    assert!(status < 300, "{status}: {text}");
    let (status, text) = daemon.post("/api/v1/experiments/rank/start", "{}");
    assert_eq!(status, 200, "{text}");
    assert_eq!(daemon.stop().0, Some(0));

    let mut next = [0u64; CLIENTS];
    for round in 0..4 {
        let daemon = Daemon::start_with(directory.path(), &[], &env);
        let address = daemon.address;
        let seen = AtomicU64::new(0);
        std::thread::scope(|scope| {
            let seen = &seen;
            let clients: Vec<_> = next
                .iter()
                .enumerate()
                .map(|(client, from)| {
                    let from = *from;
                    scope.spawn(move || send_until_gone(address, client, from, seen))
                })
                .collect();
            while seen.load(Ordering::SeqCst) < 40 {
                std::thread::sleep(Duration::from_millis(2));
            }
            daemon.kill();
            for (client, thread) in clients.into_iter().enumerate() {
                next[client] = thread.join().expect("a client ends");
            }
        });
        let daemon = Daemon::start_with(directory.path(), &[], &env);
        for (client, acknowledged) in next.iter_mut().enumerate() {
            // The one that was cut off may be there or not; the one before it is. Both again.
            for number in acknowledged.saturating_sub(1)..=*acknowledged {
                let (status, text) = daemon.post(RESULTS_PATH, &body(client, number));
                assert_eq!(status, 200, "{text}");
            }
            *acknowledged += 1;
        }
        let requests: u64 = next.iter().sum();
        let (units, bought) = measured(&daemon, "bought");
        assert_eq!(units, requests * RESULTS, "round {round}");
        assert!((bought - units as f64).abs() < 1e-6, "{bought}");
        let (units, spent) = measured(&daemon, "spent");
        assert_eq!(units, 2 * requests * RESULTS, "round {round}");
        let expected = requests as f64 * (190.0 + 0.25 * RESULTS as f64);
        assert!((spent - expected).abs() < 1e-6 * expected, "{spent} for {expected}");
        assert_eq!(daemon.stop().0, Some(0));
    }
}
