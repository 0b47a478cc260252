//! Time in Unix milliseconds, and durations in Prometheus's notation.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time: UTC, Unix milliseconds. May be negative (before 1970). In JSON it is written
/// as RFC 3339, and read from RFC 3339 or Unix milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest representable time.
    pub const MIN: Timestamp = Timestamp(i64::MIN);
    /// The latest representable time.
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// From Unix milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Timestamp(millis)
    }

    /// Unix milliseconds.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Unix seconds, with the milliseconds as the fraction.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// This time moved by `millis` (either way), held at the ends of the range.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Timestamp(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this time, held at the ends of the range.
    pub const fn since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds; plain milliseconds outside the years −9999 to 9999.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reads;
        impl Visitor<'_> for Reads {
            type Value = Timestamp;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time: RFC 3339 (\"2026-11-20T10:00:00Z\") or Unix milliseconds")
            }
            fn visit_i64<E: de::Error>(self, millis: i64) -> Result<Timestamp, E> {
                Ok(Timestamp(millis))
            }
            fn visit_u64<E: de::Error>(self, millis: u64) -> Result<Timestamp, E> {
                i64::try_from(millis).map(Timestamp).map_err(|_| E::custom("a time out of range"))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                let time = text.parse::<jiff::Timestamp>();
                time.map(|time| Timestamp(time.as_millisecond())).map_err(|error| {
                    E::custom(format!("{text:?} is not a time of RFC 3339: {error}"))
                })
            }
        }
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(Reads)
        } else {
            i64::deserialize(deserializer).map(Timestamp)
        }
    }
}

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// The text is empty.
    #[error("empty duration string")]
    Empty,
    /// The text does not follow the notation.
    #[error("not a valid duration string: {0:?}")]
    Invalid(String),
    /// The value does not fit.
    #[error("duration out of range")]
    OutOfRange,
}

/// Units from the largest to the smallest, each with its milliseconds. A year is 365 days and a
/// week 7, as in Prometheus (`common/model/time.go`).
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 24 * 3600 * 1000),
    ("w", 7 * 24 * 3600 * 1000),
    ("d", 24 * 3600 * 1000),
    ("h", 3600 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

/// Prometheus's limit: a Go `time.Duration` counts nanoseconds in an i64.
const MAX_DURATION_MS: i64 = i64::MAX / 1_000_000;

/// Reads a duration in Prometheus's notation (`5m`, `1h30m`, `1d12h`, `250ms`, `0`) and gives
/// milliseconds. Each unit may appear once, from the largest to the smallest.
pub fn parse_duration_ms(text: &str) -> Result<i64, DurationError> {
    match text {
        "" => return Err(DurationError::Empty),
        "0" => return Ok(0),
        _ => {}
    }
    let invalid = || DurationError::Invalid(text.to_owned());
    let mut rest = text;
    let mut next_unit = 0;
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.bytes().take_while(u8::is_ascii_lowercase).count();
        let (unit, tail) = tail.split_at(letters);
        let place = UNITS.iter().position(|(name, _)| *name == unit).ok_or_else(invalid)?;
        if digits == 0 || place < next_unit {
            return Err(invalid());
        }
        next_unit = place + 1;
        let number: i64 = number.parse().map_err(|_| DurationError::OutOfRange)?;
        total = number
            .checked_mul(UNITS[place].1)
            .and_then(|ms| total.checked_add(ms))
            .filter(|ms| *ms <= MAX_DURATION_MS)
            .ok_or(DurationError::OutOfRange)?;
        rest = tail;
    }
    Ok(total)
}

/// Writes milliseconds in Prometheus's notation: `90000` is `1m30s`. Weeks and years are used
/// only where they divide exactly, as `model.Duration.String` does.
pub fn format_duration_ms(millis: i64) -> String {
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    if millis < 0 {
        out.push('-');
    }
    let mut rest = millis.unsigned_abs();
    for (unit, size) in UNITS {
        let size = size.unsigned_abs();
        let exact_only = matches!(unit, "y" | "w");
        if exact_only && !rest.is_multiple_of(size) {
            continue;
        }
        if rest >= size {
            out.push_str(&format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_follow_prometheus_notation() {
        assert_eq!(parse_duration_ms("5m"), Ok(300_000));
        assert_eq!(parse_duration_ms("1h30m"), Ok(5_400_000));
        assert_eq!(parse_duration_ms("250ms"), Ok(250));
        assert_eq!(parse_duration_ms("1d12h"), Ok(129_600_000));
        assert_eq!(parse_duration_ms("0"), Ok(0));
        assert_eq!(parse_duration_ms("100y"), Ok(100 * 365 * 86_400_000));
    }

    #[test]
    fn malformed_durations_are_refused() {
        for text in ["5", "m", "5m1h", "1m1m", "-5m", "5 m", "1.5h", "5x"] {
            assert!(parse_duration_ms(text).is_err(), "{text:?} was accepted");
        }
        assert_eq!(parse_duration_ms("300y"), Err(DurationError::OutOfRange));
        assert_eq!(parse_duration_ms(""), Err(DurationError::Empty));
    }

    #[test]
    fn durations_are_written_as_prometheus_writes_them() {
        for (millis, text) in [
            (0, "0s"),
            (90_000, "1m30s"),
            (604_800_000, "1w"),
            (691_200_000, "8d"),
            (-1500, "-1s500ms"),
        ] {
            assert_eq!(format_duration_ms(millis), text);
        }
    }

    #[test]
    fn times_are_shown_as_rfc_3339() {
        assert_eq!(Timestamp::from_millis(1_500).to_string(), "1970-01-01T00:00:01.500Z");
    }

    #[test]
    fn times_in_json_are_texts_or_milliseconds() {
        let time = Timestamp::from_millis(1_500);
        let text = serde_json::to_string(&time).expect("written");
        assert_eq!(text, "\"1970-01-01T00:00:01.500Z\"");
        for text in [text.as_str(), "1500", "\"1970-01-01T01:00:01.5+01:00\""] {
            assert_eq!(serde_json::from_str::<Timestamp>(text).expect("read"), time, "{text}");
        }
        assert!(serde_json::from_str::<Timestamp>("\"yesterday\"").is_err());
    }
}
