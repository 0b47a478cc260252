//! `kill -9` in the middle of writes from several clients.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::process::Daemon;

const CLIENTS: usize = 4;
/// Series of each client.
const SERIES: u64 = 25;

/// Writes numbered samples until the daemon is gone. Gives the first number that was not
/// acknowledged.
fn write_until_gone(address: SocketAddr, client: usize, from: u64, seen: &AtomicU64) -> u64 {
    let mut number = from;
    while post(address, &body(client, number)) {
        number += 1;
        seen.fetch_add(1, Ordering::SeqCst);
    }
    number
}

/// Sends a body; whether it was acknowledged.
fn post(address: SocketAddr, body: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let sent = write!(
        stream,
        "POST /api/v1/samples HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut answer = String::new();
    sent.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
}

/// The samples of one write of a client: one of each of its series, at a time of its own.
fn body(client: usize, number: u64) -> String {
    let samples: Vec<String> = (0..SERIES)
        .map(|i| {
            let at = 1_000 * (number * SERIES + i);
            format!(
                r#"{{"name":"written","value":{number},"labels":{{"client":"{client}","i":"{i}"}},"at":{at}}}"#
            )
        })
        .collect();
    format!(r#"{{"samples":[{}]}}"#, samples.join(","))
}

#[test]
fn every_acknowledged_sample_survives_kill_nine_under_load() {
    let directory = tempfile::tempdir().expect("a directory");
    let env = [
        ("VEDETTE_COLLECT_HOST_ENABLED", "false"),
        ("VEDETTE_COLLECT_OWN_ENABLED", "false"),
        ("VEDETTE_DEFAULTS_ENABLED", "false"),
        ("VEDETTE_RETENTION_RAW", "100y"),
        ("VEDETTE_STORAGE_FREE_BYTES_MIN", "1"),
    ];
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
                    scope.spawn(move || write_until_gone(address, client, from, seen))
                })
                .collect();
            while seen.load(Ordering::SeqCst) < 60 {
                std::thread::sleep(Duration::from_millis(2));
            }
            daemon.kill();
            for (client, thread) in clients.into_iter().enumerate() {
                next[client] = thread.join().expect("a client ends");
            }
        });
        let daemon = Daemon::start_with(directory.path(), &[], &env);
        for (client, acknowledged) in next.iter_mut().enumerate() {
            for i in 0..SERIES {
                // The window reaches from 1970 to after the last write; `time` is its end.
                let query = format!(
                    "count_over_time(written%7Bclient=%22{client}%22,i=%22{i}%22%7D%5B50y%5D)&time=1000000000"
                );
                let found: u64 = daemon.query(&query)[0].parse().expect("a number");
                // The write that the kill cut off may be there, as a whole or not at all.
                assert!(
                    found == *acknowledged || found == *acknowledged + 1,
                    "round {round}, client {client}, series {i}: {found} of {acknowledged}"
                );
            }
            // Whether or not the cut-off write is there: now it is, and the next number is new.
            assert_eq!(daemon.post("/api/v1/samples", &body(client, *acknowledged)).0, 200);
            *acknowledged += 1;
        }
        assert_eq!(daemon.stop().0, Some(0));
    }
}
