//! Peers that speak nonsense, too much, or nothing.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use super::{PATIENCE, probe};

/// Says `words` to everybody who comes, then `more` for ever if there is any, and hangs up else.
async fn peer(words: Vec<u8>, more: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (words, more) = (words.clone(), more.clone());
            tokio::spawn(async move {
                if stream.write_all(&words).await.is_err() {
                    return;
                }
                while !more.is_empty() && stream.write_all(&more).await.is_ok() {}
                // Closing with unread bytes would reset the connection under the answer.
                tokio::time::sleep(Duration::from_millis(50)).await;
            });
        }
    });
    address
}

fn kinds(address: &str) -> Vec<(&'static str, String, Value)> {
    let login = json!({ "user": "u", "password": "s3cret" });
    let plain = json!({ "user": "u", "password": "s3cret", "sslmode": "disable" });
    vec![
        ("postgres", address.to_owned(), login.clone()),
        ("postgres", address.to_owned(), plain.clone()),
        ("mysql", address.to_owned(), login.clone()),
        ("mysql", address.to_owned(), plain),
        ("redis", address.to_owned(), login),
        ("ssh", address.to_owned(), json!({})),
        ("model", format!("http://{address}/v1"), json!({ "api_key": "s3cret" })),
    ]
}

async fn every_kind_fails_in_time(words: &[u8], more: &[u8]) {
    let address = peer(words.to_vec(), more.to_vec()).await;
    for (kind, target, settings) in kinds(&address) {
        let start = Instant::now();
        let seen = probe(kind, &target, settings).ask(Duration::from_secs(2)).await;
        let error = seen.error.unwrap_or_else(|| panic!("{kind} takes {words:?}"));
        assert!(error.contains(&address) && !error.contains("s3cret"), "{kind}: {error}");
        assert!(error.len() < 2000, "{kind}: {error}");
        assert!(start.elapsed() < PATIENCE, "{kind}");
    }
}

#[tokio::test]
async fn a_peer_that_hangs_up_at_once_is_an_error_of_every_kind() {
    every_kind_fails_in_time(b"", b"").await;
}

#[tokio::test]
async fn a_peer_of_another_protocol_is_an_error_of_every_kind() {
    every_kind_fails_in_time(b"220 mail.example ESMTP\r\n", b"").await;
    every_kind_fails_in_time(&[0xff; 100], b"").await;
    every_kind_fails_in_time(&[0; 100], b"").await;
    every_kind_fails_in_time(b"S\x16\x03\x01\xff\xff", b"").await;
}

#[tokio::test]
async fn a_peer_that_never_stops_talking_is_cut_off() {
    every_kind_fails_in_time(b"", b"a line without meaning\r\n").await;
    every_kind_fails_in_time(b"", &[b'x'; 4096]).await;
    every_kind_fails_in_time(b"NS\0\0\0\x06a\0", b"S\0\0\0\x08a\0b\0").await;
    every_kind_fails_in_time(b"SSH-2.0-endless\r\n", b"\0\0\0\x0c\x04\x02aaaaaaaaaa").await;
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_waited_for_no_longer_than_the_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound").to_string();
    for (kind, target, settings) in kinds(&address) {
        let seen = probe(kind, &target, settings).ask(Duration::from_secs(1)).await;
        let error = seen.error.expect("nothing came");
        assert!(error.starts_with("timed out after 1 s while "), "{kind}: {error}");
        assert!(error.contains(&address), "{kind}: {error}");
        assert!(seen.connected, "{kind}: the kernel takes connections");
    }
}
