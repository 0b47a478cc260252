//! `dns` against dnsmasq.

use std::net::UdpSocket;
use std::time::Duration;

use serde_json::{Value, json};
use vedette::model::Observation;

use super::peer::NameServer;
use super::{ask, probe, refusal};

fn body(seen: &Observation) -> Value {
    serde_json::from_slice(&seen.body).expect("JSON")
}

#[tokio::test]
async fn every_type_of_record_is_read() {
    let server = NameServer::start();
    let target = format!("127.0.0.1:{}", server.port);
    for (name, kind, expected) in [
        ("www.example.test", "A", json!(["192.0.2.1"])),
        ("www.example.test", "AAAA", json!(["2001:db8::1"])),
        ("example.test", "MX", json!(["10 mail.example.test"])),
        ("example.test", "TXT", json!(["v=spf1 -all"])),
        ("alias.example.test", "CNAME", json!(["www.example.test"])),
        // The alias is among the answers and not of the type.
        ("alias.example.test", "A", json!(["192.0.2.1"])),
        ("_sip._tcp.example.test", "SRV", json!(["1 2 5060 www.example.test"])),
        ("192.0.2.1", "PTR", json!(["www.example.test"])),
        ("example.test", "CAA", json!(["0 issue \"ca.example.test\""])),
    ] {
        let seen = ask("dns", &target, json!({ "name": name, "record_type": kind })).await;
        assert_eq!(seen.error, None, "{name} {kind}");
        assert_eq!(seen.dns_rcode.as_deref(), Some("NOERROR"), "{name} {kind}");
        assert_eq!(body(&seen), expected, "{name} {kind}");
        assert!(seen.connected);
        assert_eq!(seen.metadata["transport"], "udp");
        assert!(seen.phases.first_byte_us.expect("answered") <= seen.phases.total_us);
    }
}

#[tokio::test]
async fn what_is_not_there_has_a_code_and_is_an_answer() {
    let server = NameServer::start();
    let target = format!("127.0.0.1:{}", server.port);
    let seen = ask("dns", &target, json!({ "name": "nobody.example.test" })).await;
    assert_eq!((seen.dns_rcode.as_deref(), seen.error.as_deref()), (Some("NXDOMAIN"), None));
    assert_eq!(body(&seen), json!([]));
    assert_eq!(seen.status, Some(3));
    // dnsmasq asks nobody else here.
    let seen = ask("dns", &target, json!({ "name": "a.example.org" })).await;
    assert_eq!((seen.dns_rcode.as_deref(), seen.error.as_deref()), (Some("REFUSED"), None));
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_asked_for_over_tcp() {
    let server = NameServer::start();
    let target = format!("127.0.0.1:{}", server.port);
    let seen = ask("dns", &target, json!({ "name": "many.example.test" })).await;
    assert_eq!(seen.error, None);
    assert_eq!(
        (&seen.metadata["truncated"], &seen.metadata["transport"]),
        (&json!(true), &json!("tcp"))
    );
    assert_eq!(body(&seen).as_array().map(Vec::len), Some(60));
    assert!(seen.phases.connect_us.is_some());
    let small = json!({ "name": "www.example.test", "transport": "tcp" });
    let seen = ask("dns", &target, small).await;
    assert_eq!(seen.metadata["transport"], "tcp");
    assert_eq!(body(&seen), json!(["192.0.2.1"]));
}

#[tokio::test]
async fn silence_and_nonsense_are_no_answers() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let target = socket.local_addr().expect("bound").to_string();
    let settings = json!({ "name": "a.example.test" });
    let silent = probe("dns", &target, settings.clone()).ask(Duration::from_secs(1)).await;
    let error = silent.error.expect("nobody answers");
    assert!(error.contains("while waiting for the answer of the DNS server"), "{error}");
    assert!(!silent.connected);

    // Another's id, then no DNS at all.
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut query) {
            let mut forged = query[..length].to_vec();
            forged[0] ^= 0xff;
            forged[2] |= 0x80;
            let _ = socket.send_to(&forged, from);
            let _ = socket.send_to(b"hello", from);
        }
    });
    let forged = probe("dns", &target, settings.clone()).ask(Duration::from_secs(1)).await;
    assert!(forged.error.expect("a forgery is none").contains("timed out"));
    assert_eq!(forged.dns_rcode, None);

    let (_socket, closed) = super::refusals::closed_port();
    let error = ask("dns", &closed, settings).await.error.expect("closed");
    assert!(error.contains("no DNS server listens there"), "{error}");
}

#[test]
fn a_question_needs_a_name_and_a_type_that_is_known() {
    assert!(refusal("dns", "127.0.0.1", json!({})).contains("missing field `name`"));
    let error = refusal("dns", "", json!({ "name": "a", "record_type": "AXFR" }));
    assert!(error.contains("unknown variant `AXFR`") && error.contains("`AAAA`"), "{error}");
    let error = refusal("dns", "", json!({ "name": "a..b" }));
    assert!(error.contains("settings: name \"a..b\""), "{error}");
}
