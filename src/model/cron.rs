//! Times that come again: five fields of cron in a time zone.
//!
//! The `cron` crate reads the fields; its calendar is not used. It wants a field of seconds,
//! counts weekdays from 1 = Sunday, joins day of month and day of week by AND, and leaves out or
//! repeats what daylight saving moves. Here the days are joined as Vixie cron does (`crontab(5)`:
//! either may match, unless one of both begins with `*`), and civil time is mapped to instants as
//! Debian's cron does (`cron(8)`): a job at a fixed time that the spring takes away runs at the
//! first instant after the gap, one that the autumn repeats runs once, at the first. A job with
//! `*` in the minutes or hours goes by the clock on the wall: nothing is made up for in spring,
//! and the repeated hour is run through twice, so that no hour is left without.

mod calendar;
#[cfg(test)]
mod tests;

use std::str::FromStr;

use cron::TimeUnitSpec;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::Timestamp;

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// There are not five fields.
    #[error(
        "cron: {text:?} has {found} fields, not 5: minute, hour, day of month, month, day of week \
         (\"30 4 * * 1-5\"), or one of @hourly, @daily, @weekly, @monthly, @yearly"
    )]
    Fields {
        /// As it is written.
        text: String,
        /// How many fields it has.
        found: usize,
    },
    /// One field is not valid.
    #[error("cron: field {number} ({noun}) of {text:?}: {field:?} {reason}")]
    Field {
        /// As it is written.
        text: String,
        /// Which field, from 1.
        number: usize,
        /// What it is called.
        noun: &'static str,
        /// The field.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The days and months never meet.
    #[error("cron: {0:?} never comes: no month of it has such a day")]
    Never(String),
    /// No such zone.
    #[error("zone: {0:?} is no time zone; use a name such as Europe/Amsterdam, or UTC")]
    Zone(String),
}

/// Times that come again. Steps are whole minutes of a clock on the wall.
#[derive(Clone, Debug, PartialEq)]
pub struct CronSchedule {
    text: String,
    zone: TimeZone,
    fields: Fields,
}

/// What each field takes, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fields {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    /// Sunday is 0.
    weekdays: u64,
    /// Whether a day need only match one of day of month and day of week.
    either_day: bool,
    /// Whether minutes or hours begin with `*`.
    wild: bool,
}

const NOUNS: [&str; 5] = ["minute", "hour", "day of month", "month", "day of week"];

/// The longest schedule that is read, in bytes.
const TEXT_MAX: usize = 256;

const WEEKDAYS: [&str; 8] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

impl CronSchedule {
    /// Reads five fields, or `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly`,
    /// `@annually`. A field is `*`, a number, a name (`jan`, `mon`), a range, a list, and any of
    /// them with a step; 0 and 7 are Sunday. `zone` is a name of the IANA database, which is part
    /// of the program; UTC when empty.
    ///
    /// # Errors
    ///
    /// [`CronError`]: which field, what is wrong with it; or that it never comes.
    pub fn parse(text: &str, zone: &str) -> Result<Self, CronError> {
        let zone = match zone {
            "" | "UTC" => TimeZone::UTC,
            name => TimeZoneDatabase::bundled()
                .get(name)
                .map_err(|_| CronError::Zone(name.to_owned()))?,
        };
        let written = match text.trim() {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" | "@annually" => "0 0 1 1 *",
            fields => fields,
        };
        let parts: Vec<&str> = written.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = parts[..] else {
            return Err(CronError::Fields { text: shown(text), found: parts.len() });
        };
        if text.len() > TEXT_MAX {
            return Err(CronError::Fields { text: shown(text), found: parts.len() });
        }
        let read = |number: usize, field: &str, first: u32, last: u32| {
            bits(number, field, first, last).map_err(|reason| CronError::Field {
                text: shown(text),
                number: number + 1,
                noun: NOUNS[number],
                field: field.to_owned(),
                reason,
            })
        };
        let wild = |field: &str| field.starts_with(['*', '?']);
        let fields = Fields {
            minutes: read(0, minute, 0, 59)?,
            hours: read(1, hour, 0, 23)?,
            days: read(2, day, 1, 31)?,
            months: read(3, month, 1, 12)?,
            weekdays: read(4, weekday, 1, 7)? >> 1,
            either_day: !wild(day) && !wild(weekday),
            wild: wild(minute) || wild(hour),
        };
        let schedule = CronSchedule { text: text.trim().to_owned(), zone, fields };
        if schedule.next_after(Timestamp::from_millis(0)).is_none() {
            return Err(CronError::Never(shown(text)));
        }
        Ok(schedule)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first time strictly after `at`. `None` at the end of the calendar (the year 9999).
    pub fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        calendar::next_after(&self.fields, &self.zone, at)
    }

