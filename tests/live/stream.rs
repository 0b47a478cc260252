//! A client of server-sent events, as little of one as there can be.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use super::process::{Daemon, PATIENCE};

/// A stream of events that was begun.
pub(crate) struct Events {
    lines: std::io::Lines<BufReader<TcpStream>>,
}

impl Events {
    /// Asks for events, and reads up to the first one. `query` begins with `?`, or is empty.
    pub(crate) fn open(daemon: &Daemon, query: &str, last_event_id: Option<u64>) -> (Events, u64) {
        let mut stream = TcpStream::connect(daemon.address).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        let last = last_event_id.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
        // HTTP/1.0: the body comes as it is, without the lengths of its pieces.
        let head = format!(
            "GET /api/v1/live/events{query} HTTP/1.0\r\nHost: {}\r\n{last}\r\n",
            daemon.address
        );
        stream.write_all(head.as_bytes()).expect("sent");
        let mut events = Events { lines: BufReader::new(stream).lines() };
        let hello = events.next();
        assert_eq!(hello["type"], "hello", "{hello}");
        (events, hello["id"].as_u64().expect("an id"))
    }

    /// The next frame but heartbeats; the field `id` must say the same.
    pub(crate) fn next(&mut self) -> Value {
        let mut id = String::new();
        loop {
            let line = self.lines.next().expect("it goes on").expect("read in time");
            if let Some(text) = line.strip_prefix("id: ") {
                text.clone_into(&mut id);
            }
            if let Some(text) = line.strip_prefix("data: ") {
                let frame: Value = serde_json::from_str(text).expect("JSON");
                if frame["type"] == "dropped" {
                    return frame;
                }
                assert_eq!(frame["id"].to_string(), id, "{frame}");
                if frame["type"] != "heartbeat" {
                    return frame;
                }
            }
        }
    }

    /// Frames up to the one for which `is_last` holds, that one included.
    pub(crate) fn until(&mut self, is_last: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            frames.push(self.next());
            if frames.last().is_some_and(&is_last) {
                return frames;
            }
        }
    }
}

/// The ids of frames.
pub(crate) fn ids(frames: &[Value]) -> Vec<u64> {
    frames.iter().map(|frame| frame["id"].as_u64().expect("an id")).collect()
}
