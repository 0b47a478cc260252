//! What many do at once is told to all in one order: that in which it was committed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::process::Daemon;
use super::stream::{Events, ids};

const WRITERS: usize = 8;
const WRITES: usize = 30;

/// Opens an incident and gives its id.
fn incident(daemon: &Daemon) -> String {
    let alert = json!([{"labels": {"alertname": "Deep", "severity": "critical"}}]);
    let (status, answer) = daemon.post("/api/v2/alerts", &alert.to_string());
    assert_eq!(status, 200, "{answer}");
    let open = |answer: &Value| answer["data"].as_array().is_some_and(|list| list.len() == 1);
    let answer = daemon.wait_for("/api/v1/incidents", open);
    answer["data"][0]["id"].as_str().expect("an id").to_owned()
}

/// Does one thing after another, and gives what was acknowledged, in that order: what its event
/// must be called and be about.
fn write(daemon: &Daemon, writer: usize, incident: &str) -> Vec<(String, String)> {
    let mut told = Vec::new();
    let json_header = "Content-Type: application/json\r\n";
    for n in 0..WRITES {
        let name = format!("w{writer}-{}", n % 3);
        let path = format!("/api/v1/channels/{name}");
        let (method, path, body) = match n % 5 {
            0..=2 => {
                let url = format!("http://127.0.0.1:9/{n}");
                let body = json!({"name": name, "kind": "webhook", "settings": {"url": url}});
                ("PUT", path, body.to_string())
            }
            3 => {
                let text = format!("{writer}/{n}");
                let body = json!({"by": "somebody", "text": text});
                ("POST", format!("/api/v1/incidents/{incident}/notes"), body.to_string())
            }
            _ => ("DELETE", path, String::new()),
        };
        let (status, answer) = daemon.send(method, &path, json_header, &body);
        let (kind, subject) = match (method, status) {
            ("PUT", 201) => ("channel.created", name),
            ("PUT", 200) => ("channel.updated", name),
            ("DELETE", 204 | 200) => ("channel.deleted", name),
            ("DELETE", 404) => continue,
            ("POST", 200 | 201) => ("incident.noted", format!("{writer}/{n}")),
            _ => panic!("{method} {path}: {status} {answer}"),
        };
        told.push((kind.to_owned(), subject));
    }
    told
}

#[test]
fn every_transition_of_many_writers_is_told_once_and_in_the_order_of_their_commits() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start_quiet(directory.path());
    let incident = incident(&daemon);
    let (mut all, start) = Events::open(&daemon, "", None);
    let (mut checks_only, _) = Events::open(&daemon, "?topics=checks,incidents", None);
    let written: Vec<Vec<(String, String)>> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (daemon, incident) = (&daemon, &incident);
                scope.spawn(move || write(daemon, writer, incident))
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().expect("writes")).collect()
    });
    let (status, answer) = daemon.post(&format!("/api/v1/incidents/{incident}/resolve"), "{}");
    assert_eq!(status, 200, "{answer}");
    let is_end = |frame: &Value| frame["type"] == "incident.resolved";
    let frames = all.until(is_end);
    let rising = ids(&frames);
    assert!(rising.windows(2).all(|pair| pair[0] < pair[1]), "{rising:?}");
    assert!(rising[0] > start);

    // Each writer's acknowledged acts are there, once each, in the writer's order.
    let subject = |frame: &Value| {
        let data = &frame["data"];
        let text = data["name"].as_str().or_else(|| data["entry"]["text"].as_str());
        text.unwrap_or_default().to_owned()
    };
    let mut by_writer: BTreeMap<usize, Vec<(String, String)>> = BTreeMap::new();
    for frame in &frames {
        let kind = frame["type"].as_str().expect("a type").to_owned();
        let subject = subject(frame);
        let writer = match kind.as_str() {
            "incident.noted" => subject.split('/').next().map(str::to_owned),
            "channel.created" | "channel.updated" | "channel.deleted" => {
                subject.strip_prefix('w').and_then(|s| s.split('-').next()).map(str::to_owned)
            }
            _ => continue,
        };
        let writer = writer.and_then(|writer| writer.parse().ok()).expect("a writer");
        by_writer.entry(writer).or_default().push((kind, subject));
    }
    for (writer, expected) in written.iter().enumerate() {
        assert_eq!(by_writer.get(&writer), Some(expected), "writer {writer}");
    }

    // The incident's own count of changes never goes back: that is the order of commits.
    let versions: Vec<u64> = frames
        .iter()
        .filter(|frame| frame["type"].as_str().is_some_and(|kind| kind.starts_with("incident.")))
        .map(|frame| frame["data"]["version"].as_u64().expect("a version"))
        .collect();
    assert!(versions.windows(2).all(|pair| pair[0] <= pair[1]), "{versions:?}");
    assert!(versions.len() > WRITERS * WRITES / 5);

    // Another follower has seen the same, but for what it has not asked for.
    let expected: Vec<&Value> = frames
        .iter()
        .filter(|frame| frame["type"].as_str().is_some_and(|kind| kind.starts_with("incident.")))
        .collect();
    let seen = checks_only.until(is_end);
    assert_eq!(seen.iter().collect::<Vec<_>>(), expected);

    // Who comes back in the middle gets the rest, and nothing else.
    let middle = frames.len() / 2;
    let (mut again, hello) = Events::open(&daemon, "?since=1", Some(rising[middle]));
    assert_eq!(hello, rising[middle], "what the browser says comes before the address");
    assert_eq!(again.until(is_end), frames[middle + 1..]);
    let (status, answer) = daemon.get(&format!("/api/v1/live/poll?since={}", rising[middle]));
    assert_eq!(status, 200);
    // What followed the end has come since.
    let events = answer["data"]["events"].as_array().expect("events");
    assert_eq!(events[..frames.len() - middle - 1], frames[middle + 1..]);
}
