//! The slots of one check.

use crate::model::{CronSchedule, Name, Timestamp};

/// When a check has its slots.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine::checker) enum Plan {
    /// Every so many milliseconds (at least 1), at an offset that follows from its name.
    Every(i64),
    /// When a cron expression says, in its zone. No offset: people mean these times.
    Cron(CronSchedule),
    /// Never by itself: a heartbeat, which has deadlines instead.
    Told,
}

impl Plan {
    /// The first slot after `now`.
    pub(super) fn next_after(&self, name: &Name, now: Timestamp) -> Option<Timestamp> {
        match self {
            Plan::Every(every_ms) => {
                let every_ms = (*every_ms).max(1);
                let past = now.millis().saturating_sub(share(name, every_ms)).rem_euclid(every_ms);
                Some(now.plus_millis(every_ms - past))
            }
            Plan::Cron(schedule) => schedule.next_after(now),
            Plan::Told => None,
        }
    }

    /// The slot after that at `at`, which is the first beyond `now`, and how many lie between.
    pub(super) fn next_and_missed(
        &self,
        name: &Name,
        at: Timestamp,
        now: Timestamp,
    ) -> (Option<Timestamp>, u64) {
        let next = self.next_after(name, now);
        let missed = match self {
            Plan::Every(every_ms) => {
                // From the first regular slot after the one that came: the first of a new check
                // is out of the row.
                let regular = self.next_after(name, at).map_or(0, |first| now.since(first));
                if regular >= 0 { regular / (*every_ms).max(1) + 1 } else { 0 }
            }
            Plan::Cron(schedule) => {
                // Bounded: an expression has at most one slot per minute, and who slept for long
                // has been told of a jump.
                let mut missed = 0;
                let mut slot = schedule.next_after(at);
                while let Some(between) = slot.filter(|slot| *slot <= now && missed < MISSED_MAX) {
                    missed += 1;
                    slot = schedule.next_after(between);
                }
                missed
            }
            Plan::Told => 0,
        };
        (next, missed.unsigned_abs())
    }

    /// The first slot of a check that was not known before: soon, at a place of its own within
    /// `within_ms`. Cron keeps to its times.
    pub(super) fn first(&self, name: &Name, now: Timestamp, within_ms: i64) -> Option<Timestamp> {
        match self {
            Plan::Every(every_ms) => {
                Some(now.plus_millis(share(name, within_ms.min(*every_ms).max(1))))
            }
            Plan::Cron(_) | Plan::Told => self.next_after(name, now),
        }
    }
}

/// Slots of a cron expression that are counted as missed at once.
const MISSED_MAX: i64 = 1000;

/// A number below `of` that follows from the name alone: it is the same after a restart, and
/// many checks of one interval spread evenly over it.
fn share(name: &Name, of: i64) -> i64 {
    let hash = xxhash_rust::xxh3::xxh3_64(name.as_str().as_bytes());
    i64::try_from(hash % of.unsigned_abs()).unwrap_or(0)
}
