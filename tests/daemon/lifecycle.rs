//! Starting, stopping, and what survives.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use super::process::{Daemon, run, text};

#[test]
fn a_fresh_start_without_settings_shows_the_machine_and_itself() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start(directory.path(), &[]);
    let has_result = |answer: &serde_json::Value| answer["data"]["result"][0].is_object();
    daemon.wait_for("/api/v1/query?query=node_load1", has_result);
    daemon.wait_for("/api/v1/query?query=vedette_build_info", has_result);
    assert_eq!(daemon.get("/-/healthy").0, 200);
    assert_eq!(daemon.get("/-/ready").0, 200);
    assert_eq!(daemon.get("/").0, 200);
}

#[test]
fn without_the_host_only_our_own_series_exist_and_without_both_none() {
    let directory = tempfile::tempdir().expect("a directory");
    let host_off = [("VEDETTE_COLLECT_HOST_ENABLED", "false")];
    let daemon = Daemon::start_with(directory.path(), &[], &host_off);
    daemon.wait_for("/api/v1/query?query=vedette_build_info", |answer| {
        answer["data"]["result"][0].is_object()
    });
    let (_, jobs) = daemon.get("/api/v1/label/job/values");
    assert_eq!(jobs["data"], json!(["vedette"]));

    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    // Something to wait for: once this write is acknowledged, a first round of collecting, which
    // comes at once, would have come as well.
    daemon.post("/api/v1/samples", r#"{"name":"mine","value":1}"#);
    let (_, names) = daemon.get("/api/v1/label/__name__/values");
    assert_eq!(names["data"], json!(["mine"]));
}

#[test]
fn an_acknowledged_sample_survives_kill_nine() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut daemon = Daemon::start_quiet(directory.path());
    let mut acknowledged = 0;
    for round in 0..3 {
        for _ in 0..20 {
            let body =
                format!(r#"{{"name":"survivor","value":1,"labels":{{"n":"{acknowledged}"}}}}"#);
            let (status, answer) = daemon.post("/api/v1/samples", &body);
            assert_eq!(status, 200, "{answer}");
            acknowledged += 1;
        }
        daemon.kill();
        daemon = Daemon::start_quiet(directory.path());
        assert_eq!(
            daemon.query("count(survivor)"),
            [acknowledged.to_string()],
            "after kill {round}"
        );
    }
}

#[test]
fn a_stop_is_quick_and_clean_and_keeps_everything() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    assert_eq!(daemon.post("/api/v1/samples", r#"{"name":"kept","value":3}"#).0, 200);
    // A client that never ends its request must not hold the stop up.
    let mut stuck = TcpStream::connect(daemon.address).expect("connects");
    stuck
        .write_all(
            b"POST /api/v1/samples HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{",
        )
        .expect("sent");
    let (code, took) = daemon.stop();
    assert_eq!(code, Some(0));
    // What the issue asks for, not a measure of speed: the wait for the stuck client ends at 5 s.
    assert!(took < Duration::from_secs(10), "it took {took:?}");
    let daemon = Daemon::start_quiet(directory.path());
    assert_eq!(daemon.query("kept"), ["3"]);
}

#[test]
fn a_second_daemon_on_the_same_data_is_refused_and_says_why() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    let data = directory.path().join("data");
    let second =
        run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data.to_str().expect("UTF-8")]);
    assert_eq!(second.status.code(), Some(1));
    let error = text(&second.stderr);
    assert!(
        error.contains("vedette.redb") && error.contains("another process holds it"),
        "{error}"
    );
    drop(daemon);
}

#[test]
fn a_port_in_use_is_named_with_its_mend() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    let address = daemon.address.to_string();
    let other = directory.path().join("other");
    let second = run(&["--listen", &address, "--data-dir", other.to_str().expect("UTF-8")]);
    assert_eq!(second.status.code(), Some(1));
    let error = text(&second.stderr);
    assert!(error.contains(&address) && error.contains("--listen"), "{error}");
}
