//! How one check is: its results over time, through thresholds, with flapping held down.
//!
//! Results are levels: healthy, degraded, unhealthy. The check gets worse when enough results in
//! a row (or k of the last n) are at least that bad, and better when enough are at least that
//! good. What is confirmed is dated back to the first result of the confirming run. Only results
//! since the last change of direction count, so that failures from before a recovery do not bring
//! the next outage about.
//!
//! Flapping is Nagios's (`base/flapping.c`): the share of changes among the last 21 results, newer
//! ones weighing up to 1.25, older ones down to 0.75. It begins at 30 % and ends below 20 %. While
//! it lasts the check may get worse and not better: one outage instead of many.

mod flapping;
#[cfg(test)]
mod tests;

pub use flapping::FLAPPING_RESULTS;

use serde::{Deserialize, Serialize};

use crate::model::{CheckDefinition, CheckStatus, Threshold, Timestamp};

/// Results that a threshold may look at.
const WINDOW_MAX: u32 = 100;

/// When a check changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Results that make it worse.
    pub failure: Threshold,
    /// Results that make it better.
    pub success: Threshold,
}

impl Default for Policy {
    fn default() -> Self {
        Policy { failure: Threshold::Consecutive(1), success: Threshold::Consecutive(1) }
    }
}

impl Policy {
    /// The thresholds of a check; one result each unless it says.
    ///
    /// # Errors
    ///
    /// Which threshold cannot be met, and what to write instead.
    pub fn of(check: &CheckDefinition) -> Result<Policy, String> {
        let valid = |field: &str, threshold: Option<Threshold>| {
            let threshold = threshold.unwrap_or(Threshold::Consecutive(1));
            let (of, within) = counts(threshold);
            if of == 0 || of > within || within > WINDOW_MAX {
                return Err(format!(
                    "{field}: a number of results from 1 to {WINDOW_MAX}, or \
                     {{ of = 3, within = 5 }} with of no more than within"
                ));
            }
            Ok(threshold)
        };
        Ok(Policy {
            failure: valid("failure_threshold", check.failure_threshold)?,
            success: valid("success_threshold", check.success_threshold)?,
        })
    }
}

const fn counts(threshold: Threshold) -> (u32, u32) {
    match threshold {
        Threshold::Consecutive(count) => (count, count),
        Threshold::Of { of, within } => (of, within),
    }
}

/// Why nobody can say how a check is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownReason {
    /// It has not been asked often enough yet.
    #[default]
    New,
    /// Our own uplink is down.
    Uplink,
    /// We were not running.
    Downtime,
    /// The clock jumped, or the machine slept.
    ClockJump,
}

/// What happened to a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was asked. Unknown and paused are no results, and change nothing.
    Result(CheckStatus),
    /// From then on nobody can say.
    Unknown(UnknownReason),
    /// It is left alone.
    Paused,
    /// It is no longer left alone.
    Resumed,
}

/// A change of how a check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// How it was.
    pub from: CheckStatus,
    /// How it is.
    pub to: CheckStatus,
    /// Since when: the first result that says so.
    pub at: Timestamp,
    /// When that was confirmed; not before `at`.
    pub decided_at: Timestamp,
    /// Whether it flaps.
    #[serde(default)]
    pub flapping: bool,
    /// Why, where `to` is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<UnknownReason>,
}

/// How a check is, and what that rests on. A document: fields are only ever added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Verdict {
    /// How it is.
    pub status: CheckStatus,
    /// Since when.
    pub since: Timestamp,
    /// Why it is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<UnknownReason>,
    /// How it was before it became unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<CheckStatus>,
    /// Whether it changes too often to be believed.
    pub flapping: bool,
    /// The weighted share of changes among the last results, in per mille.
    pub change_permille: u32,
    /// Results in a row that were not healthy, up to the last.
    pub failures_in_row: u32,
    /// The results that thresholds look at, in Unix milliseconds, oldest first.
    recent: Vec<(i64, CheckStatus)>,
    /// The last results for flapping, a letter each (`h`, `d`, `u`), oldest first.
    levels: String,
}

/// How bad a result is; nothing for what is no result.
const fn level(status: CheckStatus) -> Option<u8> {
    match status {
        CheckStatus::Healthy => Some(0),
        CheckStatus::Degraded => Some(1),
        CheckStatus::Unhealthy => Some(2),
        CheckStatus::Unknown | CheckStatus::Paused => None,
    }
}

impl Verdict {
    /// How a check is that was made at `at`: unknown.
    pub fn new(at: Timestamp) -> Verdict {
        Verdict { since: at, reason: Some(UnknownReason::New), ..Verdict::default() }
    }

    /// Whether all that is remembered of results says the same as the status: then one more such
    /// result changes nothing that anybody could notice.
    pub fn is_steady(&self) -> bool {
        let same = |status: &CheckStatus| *status == self.status;
        let mut levels = self.levels.chars();
        let first = levels.next();
        self.recent.iter().all(|(_, status)| same(status))
            && levels.all(|level| Some(level) == first)
    }

