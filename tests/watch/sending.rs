//! Notifications of a running process, to a receiver of this test.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

use serde_json::{Value, json};

use super::process::{Daemon, PATIENCE, QUIET};

/// A request that arrived and is not answered yet.
struct Arrived {
    stream: TcpStream,
    key: String,
    body: Value,
}

impl Arrived {
    fn answer(mut self) {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
        self.stream.write_all(answer).expect("answered");
    }
}

/// Hands over requests as they arrive; answering is the test's business.
fn receiver() -> (String, mpsc::Receiver<Arrived>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
    let url = format!("http://{}/hook", listener.local_addr().expect("bound"));
    let (hand, arrived) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("accepted");
            let mut reader = BufReader::new(stream.try_clone().expect("cloned"));
            let (mut key, mut length, mut line) = (String::new(), 0, String::new());
            while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
                let (name, value) = line.split_once(':').unwrap_or(("", ""));
                match name.to_ascii_lowercase().as_str() {
                    "idempotency-key" => key = value.trim().to_owned(),
                    "content-length" => length = value.trim().parse().expect("a number"),
                    _ => {}
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("whole");
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            if hand.send(Arrived { stream, key, body }).is_err() {
                return;
            }
        }
    });
    (url, arrived)
}

fn alert(name: &str) -> String {
    let labels = json!({"alertname": name, "severity": "critical"});
    json!([{"labels": labels, "annotations": {"summary": "it is down"}}]).to_string()
}

fn with_channel(daemon: &Daemon, url: &str) {
    let channel = json!({"name": "ops", "kind": "webhook", "settings": {"url": url}});
    let (status, made) = daemon.post("/api/v1/channels", &channel.to_string());
    assert_eq!(status, 201, "{made}");
}

#[test]
fn a_crash_between_sending_and_its_answer_sends_again_under_the_same_key() {
    let directory = tempfile::tempdir().expect("a directory");
    let (url, arrived) = receiver();
    let daemon = Daemon::start_with(directory.path(), &[], &QUIET);
    with_channel(&daemon, &url);
    let json = "Content-Type: application/json\r\n";
    let (status, said) = daemon.send("POST", "/api/v2/alerts", json, &alert("Down"));
    assert_eq!(status, 200, "{said}");
    let first = arrived.recv_timeout(PATIENCE).expect("told");
    assert_eq!(first.body["alerts"][0]["labels"]["alertname"], "Down");
    daemon.kill();
    drop(first.stream);

    let daemon = Daemon::start_with(directory.path(), &[], &QUIET);
    let second = arrived.recv_timeout(PATIENCE).expect("told again");
    assert_eq!(second.key, first.key);
    assert_eq!(second.body["alerts"], first.body["alerts"]);
    second.answer();
    let path = "/api/v1/deliveries?state=delivered&channel=ops";
    let list =
        daemon.wait_for(path, |answer| answer["data"].as_array().is_some_and(|d| !d.is_empty()));
    assert_eq!(list["data"][0]["idempotency_key"], first.key.as_str());
    assert_eq!(list["data"].as_array().expect("a list").len(), 1);
}

#[test]
fn the_test_button_says_what_the_other_side_says() {
    let directory = tempfile::tempdir().expect("a directory");
    let (url, arrived) = receiver();
    let daemon = Daemon::start_with(directory.path(), &[], &QUIET);
    with_channel(&daemon, &url);
    let answering = std::thread::spawn(move || {
        let told = arrived.recv_timeout(PATIENCE).expect("told");
        assert_eq!(told.body["reason"], "test");
        told.answer();
    });
    let (status, tested) = daemon.post("/api/v1/channels/ops/test", "");
    assert_eq!(status, 200, "{tested}");
    assert_eq!(tested["data"]["outcome"], "delivered");
    assert_eq!(tested["data"]["said"], "127.0.0.1 answered 200 OK: ok");
    answering.join().expect("answered");

    // The receiver is gone with its thread's channel: a dead delivery can be sent again.
    let channel =
        json!({"name": "ops", "kind": "webhook", "settings": {"url": "http://127.0.0.1:1"}});
    let (status, _) = {
        let (status, body) = daemon.send("PUT", "/api/v1/channels/ops", "", &channel.to_string());
        (status, body)
    };
    assert_eq!(status, 200);
    let (_, tested) = daemon.post("/api/v1/channels/ops/test", "");
    assert_eq!(tested["data"]["outcome"], "failed", "{tested}");
    let id = tested["data"]["delivery"].as_str().expect("an id").to_owned();
    let (status, again) = daemon.post(&format!("/api/v1/deliveries/{id}/resend"), "");
    assert_eq!((status, &again["data"]["state"]), (200, &json!("pending")), "{again}");
}

