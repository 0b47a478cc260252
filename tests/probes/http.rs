//! `http` against nginx.

use std::time::Duration;

use serde_json::json;
use vedette::model::Observation;

use super::peer::{EXPIRED_END, GOOD_END, Site, serve_tcp};
use super::{ask, probe, refusal};

pub(crate) fn header<'a>(seen: &'a Observation, name: &str) -> &'a str {
    let found = seen.headers.iter().find(|(key, _)| key == name);
    found.map_or("", |(_, value)| value.as_str())
}

fn text(seen: &Observation) -> String {
    String::from_utf8_lossy(&seen.body).into_owned()
}

/// What is measured takes no longer than all of it, and is there exactly if it took place.
fn check_phases(seen: &Observation, dns: bool, tls: bool) {
    let phases = &seen.phases;
    assert_eq!(phases.dns_us.is_some(), dns, "{phases:?}");
    assert_eq!(phases.tls_us.is_some(), tls, "{phases:?}");
    let parts = [phases.dns_us, phases.connect_us, phases.tls_us, phases.first_byte_us];
    let sum: u64 = parts.iter().flatten().sum();
    assert!(sum <= phases.total_us, "{phases:?}");
    assert!(phases.connect_us.is_some() && phases.first_byte_us.is_some(), "{phases:?}");
}

