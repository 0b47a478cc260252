//! When each check is due, and which of those that are may begin.
//!
//! Pure: the time comes in. A check is never begun twice at once; no more than `Caps::total` run
//! at once, and no more than `Caps::per_host` against one host. A slot that comes while the slot
//! before it still waits or runs is left out and counted, never made up for.

mod plan;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::model::{Name, Timestamp};

pub(super) use plan::Plan;

/// A run that begins so much (ms) after it was due is counted as late.
pub(super) const LATE_MS: i64 = 1000;
/// Checks whose state was restored are asked again within so long (ms) after the start.
const RESTORED_WITHIN_MS: i64 = 30_000;
/// New checks are asked within so long (ms).
const NEW_WITHIN_MS: i64 = 1000;

/// How many may run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Caps {
    /// In all.
    pub(super) total: usize,
    /// Against one host; checks without a host are bound by `total` alone.
    pub(super) per_host: usize,
}

/// What is to be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A run begins.
    Run {
        /// Of which check.
        name: Name,
        /// Counts runs of all checks: who finishes says which one.
        run: u64,
    },
    /// A deadline has passed: nothing was heard of a heartbeat by then.
    Deadline {
        /// Of which check.
        name: Name,
        /// When it was.
        at: Timestamp,
    },
}

/// What was counted since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Runs begun.
    pub(super) runs: u64,
    /// Of those: more than [`LATE_MS`] after they were due.
    pub(super) late: u64,
    /// Slots left out.
    pub(super) skipped: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    /// It is due since then, and waits for room.
    Waiting(Timestamp),
    Running {
        run: u64,
        /// Asked for again meanwhile by something that needs a newer answer.
        again: bool,
    },
}

#[derive(Debug)]
struct Entry {
    plan: Plan,
    host: String,
    /// The host that a run under way was counted for.
    counted: String,
    /// The next slot; also in `slots`.
    next: Option<Timestamp>,
    phase: Phase,
}

/// All checks and their times.
#[derive(Debug)]
pub(super) struct Timetable {
    caps: Caps,
    entries: BTreeMap<Name, Entry>,
    slots: BTreeSet<(Timestamp, Name)>,
    waiting: VecDeque<Name>,
    running: usize,
    hosts: BTreeMap<String, usize>,
    runs: u64,
    counts: Counts,
}

impl Timetable {
    pub(super) fn new(caps: Caps) -> Self {
        Timetable {
            caps,
            entries: BTreeMap::new(),
            slots: BTreeSet::new(),
            waiting: VecDeque::new(),
            running: 0,
            hosts: BTreeMap::new(),
            runs: 0,
            counts: Counts::default(),
        }
    }

    /// Puts other bounds in force; what runs goes on.
    pub(super) fn set_caps(&mut self, caps: Caps) {
        self.caps = caps;
    }

    /// Takes up a check, or another plan or host of one that is known. `restored`: its state is
    /// from before the start.
    pub(super) fn put(
        &mut self,
        name: &Name,
        plan: Plan,
        host: String,
        restored: bool,
        now: Timestamp,
    ) {
        match self.entries.get_mut(name) {
            Some(entry) => {
                entry.host = host;
                if entry.plan != plan {
                    entry.plan = plan;
                    let next = entry.plan.next_after(now);
                    self.set_next(name, next);
                }
            }
            None => {
                let within = if restored { RESTORED_WITHIN_MS } else { NEW_WITHIN_MS };
                let first = plan.first(now, within);
                let entry =
                    Entry { plan, host, counted: String::new(), next: None, phase: Phase::Idle };
                self.entries.insert(name.clone(), entry);
                self.set_next(name, first);
            }
        }
    }

    /// Forgets a check. A run under way ends by itself, and is then told to be unknown.
    pub(super) fn remove(&mut self, name: &Name) {
        self.set_next(name, None);
        if let Some(entry) = self.entries.remove(name) {
            if matches!(entry.phase, Phase::Running { .. }) {
                self.leave(&entry.counted);
            }
            self.waiting.retain(|waiting| waiting != name);
        }
    }

    /// Sets or takes away the deadline of a heartbeat.
    pub(super) fn set_deadline(&mut self, name: &Name, at: Option<Timestamp>) {
        if self.entries.get(name).is_some_and(|entry| entry.plan == Plan::Told) {
            self.set_next(name, at);
        }
    }

