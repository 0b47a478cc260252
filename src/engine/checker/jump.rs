//! Notices that the clock was set, or that the machine slept.

use crate::model::Timestamp;

/// Differences between the wall clock and the monotonic one within this (ms) are drift, slewing
/// and slow scheduling.
const JUMP_MS: i64 = 2_000;

/// Compares the wall clock with a monotonic one, look by look. Linux's monotonic clock stands
/// still while the machine is suspended, so a suspend looks like a wall clock that jumped ahead.
#[derive(Clone, Copy, Debug)]
pub(super) struct JumpWatch {
    wall: Timestamp,
    monotonic_ms: i64,
}

impl JumpWatch {
    pub(super) fn new(wall: Timestamp, monotonic_ms: i64) -> Self {
        JumpWatch { wall, monotonic_ms }
    }

    /// By how many milliseconds (either way) the wall clock jumped since the last look.
    pub(super) fn look(&mut self, wall: Timestamp, monotonic_ms: i64) -> Option<i64> {
        let by_ms = wall.since(self.wall).saturating_sub(monotonic_ms - self.monotonic_ms);
        *self = JumpWatch { wall, monotonic_ms };
        (by_ms.abs() > JUMP_MS).then_some(by_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_or_a_machine_that_sleeps_is_a_jump_and_a_slow_look_is_none() {
        let at = Timestamp::from_millis;
        let mut watch = JumpWatch::new(at(1_000_000), 5_000);
        assert_eq!(watch.look(at(1_060_000), 65_000), None, "a minute passed on both");
        assert_eq!(watch.look(at(1_061_500), 65_500), None, "a second of drift");
        assert_eq!(watch.look(at(4_662_500), 66_500), Some(3_600_000), "an hour of sleep");
        assert_eq!(watch.look(at(4_663_500), 67_500), None, "said once");
        assert_eq!(watch.look(at(4_604_500), 68_500), Some(-60_000), "set back");
    }
}