#[test]
fn a_secret_is_not_shown_and_is_kept_when_it_is_sent_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_with(directory.path(), &[], &QUIET);
    let settings = json!({"url": "https://hooks.example/T/s3cret"});
    let channel = json!({"name": "chat", "kind": "slack", "settings": settings});
    let (status, made) = daemon.post("/api/v1/channels", &channel.to_string());
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["data"]["settings"]["url"], "<secret>");
    let patch = json!({"settings": {"url": "<secret>", "timeout": "5s"}}).to_string();
    let (status, body) = daemon.send("PATCH", "/api/v1/channels/chat", "", &patch);
    assert_eq!(status, 200, "{body}");
    assert!(!body.contains("s3cret"), "{body}");
    // What stands for a secret is none: it is taken only where one is stored.
    let other = json!({"name": "other", "kind": "slack", "settings": {"url": "<secret>"}});
    let (status, refused) = daemon.post("/api/v1/channels", &other.to_string());
    assert_eq!(status, 400, "{refused}");
    let exec = json!({"name": "run", "kind": "exec", "settings": {"command": ["/bin/true"]}});
    let (status, refused) = daemon.post("/api/v1/channels", &exec.to_string());
    assert_eq!(status, 400, "{refused}");
}

#[test]
fn the_dead_mans_switch_is_held_while_the_watch_works() {
    let directory = tempfile::tempdir().expect("a directory");
    let (url, arrived) = receiver();
    let config = directory.path().join("config.toml");
    let text = format!("[notify.deadman]\nurl = \"{url}\"\nevery = \"1s\"\n");
    std::fs::write(&config, text).expect("written");
    let config = config.to_str().expect("UTF-8");
    let _daemon = Daemon::start_with(directory.path(), &["--config", config], &QUIET);
    for _ in 0..2 {
        arrived.recv_timeout(PATIENCE).expect("a ping").answer();
    }
}

/// The second request must see what the first one was told that is done.
#[test]
fn a_channel_is_used_as_it_was_last_acknowledged() {
    let directory = tempfile::tempdir().expect("a directory");
    let (url, arrived) = receiver();
    std::thread::spawn(move || arrived.into_iter().for_each(Arrived::answer));
    let daemon = Daemon::start_with(directory.path(), &[], &QUIET);
    for round in 0..20 {
        for (url, outcome) in [(url.as_str(), "delivered"), ("http://127.0.0.1:1/", "failed")] {
            let channel = json!({"name": "ops", "kind": "webhook", "settings": {"url": url}});
            let (status, put) =
                daemon.send("PUT", "/api/v1/channels/ops", "", &channel.to_string());
            assert!(matches!(status, 200 | 201), "{put}");
            let (status, tested) = daemon.post("/api/v1/channels/ops/test", "");
            assert_eq!(status, 200, "round {round}: {tested}");
            assert_eq!(tested["data"]["outcome"], outcome, "round {round}: {tested}");
        }
        assert_eq!(daemon.send("DELETE", "/api/v1/channels/ops", "", "").0, 200);
        assert_eq!(daemon.post("/api/v1/channels/ops/test", "").0, 404);
    }
}
