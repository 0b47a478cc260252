//! Committing what was decided, and telling it afterwards.

use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::engine::watch::{Watch, WatchError};
use crate::model::{Name, Timestamp};
use crate::store::{DocumentKind, Table, Write};

use super::super::ledger::{Decision, heartbeat};
use super::super::{RunError, told};
use super::{
    Actor, COMMIT_PAUSES, Committing, EVENTS_PER_COMMIT, LAST_RAN, SEEN_EVERY_MS, Waiting,
};

/// A commit under way.
pub(super) struct Commit {
    pub(super) taken: Vec<Waiting>,
    pub(super) decision: Decision,
    /// Whether it says that we still run, and when.
    pub(super) seen_at: Option<Timestamp>,
}

impl Actor {
    /// What is committed next, if anything is.
    pub(super) fn next_commit(&mut self) -> Option<(Commit, Committing)> {
        if self.commit_after.is_some_and(|after| Instant::now() < after) {
            return None;
        }
        let now = self.now();
        let tells = now.since(self.seen_at) >= SEEN_EVERY_MS || now < self.seen_at;
        loop {
            let most = if self.one_by_one > 0 { 1 } else { EVENTS_PER_COMMIT };
            let taken: Vec<Waiting> = self.waiting.drain(..self.waiting.len().min(most)).collect();
            if taken.is_empty() && !tells {
                return None;
            }
            let decided = self.ledger.judge(taken.iter().map(|waiting| &waiting.event));
            let mut decision = match decided {
                Ok(decision) => decision,
                Err(error) if taken.len() > 1 => {
                    tracing::warn!(%error, "results are committed one by one");
                    self.one_by_one = taken.len();
                    self.put_back(taken);
                    continue;
                }
                Err(error) => {
                    tracing::error!(%error, event = ?taken[0].event, "an event is left out");
                    self.one_by_one = self.one_by_one.saturating_sub(1);
                    continue;
                }
            };
            self.one_by_one = self.one_by_one.saturating_sub(1);
            let seen = Write::document(Table::Watch, DocumentKind::Figure, LAST_RAN, &now);
            let writes = &mut decision.batch.writes;
            writes.extend(seen.ok().filter(|_| tells));
            let history = &self.parts.history;
            if !decision.results.is_empty() {
                writes.push(history.record(&decision.results));
            }
            for (name, change) in &decision.transitions {
                writes.push(history.record_transition(name, change));
            }
            let mut batch = std::mem::take(&mut decision.batch);
            batch.facts = told::facts(&decision);
            let watch: Watch = self.parts.watch.clone();
            let committing = Box::pin(async move { watch.commit(batch).await });
            let seen_at = tells.then_some(now);
            return Some((Commit { taken, decision, seen_at }, committing));
        }
    }

    fn put_back(&mut self, taken: Vec<Waiting>) {
        for waiting in taken.into_iter().rev() {
            self.waiting.push_front(waiting);
        }
    }

    /// A commit came to an end. `Err` when the watch is stopping.
    pub(super) fn settled(
        &mut self,
        done: Commit,
        outcome: Result<(), WatchError>,
    ) -> Result<(), WatchError> {
        let Commit { taken, decision, seen_at } = done;
        match outcome {
            Ok(()) => {
                self.pause = COMMIT_PAUSES.0;
                self.commit_after = None;
                if let Some(seen_at) = seen_at {
                    self.seen_at = seen_at;
                    self.parts.seen_ms.store(seen_at.millis(), Ordering::Release);
                }
                self.tell(taken, decision);
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "results of checks are not stored; they wait");
                // Whoever waits is told at once; a result is kept, a ping is not: its sender
                // repeats it.
                let mut kept = Vec::with_capacity(taken.len());
                for Waiting { event, reply } in taken {
                    match reply {
                        Some(reply) => {
                            let _ = reply.send(Err(error.clone()));
                        }
                        None => kept.push(Waiting { event, reply: None }),
                    }
                }
                self.put_back(kept);
                for (_, _, reply) in self.answered.drain(..) {
                    let _ = reply.send(Err(RunError::Watch(error.clone())));
                }
                self.commit_after = Some(Instant::now() + self.pause);
                self.pause = (self.pause * 2).min(COMMIT_PAUSES.1);
                if error == WatchError::Stopping { Err(error) } else { Ok(()) }
            }
        }
    }

    /// It is durable: everybody may know.
    fn tell(&mut self, taken: Vec<Waiting>, decision: Decision) {
        let now = self.now();
        let Decision { becomes, ask, .. } = decision;
        let names: Vec<Name> = becomes.keys().cloned().collect();
        self.ledger.apply(becomes);
        for name in &names {
            let known = self.ledger.get(name.as_str());
            if let Some(known) = known.filter(|known| known.state.heartbeat.is_some()) {
                self.timetable.set_deadline(name, heartbeat::wakes_at(known));
            }
            self.series.check(name, known, now);
            let next = self.timetable.next_of(name);
            self.parts.views.put(name, known, next);
        }
        for name in ask {
            self.timetable.run_now(&name, true, now);
        }
        let answered = std::mem::take(&mut self.answered);
        for (name, began, reply) in answered {
            let last = self.ledger.get(name.as_str()).and_then(|known| known.last.clone());
            match last.filter(|last| last.result.at >= began) {
                Some(last) => {
                    let _ = reply.send(Ok(last.result.clone()));
                }
                None if self.ledger.get(name.as_str()).is_none() => {
                    let _ = reply.send(Err(RunError::NotAsked));
                }
                None if reply.is_closed() => {}
                None => self.answered.push((name, began, reply)),
            }
        }
        for Waiting { reply, .. } in taken {
            if let Some(reply) = reply {
                let _ = reply.send(Ok(()));
            }
        }
    }
}
