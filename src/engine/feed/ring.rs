//! What is kept of the last events, for those who come back: every transition, the newest figures
//! of each subject, and as many log lines as there is room for. Pure.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::{Event, Fact, Read, Subject, Topic, Topics};
use crate::model::Timestamp;

/// Bounds of what is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Events.
    pub(super) events: usize,
    /// Bytes, roughly.
    pub(super) bytes: usize,
}

/// Every transition.
const TRANSITIONS: Bounds = Bounds { events: 8192, bytes: 16 << 20 };
/// Log lines by themselves: a flood of them pushes no transition out.
const LINES: Bounds = Bounds { events: 8192, bytes: 16 << 20 };
/// Subjects whose newest figures are kept.
const FIGURES: Bounds = Bounds { events: 20_000, bytes: 16 << 20 };

/// Events in one read.
const READ_EVENTS_MAX: usize = 1024;
/// Bytes in one read, roughly, unless a single event has more.
const READ_BYTES_MAX: usize = 1 << 20;

/// Events in the order of their ids.
#[derive(Debug)]
struct Lane {
    bounds: Bounds,
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    /// The id of the last that left.
    gone: u64,
}

impl Lane {
    fn new(bounds: Bounds, start: u64) -> Lane {
        Lane { bounds, events: VecDeque::new(), bytes: 0, gone: start }
    }

    fn push(&mut self, event: Arc<Event>) {
        self.bytes += event.weight();
        self.events.push_back(event);
        while self.events.len() > self.bounds.events || self.bytes > self.bounds.bytes {
            let Some(old) = self.events.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(old.weight());
            self.gone = old.id;
        }
    }

    fn after(&self, id: u64) -> impl Iterator<Item = &Arc<Event>> {
        let from = self.events.partition_point(|event| event.id <= id);
        self.events.range(from..)
    }
}

