//! One measured value at one time.

use super::{Labels, Timestamp};

/// The bit pattern by which Prometheus marks a series as ended (`pkg/value/value.go`).
pub const STALE_NAN: u64 = 0x7ff0_0000_0000_0002;

/// Whether `value` is the staleness marker, told apart from other NaNs by its bits.
pub fn is_stale_nan(value: f64) -> bool {
    value.to_bits() == STALE_NAN
}

/// A value at a time. The value's bits are kept exactly, NaN payloads included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When it was measured.
    pub at: Timestamp,
    /// What was measured.
    pub value: f64,
}

impl Sample {
    /// A sample from Unix milliseconds and a value.
    pub const fn new(at_ms: i64, value: f64) -> Self {
        Sample { at: Timestamp::from_millis(at_ms), value }
    }
}

/// A sample with the labels of its series: what collectors and decoders hand on.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The series.
    pub labels: Labels,
    /// When it was measured.
    pub at: Timestamp,
    /// What was measured.
    pub value: f64,
}

/// The number that stands for one label set in one store. Never reused while the store lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(pub u32);
