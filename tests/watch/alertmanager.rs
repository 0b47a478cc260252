//! Beside the real Prometheus, amtool and Alertmanager.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::process::{Daemon, PATIENCE, QUIET, text};

/// A program that ends with the test.
struct Peer(Child);

impl Peer {
    fn start(directory: &Path, program: &str, args: &[String]) -> Peer {
        let log = std::fs::File::create(directory.join(format!("{program}.log"))).expect("creates");
        let child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("Debian's package `{program}` is installed: {error}"));
        Peer(child)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Free a moment ago.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port")
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn start_prometheus(directory: &Path, vedette: SocketAddr) -> Peer {
    let config = directory.join("prometheus.yml");
    let text = format!(
        "global: {{evaluation_interval: 1s}}\n\
         rule_files: [{}]\n\
         alerting:\n  alertmanagers:\n  - api_version: v2\n    static_configs:\n    \
         - targets: ['{vedette}']\n",
        directory.join("rules.yml").display()
    );
    std::fs::write(&config, text).expect("writes");
    let args = [
        format!("--config.file={}", config.display()),
        format!("--storage.tsdb.path={}", directory.join("prometheus").display()),
        format!("--web.listen-address={}", free_address()),
        "--rules.alert.resend-delay=1s".to_owned(),
    ];
    Peer::start(directory, "prometheus", &args)
}

fn write_rule(directory: &Path, expr: &str) {
    let text = format!(
        "groups:\n- name: g\n  rules:\n  - alert: Always\n    expr: {expr}\n    labels: \
         {{severity: critical, team: shop}}\n    annotations: {{summary: 'it is {{{{ $value }}}}'}}\n"
    );
    std::fs::write(directory.join("rules.yml"), text).expect("writes");
}

#[test]
fn what_a_real_prometheus_fires_and_resolves_is_taken_and_ends() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_with(directory.path(), &[], &QUIET);
    write_rule(directory.path(), "vector(7)");
    let prometheus = start_prometheus(directory.path(), daemon.address);
    let alerts = daemon.wait_for("/api/v2/alerts", |alerts| {
        alerts.as_array().is_some_and(|alerts| !alerts.is_empty())
    });
    let alert = &alerts[0];
    assert_eq!(
        alert["labels"],
        json!({"alertname": "Always", "severity": "critical", "team": "shop"})
    );
    assert_eq!(alert["annotations"], json!({"summary": "it is 7"}));
    assert_eq!(alert["status"]["state"], "active");
    assert!(alert["generatorURL"].as_str().is_some_and(|url| url.contains("/graph?g0.expr=")));
    let incidents = daemon.wait_for("/api/v1/incidents", |list| list["data"][0].is_object());
    let incident = &incidents["data"][0];
    assert_eq!((&incident["status"], &incident["severity"]), (&json!("open"), &json!("critical")));
    assert_eq!(incident["labels"], alert["labels"]);
    // It is sent again, each time with a later end, and stays one alert.
    let first_end = alert["endsAt"].clone();
    let again = daemon.wait_for("/api/v2/alerts", |alerts| alerts[0]["endsAt"] != first_end);
    assert_eq!(again[0]["startsAt"], alert["startsAt"]);
    assert_eq!(again.as_array().map(Vec::len), Some(1));

    write_rule(directory.path(), "vector(7) > 8");
    kill_process(Pid::from_child(&prometheus.0), Signal::HUP).expect("signalled");
    daemon.wait_for("/api/v2/alerts", |alerts| *alerts == json!([]));
    let over = daemon.wait_for("/api/v1/incidents", |list| list["data"][0]["status"] == "resolved");
    assert_eq!(over["data"][0]["id"], incident["id"]);
    assert_eq!(over["data"].as_array().map(Vec::len), Some(1));
}

fn start_alertmanager(directory: &Path) -> (Peer, SocketAddr) {
    let config = directory.join("alertmanager.yml");
    std::fs::write(&config, "route: {receiver: ops}\nreceivers: [{name: ops}]\n").expect("writes");
    let address = free_address();
    let args = [
        format!("--config.file={}", config.display()),
        format!("--storage.path={}", directory.join("alertmanager").display()),
        format!("--web.listen-address={address}"),
        "--cluster.listen-address=".to_owned(),
    ];
    let peer = Peer::start(directory, "prometheus-alertmanager", &args);
    until("Alertmanager listens", || TcpStream::connect(address).is_ok());
    (peer, address)
}