/// What figures are of: each has one place.
type Place = (Topic, &'static str, Subject);

/// The newest of each subject.
#[derive(Debug)]
struct Newest {
    bounds: Bounds,
    events: BTreeMap<u64, Arc<Event>>,
    places: BTreeMap<Place, u64>,
    bytes: usize,
    gone: u64,
}

fn place_of(fact: &Fact) -> Place {
    (fact.topic, fact.kind, fact.subject.clone())
}

impl Newest {
    fn push(&mut self, event: Arc<Event>) {
        self.bytes += event.weight();
        if let Some(before) = self.places.insert(place_of(&event.fact), event.id)
            && let Some(old) = self.events.remove(&before)
        {
            // Replaced, not lost: nobody needs to begin anew for its sake.
            self.bytes = self.bytes.saturating_sub(old.weight());
        }
        self.events.insert(event.id, event);
        while self.events.len() > self.bounds.events || self.bytes > self.bounds.bytes {
            let Some((id, old)) = self.events.pop_first() else { break };
            self.places.remove(&place_of(&old.fact));
            self.bytes = self.bytes.saturating_sub(old.weight());
            self.gone = id;
        }
    }
}

/// The ring.
#[derive(Debug)]
pub(super) struct Ring {
    next: u64,
    transitions: Lane,
    lines: Lane,
    newest: Newest,
}

impl Ring {
    /// An empty one whose first event has the id after `start`.
    pub(super) fn new(start: u64) -> Ring {
        Ring::bounded(start, TRANSITIONS, LINES, FIGURES)
    }

    fn bounded(start: u64, transitions: Bounds, lines: Bounds, figures: Bounds) -> Ring {
        let newest = Newest {
            bounds: figures,
            events: BTreeMap::new(),
            places: BTreeMap::new(),
            bytes: 0,
            gone: start,
        };
        let (transitions, lines) = (Lane::new(transitions, start), Lane::new(lines, start));
        Ring { next: start + 1, transitions, lines, newest }
    }

    /// The id of the last event.
    pub(super) fn last(&self) -> u64 {
        self.next - 1
    }

    /// Takes a fact up and gives its id.
    pub(super) fn push(&mut self, at: Timestamp, fact: Fact) -> u64 {
        let id = self.next;
        self.next += 1;
        let event = Arc::new(Event::new(id, at, fact));
        if event.fact.topic == Topic::Logs {
            self.lines.push(event);
        } else if event.fact.latest {
            self.newest.push(event);
        } else {
            self.transitions.push(event);
        }
        id
    }

    /// What came after an id, of some topics.
    pub(super) fn read(&self, after: u64, topics: Topics) -> Read {
        let last = self.last();
        let wants_lines = topics.contains(Topic::Logs);
        let wants_others = !topics.without(Topic::Logs).is_empty();
        let left = (wants_lines && after < self.lines.gone)
            || (wants_others && after < self.transitions.gone.max(self.newest.gone));
        if after > last || left {
            return Read::Gone { last };
        }
        let wanted = |event: &&Arc<Event>| topics.contains(event.fact.topic);
        let mut transitions = self.transitions.after(after).filter(wanted).peekable();
        let newest = self.newest.events.range(after + 1..).map(|(_, event)| event);
        let mut newest = newest.filter(wanted).peekable();
        let mut lines = self.lines.after(after).filter(wanted).peekable();
        let (mut events, mut bytes) = (Vec::new(), 0);
        loop {
            let id = |event: Option<&&Arc<Event>>| event.map_or(u64::MAX, |event| event.id);
            let ids = [id(transitions.peek()), id(newest.peek()), id(lines.peek())];
            let first = ids[0].min(ids[1]).min(ids[2]);
            if first == u64::MAX {
                return Read::Events { events, until: last, more: false };
            }
            if events.len() == READ_EVENTS_MAX || bytes > READ_BYTES_MAX {
                let until = events.last().map_or(after, |event: &Arc<Event>| event.id);
                return Read::Events { events, until, more: true };
            }
            let event = if first == ids[0] {
                transitions.next()
            } else if first == ids[1] {
                newest.next()
            } else {
                lines.next()
            };
            if let Some(event) = event {
                bytes += event.weight();
                events.push(Arc::clone(event));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LogId, LogLine, StoredLine};

    const SMALL: Bounds = Bounds { events: 4, bytes: 1 << 20 };

    fn ring() -> Ring {
        Ring::bounded(100, SMALL, SMALL, SMALL)
    }

    fn push(ring: &mut Ring, fact: Fact) -> u64 {
        ring.push(Timestamp::from_millis(0), fact)
    }

    fn transition(name: &str) -> Fact {
        Fact::new(Topic::Checks, "check.changed", Subject::named(name), &name)
    }

    fn figures(name: &str, value: i32) -> Fact {
        Fact::new(Topic::Metrics, "metrics.feature", Subject::named(name), &value)
    }

    fn lines(message: &str) -> Fact {
        let line = LogLine { message: message.to_owned(), ..LogLine::default() };
        Fact::logs(Arc::new([StoredLine { id: LogId::default(), line }]))
    }

    /// The ids and data of what is read, and up to where.
    fn read(ring: &Ring, after: u64, topics: Topics) -> (Vec<(u64, String)>, u64) {
        match ring.read(after, topics) {
            Read::Events { events, until, .. } => {
                let all = events.iter().map(|event| (event.id, event.fact.data.to_string()));
                (all.collect(), until)
            }
            Read::Gone { last } => panic!("gone up to {last}"),
        }
    }

    #[test]
    fn transitions_are_all_kept_in_order_and_figures_only_the_newest_of_each_subject() {
        let mut ring = ring();
        push(&mut ring, figures("a", 1));
        push(&mut ring, transition("x"));
        push(&mut ring, figures("b", 2));
        push(&mut ring, transition("x"));
        push(&mut ring, figures("a", 3));
        let texts = |all: &[(u64, &str)]| -> Vec<(u64, String)> {
            all.iter().map(|(id, text)| (*id, (*text).to_owned())).collect()
        };
        let expected = texts(&[(102, "\"x\""), (103, "2"), (104, "\"x\""), (105, "3")]);
        assert_eq!(read(&ring, 100, Topics::ALL), (expected, 105));
        let figures = texts(&[(103, "2"), (105, "3")]);
        assert_eq!(read(&ring, 101, Topics::NONE.with(Topic::Metrics)), (figures, 105));
        // Whom nothing of it concerns is as far as all others.
        assert_eq!(read(&ring, 101, Topics::NONE.with(Topic::Rules)), (Vec::new(), 105));
    }

    #[test]
    fn figures_however_many_push_no_transition_out() {
        let mut ring = ring();
        let first = push(&mut ring, transition("x"));
        for value in 0..1000 {
            push(&mut ring, figures("a", value));
            push(&mut ring, lines("flood"));
        }
        let checks = Topics::NONE.with(Topic::Checks);
        assert_eq!(read(&ring, 100, checks).0, [(first, "\"x\"".to_owned())]);
        assert_eq!(read(&ring, 100, Topics::ALL.without(Topic::Logs)).0.len(), 2);
        // Whoever wants log lines has missed some.
        assert_eq!(ring.read(100, Topics::ALL), Read::Gone { last: ring.last() });
    }

    #[test]
    fn who_is_further_back_than_what_is_kept_begins_anew() {
        let mut ring = ring();
        for name in ["a", "b", "c", "d", "e"] {
            push(&mut ring, transition(name));
        }
        // 101 has left: who has seen it misses nothing, who has not does.
        assert_eq!(read(&ring, 101, Topics::ALL).0.len(), 4);
        assert_eq!(ring.read(100, Topics::ALL), Read::Gone { last: 105 });
        assert_eq!(ring.read(106, Topics::ALL), Read::Gone { last: 105 });
        for subject in 0..5 {
            push(&mut ring, figures(&subject.to_string(), 1));
        }
        assert_eq!(ring.read(105, Topics::ALL), Read::Gone { last: 110 }, "a subject has left");
        assert_eq!(read(&ring, 106, Topics::ALL).0.len(), 4);
    }

    #[test]
    fn bytes_are_bounded_as_events_are() {
        let bytes = Bounds { events: 1000, bytes: 5000 };
        let mut ring = Ring::bounded(0, bytes, bytes, bytes);
        for _ in 0..100 {
            push(&mut ring, lines(&"x".repeat(1000)));
            push(&mut ring, transition(&"x".repeat(400)));
        }
        assert!(ring.lines.bytes <= 5000 && ring.lines.events.len() >= 3);
        assert!(ring.transitions.bytes <= 5000 && ring.transitions.events.len() >= 3);
        // What is counted is what is there.
        let weight: usize = ring.lines.events.iter().map(|event| event.weight()).sum();
        assert_eq!(weight, ring.lines.bytes);
    }

    #[test]
    fn a_read_is_bounded_and_the_next_one_goes_on_where_it_ended() {
        let wide = Bounds { events: 5000, bytes: 64 << 20 };
        let mut ring = Ring::bounded(0, wide, wide, wide);
        for name in 0..3000 {
            push(&mut ring, transition(&name.to_string()));
        }
        push(&mut ring, transition(&"x".repeat(2 << 20)));
        push(&mut ring, transition("after"));
        let (mut at, mut seen, mut reads) = (0, Vec::new(), Vec::new());
        while at < ring.last() {
            let (events, until) = read(&ring, at, Topics::ALL);
            seen.extend(events.iter().map(|(id, _)| *id));
            reads.push(events.len());
            at = until;
        }
        assert_eq!(seen, (1..=3002).collect::<Vec<u64>>());
        assert_eq!(reads, [1024, 1024, 953, 1]);
    }
}
