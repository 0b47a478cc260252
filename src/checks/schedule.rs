//! When a check runs.

use crate::model::{CheckDefinition, CronSchedule, Name, Period, Timestamp};

/// How often a check runs that does not say: 5 minutes.
pub const INTERVAL_DEFAULT_MS: i64 = 300_000;

/// The shortest interval: 1 second.
pub const INTERVAL_MIN_MS: i64 = 1_000;

/// The longest interval: 366 days. A longer one is a mistake, or a cron.
const INTERVAL_MAX_MS: i64 = 366 * 86_400_000;

/// Times of a cron that were missed are counted up to here; beyond, nobody cares how many.
const MISSED_MAX: u64 = 10_000;

/// When a check runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// Every so many milliseconds.
    Interval {
        /// How many.
        every_ms: i64,
        /// Where in the interval, counted from 1970: the jitter, 0 up to below `every_ms`.
        phase_ms: i64,
    },
    /// At times of the clock on the wall.
    Cron(Box<CronSchedule>),
}

/// What became of a run that was due at one time and could start only at another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late {
    /// Runs that were due meanwhile and are left out: never made up for.
    pub skipped: u64,
    /// When the next one is due; none at the end of the calendar.
    pub next: Option<Timestamp>,
}

impl Schedule {
    /// The schedule of a check: its `cron`, its `every`, or every 5 minutes.
    ///
    /// # Errors
    ///
    /// Which field, what is wrong with it, and what to write instead.
    pub fn of(check: &CheckDefinition) -> Result<Schedule, String> {
        match (&check.cron, check.every) {
            (Some(_), Some(_)) => {
                Err("cron: a check has either every or cron, not both".to_owned())
            }
            (Some(cron), None) => CronSchedule::parse(cron, &check.zone)
                .map(|cron| Schedule::Cron(Box::new(cron)))
                .map_err(|error| error.to_string()),
            (None, _) if !check.zone.is_empty() => {
                Err("zone: only cron reads a clock on the wall; leave zone out".to_owned())
            }
            (None, every) => Schedule::every(&check.name, every),
        }
    }

    /// An interval, with the jitter of a name: a hash of it spreads checks over the interval, and
    /// is the same after a restart.
    ///
    /// # Errors
    ///
    /// When it is shorter than a second or longer than a year.
    pub fn every(name: &Name, every: Option<Period>) -> Result<Schedule, String> {
        let every_ms = every.map_or(INTERVAL_DEFAULT_MS, |every| every.millis());
        if !(INTERVAL_MIN_MS..=INTERVAL_MAX_MS).contains(&every_ms) {
            return Err("every: from 1s to 366d; 5m unless it says".to_owned());
        }
        let hash = xxhash_rust::xxh3::xxh3_64(name.as_str().as_bytes());
        // The high bits: they are as good as the low ones, and short intervals divide 2^64.
        let phase_ms = (u128::from(hash) * every_ms.unsigned_abs() as u128) >> 64;
        Ok(Schedule::Interval { every_ms, phase_ms: i64::try_from(phase_ms).unwrap_or(0) })
    }

