//! Files and syslog, with the settings of a running process.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::process::{Daemon, QUIET};

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Place { directory: tempfile::tempdir().expect("a directory") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn settings(&self, text: &str) {
        fs::write(self.path("config.toml"), text).expect("written");
    }

    fn start(&self) -> Daemon {
        let config = self.path("config.toml");
        let arguments = ["--config", config.to_str().expect("UTF-8")];
        Daemon::start_with(self.directory.path(), &arguments, &QUIET)
    }
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("opens");
    file.write_all(text.as_bytes()).expect("written");
}

fn messages(answer: &Value) -> Vec<&str> {
    let lines = answer["data"].as_array().into_iter().flatten();
    lines.filter_map(|line| line["message"].as_str()).collect()
}

/// Waits until these messages are there, in the order in which they came, and no others.
fn expect(daemon: &Daemon, query: &str, expected: &[&str]) -> Value {
    let path = format!("/api/v1/logs?order=oldest&limit=1000&{query}");
    let answer = daemon.wait_for(&path, |answer| messages(answer).len() >= expected.len());
    assert_eq!(messages(&answer), expected);
    answer
}

#[test]
fn a_file_is_followed_over_rotation_and_restarts_and_no_line_is_lost_or_doubled() {
    let place = Place::new();
    let log = place.path("app.log");
    fs::write(&log, "before\n").expect("written");
    place.settings(&format!("[[logs.files]]\npath = '{}'\nsource = 'app'\n", log.display()));
    let daemon = place.start();
    // It is followed once its place is known.
    append(&log, "ERROR one\n");
    let deadline = std::time::Instant::now() + super::process::PATIENCE;
    let mut sent = vec!["ERROR one".to_owned()];
    let first = loop {
        let (_, answer) = daemon.get("/api/v1/logs?source=app&order=oldest");
        let found: Vec<String> = messages(&answer).iter().map(|text| (*text).to_owned()).collect();
        if !found.is_empty() {
            break found[0].clone();
        }
        assert!(std::time::Instant::now() < deadline, "the file is not followed");
        // The first one may have come before anybody looked.
        let text = format!("ERROR one, again {}", sent.len());
        append(&log, &format!("{text}\n"));
        sent.push(text);
        std::thread::sleep(std::time::Duration::from_millis(200));
    };
    let from = sent.iter().position(|text| *text == first).expect("one of ours");
    let mut expected: Vec<String> = sent.split_off(from);
    let check = |daemon: &Daemon, expected: &[String]| {
        let texts: Vec<&str> = expected.iter().map(String::as_str).collect();
        expect(daemon, "source=app", &texts)
    };
    let answer = check(&daemon, &expected);
    assert_eq!(answer["data"][0]["level"], "error");

    append(&log, "two\n");
    fs::rename(&log, place.path("app.log.1")).expect("renamed");
    append(&place.path("app.log.1"), "three\n");
    expected.extend(["two".to_owned(), "three".to_owned()]);
    check(&daemon, &expected);
    append(&log, "four\n");
    expected.push("four".to_owned());
    check(&daemon, &expected);
    assert_eq!(daemon.stop().0, Some(0));

    // While nobody looks: a line, a rotation, and another line.
    append(&log, "five\n");
    fs::rename(&log, place.path("app.log.2")).expect("renamed");
    append(&log, "six\n");
    let daemon = place.start();
    expected.extend(["five".to_owned(), "six".to_owned()]);
    check(&daemon, &expected);
    append(&log, "seven\n");
    expected.push("seven".to_owned());
    check(&daemon, &expected);
    daemon.kill();
    let daemon = place.start();
    append(&log, "eight\n");
    // A line may come twice whose place was not saved yet, and none may be lost.
    let path = "/api/v1/logs?source=app&order=oldest&limit=1000";
    let answer = daemon.wait_for(path, |answer| messages(answer).last() == Some(&"eight"));
    let mut found = messages(&answer);
    found.dedup();
    expected.push("eight".to_owned());
    assert_eq!(found, expected);
}

#[test]
fn syslog_is_taken_up_by_a_reload_and_left_by_another() {
    let place = Place::new();
    place.settings("");
    let daemon = place.start();
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("one").port();
    place.settings(&format!("[logs.syslog]\ntcp = ['127.0.0.1:{port}']\n"));
    let (status, answer) = daemon.post("/-/reload", "");
    assert_eq!(status, 200, "{answer}");
    let deadline = std::time::Instant::now() + super::process::PATIENCE;
    let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    while !listens() {
        assert!(std::time::Instant::now() < deadline, "nobody listens");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let status = Command::new("logger")
        .args(["--server", "127.0.0.1", "--port", &port.to_string(), "--tcp", "--rfc5424"])
        .args(["--tag", "shop", "--priority", "user.crit", "out of stock"])
        .status()
        .expect("logger of util-linux is installed");
    assert!(status.success());
    let answer = expect(&daemon, "source=shop", &["out of stock"]);
    assert_eq!(answer["data"][0]["level"], "fatal");
    assert_eq!(answer["data"][0]["metadata"]["facility"], "user");

    place.settings("");
    assert_eq!(daemon.post("/-/reload", "").0, 200);
    while listens() {
        assert!(std::time::Instant::now() < deadline, "somebody still listens");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(daemon.stop().0, Some(0));
}
