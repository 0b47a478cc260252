//! Checks that are told: jobs that say when they begin and end.
//!
//! The rules are those of Healthchecks (`hc/api/models.py`: `Check.get_grace_start`,
//! `going_down_after`, `ping`): a job is expected a period after its last sign of life, or at the
//! next time of its cron; one grace later it is down, and so is one that began and did not end
//! within the grace. A new heartbeat waits for its first sign without a deadline.
//!
//! Ours: being down is dated back to the deadline, and what may have been sent while we were not
//! running is not held against the job.

use serde::{Deserialize, Serialize};

use super::schedule::Schedule;
use super::verdict::{Transition, UnknownReason};
use crate::model::{CheckDefinition, CheckStatus, Timestamp};

/// How long after its time a heartbeat may come that does not say: 1 minute.
const GRACE_DEFAULT_MS: i64 = 60_000;

/// The longest grace: 366 days.
const GRACE_MAX_MS: i64 = 366 * 86_400_000;

/// When a heartbeat is expected.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    schedule: Schedule,
    grace_ms: i64,
}

/// A sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// The job begins.
    Start,
    /// It went well.
    Success,
    /// It went wrong.
    Fail,
    /// It ended with this code; 0 is well.
    Exit(i32),
}

/// How a heartbeat is. A document: fields are only ever added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Heartbeat {
    /// How it is.
    pub status: CheckStatus,
    /// Since when.
    pub since: Timestamp,
    /// Why it is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<UnknownReason>,
    /// The last end of the job, well or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_beat: Option<Timestamp>,
    /// When the job that runs now began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running_since: Option<Timestamp>,
    /// How long the last run took, in milliseconds, where its beginning was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_duration_ms: Option<i64>,
    /// The code that the last run ended with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<i32>,
    /// The last moment at which we may have missed a beat: we were not running.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deaf_until: Option<Timestamp>,
}

impl Expectation {
    /// When the heartbeat that a check is is expected: its `every` or `cron`, and its `grace`.
    ///
    /// # Errors
    ///
    /// Which field, what is wrong with it, and what to write instead.
    pub fn of(check: &CheckDefinition) -> Result<Expectation, String> {
        let schedule = Schedule::of(check)?;
        let grace_ms = check.grace.map_or(GRACE_DEFAULT_MS, |grace| grace.millis());
        if !(0..=GRACE_MAX_MS).contains(&grace_ms) {
            return Err("grace: from 0 to 366d; 1m unless it says".to_owned());
        }
        Ok(Expectation { schedule, grace_ms })
    }

    /// When the next sign is expected after one at `at`. None where the calendar ends.
    fn expected_after(&self, at: Timestamp) -> Option<Timestamp> {
        match &self.schedule {
            Schedule::Interval { every_ms, .. } => Some(at.plus_millis(*every_ms)),
            Schedule::Cron(cron) => cron.next_after(at),
        }
    }
}

impl Heartbeat {
    /// A heartbeat that was made at `at`: it waits for its first sign.
    pub fn new(at: Timestamp) -> Heartbeat {
        Heartbeat { since: at, reason: Some(UnknownReason::New), ..Heartbeat::default() }
    }

    /// When the next sign is expected; after that it is late, a grace later down. None while it
    /// is new, paused, or down already.
    pub fn expected_at(&self, expectation: &Expectation) -> Option<Timestamp> {
        self.due(expectation, self.last_beat?)
    }

    fn due(&self, expectation: &Expectation, heard: Timestamp) -> Option<Timestamp> {
        match self.status {
            CheckStatus::Healthy | CheckStatus::Degraded => expectation.expected_after(heard),
            // Known to be alive before we went deaf.
            CheckStatus::Unknown if self.reason != Some(UnknownReason::New) => {
                expectation.expected_after(heard)
            }
            CheckStatus::Unknown | CheckStatus::Unhealthy | CheckStatus::Paused => None,
        }
    }

    /// The moment from which it counts as down, if nothing comes before that.
    pub fn deadline(&self, expectation: &Expectation) -> Option<Timestamp> {
        self.deadline_heard(expectation, None)
    }