    /// The first time strictly after `now`; none at the end of the calendar.
    pub fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Schedule::Cron(cron) => cron.next_after(now),
            Schedule::Interval { every_ms, phase_ms } => {
                let since = now.millis().checked_sub(*phase_ms)?.rem_euclid(*every_ms);
                now.millis().checked_add(every_ms - since).map(Timestamp::from_millis)
            }
        }
    }

    /// A run that was due at `due` starts at `now`, or ends then: which runs are left out because
    /// of it, and when the next one is due. Of the interval's own time nothing is made up for.
    pub fn late(&self, due: Timestamp, now: Timestamp) -> Late {
        let next = self.next_after(now.max(due));
        if now <= due {
            return Late { skipped: 0, next };
        }
        let skipped = match self {
            Schedule::Interval { every_ms, phase_ms } => {
                let count =
                    |at: Timestamp| at.millis().saturating_sub(*phase_ms).div_euclid(*every_ms);
                u64::try_from(count(now).saturating_sub(count(due))).unwrap_or(0)
            }
            Schedule::Cron(cron) => {
                let missed = cron.between(due.plus_millis(1), now.plus_millis(1));
                missed.take(MISSED_MAX as usize).count() as u64
            }
        };
        Late { skipped, next }
    }

    /// About how long it is from one run to the next, in milliseconds, at `now`: what a status
    /// page calls stale is a few of these.
    pub fn spacing_ms(&self, now: Timestamp) -> i64 {
        match self {
            Schedule::Interval { every_ms, .. } => *every_ms,
            Schedule::Cron(cron) => {
                let first = cron.next_after(now);
                let second = first.and_then(|first| cron.next_after(first));
                first.zip(second).map_or(INTERVAL_DEFAULT_MS, |(a, b)| b.since(a))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn every(name: &str, millis: i64) -> Schedule {
        let name = Name::new(name).expect("a name");
        Schedule::every(&name, Some(Period::from_millis(millis))).expect("valid")
    }

    fn ms(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_thousand_checks_are_spread_evenly_and_always_the_same() {
        let mut tenths = [0; 10];
        for n in 0..1000 {
            let name = format!("check-{n}");
            let Schedule::Interval { phase_ms, .. } = every(&name, 10_000) else { panic!() };
            assert!((0..10_000).contains(&phase_ms));
            tenths[usize::try_from(phase_ms / 1000).expect("small")] += 1;
            assert_eq!(every(&name, 10_000), every(&name, 10_000));
        }
        // 100 each, ± 5 standard deviations of a binomial distribution (σ = 9.5).
        assert!(tenths.iter().all(|count| (53..=147).contains(count)), "{tenths:?}");
    }

    #[test]
    fn late_runs_are_left_out_and_counted() {
        let schedule = Schedule::Interval { every_ms: 10_000, phase_ms: 3_000 };
        assert_eq!(schedule.next_after(ms(3_000)), Some(ms(13_000)));
        assert_eq!(schedule.next_after(ms(2_999)), Some(ms(3_000)));
        let late = schedule.late(ms(13_000), ms(13_500));
        assert_eq!(late, Late { skipped: 0, next: Some(ms(23_000)) });
        // Due again at 23, 33 and 43 s meanwhile.
        let late = schedule.late(ms(13_000), ms(43_000));
        assert_eq!(late, Late { skipped: 3, next: Some(ms(53_000)) });
        // The clock was set back: nothing was missed, and what was due comes after it.
        let late = schedule.late(ms(13_000), ms(5_000));
        assert_eq!(late, Late { skipped: 0, next: Some(ms(23_000)) });
        let cron = CronSchedule::parse("*/5 * * * *", "").expect("valid");
        let late = Schedule::Cron(Box::new(cron)).late(ms(300_000), ms(900_000));
        assert_eq!(late, Late { skipped: 2, next: Some(ms(1_200_000)) });
    }

    #[test]
    fn a_schedule_that_cannot_be_is_refused() {
        let check = |text: &str| {
            let whole = format!("{{\"name\": \"a\", \"kind\": \"tcp\"{text}}}");
            Schedule::of(&serde_json::from_str(&whole).expect("a check"))
        };
        for (fields, part) in [
            (", \"every\": 0.5", "every:"),
            (", \"every\": \"500d\"", "every:"),
            (", \"every\": 5, \"cron\": \"* * * * *\"", "cron:"),
            (", \"cron\": \"* * *\"", "cron:"),
            (", \"cron\": \"* * * * *\", \"zone\": \"Mars\"", "zone:"),
            (", \"zone\": \"UTC\"", "zone:"),
        ] {
            assert!(check(fields).expect_err(fields).starts_with(part), "{fields}");
        }
        assert_eq!(check("").map(|s| s.spacing_ms(ms(0))), Ok(INTERVAL_DEFAULT_MS));
        let hourly = check(", \"cron\": \"@hourly\"").expect("valid");
        assert_eq!(hourly.spacing_ms(ms(0)), 3_600_000);
    }

    proptest! {
        #[test]
        fn the_next_run_is_after_now_and_within_one_interval(
            every_ms in 1_000i64..1_000_000, now in -1i64 << 50..1 << 50, name in "[a-z]{1,9}",
        ) {
            let schedule = every(&name, every_ms);
            let next = schedule.next_after(ms(now)).expect("there is one").millis();
            prop_assert!(next > now && next <= now + every_ms);
            prop_assert_eq!(
                schedule.next_after(ms(next)).map(Timestamp::millis), Some(next + every_ms)
            );
        }

        /// Counted one by one.
        #[test]
        fn skipped_runs_are_those_due_meanwhile(
            every_ms in 1_000i64..100_000, start in 0i64..1 << 40, delay in 0i64..5_000_000,
        ) {
            let schedule = every("a", every_ms);
            let due = schedule.next_after(ms(start)).expect("there is one");
            let now = due.plus_millis(delay);
            let mut count = 0;
            let mut at = schedule.next_after(due).expect("there is one");
            while at <= now {
                count += 1;
                at = schedule.next_after(at).expect("there is one");
            }
            prop_assert_eq!(schedule.late(due, now), Late { skipped: count, next: Some(at) });
        }
    }
}
