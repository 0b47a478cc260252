//! Times as log lines have them.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::model::Timestamp;

/// Unix seconds below this, milliseconds below a thousand times this, and so on: each unit reaches
/// from 1973 to 5138 in its own range.
const SECONDS_MAX: i64 = 100_000_000_000;

/// A Unix time in seconds, milliseconds, microseconds or nanoseconds, told apart by its size.
pub(super) fn epoch(number: i64) -> Timestamp {
    let size = number.unsigned_abs();
    let seconds_max = SECONDS_MAX.unsigned_abs();
    Timestamp::from_millis(if size < seconds_max {
        number.saturating_mul(1000)
    } else if size < seconds_max * 1000 {
        number
    } else if size < seconds_max * 1_000_000 {
        number.div_euclid(1000)
    } else {
        number.div_euclid(1_000_000)
    })
}

/// Unix seconds with a fraction, as zap writes them; larger numbers are of smaller units.
pub(super) fn epoch_with_fraction(number: f64) -> Option<Timestamp> {
    if !number.is_finite() || number.abs() >= 9.2e18 {
        return None;
    }
    if number.abs() < SECONDS_MAX as f64 {
        return Some(Timestamp::from_millis((number * 1000.0).round() as i64));
    }
    Some(epoch(number as i64))
}

/// Nanoseconds since 1970, rounded down.
pub(super) fn of_nanos(nanos: i128) -> Option<Timestamp> {
    i64::try_from(nanos.div_euclid(1_000_000)).ok().map(Timestamp::from_millis)
}

/// RFC 3339, or a Unix time in digits.
pub(super) fn time_in_text(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(Timestamp::from_millis(time.as_millisecond()));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(epoch);
    }
    text.parse().ok().and_then(epoch_with_fraction)
}

/// A date and time of day in a zone. Where clocks were turned back the first of both is meant.
pub(super) fn in_zone(civil: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let time = civil.to_zoned(zone.clone()).ok()?.timestamp();
    Some(Timestamp::from_millis(time.as_millisecond()))
}

/// The time at the beginning of a line of text: `2026-01-31T10:00:00.123Z`, `2026-01-31
/// 10:00:00,123 +01:00`, `2026/01/31 10:00:00`. Without an offset it is of the zone.
pub(super) fn leading_time(line: &str, zone: &TimeZone) -> Option<Timestamp> {
    let line = line.strip_prefix('[').unwrap_or(line);
    let bytes = line.as_bytes();
    let two = |at: usize| -> Option<i8> {
        let digits = bytes.get(at..at + 2)?;
        let all = digits.iter().all(u8::is_ascii_digit);
        all.then(|| ((digits[0] - b'0') * 10 + (digits[1] - b'0')).cast_signed())
    };
    let century = two(0)?;
    let separator = *bytes.get(4)?;
    let shape = matches!(separator, b'-' | b'/')
        && bytes.get(7) == Some(&separator)
        && matches!(bytes.get(10)?, b'T' | b' ')
        && bytes.get(13) == Some(&b':')
        && bytes.get(16) == Some(&b':');
    if !shape {
        return None;
    }
    let year = i16::from(century) * 100 + i16::from(two(2)?);
    let (mut rest, nanos) = fraction(bytes.get(19..)?);
    let civil = DateTime::new(year, two(5)?, two(8)?, two(11)?, two(14)?, two(17)?, nanos).ok()?;
    if let [b' ', sign, ..] = rest
        && matches!(sign, b'+' | b'-')
    {
        rest = &rest[1..];
    }
    in_zone(civil, &offset(rest).unwrap_or_else(|| zone.clone()))
}

/// `.123` or `,123`: nanoseconds, and what comes after.
pub(super) fn fraction(bytes: &[u8]) -> (&[u8], i32) {
    let [b'.' | b',', digits @ ..] = bytes else { return (bytes, 0) };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return (bytes, 0);
    }
    let mut nanos = 0_i32;
    for digit in digits[..count].iter().chain([b'0'; 9].iter()).take(9) {
        nanos = nanos * 10 + i32::from(digit - b'0');
    }
    (&digits[count..], nanos)
}

/// `Z`, `+01:00` or `+0100`, at the beginning.
fn offset(bytes: &[u8]) -> Option<TimeZone> {
    let sign = match bytes.first()? {
        b'Z' => return Some(TimeZone::UTC),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: Vec<i32> = bytes[1..]
        .iter()
        .take(5)
        .filter(|byte| **byte != b':')
        .take_while(|byte| byte.is_ascii_digit())
        .map(|byte| i32::from(byte - b'0'))
        .collect();
    let [h1, h2, m1, m2] = digits.get(..4)?.try_into().ok()?;
    let seconds = sign * ((h1 * 10 + h2) * 3600 + (m1 * 10 + m2) * 60);
    jiff::tz::Offset::from_seconds(seconds).ok().map(TimeZone::fixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-31T10:00:00Z, by `date -u -d 2026-01-31T10:00:00Z +%s`.
    const AT: i64 = 1_769_853_600_000;

    #[test]
    fn a_unix_time_is_told_apart_by_its_size() {
        for number in [AT / 1000, AT, AT * 1000, AT * 1_000_000] {
            assert_eq!(epoch(number).millis(), AT, "{number}");
        }
        assert_eq!(epoch_with_fraction(1_769_853_600.25).map(Timestamp::millis), Some(AT + 250));
        assert_eq!(epoch_with_fraction(f64::NAN), None);
        assert_eq!(time_in_text("1769853600000").map(Timestamp::millis), Some(AT));
        assert_eq!(
            time_in_text("2026-01-31T11:00:00.5+01:00").map(Timestamp::millis),
            Some(AT + 500)
        );
        assert_eq!(time_in_text("yesterday"), None);
    }

    #[test]
    fn the_time_at_the_beginning_of_a_line_is_found() {
        let amsterdam = TimeZone::get("Europe/Amsterdam").expect("bundled");
        for (line, offset_ms) in [
            ("2026-01-31T10:00:00Z GET /", 0),
            ("2026-01-31T10:00:00.123456Z GET /", 123),
            ("[2026-01-31T12:30:00+02:30] GET /", 0),
            ("2026-01-31 09:00:00,123 -0100 GET /", 123),
            // In winter Amsterdam is an hour ahead.
            ("2026-01-31 11:00:00 ERROR x", 0),
            ("2026/01/31 11:00:00 [error] 7#7: x", 0),
        ] {
            let time = leading_time(line, &amsterdam).map(Timestamp::millis);
            assert_eq!(time, Some(AT + offset_ms), "{line}");
        }
        for line in ["", "2026", "2026-13-31 10:00:00 x", "2026-01-31", "ä2026-01-31T10:00:00Z"] {
            assert_eq!(leading_time(line, &amsterdam), None, "{line}");
        }
    }
}
