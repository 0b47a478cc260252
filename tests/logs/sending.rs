//! `kill -9` while clients send: what was acknowledged is there, once.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::process::Daemon;

const CLIENTS: u64 = 3;
/// Lines of one request.
const LINES: u64 = 20;

/// Sends a body under a key; whether it was acknowledged.
fn post(address: SocketAddr, key: &str, body: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let sent = write!(
        stream,
        "POST /api/v1/logs HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Idempotency-Key: {key}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut answer = String::new();
    sent.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
}

fn body(client: u64, request: u64) -> String {
    let lines = (0..LINES).map(|line| {
        format!("{{\"message\":\"{client}/{request}/{line}\",\"source\":\"client-{client}\",\"level\":\"warn\"}}\n")
    });
    lines.collect()
}

/// All messages of a client, page by page.
fn messages(daemon: &Daemon, client: u64) -> Vec<String> {
    let mut messages = Vec::new();
    let mut after = String::new();
    loop {
        let path = format!("/api/v1/logs?source=client-{client}&order=oldest&limit=500{after}");
        let (status, answer) = daemon.get(&path);
        assert_eq!(status, 200, "{answer}");
        let lines = answer["data"].as_array().expect("a list");
        messages
            .extend(lines.iter().map(|line| line["message"].as_str().expect("a text").to_owned()));
        match &answer["next"] {
            Value::String(next) => after = format!("&after={next}"),
            _ => return messages,
        }
    }
}

#[test]
fn acknowledged_lines_survive_kill_nine_whole_and_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut acknowledged = vec![0; CLIENTS as usize];
    for _ in 0..3 {
        let daemon = Daemon::start_quiet(directory.path());
        let address = daemon.address;
        let seen = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for (client, next) in acknowledged.iter_mut().enumerate() {
                let seen = &seen;
                scope.spawn(move || {
                    while post(address, &format!("{client}/{next}"), &body(client as u64, *next)) {
                        *next += 1;
                        seen.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            // In the middle of it, however fast the machine is.
            while seen.load(Ordering::SeqCst) < 30 {
                std::thread::sleep(Duration::from_millis(1));
            }
            daemon.kill();
        });
    }
    let daemon = Daemon::start_quiet(directory.path());
    for (client, acknowledged) in acknowledged.into_iter().enumerate() {
        let client = client as u64;
        let found = messages(&daemon, client);
        // The request under way at each end was not acknowledged, and the next round sends it
        // again under its key: it is there once all the same. That of the last end may be there.
        let whole = found.len() as u64 / LINES;
        assert!(whole == acknowledged || whole == acknowledged + 1, "{whole}, {acknowledged}");
        let expected: Vec<String> = (0..whole)
            .flat_map(|request| (0..LINES).map(move |line| format!("{client}/{request}/{line}")))
            .collect();
        assert_eq!(found, expected, "each once, whole, in order");
    }
}
