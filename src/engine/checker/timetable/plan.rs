//! The slots of one check.

use crate::checks::Schedule;
use crate::model::Timestamp;

/// Where slots come from.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine::checker) enum Plan {
    /// It is asked.
    Asked(Schedule),
    /// It is told: a heartbeat, which has deadlines only.
    Told,
}

impl Plan {
    /// The first slot after a time.
    pub(super) fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Plan::Asked(schedule) => schedule.next_after(now),
            Plan::Told => None,
        }
    }

    /// The first slot after now, and how many there were between the one of `at` and now.
    pub(super) fn next_and_missed(
        &self,
        at: Timestamp,
        now: Timestamp,
    ) -> (Option<Timestamp>, u64) {
        match self {
            Plan::Asked(schedule) => {
                let late = schedule.late(at, now);
                (late.next, late.skipped)
            }
            Plan::Told => (None, 0),
        }
    }

    /// The first slot of a check that nobody has asked yet: soon, and not all at once.
    pub(super) fn first(&self, now: Timestamp, within_ms: i64) -> Option<Timestamp> {
        match self {
            Plan::Asked(Schedule::Interval { every_ms, phase_ms }) => {
                let within_ms = within_ms.min(*every_ms);
                // Its share of the interval, of a shorter time.
                let share = i128::from(*phase_ms) * i128::from(within_ms) / i128::from(*every_ms);
                Some(now.plus_millis(i64::try_from(share).unwrap_or(0)))
            }
            Plan::Asked(Schedule::Cron(_)) | Plan::Told => self.next_after(now),
        }
    }
}
