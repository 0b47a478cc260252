//! The live feed: what was committed, in one order, for all who follow along.
//!
//! Owns: the ids of events, the ring of the last ones, and who waits for more. Never: deciding or
//! committing anything, or how events travel. Start reading at [`Feed`].

mod fact;

pub use fact::{Event, Fact, Subject, Topic};

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::clock::Clock;

/// Events that are kept for those who come back.
const RING_EVENTS_MAX: usize = 8192;

/// Ids begin at the milliseconds of the start times this: they rise over restarts for as long as
/// fewer events than these happen in a millisecond, and stay below 2^53, which is what a JSON
/// number can hold in a browser.
const IDS_PER_MS: u64 = 1000;

/// The feed. Clones share it.
#[derive(Clone)]
pub struct Feed {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Arc<dyn Clock>,
    ring: Mutex<Ring>,
    last: watch::Sender<u64>,
}

struct Ring {
    events: VecDeque<Arc<Event>>,
    next: u64,
}

/// What a follower gets.
#[derive(Clone, Debug, PartialEq)]
pub enum Since {
    /// What came after the id it named, the oldest first.
    Events(Vec<Arc<Event>>),
    /// Events after that id have left the ring: ask for everything, and go on from this id.
    Reset(u64),
}

impl Feed {
    /// An empty feed.
    pub fn new(clock: Arc<dyn Clock>) -> Feed {
        let start = u64::try_from(clock.now().millis()).unwrap_or(0).saturating_mul(IDS_PER_MS);
        let ring = Ring { events: VecDeque::new(), next: start + 1 };
        let inner = Inner { clock, ring: Mutex::new(ring), last: watch::Sender::new(start) };
        Feed { inner: Arc::new(inner) }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.inner.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of something, once it is durable. Gives the id of the event.
    pub fn publish(&self, fact: Fact) -> u64 {
        let at = self.inner.clock.now();
        let mut ring = self.ring();
        let id = ring.next;
        ring.next += 1;
        ring.events.push_back(Arc::new(Event { id, at, fact }));
        while ring.events.len() > RING_EVENTS_MAX {
            ring.events.pop_front();
        }
        // Under the lock, so that who hears of an id finds all that came before.
        self.inner.last.send_replace(id);
        id
    }

    /// The id of the last event, or the one before the first.
    pub fn last_id(&self) -> u64 {
        self.ring().next - 1
    }

    /// What came after an id.
    pub fn since(&self, id: u64) -> Since {
        let ring = self.ring();
        let last = ring.next - 1;
        let oldest = ring.events.front().map_or(ring.next, |event| event.id);
        if id > last || id + 1 < oldest {
            return Since::Reset(last);
        }
        let from = usize::try_from(id + 1 - oldest).unwrap_or(usize::MAX);
        Since::Events(ring.events.iter().skip(from).cloned().collect())
    }

    /// Changes with each event; holds the id of the last.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.inner.last.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::model::Timestamp;

    fn feed() -> Feed {
        Feed::new(Arc::new(ManualClock::at(Timestamp::from_millis(5))))
    }

    fn fact(name: &str) -> Fact {
        Fact::new(Topic::Checks, "check.result", Subject::named(name), &1)
    }

    #[test]
    fn who_comes_back_gets_what_came_since_and_nothing_twice() {
        let feed = feed();
        let before = feed.last_id();
        let ids = ["a", "b", "c"].map(|name| feed.publish(fact(name)));
        assert_eq!(ids, [before + 1, before + 2, before + 3]);
        let Since::Events(events) = feed.since(ids[0]) else { panic!("not too old") };
        assert_eq!(events.iter().map(|e| e.id).collect::<Vec<_>>(), ids[1..]);
        assert_eq!(feed.since(ids[2]), Since::Events(Vec::new()));
    }

    #[test]
    fn who_was_away_too_long_or_knows_another_feed_begins_anew() {
        let feed = feed();
        let first = feed.publish(fact("a"));
        for _ in 0..RING_EVENTS_MAX + 1 {
            feed.publish(fact("b"));
        }
        assert_eq!(feed.since(first), Since::Reset(feed.last_id()));
        assert_eq!(feed.since(feed.last_id() + 9), Since::Reset(feed.last_id()));
    }
}
