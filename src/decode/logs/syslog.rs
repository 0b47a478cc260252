//! Syslog: RFC 5424, and what RFC 3164 describes, told apart by the version after the priority.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::draft::Draft;
use super::level::level_in_text;
use super::time::{fraction, in_zone, leading_time, time_in_text};
use crate::model::{LogLevel, Timestamp};

/// Facilities by their codes (RFC 5424, table 1), by the names that syslog.conf has for them.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];

/// What RFC 3164, 4.3.3 gives a message without a priority: user.notice.
const PRIORITY_IF_NONE: u8 = 13;

/// Reads one message, without its framing. A time without an offset is of the zone, and one
/// without a year is the one nearest to `now`. Never fails: what has no form at all is a message
/// of user.notice.
pub fn read_syslog(message: &[u8], now: Timestamp, zone: &TimeZone) -> Draft {
    let text = String::from_utf8_lossy(message);
    let text = text.trim_end_matches(['\r', '\n', '\0']);
    let (priority, rest) = priority(text).unwrap_or((PRIORITY_IF_NONE, text));
    let mut draft = match rest.strip_prefix("1 ").and_then(of_5424) {
        Some(draft) => draft,
        None => of_3164(rest, now, zone),
    };
    draft.level = Some(level_of(priority & 7));
    if priority == PRIORITY_IF_NONE && rest.len() == text.len() {
        // Nobody said how bad it is but perhaps the text.
        draft.level = draft.message.as_deref().and_then(level_in_text);
    }
    let facility = FACILITIES[usize::from(priority >> 3)];
    draft.metadata.insert("facility".to_owned(), Value::from(facility));
    draft
}

/// `<34>`: at most 191 (RFC 5424, 6.2.1), and what comes after.
fn priority(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.strip_prefix('<')?.split_once('>')?;
    let plain = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let number: u8 = digits.parse().ok().filter(|_| plain)?;
    (number <= 191).then_some((number, rest))
}

/// RFC 5424, table 2.
pub(super) fn level_of(severity: u8) -> LogLevel {
    match severity {
        0..=2 => LogLevel::Fatal,
        3 => LogLevel::Error,
        4 => LogLevel::Warn,
        5 | 6 => LogLevel::Info,
        _ => LogLevel::Debug,
    }
}

/// What comes after the version: `TIMESTAMP HOST APP PROCID MSGID STRUCTURED-DATA [MSG]`, where
/// `-` stands for nothing.
fn of_5424(text: &str) -> Option<Draft> {
    let mut parts = text.splitn(6, ' ');
    let mut next = || parts.next().map(|part| if part == "-" { "" } else { part });
    let (time, host, app, process, kind) = (next()?, next()?, next()?, next()?, next()?);
    let rest = parts.next()?;
    let mut draft = Draft::default();
    if !time.is_empty() {
        draft.time = Some(time_in_text(time)?);
    }
    let (data, message) = structured_data(rest)?;
    draft.source = app.to_owned();
    for (name, text) in [("host", host), ("pid", process), ("msgid", kind)] {
        if !text.is_empty() {
            draft.metadata.insert(name.to_owned(), Value::from(text));
        }
    }
    for (id, parameters) in data {
        draft.metadata.insert(id, Value::Object(parameters));
    }
    let message = message.strip_prefix(' ').unwrap_or(message);
    draft.message = Some(message.strip_prefix('\u{feff}').unwrap_or(message).to_owned());
    Some(draft)
}

type Elements = Vec<(String, Map<String, Value>)>;

/// Elements and parameters of one message.
const PARAMETERS_MAX: usize = 256;

/// `[id name="value"…]…` or `-` (RFC 5424, 6.3), and what comes after.
fn structured_data(text: &str) -> Option<(Elements, &str)> {
    if let Some(rest) = text.strip_prefix('-') {
        return Some((Vec::new(), rest));
    }
    let mut elements: Elements = Vec::new();
    let mut count = 0;
    let mut rest = text;
    while let Some(element) = rest.strip_prefix('[') {
        let end = element.find([' ', ']'])?;
        let id = element.get(..end).filter(|id| !id.is_empty())?.to_owned();
        let mut parameters = Map::new();
        let mut inside = &element[end..];
        loop {
            inside = inside.trim_start_matches(' ');
            if let Some(after) = inside.strip_prefix(']') {
                rest = after;
                break;
            }
            let (name, after) = inside.split_once("=\"")?;
            let (value, after) = parameter_value(after)?;
            count += 1;
            if count > PARAMETERS_MAX {
                return None;
            }
            parameters.insert(name.to_owned(), Value::from(value));
            inside = after;
        }
        elements.push((id, parameters));
        if elements.len() > PARAMETERS_MAX {
            return None;
        }
    }
    (!elements.is_empty()).then_some((elements, rest))
}

