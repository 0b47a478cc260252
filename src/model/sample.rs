//! One measured value at one time.

use std::sync::Arc;

use super::{Histogram, Labels, Timestamp};

/// The bit pattern by which Prometheus marks a series as ended (`pkg/value/value.go`).
pub const STALE_NAN: u64 = 0x7ff0_0000_0000_0002;

/// Whether `value` is the staleness marker, told apart from other NaNs by its bits.
pub fn is_stale_nan(value: f64) -> bool {
    value.to_bits() == STALE_NAN
}

/// The bit pattern that stands in a column of values where the sample is a histogram. Like the
/// staleness marker it is a signalling NaN: no arithmetic gives it.
pub const HISTOGRAM_NAN: u64 = 0x7ff0_0000_0000_0004;

/// Whether `value` says that a histogram stands in its place.
pub fn is_histogram_mark(value: f64) -> bool {
    value.to_bits() == HISTOGRAM_NAN
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
    pub value: Reading,
}

/// What a sample can be.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// A number.
    Float(f64),
    /// A native histogram.
    Histogram(Arc<Histogram>),
}

impl Reading {
    /// The number, if it is one.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Reading::Float(value) => Some(*value),
            Reading::Histogram(_) => None,
        }
    }
}

impl From<f64> for Reading {
    fn from(value: f64) -> Self {
        Reading::Float(value)
    }
}

/// The number that stands for one label set in one store. Never reused while the store lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(pub u32);
