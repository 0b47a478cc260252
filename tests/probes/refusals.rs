//! Definitions that are refused, and peers that are not there.

use serde_json::json;
use tokio::net::TcpSocket;

use super::{ask, refusal};

#[test]
fn an_unknown_setting_is_an_error_that_lists_the_known_ones() {
    let error = refusal("tls", "a.example:443", json!({ "start_tls": "smtp" }));
    assert!(error.starts_with("settings: unknown field `start_tls`"), "{error}");
    assert!(error.contains("`tls`, `starttls`, `ip_version`"), "{error}");
    let error = refusal("tls", "a.example:443", json!({ "tls": { "ca": "x" } }));
    assert!(error.contains("unknown field `ca`") && error.contains("`ca_file`"), "{error}");
    let error = refusal("tls", "https://a.example", json!({}));
    assert!(error.starts_with("target: ") && error.contains("is a URL"), "{error}");
}

/// An address that refuses connections, for as long as the socket lives.
pub(crate) fn closed_port() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let address = socket.local_addr().expect("bound").to_string();
    (socket, address)
}

#[tokio::test]
async fn a_closed_port_is_said_to_be_one() {
    let (_socket, address) = closed_port();
    let seen = ask("tls", &address, json!({})).await;
    let error = seen.error.expect("nothing listens");
    assert!(error.contains(&format!("connection refused by {address}")), "{error}");
    assert!(error.contains("nothing listens there"), "{error}");
    assert!(!seen.connected);
    assert_eq!(seen.phases.tls_us, None);
    assert!(seen.phases.connect_us.expect("it was tried") <= seen.phases.total_us);
}
