//! When a group is due.

use crate::model::Timestamp;

/// The times at which a group is evaluated: every interval, moved by an offset that follows from
/// file and name. It spreads groups over the interval and is the same after a restart
/// (`rules/group.go`, `EvalTimestamp`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    interval_ms: i64,
    offset_ms: i64,
}

impl Schedule {
    /// The schedule of a group. An interval below a millisecond counts as one.
    pub fn new(file: &str, group: &str, interval_ms: i64) -> Self {
        let interval_ms = interval_ms.max(1);
        let hash = xxhash_rust::xxh3::xxh3_64(format!("{file}\0{group}").as_bytes());
        let offset_ms = (hash % interval_ms.unsigned_abs()) as i64;
        Schedule { interval_ms, offset_ms }
    }

    /// The interval in milliseconds.
    pub fn interval_ms(self) -> i64 {
        self.interval_ms
    }

    /// The latest due time that is not after `now`.
    pub fn latest(self, now: Timestamp) -> Timestamp {
        let moved = now.millis().saturating_sub(self.offset_ms);
        let base = moved.saturating_sub(moved.rem_euclid(self.interval_ms));
        Timestamp::from_millis(base.saturating_add(self.offset_ms))
    }

    /// The due time after `now`.
    pub fn next(self, now: Timestamp) -> Timestamp {
        self.latest(now).plus_millis(self.interval_ms)
    }

    /// What to evaluate at `now` when `last` was the last evaluation: the due time, and how many
    /// were missed in between, because evaluations took too long or the machine slept. `None`
    /// before the next one is due.
    pub fn due(self, last: Timestamp, now: Timestamp) -> Option<(Timestamp, u64)> {
        let passed = now.since(last).div_euclid(self.interval_ms);
        if passed < 1 {
            return None;
        }
        let at = last.plus_millis(passed.saturating_mul(self.interval_ms));
        Some((at, (passed - 1).unsigned_abs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn due_times_are_an_interval_apart_and_the_same_after_a_restart() {
        let schedule = Schedule::new("a.yml", "g", 60_000);
        let first = schedule.next(at(1_000_000));
        assert!(first > at(1_000_000) && first <= at(1_060_000));
        assert_eq!(schedule.latest(first), first);
        assert_eq!(schedule.next(first), first.plus_millis(60_000));
        assert_eq!(Schedule::new("a.yml", "g", 60_000).next(at(1_000_000)), first);
    }

    #[test]
    fn groups_are_spread_over_the_interval() {
        let offsets: std::collections::BTreeSet<i64> =
            (0..50).map(|n| Schedule::new("f", &format!("g{n}"), 60_000).offset_ms).collect();
        assert!(offsets.len() > 45, "{offsets:?}");
        assert!(offsets.iter().all(|offset| (0..60_000).contains(offset)));
    }

    #[test]
    fn a_late_evaluation_counts_what_was_missed() {
        let schedule = Schedule { interval_ms: 10, offset_ms: 0 };
        assert_eq!(schedule.due(at(100), at(109)), None);
        assert_eq!(schedule.due(at(100), at(110)), Some((at(110), 0)));
        assert_eq!(schedule.due(at(100), at(135)), Some((at(130), 2)));
        // A clock that went back.
        assert_eq!(schedule.due(at(100), at(50)), None);
    }
}
