//! How fast a channel may be told.

use crate::senders::Pace;

/// A token bucket over a clock of milliseconds that only goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    pace: Pace,
    /// Thousandths of tokens, times 60 (so that whole numbers do): see [`Bucket::UNIT`].
    level: u64,
    at_ms: u64,
}

impl Bucket {
    /// What one notification costs: at one per minute, a millisecond gives 1.
    const UNIT: u64 = 60_000;

    /// A full one.
    pub(super) fn new(pace: Pace, now_ms: u64) -> Self {
        Bucket { pace, level: u64::from(pace.burst) * Self::UNIT, at_ms: now_ms }
    }

    fn fill(&mut self, now_ms: u64) {
        let gained = now_ms.saturating_sub(self.at_ms).saturating_mul(self.pace.per_minute.into());
        let full = u64::from(self.pace.burst) * Self::UNIT;
        self.level = self.level.saturating_add(gained).min(full);
        self.at_ms = now_ms;
    }

    /// Takes a place, or says in how many milliseconds there is one.
    pub(super) fn take(&mut self, now_ms: u64) -> Result<(), u64> {
        self.fill(now_ms);
        if self.level >= Self::UNIT {
            self.level -= Self::UNIT;
            return Ok(());
        }
        let missing = Self::UNIT - self.level;
        Err(missing.div_ceil(u64::from(self.pace.per_minute).max(1)))
    }

    /// The pace.
    pub(super) fn pace(&self) -> Pace {
        self.pace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_then_one_after_the_other() {
        let mut bucket = Bucket::new(Pace { per_minute: 60, burst: 3 }, 0);
        assert_eq!([bucket.take(0), bucket.take(0), bucket.take(0)], [Ok(()); 3]);
        assert_eq!(bucket.take(0), Err(1000));
        assert_eq!(bucket.take(400), Err(600));
        assert_eq!(bucket.take(1000), Ok(()));
        assert_eq!(bucket.take(1000), Err(1000));
        // A quiet hour gives no more than a burst.
        let hour = 3_600_000;
        assert_eq!([bucket.take(hour), bucket.take(hour), bucket.take(hour)], [Ok(()); 3]);
        assert!(bucket.take(hour).is_err());
    }

    #[test]
    fn a_minute_never_has_more_than_its_burst_and_its_rate() {
        let mut bucket = Bucket::new(Pace { per_minute: 7, burst: 2 }, 0);
        let taken = (0..60_000).filter(|ms| bucket.take(*ms).is_ok()).count();
        // 2 at once and 7 a minute: the last of these is there with the minute's last millisecond.
        assert!((8..=9).contains(&taken), "{taken}");
    }
}