    /// The deadline, with the last beat not before `deaf_until`.
    fn deadline_heard(
        &self,
        expectation: &Expectation,
        deaf_until: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let heard = self.last_beat.map(|last| deaf_until.map_or(last, |deaf| last.max(deaf)));
        let by_schedule = heard.and_then(|heard| self.due(expectation, heard));
        let running = match self.status {
            CheckStatus::Unhealthy | CheckStatus::Paused => None,
            _ => self.running_since.map(|at| deaf_until.map_or(at, |deaf| at.max(deaf))),
        };
        let first = by_schedule.into_iter().chain(running).min()?;
        Some(first.plus_millis(expectation.grace_ms))
    }

    /// When [`Heartbeat::tick`] has something to do at the earliest.
    pub fn wakes_at(&self, expectation: &Expectation) -> Option<Timestamp> {
        match self.status {
            CheckStatus::Unknown => self.deadline_heard(expectation, self.deaf_until),
            _ => self.deadline(expectation),
        }
    }

    /// A sign of life at `at`. Paused heartbeats hear nothing.
    #[must_use]
    pub fn beat(mut self, beat: Beat, at: Timestamp) -> (Heartbeat, Option<Transition>) {
        if self.status == CheckStatus::Paused {
            return (self, None);
        }
        let (to, exit) = match beat {
            Beat::Start => {
                self.running_since = Some(at);
                return (self, None);
            }
            Beat::Success => (CheckStatus::Healthy, None),
            Beat::Fail => (CheckStatus::Unhealthy, None),
            Beat::Exit(0) => (CheckStatus::Healthy, Some(0)),
            Beat::Exit(code) => (CheckStatus::Unhealthy, Some(code)),
        };
        self.last_duration_ms = self.running_since.take().map(|began| at.since(began).max(0));
        self.last_beat = Some(at);
        self.last_exit = exit;
        self.deaf_until = None;
        let transition = (self.status != to).then(|| self.change(to, at, at, None));
        (self, transition)
    }

    /// What time alone makes of it by `now`: down when the deadline has passed, dated back to
    /// that; unknown where the sign may have come while we were not running, until the deadline
    /// as counted from then passes too.
    #[must_use]
    pub fn tick(
        mut self,
        expectation: &Expectation,
        now: Timestamp,
    ) -> (Heartbeat, Option<Transition>) {
        let passed = |deadline: Option<Timestamp>| deadline.filter(|deadline| *deadline <= now);
        let Some(deadline) = passed(self.deadline(expectation)) else { return (self, None) };
        let Some(deaf) = self.deaf_until else {
            let transition = self.change(CheckStatus::Unhealthy, deadline, now, None);
            return (self, Some(transition));
        };
        let transition = match passed(self.deadline_heard(expectation, Some(deaf))) {
            Some(deadline) => Some(self.change(CheckStatus::Unhealthy, deadline, now, None)),
            None if self.status == CheckStatus::Unknown => None,
            None => {
                let reason = Some(UnknownReason::Downtime);
                Some(self.change(CheckStatus::Unknown, deadline, now, reason))
            }
        };
        (self, transition)
    }

    /// We were not running, or could not hear, until `until`: what came meanwhile is lost.
    #[must_use]
    pub fn deaf(mut self, until: Timestamp) -> Heartbeat {
        self.deaf_until = Some(self.deaf_until.map_or(until, |known| known.max(until)));
        self
    }

    /// It is left alone from `at` on.
    #[must_use]
    pub fn pause(mut self, at: Timestamp) -> (Heartbeat, Option<Transition>) {
        if self.status == CheckStatus::Paused {
            return (self, None);
        }
        self.running_since = None;
        self.deaf_until = None;
        let transition = self.change(CheckStatus::Paused, at, at, None);
        (self, Some(transition))
    }

    /// It is no longer left alone: it waits for a sign, as a new one does.
    #[must_use]
    pub fn resume(mut self, at: Timestamp) -> (Heartbeat, Option<Transition>) {
        if self.status != CheckStatus::Paused {
            return (self, None);
        }
        let transition = self.change(CheckStatus::Unknown, at, at, Some(UnknownReason::New));
        (self, Some(transition))
    }

