//! Durations as people write them.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{format_duration_ms, parse_duration_ms};

/// A length of time: a number of seconds (`15`, `0.5`) or Prometheus's notation (`"1m30s"`).
/// Whole milliseconds, never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(i64);

impl Period {
    /// So many milliseconds; a negative number counts as none.
    pub const fn from_millis(millis: i64) -> Self {
        Period(if millis < 0 { 0 } else { millis })
    }

    /// So many seconds.
    pub const fn from_secs(seconds: i64) -> Self {
        Period::from_millis(seconds.saturating_mul(1000))
    }

    /// In milliseconds.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// As the standard library has it.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0.unsigned_abs())
    }

    /// Reads `"90"`, `"0.5"` (seconds) or `"1m30s"`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.trim().parse::<f64>() {
            Ok(seconds) => Self::from_seconds(seconds),
            Err(_) => parse_duration_ms(text.trim()).map(Period).map_err(|_| Self::expected(text)),
        }
    }

    fn from_seconds(seconds: f64) -> Result<Self, String> {
        let millis = (seconds * 1000.0).round();
        if millis.is_finite() && (0.0..9.2e15).contains(&millis) {
            Ok(Period(millis as i64))
        } else {
            Err(Self::expected(&seconds.to_string()))
        }
    }

    fn expected(found: &str) -> String {
        format!(
            "{found:?} is not a duration; write seconds (15) or a text such as \"5m\", \"1h30m\""
        )
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_duration_ms(self.0))
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reads;
        impl Visitor<'_> for Reads {
            type Value = Period;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration: seconds (15) or a text such as \"5m\"")
            }
            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Period, E> {
                Period::from_seconds(seconds as f64).map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Period, E> {
                Period::from_seconds(seconds as f64).map_err(E::custom)
            }
            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Period, E> {
                Period::from_seconds(seconds).map_err(E::custom)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Period, E> {
                Period::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Reads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_seconds_or_prometheus_notation() {
        for (text, millis) in
            [("15", 15_000), ("0.5", 500), ("5m", 300_000), ("1h30m", 5_400_000), ("0", 0)]
        {
            assert_eq!(Period::parse(text), Ok(Period::from_millis(millis)), "{text}");
        }
        for text in ["", "-1", "5 minutes", "m", "1e30", "NaN", "inf"] {
            assert!(Period::parse(text).is_err(), "{text:?} was accepted");
        }
    }
}