#[tokio::test]
async fn what_a_server_answers_is_seen() {
    let site = Site::start();
    let seen = ask("http", &site.url("/ok"), json!({})).await;
    assert_eq!(seen.error, None);
    assert!(seen.connected);
    assert_eq!((seen.status, text(&seen).as_str()), (Some(200), r#"{"up":true}"#));
    assert_eq!(header(&seen, "x-own"), "a b");
    assert_eq!(seen.ip.as_deref(), Some("127.0.0.1"));
    assert_eq!(seen.metadata["http_version"], "1.1");
    assert_eq!(seen.metadata["content_length"], 11);
    assert_eq!(seen.certificate_expires_at, None);
    check_phases(&seen, false, false);

    // Any status is an answer; conditions judge it.
    let seen = ask("http", &site.url("/status/503"), json!({})).await;
    assert_eq!((seen.status, seen.error.as_deref()), (Some(503), None));

    let settings = json!({
        "method": "PUT", "body": "x", "bearer_token": "t0ken", "headers": { "X-Own": "mine" },
    });
    let seen = ask("http", &site.url("/echo"), settings).await;
    let version = env!("CARGO_PKG_VERSION");
    let host = format!("127.0.0.1:{}", site.http);
    let expected = format!("PUT vedette/{version} Bearer t0ken mine HTTP/1.1 {host}");
    assert_eq!(text(&seen), expected);

    let seen = ask("http", &site.url("/ok"), json!({ "method": "HEAD" })).await;
    assert_eq!((seen.status, seen.body.len(), seen.error), (Some(200), 0, None));
}

#[tokio::test]
async fn passwords_are_sent_and_those_in_files_are_read_each_time() {
    let site = Site::start();
    let url = site.url("/private");
    assert_eq!(ask("http", &url, json!({})).await.status, Some(401));
    let file = site.certificates.path("password");
    std::fs::write(&file, "wrong\n").expect("written");
    let settings = json!({ "basic_auth": { "username": "me", "password": { "file": file } } });
    let probe = probe("http", &url, settings);
    assert_eq!(probe.ask(super::PATIENCE).await.status, Some(401));
    std::fs::write(&file, "s3cret\n").expect("written");
    assert_eq!(probe.ask(super::PATIENCE).await.status, Some(200));
    std::fs::remove_file(&file).expect("removed");
    let error = probe.ask(super::PATIENCE).await.error.expect("no password");
    assert!(error.contains("basic_auth.password") && error.contains("cannot read"), "{error}");

    let with_user = url.replace("http://", "http://me:s3cret@");
    let seen = ask("http", &with_user, json!({})).await;
    assert_eq!(seen.status, Some(200));
    assert!(!format!("{:?}", seen.metadata).contains("s3cret"), "{:?}", seen.metadata);
}

#[tokio::test]
async fn redirects_are_followed_as_far_as_asked() {
    let site = Site::start();
    let seen = ask("http", &site.url("/hop"), json!({})).await;
    assert_eq!((seen.status, &seen.error), (Some(200), &None));
    assert_eq!(seen.metadata["redirects"], 2);
    assert_eq!(seen.metadata["url"], site.url("/ok"));
    check_phases(&seen, false, false);

    let seen = ask("http", &site.url("/hop"), json!({ "follow_redirects": false })).await;
    assert_eq!((seen.status, seen.error.as_deref()), (Some(301), None));
    assert_eq!(header(&seen, "location"), format!("http://127.0.0.1:{}/hop2", site.http));

    let seen = ask("http", &site.url("/hop"), json!({ "follow_redirects": 1 })).await;
    assert!(seen.error.expect("two are too many").contains("after 1 redirects"));
    let seen = ask("http", &site.url("/loop"), json!({})).await;
    let error = seen.error.expect("a loop");
    assert!(error.contains("after 10 redirects") && error.contains("a loop?"), "{error}");
    let error = ask("http", &site.url("/away"), json!({})).await.error.expect("no HTTP");
    assert!(error.contains("ftp://a.example/") && error.contains("not of http"), "{error}");
}

#[tokio::test]
async fn over_tls_version_and_certificate_are_seen() {
    let site = Site::start();
    let tls = site.certificates.trusted();
    let seen = ask("http", &site.secure_url("/echo"), json!({ "tls": tls })).await;
    assert_eq!((seen.status, seen.error.as_deref()), (Some(200), None));
    assert_eq!(seen.metadata["http_version"], "2");
    assert!(text(&seen).contains("HTTP/2.0"), "{}", text(&seen));
    assert_eq!(seen.metadata["tls_version"], "TLS 1.3");
    assert_eq!(seen.metadata["certificate_subject"], "CN=good.example");
    assert_eq!(seen.metadata["certificate_issuer"], "CN=Ours");
    assert_eq!(seen.metadata["certificate_names"], json!(["localhost", "127.0.0.1", "::1"]));
    assert_eq!(seen.certificate_expires_at.map(|at| at.millis()), Some(GOOD_END));
    check_phases(&seen, true, true);

    let settings = json!({ "tls": tls, "http_version": "1.1" });
    let seen = ask("http", &site.secure_url("/hop"), settings).await;
    assert_eq!((seen.status, seen.error.as_deref()), (Some(200), None));
    assert_eq!(seen.metadata["http_version"], "1.1");
    assert_eq!(seen.metadata["redirects"], 2);
    check_phases(&seen, true, true);
}

#[tokio::test]
async fn a_certificate_that_is_not_right_is_seen_and_sent_nothing() {
    let site = Site::start();
    let tls = site.certificates.trusted();
    let expired = format!("https://localhost:{}/ok", site.expired);
    let other = format!("https://localhost:{}/ok", site.other);

    let seen = ask("http", &expired, json!({ "tls": tls })).await;
    let error = seen.error.expect("it has expired");
    assert!(error.contains("has expired") && error.contains("2021-01-02T03:04:05"), "{error}");
    assert!(seen.connected);
    assert_eq!((seen.status, seen.phases.first_byte_us), (None, None));
    assert_eq!(seen.certificate_expires_at.map(|at| at.millis()), Some(EXPIRED_END));

    let error = ask("http", &other, json!({ "tls": tls })).await.error.expect("another's");
    assert!(error.contains("is not for localhost: it is for other.example"), "{error}");
    let named = json!({ "tls": { "ca_file": tls["ca_file"], "server_name": "other.example" } });
    assert_eq!(ask("http", &other, named).await.error, None);

    let seen = ask("http", &site.secure_url("/ok"), json!({})).await;
    let error = seen.error.expect("nobody knows it");
    assert!(error.contains("\"CN=Ours\"") && error.contains("tls.ca_file"), "{error}");
    assert_eq!(seen.certificate_expires_at.map(|at| at.millis()), Some(GOOD_END));

    let any = json!({ "tls": { "insecure_skip_verify": true } });
    let seen = ask("http", &expired, any).await;
    assert_eq!((seen.status, seen.error.as_deref()), (Some(200), None));
    let plain = format!("https://127.0.0.1:{}/ok", site.http);
    let error = ask("http", &plain, json!({})).await.error.expect("no TLS there");
    assert!(error.contains("does not speak TLS on this port"), "{error}");
    let missing = json!({ "tls": { "ca_file": "/nowhere/ca.pem" } });
    let error = ask("http", &site.secure_url("/ok"), missing).await.error.expect("no such file");
    assert!(error.contains("/nowhere/ca.pem"), "{error}");
}

#[tokio::test]
async fn a_body_is_unpacked_and_kept_up_to_a_bound() {
    let site = Site::start();
    let seen = ask("http", &site.url("/packed.txt"), json!({})).await;
    assert_eq!((seen.status, seen.error.as_deref()), (Some(200), None));
    assert_eq!(header(&seen, "content-encoding"), "gzip");
    assert_eq!(text(&seen), "pack me ".repeat(1000));
    let seen = ask("http", &site.url("/big"), json!({})).await;
    assert_eq!((seen.body.len(), seen.error.as_deref()), (1 << 20, None));
    assert_eq!(seen.metadata["body_cut"], true);
    assert_eq!(seen.metadata["content_length"], 3 << 20);
}

#[tokio::test]
async fn a_peer_that_trickles_is_left_at_the_deadline() {
    let site = Site::start();
    let seen = probe("http", &site.url("/slow"), json!({})).ask(Duration::from_secs(3)).await;
    let error = seen.error.expect("100 kB at 1 kB/s");
    assert!(error.contains("timed out after 3 s while reading the body"), "{error}");
    assert_eq!((seen.status, seen.connected), (Some(200), true));

    // One byte of the head at a time, for ever.
    let address = serve_tcp(b"", |mut stream| {
        std::thread::spawn(move || {
            use std::io::Write as _;
            // Who answers before he is asked speaks no HTTP.
            assert!(super::peer::line_of(&mut stream).starts_with("GET / "));
            stream.write_all(b"HTTP/1.1 200 OK\r\n").expect("sent");
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
    });
    let url = format!("http://{address}/");
    let seen = probe("http", &url, json!({})).ask(Duration::from_secs(2)).await;
    let error = seen.error.expect("no end of the head");
    assert!(error.contains("while waiting for the answer of"), "{error}");
}

#[tokio::test]
async fn what_is_no_http_is_said_to_be_none() {
    let address = serve_tcp(b"SSH-2.0-OpenSSH_9\r\n", |_| {});
    let error = ask("http", &format!("http://{address}/"), json!({})).await.error;
    let error = error.expect("no HTTP");
    assert!(error.contains("does not answer in HTTP"), "{error}");
    let (_socket, address) = super::refusals::closed_port();
    let error = ask("http", &format!("http://{address}/"), json!({})).await.error;
    assert!(error.expect("closed").contains("connection refused by"));
    let error = ask("http", "http://nobody.invalid/", json!({})).await.error.expect("no name");
    assert!(error.contains("cannot resolve nobody.invalid"), "{error}");
    let error = ask("http", "http://127.0.0.1:1/", json!({ "ip_version": "6" })).await.error;
    assert!(error.expect("none").contains("has no address of IPv6"));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    for (settings, why) in [
        (json!({ "method": "G E T" }), "is no method"),
        (json!({ "method": "CONNECT" }), "for proxies"),
        (json!({ "follow_redirects": 1000 }), "at most 100"),
        (json!({ "follow_redirects": "yes" }), "true, false or how many"),
        (json!({ "headers": { "a b": "c" } }), "not the name of a header"),
        (json!({ "headers": { "a": "c\r\nd: e" } }), "no line breaks"),
        (json!({ "bearer_token": "a", "headers": { "Authorization": "b" } }), "keep one"),
        (json!({ "http_version": "3" }), "unknown variant `3`"),
        (json!({ "tls": { "server_name": "a b" } }), "is not a host name"),
        (json!({ "methd": "GET" }), "unknown field `methd`"),
    ] {
        let error = refusal("http", "https://a.example", settings);
        assert!(error.starts_with("settings: ") && error.contains(why), "{error}");
    }
}