    fn change(
        &mut self,
        to: CheckStatus,
        at: Timestamp,
        decided_at: Timestamp,
        reason: Option<UnknownReason>,
    ) -> Transition {
        let at = at.max(self.since);
        let from = self.status;
        self.status = to;
        self.since = at;
        self.reason = reason;
        Transition { from, to, at, decided_at: decided_at.max(at), flapping: false, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: i64 = 60_000;

    fn ms(minutes: i64) -> Timestamp {
        Timestamp::from_millis(minutes * MINUTE)
    }

    /// Every hour, with ten minutes of grace.
    fn hourly() -> Expectation {
        let text = r#"{"name": "a", "kind": "heartbeat", "every": "1h", "grace": "10m"}"#;
        Expectation::of(&serde_json::from_str(text).expect("a check")).expect("valid")
    }

    fn alive(at: i64) -> Heartbeat {
        Heartbeat::new(ms(0)).beat(Beat::Success, ms(at)).0
    }

    fn change(from: CheckStatus, to: CheckStatus, at: i64, decided_at: i64) -> Option<Transition> {
        let (at, decided_at) = (ms(at), ms(decided_at));
        Some(Transition { from, to, at, decided_at, flapping: false, reason: None })
    }

    #[test]
    fn a_new_heartbeat_waits_without_a_deadline() {
        let new = Heartbeat::new(ms(0));
        assert_eq!(new.deadline(&hourly()), None);
        assert_eq!(new.clone().tick(&hourly(), ms(100_000)), (new.clone(), None));
        let (up, transition) = new.beat(Beat::Success, ms(5));
        assert_eq!(transition, change(CheckStatus::Unknown, CheckStatus::Healthy, 5, 5));
        assert_eq!(up.expected_at(&hourly()), Some(ms(65)));
        assert_eq!(up.deadline(&hourly()), Some(ms(75)));
    }

    #[test]
    fn being_down_is_dated_back_to_the_deadline() {
        let up = alive(5);
        assert_eq!(up.clone().tick(&hourly(), ms(74)).1, None);
        // Noticed only an hour later.
        let (down, transition) = up.tick(&hourly(), ms(135));
        assert_eq!(transition, change(CheckStatus::Healthy, CheckStatus::Unhealthy, 75, 135));
        assert_eq!(down.deadline(&hourly()), None);
        assert_eq!(down.clone().tick(&hourly(), ms(999)).1, None);
        let (_, transition) = down.beat(Beat::Success, ms(140));
        assert_eq!(transition, change(CheckStatus::Unhealthy, CheckStatus::Healthy, 140, 140));
    }

    #[test]
    fn a_job_that_fails_is_down_at_once_and_codes_are_kept() {
        let (down, transition) = alive(5).beat(Beat::Exit(3), ms(20));
        assert_eq!(transition, change(CheckStatus::Healthy, CheckStatus::Unhealthy, 20, 20));
        assert_eq!(down.last_exit, Some(3));
        let (up, transition) = down.beat(Beat::Exit(0), ms(21));
        assert_eq!(transition, change(CheckStatus::Unhealthy, CheckStatus::Healthy, 21, 21));
        assert!(up.clone().beat(Beat::Fail, ms(22)).1.is_some());
        assert!(up.beat(Beat::Success, ms(22)).1.is_none());
    }

    #[test]
    fn a_job_that_begins_and_does_not_end_is_down_after_its_grace() {
        let (running, transition) = alive(5).beat(Beat::Start, ms(10));
        assert_eq!(transition, None);
        assert_eq!(running.deadline(&hourly()), Some(ms(20)));
        let (ended, _) = running.clone().beat(Beat::Success, ms(18));
        assert_eq!((ended.last_duration_ms, ended.running_since), (Some(8 * MINUTE), None));
        assert_eq!(ended.deadline(&hourly()), Some(ms(88)));
        let (down, transition) = running.tick(&hourly(), ms(21));
        assert_eq!(transition, change(CheckStatus::Healthy, CheckStatus::Unhealthy, 20, 21));
        // It ends after all.
        let (up, transition) = down.beat(Beat::Success, ms(30));
        assert_eq!(transition, change(CheckStatus::Unhealthy, CheckStatus::Healthy, 30, 30));
        assert_eq!(up.last_duration_ms, Some(20 * MINUTE));
        // A new one that only ever begins.
        let (new, _) = Heartbeat::new(ms(0)).beat(Beat::Start, ms(3));
        let (_, transition) = new.tick(&hourly(), ms(13));
        assert_eq!(transition, change(CheckStatus::Unknown, CheckStatus::Unhealthy, 13, 13));
    }

    #[test]
    fn a_cron_expects_a_sign_after_each_of_its_times() {
        let text = r#"{"name": "a", "kind": "heartbeat", "cron": "30 2 * * *",
                       "zone": "Europe/Amsterdam", "grace": "10m"}"#;
        let daily = Expectation::of(&serde_json::from_str(text).expect("a check")).expect("valid");
        let at = |text: &str| -> Timestamp {
            serde_json::from_str(&format!("\"{text}\"")).expect("a time")
        };
        // The night of 29 March 2026 has no 02:30: the job runs at 03:00, 01:00 UTC.
        let (up, _) = Heartbeat::new(ms(0)).beat(Beat::Success, at("2026-03-28T01:31:00Z"));
        assert_eq!(up.deadline(&daily), Some(at("2026-03-29T01:10:00Z")));
        let (up, _) = up.beat(Beat::Success, at("2026-03-29T01:01:00Z"));
        assert_eq!(up.deadline(&daily), Some(at("2026-03-30T00:40:00Z")));
    }

    #[test]
    fn what_may_have_come_while_we_were_away_is_not_held_against_the_job() {
        // Away from 60 to 100; the sign at 65 may have been lost.
        let deaf = alive(5).deaf(ms(100));
        let (unknown, transition) = deaf.tick(&hourly(), ms(101));
        let expected = Transition {
            from: CheckStatus::Healthy,
            to: CheckStatus::Unknown,
            at: ms(75),
            decided_at: ms(101),
            flapping: false,
            reason: Some(UnknownReason::Downtime),
        };
        assert_eq!(transition, Some(expected));
        assert_eq!(unknown.wakes_at(&hourly()), Some(ms(170)));
        assert_eq!(unknown.clone().tick(&hourly(), ms(169)).1, None);
        // Nothing came within a period and a grace of our return.
        let (_, transition) = unknown.clone().tick(&hourly(), ms(180));
        assert_eq!(transition, change(CheckStatus::Unknown, CheckStatus::Unhealthy, 170, 180));
        let (up, transition) = unknown.beat(Beat::Success, ms(125));
        assert_eq!(transition, change(CheckStatus::Unknown, CheckStatus::Healthy, 125, 125));
        assert_eq!((up.deaf_until, up.deadline(&hourly())), (None, Some(ms(195))));
    }

    #[test]
    fn a_paused_heartbeat_neither_hears_nor_expires() {
        let (paused, transition) = alive(5).pause(ms(20));
        assert_eq!(transition, change(CheckStatus::Healthy, CheckStatus::Paused, 20, 20));
        assert_eq!(paused.clone().tick(&hourly(), ms(999)).1, None);
        assert_eq!(paused.clone().beat(Beat::Fail, ms(30)).1, None);
        let (resumed, _) = paused.resume(ms(1000));
        assert_eq!(resumed.deadline(&hourly()), None);
        assert_eq!(resumed.beat(Beat::Success, ms(1001)).0.status, CheckStatus::Healthy);
    }

    proptest! {
        /// Whatever comes: time goes forward, nothing changes into itself, and what wakes it up
        /// is done when it was woken.
        #[test]
        fn changes_are_in_order_and_chained(
            steps in proptest::collection::vec((0u8..8, 0i64..120), 1..60),
        ) {
            let mut heartbeat = Heartbeat::new(ms(0));
            let (mut now, mut status) = (0, CheckStatus::Unknown);
            let mut last = ms(0);
            for (what, minutes) in steps {
                now += minutes;
                let (next, transition) = match what {
                    0 => heartbeat.beat(Beat::Start, ms(now)),
                    1 => heartbeat.beat(Beat::Success, ms(now)),
                    2 => heartbeat.beat(Beat::Exit(1), ms(now)),
                    3 => heartbeat.pause(ms(now)),
                    4 => heartbeat.resume(ms(now)),
                    5 => (heartbeat.deaf(ms(now)), None),
                    _ => heartbeat.tick(&hourly(), ms(now)),
                };
                if let Some(change) = transition {
                    prop_assert_eq!(change.from, status);
                    prop_assert!(change.from != change.to);
                    prop_assert!(change.at >= last && change.at <= change.decided_at);
                    (status, last) = (change.to, change.at);
                }
                prop_assert_eq!(next.status, status);
                if what > 5 {
                    prop_assert!(next.wakes_at(&hourly()).is_none_or(|at| at > ms(now)));
                }
                let text = serde_json::to_string(&next).expect("written");
                heartbeat = serde_json::from_str(&text).expect("read");
                prop_assert_eq!(&heartbeat, &next);
            }
        }
    }
}