    /// Asks for a run as soon as there is room. One that waits is moved ahead; one that runs is
    /// joined, or, if `fresh`, followed by another. Gives whether there is such a check that can
    /// be asked.
    pub(super) fn run_now(&mut self, name: &Name, fresh: bool, now: Timestamp) -> bool {
        let Some(entry) = self.entries.get_mut(name) else { return false };
        if entry.plan == Plan::Told {
            return false;
        }
        match &mut entry.phase {
            Phase::Idle => entry.phase = Phase::Waiting(now),
            Phase::Waiting(_) => self.waiting.retain(|waiting| waiting != name),
            Phase::Running { again, .. } => {
                *again |= fresh;
                return true;
            }
        }
        self.waiting.push_front(name.clone());
        true
    }

    /// What is due at `now` and may begin.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<Due> {
        let mut all = Vec::new();
        while let Some((at, _)) = self.slots.first()
            && *at <= now
        {
            let Some((at, name)) = self.slots.pop_first() else { break };
            let Some(entry) = self.entries.get_mut(&name) else { continue };
            entry.next = None;
            if entry.plan == Plan::Told {
                all.push(Due::Deadline { name, at });
                continue;
            }
            // Slots that went by while nobody looked are left out too.
            let (next, missed) = entry.plan.next_and_missed(at, now);
            self.counts.skipped += missed;
            if entry.phase == Phase::Idle {
                entry.phase = Phase::Waiting(at);
                self.waiting.push_back(name.clone());
            } else {
                self.counts.skipped += 1;
            }
            self.set_next(&name, next);
        }
        let mut held = VecDeque::new();
        while self.running < self.caps.total
            && let Some(name) = self.waiting.pop_front()
        {
            let Some(entry) = self.entries.get_mut(&name) else { continue };
            let Phase::Waiting(since) = entry.phase else { continue };
            let beside = self.hosts.get(&entry.host).copied().unwrap_or(0);
            if !entry.host.is_empty() && beside >= self.caps.per_host {
                held.push_back(name);
                continue;
            }
            self.runs += 1;
            entry.phase = Phase::Running { run: self.runs, again: false };
            self.running += 1;
            entry.counted.clone_from(&entry.host);
            if !entry.host.is_empty() {
                *self.hosts.entry(entry.host.clone()).or_insert(0) += 1;
            }
            self.counts.runs += 1;
            if now.since(since) > LATE_MS {
                self.counts.late += 1;
            }
            all.push(Due::Run { name, run: self.runs });
        }
        held.append(&mut self.waiting);
        self.waiting = held;
        all
    }

    /// Notes the end of a run. Gives whether it was one of a check that is still known.
    pub(super) fn finished(&mut self, name: &Name, run: u64, now: Timestamp) -> bool {
        let Some(entry) = self.entries.get_mut(name) else { return false };
        match entry.phase {
            Phase::Running { run: own, again } if own == run => {
                entry.phase = if again { Phase::Waiting(now) } else { Phase::Idle };
                let host = std::mem::take(&mut entry.counted);
                if again {
                    self.waiting.push_front(name.clone());
                }
                self.leave(&host);
                true
            }
            _ => false,
        }
    }

    /// The clock jumped, or the machine slept: what was planned by the old time is planned anew,
    /// and nothing counts as late for it. Deadlines of heartbeats move with the clock.
    pub(super) fn jumped(&mut self, by_ms: i64, now: Timestamp) {
        let names: Vec<Name> = self.entries.keys().cloned().collect();
        for name in &names {
            let Some(entry) = self.entries.get_mut(name) else { continue };
            if let Phase::Waiting(since) = &mut entry.phase {
                *since = now;
            }
            let next = match entry.plan {
                Plan::Told => entry.next.map(|at| at.plus_millis(by_ms)),
                _ => entry.plan.next_after(now),
            };
            self.set_next(name, next);
        }
    }

    /// When there is something to do next, unless a run ends before.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.slots.first().map(|(at, _)| *at)
    }

    /// The next slot of a check.
    pub(super) fn next_of(&self, name: &Name) -> Option<Timestamp> {
        self.entries.get(name)?.next
    }

    /// Runs under way.
    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// What was counted since the last call.
    pub(super) fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }

    fn set_next(&mut self, name: &Name, next: Option<Timestamp>) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        if let Some(old) = entry.next.take() {
            self.slots.remove(&(old, name.clone()));
        }
        entry.next = next;
        if let Some(at) = next {
            self.slots.insert((at, name.clone()));
        }
    }

    fn leave(&mut self, host: &str) {
        self.running = self.running.saturating_sub(1);
        if let Some(count) = self.hosts.get_mut(host) {
            *count -= 1;
            if *count == 0 {
                self.hosts.remove(host);
            }
        }
    }
}
