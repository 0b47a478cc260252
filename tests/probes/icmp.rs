//! `icmp` against this machine itself.

use serde_json::{Value, json};

use super::{ask, refusal};

/// A machine that lets nobody ping must say what would help; any other must answer.
async fn check_echo(target: &str, ip: &str, settings: Value) {
    let seen = ask("icmp", target, settings.clone()).await;
    if let Some(error) = seen.error {
        assert!(error.contains("net.ipv4.ping_group_range"), "{error}");
        assert!(error.contains("CAP_NET_RAW"), "{error}");
        assert!(!seen.connected);
        return;
    }
    let count = settings["count"].as_u64().unwrap_or(1);
    assert!(seen.connected);
    assert_eq!(seen.ip.as_deref(), Some(ip));
    assert_eq!(
        (&seen.metadata["sent"], &seen.metadata["received"]),
        (&json!(count), &json!(count))
    );
    assert_eq!(seen.values["PACKET_LOSS"], 0.0);
    assert_eq!(seen.phases.first_byte_us, Some(seen.phases.total_us));
}

#[tokio::test]
async fn this_machine_answers_itself_over_both_versions() {
    check_echo("127.0.0.1", "127.0.0.1", json!({})).await;
    check_echo("::1", "::1", json!({})).await;
    check_echo("[::1]", "::1", json!({ "count": 3, "size": 0 })).await;
    check_echo("127.0.0.1", "127.0.0.1", json!({ "count": 3, "size": 1452, "ttl": 1 })).await;
    check_echo("localhost", "127.0.0.1", json!({ "ip_version": "4" })).await;
}

#[tokio::test]
async fn a_host_that_cannot_be_found_has_no_echo() {
    let seen = ask("icmp", "nobody.invalid", json!({})).await;
    assert!(seen.error.expect("no such name").contains("cannot resolve nobody.invalid"));
    assert!(!seen.connected);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    assert!(refusal("icmp", "", json!({})).contains("has no host"));
    assert!(refusal("icmp", "a.example:80", json!({})).contains("has a port"));
    assert!(refusal("icmp", "a", json!({ "count": 0 })).contains("from 1 to 100"));
    assert!(refusal("icmp", "a", json!({ "size": 9000 })).contains("at most 1452"));
    assert!(refusal("icmp", "a", json!({ "ttl": 0 })).contains("goes nowhere"));
}