    /// The last time at or before `at`. `None` where the calendar begins (the year −9999).
    pub fn at_or_before(&self, at: Timestamp) -> Option<Timestamp> {
        calendar::at_or_before(&self.fields, &self.zone, at)
    }

    /// The times from `from` (inclusive) until before `until`, in order.
    pub fn between(
        &self,
        from: Timestamp,
        until: Timestamp,
    ) -> impl Iterator<Item = Timestamp> + '_ {
        let first = self.next_after(from.plus_millis(-1));
        std::iter::successors(first, |at| self.next_after(*at)).take_while(move |at| *at < until)
    }
}

/// A text cut to what an error shows.
fn shown(text: &str) -> String {
    text.trim().chars().take(80).collect()
}

/// What one field takes. Weekdays come as the crate counts them: bit 1 is Sunday.
fn bits(number: usize, field: &str, first: u32, last: u32) -> Result<u64, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "*,/-?".contains(c);
    if !field.chars().all(allowed) {
        return Err("has signs that cron does not know; use numbers, names, * , - /".to_owned());
    }
    if number < 3 && field.chars().any(|c| c.is_ascii_alphabetic()) {
        return Err(format!("is no number from {first} to {last}"));
    }
    let field = if number == 4 { weekday_names(field)? } else { field.replace('?', "*") };
    let mut whole = ["0", "*", "*", "*", "*", "*"];
    whole[number + 1] = &field;
    let range = match number {
        4 => "0-7 (0 and 7 are Sunday) or sun to sat".to_owned(),
        3 => "1-12 or jan to dec".to_owned(),
        _ => format!("{first}-{last}"),
    };
    let schedule = cron::Schedule::from_str(&whole.join(" ")).map_err(|_| {
        format!("is not within {range}, with lists (1,2), ranges (1-5), steps (*/2)")
    })?;
    let taken = |unit: &dyn Fn(u32) -> bool| {
        (first..=last).filter(|n| unit(*n)).fold(0u64, |bits, n| bits | 1 << n)
    };
    Ok(match number {
        0 => taken(&|n| schedule.minutes().includes(n)),
        1 => taken(&|n| schedule.hours().includes(n)),
        2 => taken(&|n| schedule.days_of_month().includes(n)),
        3 => taken(&|n| schedule.months().includes(n)),
        _ => taken(&|n| schedule.days_of_week().includes(n)),
    })
}

/// A field of weekdays as a list of names: the crate's numbers begin with 1 = Sunday, and its
/// ranges end with Saturday.
fn weekday_names(field: &str) -> Result<String, String> {
    let wrong = || {
        "is not within 0-7 (0 and 7 are Sunday) or sun to sat, with lists, ranges, steps".to_owned()
    };
    let day = |text: &str, sunday: usize| -> Result<usize, String> {
        let named = WEEKDAYS.iter().position(|name| name.eq_ignore_ascii_case(text));
        let found =
            named.or_else(|| text.parse().ok()).filter(|day| *day <= 7).ok_or_else(wrong)?;
        Ok(if found == 0 { sunday } else { found })
    };
    let mut names = Vec::new();
    for part in field.split(',') {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let step: usize = step.parse().ok().filter(|s| (1..=7).contains(s)).ok_or_else(wrong)?;
        let (from, to) = match range.split_once('-') {
            _ if matches!(range, "*" | "?") => (0, 6),
            // A range may end with a Sunday, by whichever name.
            Some((from, to)) => {
                let from = day(from, 0)?;
                (from, day(to, if from == 0 { 0 } else { 7 })?)
            }
            None if part.contains('/') => (day(range, 0)?, 6),
            None => (day(range, 0)?, day(range, 0)?),
        };
        if from > to {
            return Err(wrong());
        }
        names.extend((from..=to).step_by(step).map(|day| WEEKDAYS[day]));
    }
    names.sort_unstable();
    names.dedup();
    Ok(names.join(","))
}