/// Up to the closing quote; `\"`, `\\` and `\]` stand for what comes after the stroke, which is
/// itself before anything else (6.3.3).
fn parameter_value(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut places = text.char_indices();
    while let Some((at, c)) = places.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match places.next()?.1 {
                escaped @ ('"' | '\\' | ']') => value.push(escaped),
                other => value.extend(['\\', other]),
            },
            other => value.push(other),
        }
    }
    None
}

/// `Jan 31 10:00:00 host tag[pid]: message`; the time may be RFC 3339 (rsyslog's), may have a year
/// or a fraction, and time and host may be missing, as they are from `logger` to a local socket.
fn of_3164(text: &str, now: Timestamp, zone: &TimeZone) -> Draft {
    let mut draft = Draft::default();
    let mut rest = text.trim_start();
    if let Some((time, after)) = bsd_time(rest, now, zone).or_else(|| iso_time(rest, zone)) {
        draft.time = Some(time);
        rest = after.trim_start();
        // The host is the next word, unless that is the tag already.
        if let Some((word, after)) = rest.split_once(' ')
            && !word.ends_with(':')
            && !word.contains('[')
        {
            draft.metadata.insert("host".to_owned(), Value::from(word));
            rest = after.trim_start();
        }
    }
    if let Some((tag, process, message)) = tag(rest) {
        draft.source = tag.to_owned();
        if !process.is_empty() {
            draft.metadata.insert("pid".to_owned(), Value::from(process));
        }
        rest = message;
    }
    draft.message = Some(rest.strip_prefix('\u{feff}').unwrap_or(rest).to_owned());
    draft
}

/// `tag: message` or `tag[pid]: message`; a tag is a name or a path.
fn tag(text: &str) -> Option<(&str, &str, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "._-/()@".contains(c)))?;
    let (name, rest) = text.split_at(end);
    if name.is_empty() || name.len() > 128 {
        return None;
    }
    let (process, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let message = rest.strip_prefix(':')?;
    Some((name, process, message.strip_prefix(' ').unwrap_or(message)))
}

fn iso_time<'t>(text: &'t str, zone: &TimeZone) -> Option<(Timestamp, &'t str)> {
    let (word, rest) = text.split_once(' ')?;
    Some((leading_time(word, zone)?, rest))
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Jan 31 10:00:00`, `Jan  1 2026 10:00:00.123`, and what comes after.
fn bsd_time<'t>(text: &'t str, now: Timestamp, zone: &TimeZone) -> Option<(Timestamp, &'t str)> {
    let month = MONTHS.iter().position(|month| text.starts_with(month))?;
    let month = i8::try_from(month + 1).ok()?;
    let rest = text[3..].strip_prefix(' ')?.trim_start();
    let (day, rest) = rest.split_once(' ')?;
    let day: i8 = day.parse().ok()?;
    let (mut clock, mut rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let mut year = None;
    if clock.len() == 4 {
        year = Some(clock.parse::<i16>().ok()?);
        (clock, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    }
    // Some end the time with a colon.
    let clock = clock.strip_suffix(':').unwrap_or(clock);
    let whole = clock.get(..8)?;
    let (tail, nanos) = fraction(&clock.as_bytes()[8..]);
    let mut numbers = whole.splitn(3, ':').map(|part| part.parse::<i8>().ok());
    let (hour, minute, second) = (numbers.next()??, numbers.next()??, numbers.next()??);
    if !tail.is_empty() {
        return None;
    }
    let at = |year: i16| {
        let civil = DateTime::new(year, month, day, hour, minute, second, nanos).ok()?;
        in_zone(civil, zone)
    };
    let time = match year {
        Some(year) => at(year)?,
        None => {
            let this = year_of(now, zone)?;
            // Around the turn of the year, and on the 29th of February, a neighbour is meant.
            [this - 1, this, this + 1]
                .into_iter()
                .filter_map(at)
                .min_by_key(|time| time.since(now).unsigned_abs())?
        }
    };
    Some((time, rest))
}

fn year_of(now: Timestamp, zone: &TimeZone) -> Option<i16> {
    let date: Date =
        jiff::Timestamp::from_millisecond(now.millis()).ok()?.to_zoned(zone.clone()).date();
    Some(date.year())
}

#[cfg(test)]
mod tests;
