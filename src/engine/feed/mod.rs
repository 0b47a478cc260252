//! The live feed: what was committed, in one order, for all who follow along.
//!
//! Owns: the ids of events, the ring of the last ones, and who waits for more. Never: deciding or
//! committing anything, or how events travel. Start reading at [`Feed`], then `ring.rs`.

mod event;
mod fact;
mod ring;

pub use event::{Event, Read};
pub use fact::{Fact, Subject, Topic, Topics};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::clock::Clock;

use ring::Ring;

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
        let inner =
            Inner { clock, ring: Mutex::new(Ring::new(start)), last: watch::Sender::new(start) };
        Feed { inner: Arc::new(inner) }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.inner.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of something, once it is durable. Gives the id of the event.
    pub fn publish(&self, fact: Fact) -> u64 {
        let at = self.inner.clock.now();
        let mut ring = self.ring();
        let id = ring.push(at, fact);
        // Under the lock, so that who hears of an id finds all that came before.
        self.inner.last.send_replace(id);
        id
    }

    /// The id of the last event, or the one before the first.
    pub fn last_id(&self) -> u64 {
        self.ring().last()
    }

    /// What came after an id, of all topics.
    pub fn since(&self, id: u64) -> Since {
        let (mut all, mut after) = (Vec::new(), id);
        loop {
            match self.read(after, Topics::ALL) {
                Read::Gone { last } => return Since::Reset(last),
                Read::Events { events, until, more } => {
                    all.extend(events);
                    if !more {
                        return Since::Events(all);
                    }
                    after = until;
                }
            }
        }
    }

    /// What came after an id, of some topics: a bounded part of it.
    pub fn read(&self, after: u64, topics: Topics) -> Read {
        self.ring().read(after, topics)
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
        Fact::new(Topic::Checks, "check.changed", Subject::named(name), &1)
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
        for _ in 0..10_000 {
            feed.publish(fact("b"));
        }
        assert_eq!(feed.since(first), Since::Reset(feed.last_id()));
        assert_eq!(feed.since(feed.last_id() + 9), Since::Reset(feed.last_id()));
    }

    #[test]
    fn ids_rise_in_the_order_of_telling_however_many_tell_at_once() {
        let feed = feed();
        let before = feed.last_id();
        let tell = |writer: usize| {
            let feed = feed.clone();
            move || {
                let facts = (0..500).map(|n| (n, feed.publish(fact(&format!("{writer}/{n}")))));
                facts.collect::<Vec<_>>()
            }
        };
        let writers: Vec<_> = (0..8).map(|w| std::thread::spawn(tell(w))).collect();
        let told: Vec<_> = writers.into_iter().map(|w| w.join().expect("tells")).collect();
        for one in &told {
            assert!(one.windows(2).all(|pair| pair[0].1 < pair[1].1), "in the writer's order");
        }
        let Since::Events(events) = feed.since(before) else { panic!("all are kept") };
        let ids: Vec<u64> = events.iter().map(|event| event.id).collect();
        assert_eq!(ids, (before + 1..=before + 4000).collect::<Vec<_>>(), "none is lost");
        for event in &events {
            let (writer, n) = event.fact.subject.0.split_once('/').expect("both");
            let (writer, n): (usize, usize) = (writer.parse().expect("w"), n.parse().expect("n"));
            assert_eq!(told[writer][n].1, event.id);
        }
    }

    #[test]
    fn a_later_start_has_greater_ids() {
        let at = |ms| Feed::new(Arc::new(ManualClock::at(Timestamp::from_millis(ms))));
        let (before, after) = (at(1_000), at(1_001));
        for _ in 0..999 {
            before.publish(fact("a"));
        }
        assert!(after.last_id() >= before.last_id());
        assert_eq!(after.since(before.last_id() - 1), Since::Reset(after.last_id()));
    }

    #[test]
    fn a_frame_says_id_type_and_data() {
        let feed = feed();
        let id = feed.publish(fact("a"));
        let Since::Events(events) = feed.since(id - 1) else { panic!("kept") };
        let frame = format!("{{\"id\":{id},\"type\":\"check.changed\",\"data\":1}}");
        assert_eq!(events[0].frame(), frame.as_bytes());
    }
}
