//! Sizes as people write them.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of bytes: a number, or a text such as `"64MiB"` (powers of 1024) or `"64MB"`
/// (powers of 1000).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(u64);

const SIZE_UNITS: [(&str, u64); 10] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("kB", 1_000),
    ("B", 1),
];

impl ByteSize {
    /// So many bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        ByteSize(bytes)
    }

    /// So many times 1024 × 1024 bytes.
    pub const fn from_mebibytes(mebibytes: u64) -> Self {
        ByteSize(mebibytes << 20)
    }

    /// In bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// Reads `"1048576"`, `"64MiB"` or `"1.5 GB"`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        let (number, factor) = SIZE_UNITS
            .iter()
            .find_map(|(unit, factor)| Some((trimmed.strip_suffix(unit)?.trim_end(), *factor)))
            .unwrap_or((trimmed, 1));
        let expected = || {
            format!(
                "{text:?} is not a size; write bytes (1048576) or a text such as \"64MiB\", \"2GB\""
            )
        };
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(factor).map(ByteSize).ok_or_else(expected);
        }
        let bytes = number.parse::<f64>().map_err(|_| expected())? * factor as f64;
        if bytes.is_finite() && (0.0..9e18).contains(&bytes) {
            Ok(ByteSize(bytes.round() as u64))
        } else {
            Err(expected())
        }
    }
}

impl fmt::Display for ByteSize {
    /// The largest binary unit that divides exactly; bytes otherwise.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = SIZE_UNITS
            .iter()
            .take(4)
            .find(|(_, factor)| self.0 != 0 && self.0.is_multiple_of(*factor));
        match exact {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reads;
        impl Visitor<'_> for Reads {
            type Value = ByteSize;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size: bytes (1048576) or a text such as \"64MiB\"")
            }
            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<ByteSize, E> {
                u64::try_from(bytes)
                    .map(ByteSize)
                    .map_err(|_| E::custom("a size is never negative"))
            }
            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<ByteSize, E> {
                Ok(ByteSize(bytes))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<ByteSize, E> {
                ByteSize::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Reads)
    }
}

/// For fields that are plain `usize` in the code and sizes in the file
/// (`#[serde(with = "units::bytes")]`).
pub(super) mod bytes {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use super::ByteSize;

    pub(in crate::config) fn serialize<S: Serializer>(
        bytes: &usize,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        ByteSize::from_bytes(*bytes as u64).serialize(serializer)
    }

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<usize, D::Error> {
        let size = ByteSize::deserialize(deserializer)?;
        usize::try_from(size.bytes()).map_err(|_| de::Error::custom("too large for this machine"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_binary_and_decimal_units() {
        for (text, bytes) in [
            ("10", 10),
            ("64MiB", 64 << 20),
            ("64MB", 64_000_000),
            ("1.5 GiB", 1_610_612_736),
            ("2TiB", 2 << 40),
            ("7B", 7),
        ] {
            assert_eq!(ByteSize::parse(text), Ok(ByteSize::from_bytes(bytes)), "{text}");
        }
        for text in ["", "-1", "MiB", "1 XB", "99999999999TiB"] {
            assert!(ByteSize::parse(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn sizes_are_shown_in_the_unit_that_divides_them() {
        assert_eq!(ByteSize::from_bytes(32 << 20).to_string(), "32MiB");
        assert_eq!(ByteSize::from_bytes(256_000_000).to_string(), "250000KiB");
        assert_eq!(ByteSize::from_bytes(1001).to_string(), "1001B");
        assert_eq!(ByteSize::from_bytes(0).to_string(), "0B");
    }
}
