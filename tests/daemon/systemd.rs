//! What systemd is told, by a socket that stands in for it.

use std::os::unix::net::UnixDatagram;

use rustix::process::Signal;

use super::process::{Daemon, PATIENCE, QUIET};

/// Waits for a message that has the line, and gives that message.
fn wait_for(socket: &UnixDatagram, line: &str) -> String {
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{line}: {error}"));
        let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if message.lines().any(|other| other == line) {
            return message;
        }
    }
}

#[test]
fn systemd_hears_of_readiness_reload_life_and_the_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("bound");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let notify = [
        ("NOTIFY_SOCKET", path.to_str().expect("UTF-8")),
        ("WATCHDOG_USEC", "400000"),
        QUIET[0],
        QUIET[1],
    ];
    let daemon = Daemon::start_with(directory.path(), &[], &notify);
    let ready = wait_for(&socket, "READY=1");
    assert!(ready.contains("STATUS=ready at 127.0.0.1:"), "{ready}");
    wait_for(&socket, "WATCHDOG=1");
    daemon.signal(Signal::HUP);
    // systemd.service(5), Type=notify-reload: both in one message, then READY=1.
    let reloading = wait_for(&socket, "RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    wait_for(&socket, "READY=1");
    assert_eq!(daemon.stop().0, Some(0));
    wait_for(&socket, "STOPPING=1");
}

#[test]
fn log_lines_in_json_are_one_object_each() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let mut child = super::process::vedette(&["serve", "--listen", "127.0.0.1:0", "--log", "json"])
        .args(["--data-dir", data.to_str().expect("UTF-8")])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("starts");
    let mut lines =
        std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().expect("piped")));
    loop {
        let line = lines.next().expect("a line").expect("readable");
        let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        if line["message"] == "ready" {
            assert!(line["address"].as_str().expect("a text").starts_with("127.0.0.1:"));
            break;
        }
    }
    child.kill().expect("killed");
    child.wait().expect("waited for");
}
