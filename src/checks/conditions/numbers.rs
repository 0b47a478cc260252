//! Numbers and durations as Go reads them (`strconv.ParseInt` with base 0, `strconv.ParseFloat`,
//! `time.ParseDuration`).

use std::cmp::Ordering;

/// A number that can be ordered. Durations are milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Whole(i64),
    Real(f64),
}

impl Number {
    /// `None` where one is not a number.
    pub(super) fn compare(self, other: Number) -> Option<Ordering> {
        match (self, other) {
            (Number::Whole(a), Number::Whole(b)) => Some(a.cmp(&b)),
            (a, b) => a.real().partial_cmp(&b.real()),
        }
    }

    pub(super) fn real(self) -> f64 {
        match self {
            Number::Whole(n) => n as f64,
            Number::Real(n) => n,
        }
    }
}

/// A whole number: decimal, or with the beginnings `0x`, `0o`, `0b`, `0` (octal).
pub(super) fn whole(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (digits, radix) = match lower.as_str() {
        d if d.starts_with("0x") => (&d[2..], 16),
        d if d.starts_with("0o") => (&d[2..], 8),
        d if d.starts_with("0b") => (&d[2..], 2),
        d if d.starts_with('0') && d.len() > 1 => (&d[1..], 8),
        d => (d, 10),
    };
    if !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let number = i128::from_str_radix(digits, radix).ok()?;
    i64::try_from(if negative { -number } else { number }).ok()
}

/// What can be ordered: a duration, a whole number, or one with a fraction.
pub(super) fn number(text: &str) -> Option<Number> {
    let text = text.trim();
    whole(text)
        .map(Number::Whole)
        .or_else(|| text.parse().ok().map(Number::Real))
        .or_else(|| duration_ms(text).map(Number::Real))
}

/// Units of durations in milliseconds: Go's, with days and weeks.
const UNITS: [(&str, f64); 9] = [
    ("ns", 1e-6),
    ("us", 1e-3),
    ("µs", 1e-3),
    ("ms", 1.0),
    ("s", 1e3),
    ("m", 60e3),
    ("h", 3600e3),
    ("d", 86_400e3),
    ("w", 604_800e3),
];

fn duration_ms(text: &str) -> Option<f64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut total = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let amount: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == &rest[..letters])?;
        total += amount * unit;
        rest = &rest[letters..];
    }
    Some(sign * total)
}

/// Milliseconds as Gatus's `formatDuration` shows them: whole seconds, without zeros at the end.
pub(super) fn duration_text(millis: &str) -> String {
    let Some(Number::Whole(millis)) = number(millis) else { return millis.to_owned() };
    let seconds = millis.unsigned_abs() / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let sign = if millis < 0 { "-" } else { "" };
    match (hours, minutes, seconds) {
        (0, 0, s) => format!("{sign}{s}s"),
        (0, m, 0) => format!("{sign}{m}m"),
        (h, 0, 0) => format!("{sign}{h}h"),
        (h, m, 0) => format!("{sign}{h}h{m}m"),
        (0, m, s) => format!("{sign}{m}m{s}s"),
        (h, m, s) => format!("{sign}{h}h{m}m{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Go's documentation of `ParseInt` and `ParseDuration` ("300ms", "-1.5h", "2h45m").
    #[test]
    fn numbers_and_durations_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("15", Some(15.0)),
            ("-15", Some(-15.0)),
            ("0xF", Some(15.0)),
            ("0o17", Some(15.0)),
            ("017", Some(15.0)),
            ("0b1111", Some(15.0)),
            ("1.5", Some(1.5)),
            ("1e3", Some(1000.0)),
            ("300ms", Some(300.0)),
            ("-1.5h", Some(-5_400_000.0)),
            ("2h45m", Some(9_900_000.0)),
            ("100us", Some(0.1)),
            ("2d", Some(172_800_000.0)),
            ("", None),
            ("potato", None),
            ("5 m", None),
            ("m", None),
            ("0x", None),
            ("--1", None),
            ("1_000", None),
        ] {
            assert_eq!(number(text).map(Number::real), expected, "{text:?}");
        }
        assert_eq!(whole("9223372036854775808"), None);
        assert_eq!(whole("-9223372036854775808"), Some(i64::MIN));
    }
}
