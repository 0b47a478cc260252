//! When silences and maintenance windows hold: once, or again and again in a time zone.

#[cfg(test)]
mod tests;

use crate::model::{CronSchedule, Recurrence, Timestamp};

/// A stretch of time: from the first, until before the second.
pub type Span = (Timestamp, Timestamp);

/// The longest that one occurrence lasts: a year.
const DURATION_MS_MAX: i64 = 366 * 24 * 3_600_000;
/// Occurrences that are looked at for one answer: every minute of two months, every hour of
/// eleven years. Beyond that the answer ends early.
const OCCURRENCES_MAX: usize = 100_000;

/// How something that holds for a time stands now. The words are Alertmanager's
/// (`types.SilenceState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HoldState {
    /// It holds.
    Active,
    /// It will; of something that recurs also between two occurrences.
    Pending,
    /// It never will again.
    Expired,
}

impl HoldState {
    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            HoldState::Active => "active",
            HoldState::Pending => "pending",
            HoldState::Expired => "expired",
        }
    }
}

/// A time that comes again, ready to be asked.
#[derive(Clone, Debug, PartialEq)]
struct Recurring {
    schedule: CronSchedule,
    duration_ms: i64,
}

/// When something holds. An occurrence begins by the clock on the wall and lasts a time that has
/// passed, whatever the clock does meanwhile: two hours from 01:30 end two hours later also in
/// the nights in which the clock is set.
#[derive(Clone, Debug, PartialEq)]
pub struct Occurrences {
    starts_at: Timestamp,
    ends_at: Timestamp,
    recurring: Option<Recurring>,
}

impl Occurrences {
    /// Within bounds: one stretch, or those of a recurrence, cut at the bounds.
    ///
    /// # Errors
    ///
    /// What is wrong with the recurrence.
    pub fn new(
        starts_at: Timestamp,
        ends_at: Timestamp,
        recurrence: Option<&Recurrence>,
    ) -> Result<Self, String> {
        let read = |recurrence: &Recurrence| {
            let schedule = CronSchedule::parse(&recurrence.cron, &recurrence.zone)
                .map_err(|error| format!("recurrence: {error}"))?;
            let duration_ms = recurrence.duration.millis();
            if !(1..=DURATION_MS_MAX).contains(&duration_ms) {
                return Err(
                    "recurrence: duration: each occurrence lasts more than nothing and at \
                            most 366 days; write \"2h\""
                        .to_owned(),
                );
            }
            Ok(Recurring { schedule, duration_ms })
        };
        Ok(Occurrences { starts_at, ends_at, recurring: recurrence.map(read).transpose()? })
    }

    /// Of an occurrence the part within the bounds, if there is one.
    fn cut(&self, (from, until): Span) -> Option<Span> {
        let span = (from.max(self.starts_at), until.min(self.ends_at));
        (span.0 < span.1).then_some(span)
    }

    /// The occurrence in which a time lies; of several that overlap the one that began last,
    /// which also ends last.
    pub fn at(&self, now: Timestamp) -> Option<Span> {
        let whole = match &self.recurring {
            None => (self.starts_at, self.ends_at),
            Some(Recurring { schedule, duration_ms }) => {
                let from = schedule.at_or_before(now)?;
                (from, from.plus_millis(*duration_ms))
            }
        };
        self.cut(whole).filter(|(from, until)| *from <= now && now < *until)
    }

    /// The first occurrence that begins after a time.
    pub fn next(&self, now: Timestamp) -> Option<Span> {
        let Some(Recurring { schedule, duration_ms }) = &self.recurring else {
            return self.cut((self.starts_at, self.ends_at)).filter(|(from, _)| now < *from);
        };
        // One may have begun before the first bound, and last beyond it.
        if now < self.starts_at
            && let Some(span) = self.at(self.starts_at)
        {
            return Some(span);
        }
        let from = schedule.next_after(now.max(self.starts_at.plus_millis(-1)))?;
        self.cut((from, from.plus_millis(*duration_ms)))
    }

    /// How it stands.
    pub fn state(&self, now: Timestamp) -> HoldState {
        if self.at(now).is_some() {
            HoldState::Active
        } else if self.next(now).is_some() {
            HoldState::Pending
        } else {
            HoldState::Expired
        }
    }

    /// All the time within `from` (inclusive) and `until` in which it holds, in order; what
    /// overlaps or touches is one.
    pub fn within(&self, from: Timestamp, until: Timestamp) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        let mut next = self.at(from).or_else(|| self.next(from));
        for _ in 0..OCCURRENCES_MAX {
            let Some((began, ended)) = next.filter(|(began, _)| *began < until) else { break };
            let span = (began.max(from), ended.min(until));
            match spans.last_mut() {
                Some(last) if span.0 <= last.1 => last.1 = last.1.max(span.1),
                _ => spans.push(span),
            }
            next = self.next(began);
        }
        spans
    }
}
