//! A process that is killed, stopped, and started again.

use serde_json::json;

use super::process::{Daemon, log_of};
use super::stream::{Events, ids};

fn put(daemon: &Daemon, name: &str) {
    let url = "http://127.0.0.1:9/";
    let body = json!({"name": name, "kind": "webhook", "settings": {"url": url}}).to_string();
    let path = format!("/api/v1/channels/{name}");
    let (status, answer) = daemon.send("PUT", &path, "Content-Type: application/json\r\n", &body);
    assert!(status == 200 || status == 201, "{status} {answer}");
}

#[test]
fn after_a_kill_ids_are_greater_and_who_comes_back_asks_for_everything_anew() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    let (mut events, _) = Events::open(&daemon, "", None);
    for n in 0..20 {
        put(&daemon, &format!("c{n}"));
    }
    let frames = events.until(|frame| frame["data"]["name"] == "c19");
    let last = *ids(&frames).last().expect("some");
    daemon.kill();

    let daemon = Daemon::start_quiet(directory.path());
    for seen in [ids(&frames)[0], last] {
        let (mut events, hello) = Events::open(&daemon, "", Some(seen));
        assert_eq!(hello, seen);
        let reset = events.next();
        assert_eq!(reset["type"], "reset");
        assert!(reset["id"].as_u64().expect("an id") > last, "{reset} after {last}");
        put(&daemon, "later");
        let told = events.next();
        assert_eq!(told["data"]["name"], "later");
        assert!(told["id"].as_u64() > reset["id"].as_u64());
    }
    // Without anything told since the start, its id is one to go on from all the same.
    let next = |answer: &serde_json::Value| answer["data"]["next"].as_u64().expect("an id");
    let now = next(&daemon.get("/api/v1/live/poll").1);
    let (_, answer) = daemon.get(&format!("/api/v1/live/poll?since={now}&wait=10ms"));
    assert_eq!(answer["data"]["events"], json!([]));
}

#[test]
fn a_stop_tells_those_who_follow_and_does_not_wait_for_them() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    let (mut events, _) = Events::open(&daemon, "", None);
    let told = std::thread::spawn(move || events.next());
    assert_eq!(daemon.stop().0, Some(0));
    let dropped = told.join().expect("it is told");
    assert_eq!(dropped["type"], "dropped", "{dropped}");
    let log = std::fs::read_to_string(log_of(directory.path())).expect("a log");
    assert!(!log.contains("cut off"), "{log}");
}

#[test]
fn a_reload_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    let (mut events, _) = Events::open(&daemon, "?topics=config", None);
    let (status, answer) = daemon.post("/-/reload", "");
    assert_eq!(status, 200, "{answer}");
    assert_eq!(events.next()["type"], "config.reloaded");
}
