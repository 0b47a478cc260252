//! Times and lengths of time as people say them. Times are UTC, and say so.

use crate::model::Timestamp;

/// `45s`, `12m`, `1h 5m`, `2d 3h`: at most two units.
pub fn duration_words(millis: i64) -> String {
    let seconds = millis.max(0) / 1000;
    let (first, second) = match seconds {
        0..60 => return format!("{seconds}s"),
        60..3600 => ((seconds / 60, "m"), (seconds % 60, "s")),
        3600..86_400 => ((seconds / 3600, "h"), (seconds % 3600 / 60, "m")),
        _ => ((seconds / 86_400, "d"), (seconds % 86_400 / 3600, "h")),
    };
    let large = format!("{}{}", first.0, first.1);
    if second.0 == 0 { large } else { format!("{large} {}{}", second.0, second.1) }
}

/// `02:10`, or `2026-11-20 02:10` where that is not the day of `now`.
fn short(at: Timestamp, now: Timestamp) -> String {
    let (Ok(time), Ok(today)) = (
        jiff::Timestamp::from_millisecond(at.millis()),
        jiff::Timestamp::from_millisecond(now.millis()),
    ) else {
        return at.to_string();
    };
    let date = time.strftime("%Y-%m-%d").to_string();
    if date == today.strftime("%Y-%m-%d").to_string() {
        time.strftime("%H:%M").to_string()
    } else {
        time.strftime("%Y-%m-%d %H:%M").to_string()
    }
}

/// `02:10 UTC`, or with its day.
pub fn time_words(at: Timestamp, now: Timestamp) -> String {
    format!("{} UTC", short(at, now))
}

/// `02:10–02:40 UTC`; days are said where they are not today.
pub fn span_words(from: Timestamp, until: Timestamp, now: Timestamp) -> String {
    format!("{}–{} UTC", short(from, now), short(until, now))
}

/// A number without noise: at most six significant digits.
pub(super) fn number_words(value: f64) -> String {
    if !value.is_finite() || value == 0.0 || value.abs() < 1e-4 || value.abs() >= 1e15 {
        return format!("{value}");
    }
    let digits = 5 - (value.abs().log10().floor() as i32);
    let text = format!("{value:.*}", digits.clamp(0, 9) as usize);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// RFC 3339 as Go writes it: no fraction where there is none (`time.RFC3339Nano`).
pub(super) fn go_time(at: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(at.millis()) {
        Ok(time) => time.to_string(),
        Err(_) => at.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_two_units_at_most() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (754, "12m 34s"),
            (3600, "1h"),
            (3930, "1h 5m"),
            (183_600, "2d 3h"),
            (-5, "0s"),
        ] {
            assert_eq!(duration_words(seconds * 1000), text);
        }
    }

    #[test]
    fn a_time_says_its_day_only_when_it_is_another() {
        // date -u -d @1763689200: 2025-11-21 01:40.
        let now = Timestamp::from_millis(1_763_689_200_000);
        assert_eq!(time_words(now, now), "01:40 UTC");
        assert_eq!(span_words(now.plus_millis(-7_200_000), now, now), "2025-11-20 23:40–01:40 UTC");
        assert_eq!(go_time(now), "2025-11-21T01:40:00Z");
        assert_eq!(go_time(now.plus_millis(250)), "2025-11-21T01:40:00.25Z");
    }

    #[test]
    fn numbers_have_no_noise() {
        for (value, text) in [
            (0.1 + 0.2, "0.3"),
            (123_456.789, "123457"),
            (2.0, "2"),
            (0.05, "0.05"),
            (-1.5, "-1.5"),
            (f64::INFINITY, "inf"),
            (1e20, "100000000000000000000"),
        ] {
            assert_eq!(number_words(value), text);
        }
    }
}
