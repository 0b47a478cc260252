//! A fact in its place, and how it is written: once, for all who follow.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::Fact;
use crate::model::{StoredLine, Timestamp};

/// What an event takes in memory besides its texts, roughly (bytes).
const OVERHEAD_BYTES: usize = 160;

/// A fact in its place.
#[derive(Clone, Debug)]
pub struct Event {
    /// Rises with each event.
    pub id: u64,
    /// When it was told.
    pub at: Timestamp,
    /// What.
    pub fact: Fact,
    frame: OnceLock<Bytes>,
}

impl PartialEq for Event {
    /// Whether somebody has asked for its frame makes no difference.
    fn eq(&self, other: &Event) -> bool {
        (self.id, self.at, &self.fact) == (other.id, other.at, &other.fact)
    }
}

impl Event {
    pub(super) fn new(id: u64, at: Timestamp, fact: Fact) -> Event {
        Event { id, at, fact, frame: OnceLock::new() }
    }

    /// `{"id":…,"type":…,"data":…}`, with all lines of a fact of logs. Written when it is first
    /// asked for; nobody following costs nothing.
    pub fn frame(&self) -> Bytes {
        let write = || {
            let fact = &self.fact;
            if fact.lines.is_empty() {
                return Bytes::from(frame(self.id, fact.kind, &fact.data));
            }
            lines_frame(self.id, fact.kind, fact.lines.iter(), 0)
        };
        self.frame.get_or_init(write).clone()
    }

    /// The same with some of its lines, and how many more there were.
    pub fn frame_of<'l>(
        &self,
        lines: impl Iterator<Item = &'l StoredLine>,
        skipped: usize,
    ) -> Bytes {
        lines_frame(self.id, self.fact.kind, lines, skipped)
    }

    /// What it takes in memory, roughly (bytes).
    pub(super) fn weight(&self) -> usize {
        let line = |stored: &StoredLine| {
            let line = &stored.line;
            line.message.len() + line.metadata.as_json().len() + OVERHEAD_BYTES
        };
        let fact = &self.fact;
        // Twice the data: its frame may be written besides.
        let texts = 2 * fact.data.len() + fact.subject.0.len();
        OVERHEAD_BYTES + texts + fact.lines.iter().map(line).sum::<usize>()
    }
}

/// A frame with data that is JSON already.
fn frame(id: u64, kind: &str, data: &str) -> String {
    let data = if data.is_empty() { "null" } else { data };
    format!("{{\"id\":{id},\"type\":\"{kind}\",\"data\":{data}}}")
}

fn lines_frame<'l>(
    id: u64,
    kind: &str,
    lines: impl Iterator<Item = &'l StoredLine>,
    skipped: usize,
) -> Bytes {
    let mut out = format!("{{\"id\":{id},\"type\":\"{kind}\",");
    if skipped > 0 {
        out.push_str(&format!("\"skipped\":{skipped},"));
    }
    out.push_str("\"data\":[");
    for (place, line) in lines.enumerate() {
        if place > 0 {
            out.push(',');
        }
        line.push_json(&mut out);
    }
    out.push_str("]}");
    Bytes::from(out)
}

/// Events that come after an id, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Read {
    /// These, the oldest first. All there is of the topics up to `until` is among them, so the
    /// next read goes on from there.
    Events {
        /// The events.
        events: Vec<Arc<Event>>,
        /// The id up to which they tell everything.
        until: u64,
        /// Whether there is more already.
        more: bool,
    },
    /// Some have left the ring, or the id is of another feed: ask for everything, and go on from
    /// the id that is given here.
    Gone {
        /// The id of the last event.
        last: u64,
    },
}