fn amtool(directory: &Path, address: SocketAddr, args: &[&str]) -> Output {
    Command::new("amtool")
        .arg(format!("--alertmanager.url=http://{address}"))
        .args(["-o", "json"])
        .args(args)
        .env("HOME", directory)
        .stdin(Stdio::null())
        .output()
        .expect("Debian's package `prometheus-alertmanager` is installed")
}

/// Puts a word in the place of what differs from run to run: ids and times. Who is told is a
/// matter of the configuration.
fn masked(mut value: Value) -> Value {
    match &mut value {
        Value::Array(list) => {
            let masked_list = list.drain(..).map(masked).collect();
            Value::Array(masked_list)
        }
        Value::Object(object) => {
            object.remove("receivers");
            for (name, inner) in object.iter_mut() {
                let one = inner.take();
                *inner = match name.as_str() {
                    "id" | "startsAt" | "endsAt" | "updatedAt" => json!("masked"),
                    "silencedBy" => json!(one.as_array().map(Vec::len)),
                    _ => masked(one),
                };
            }
            value
        }
        _ => value,
    }
}

/// The same commands to either side: what amtool says, masked, and whether it succeeded.
fn session(directory: &Path, address: SocketAddr) -> Vec<(String, bool, Value)> {
    let mut told = Vec::new();
    let mut say = |args: &[&str]| -> String {
        let output = amtool(directory, address, args);
        let said = text(&output.stdout);
        let value = serde_json::from_str(&said).map_or_else(
            // An id, or nothing.
            |_| json!(said.trim().len()),
            masked,
        );
        told.push((args[..2].join(" "), output.status.success(), value));
        said.trim().trim_matches('"').to_owned()
    };
    say(&[
        "alert",
        "add",
        "alertname=Disk",
        "instance=a",
        "severity=critical",
        "--annotation=summary=it is full",
        "--generator-url=http://x/graph",
    ]);
    say(&["alert", "add", "alertname=Load", "instance=b", "zone=ü"]);
    say(&["alert", "query"]);
    say(&["alert", "query", "alertname=~Di.*", "instance!=b"]);
    let id = say(&[
        "silence",
        "add",
        "alertname=Disk",
        "instance=~a|b",
        "-d",
        "1h",
        "-c",
        "work",
        "-a",
        "me",
    ]);
    say(&["silence", "query"]);
    say(&["silence", "query", "alertname=Disk"]);
    say(&["silence", "query", "alertname=Other"]);
    say(&["alert", "query"]);
    say(&["alert", "query", "--silenced"]);
    say(&["silence", "update", &id, "-d", "2h", "-c", "more work"]);
    say(&["silence", "query"]);
    say(&["silence", "expire", &id]);
    say(&["silence", "query"]);
    say(&["silence", "query", "--expired", "-a"]);
    say(&["silence", "expire", "2fae1bf4-54eb-4b4b-a8ec-cd9c6d2f3b4d"]);
    say(&["silence", "add", "alertname=~.*", "-d", "1h", "-c", "all", "-a", "me"]);
    say(&["silence", "add", "alertname=(", "-d", "1h", "-c", "fine", "-a", "me"]);
    say(&["silence", "add", "alertname=~(", "-d", "1h", "-c", "broken", "-a", "me"]);
    say(&["cluster", "show"]);
    told
}

#[test]
fn amtool_says_the_same_of_vedette_as_of_alertmanager() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_with(directory.path(), &[], &QUIET);
    let (_alertmanager, address) = start_alertmanager(directory.path());
    let theirs = session(directory.path(), address);
    let ours = session(directory.path(), daemon.address);
    assert_eq!(theirs.len(), ours.len());
    for (theirs, ours) in theirs.iter().zip(&ours) {
        if theirs.0 == "cluster show" {
            // It names peers and versions.
            assert!(ours.1);
            continue;
        }
        assert_eq!(ours, theirs);
    }
    // Not vacuous: the silence hid an alert, and came to an end.
    let lengths = |nth: usize| ours[nth].2.as_array().map(Vec::len);
    assert_eq!((lengths(2), lengths(3), lengths(8)), (Some(2), Some(1), Some(1)));
    assert_eq!(ours[9].2[0]["status"]["silencedBy"], json!(1));
}
