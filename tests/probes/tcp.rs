//! `tcp` against servers that say something.

use std::io::Write as _;
use std::time::Duration;

use serde_json::json;

use super::peer::{line_of, serve_tcp};
use super::{ask, probe, refusal};

#[tokio::test]
async fn a_port_that_takes_connections_is_connected() {
    let address = serve_tcp(b"", |_| {});
    let seen = ask("tcp", &address, json!({})).await;
    assert_eq!((seen.connected, seen.error), (true, None));
    assert_eq!(seen.ip.as_deref(), Some("127.0.0.1"));
    assert_eq!(seen.phases.first_byte_us, None);
    assert!(seen.phases.connect_us.expect("connected") <= seen.phases.total_us);
    assert!(refusal("tcp", "a.example", json!({})).contains("has no port"));
}

#[tokio::test]
async fn what_is_said_is_compared_with_what_is_expected() {
    let greeting = serve_tcp(b"220 mail.example ready\r\n", |mut stream| {
        let line = line_of(&mut stream);
        let _ = write!(stream, "250 you said {line}\r\n");
    });
    let seen = ask("tcp", &greeting, json!({ "expect": "^220 .* ready" })).await;
    assert_eq!(seen.error, None);
    assert!(seen.body.starts_with(b"220 mail.example"));
    let seen =
        ask("tcp", &greeting, json!({ "send": "QUIT\r\n", "expect": "you said QUIT" })).await;
    assert_eq!(seen.error, None);
    let seen = ask("tcp", &greeting, json!({ "send": "QUIT\r\n", "expect": "^221" })).await;
    let error = seen.error.expect("it says 250");
    assert!(error.contains("closed the connection without a match of ^221"), "{error}");
    assert!(error.contains("you said QUIT"), "{error}");

    let steps = json!({ "query_response": [
        { "expect": "^220 ([^ ]+)" }, { "send": "EHLO ${1}\r" }, { "expect": "^250 you said EHLO mail.example$" },
    ] });
    let seen = ask("tcp", &greeting, steps).await;
    assert_eq!(seen.error, None);
    assert!(seen.phases.first_byte_us.is_some());
    let seen =
        ask("tcp", &greeting, json!({ "query_response": [{ "send": "x" }, { "expect": "^9" }] }))
            .await;
    let error = seen.error.expect("no line begins so");
    assert!(error.contains("step 1") && error.contains("without a match of ^9"), "{error}");
}

#[tokio::test]
async fn a_silent_peer_is_left_at_the_deadline() {
    let silent = serve_tcp(b"", |stream| {
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(60));
            drop(stream);
        });
    });
    let seen = probe("tcp", &silent, json!({ "expect": "a" })).ask(Duration::from_secs(2)).await;
    let error = seen.error.expect("it says nothing");
    assert!(error.contains("timed out after 2 s while waiting for what"), "{error}");
    assert!(seen.connected);
}

#[test]
fn conversations_that_cannot_be_held_are_refused() {
    let error = refusal("tcp", "a:1", json!({ "expect": "(" }));
    assert!(error.contains("expect is no regular expression"), "{error}");
    let both = json!({ "send": "a", "query_response": [{ "send": "b" }] });
    assert!(refusal("tcp", "a:1", both).contains("put them into query_response"));
    let error = refusal("tcp", "a:1", json!({ "query_response": [{ "expct": "b" }] }));
    assert!(error.contains("unknown field `expct`"), "{error}");
}