    /// What an event at `at` makes of it. Times that lie before its beginning are held at that.
    #[must_use]
    pub fn step(
        mut self,
        policy: &Policy,
        event: Event,
        at: Timestamp,
    ) -> (Verdict, Option<Transition>) {
        let transition = match event {
            Event::Result(status) if self.status != CheckStatus::Paused => {
                self.take(policy, status, at)
            }
            Event::Result(_) => None,
            Event::Unknown(reason) => match self.status {
                CheckStatus::Paused => None,
                CheckStatus::Unknown => {
                    // What is not known yet stays new, whatever else hinders.
                    self.recent.clear();
                    if self.known.is_some() {
                        self.reason = Some(reason);
                    }
                    None
                }
                _ => {
                    self.known = Some(self.status);
                    self.recent.clear();
                    Some(self.change(CheckStatus::Unknown, at, at, Some(reason)))
                }
            },
            Event::Paused => match self.status {
                CheckStatus::Paused => None,
                _ => {
                    self.forget();
                    Some(self.change(CheckStatus::Paused, at, at, None))
                }
            },
            Event::Resumed => match self.status {
                CheckStatus::Paused => {
                    let reason = Some(UnknownReason::New);
                    Some(self.change(CheckStatus::Unknown, at, at, reason))
                }
                _ => None,
            },
        };
        (self, transition)
    }

    fn forget(&mut self) {
        self.recent.clear();
        self.levels.clear();
        self.known = None;
        self.flapping = false;
        self.change_permille = 0;
        self.failures_in_row = 0;
    }

    fn change(
        &mut self,
        to: CheckStatus,
        at: Timestamp,
        decided_at: Timestamp,
        reason: Option<UnknownReason>,
    ) -> Transition {
        let from = self.status;
        let at = at.max(self.since);
        self.status = to;
        self.since = at;
        self.reason = reason;
        if level(to).is_some() {
            self.known = None;
        }
        let flapping = self.flapping;
        Transition { from, to, at, decided_at: decided_at.max(at), flapping, reason }
    }

    fn take(&mut self, policy: &Policy, result: CheckStatus, at: Timestamp) -> Option<Transition> {
        let new = level(result)?;
        let flapped = self.flapping;
        let failed = result != CheckStatus::Healthy;
        self.failures_in_row = if failed { self.failures_in_row.saturating_add(1) } else { 0 };
        flapping::push(&mut self.levels, result);
        (self.flapping, self.change_permille) = flapping::assess(&self.levels, self.flapping);
        self.recent.push((at.millis(), result));
        let (_, failure) = counts(policy.failure);
        let (_, success) = counts(policy.success);
        // What flapping held down may be dated back further than a threshold looks.
        let flapping = if flapped || self.flapping { FLAPPING_RESULTS } else { 0 };
        let kept = flapping.max(failure.max(success) as usize);
        self.recent.drain(..self.recent.len().saturating_sub(kept));
        let (to, first) = match level(self.status) {
            None => self.out_of_unknown(policy, result)?,
            Some(old) if new > old => self.worse(policy.failure, old)?,
            Some(old) if new < old && !self.flapping => self.better(policy.success, old)?,
            Some(_) => return None,
        };
        let transition = self.change(to, first, at, None);
        // Earlier results spoke of something else.
        self.recent.retain(|(at, _)| *at >= first.millis());
        Some(transition)
    }

    /// Out of unknown: what it was before is believed again at the first result that agrees; a
    /// new check is healthy at its first success; all else needs to be confirmed.
    fn out_of_unknown(
        &self,
        policy: &Policy,
        result: CheckStatus,
    ) -> Option<(CheckStatus, Timestamp)> {
        let (last, _) = *self.recent.last()?;
        let last = Timestamp::from_millis(last);
        match self.known {
            Some(known) if known == result => Some((known, last)),
            None if result == CheckStatus::Healthy => Some((result, last)),
            known => {
                let old = known.and_then(level).unwrap_or(0);
                let new = level(result)?;
                if new > old {
                    self.worse(policy.failure, old)
                } else {
                    self.better(policy.success, old)
                }
            }
        }
    }

    /// The worst level above `old` that enough results reach, and since when.
    fn worse(&self, threshold: Threshold, old: u8) -> Option<(CheckStatus, Timestamp)> {
        [CheckStatus::Unhealthy, CheckStatus::Degraded]
            .into_iter()
            .filter(|to| level(*to) > Some(old))
            .find_map(|to| Some((to, self.confirmed(threshold, |l| Some(l) >= level(to))?)))
    }

    /// The best level below `old` that enough results reach, and since when.
    fn better(&self, threshold: Threshold, old: u8) -> Option<(CheckStatus, Timestamp)> {
        [CheckStatus::Healthy, CheckStatus::Degraded]
            .into_iter()
            .filter(|to| level(*to) < Some(old))
            .find_map(|to| Some((to, self.confirmed(threshold, |l| Some(l) <= level(to))?)))
    }

    /// Whether enough results agree, and since when: the beginning of the unbroken run up to the
    /// last, or, where some of the last so many suffice, the first of those.
    fn confirmed(&self, threshold: Threshold, agrees: impl Fn(u8) -> bool) -> Option<Timestamp> {
        let agrees = |status: CheckStatus| level(status).is_some_and(&agrees);
        let (of, within) = counts(threshold);
        let mut last = self.recent.iter().rev().take(within as usize);
        let count = last.clone().filter(|(_, status)| agrees(*status)).count();
        if count < of as usize {
            return None;
        }
        let run = self.recent.iter().rev().take_while(|(_, status)| agrees(*status)).last();
        // The oldest of them comes last.
        let oldest = last.rfind(|(_, status)| agrees(*status));
        run.into_iter().chain(oldest).map(|(at, _)| Timestamp::from_millis(*at)).min()
    }
}
