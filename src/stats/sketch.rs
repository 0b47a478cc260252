//! A quantile sketch: how many values lie where, to three significant figures.
//!
//! Buckets are those of an HDR histogram with 2048 sub-buckets, read off the number itself: the
//! exponent and the first 10 bits of the fraction of an `f64`, rounded to the nearest. So there
//! is no range and no unit to declare, the relative error is at most 2⁻¹¹ (0.05 %), whole
//! numbers up to 2048 are exact, and as only counts are kept, adding, removing and merging are
//! exact and independent of order.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// The largest value, 2⁶⁰ ≈ 1.15·10¹⁸. With [`VALUE_MIN`] it bounds the buckets to 122,880.
pub const VALUE_MAX: f64 = (1u64 << 60) as f64;
/// What is smaller than 2⁻⁶⁰ counts as 0.
pub const VALUE_MIN: f64 = 1.0 / VALUE_MAX;
/// A quantile is estimated from `n·min(p, 1−p)` of at least this (Deng, Knoblich & Lu 2018).
pub const TAIL_UNITS_MIN: f64 = 20.0;

/// How many standard errors of the rank the window around a quantile reaches to each side.
///
/// 3 and not 1.96, as a look among hundreds finds the rank that far out: whole numbers with the
/// quantile between two of them gave 7.5 % false alarms with the one, 3.5 % with the other.
pub const WINDOW: f64 = 3.0;

/// Bits of an `f64` that a bucket does not keep: 52 of the fraction less 10.
const DROPPED_BITS: u32 = 42;

/// Why a sketch does not take or give a value.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum SketchError {
    /// Not a number, negative, or too large.
    #[error("a quantile metric takes values from 0 to 2^60, not {0}")]
    OutOfRange(f64),
    /// Asked to remove what was never added.
    #[error("the sketch holds no {times} values of {value} to remove")]
    NotThere {
        /// The value.
        value: f64,
        /// How many times it was to be removed.
        times: u64,
    },
    /// More values than can be counted.
    #[error("the sketch cannot count beyond 2^64 values")]
    Full,
}

/// Counts of values by bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuantileSketch {
    /// Never holds a 0, so that equal contents are equal sketches.
    counts: BTreeMap<u32, u64>,
    n: u64,
}

impl QuantileSketch {
    /// An empty sketch.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many values it holds.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// How many buckets are in use: what it costs, at about 12 bytes each.
    pub fn buckets(&self) -> usize {
        self.counts.len()
    }

    /// Adds one value.
    pub fn add(&mut self, value: f64) -> Result<(), SketchError> {
        self.add_times(value, 1)
    }

    /// Adds a value many times over.
    pub fn add_times(&mut self, value: f64, times: u64) -> Result<(), SketchError> {
        let bucket = bucket_of(value)?;
        if times > 0 {
            self.n = self.n.checked_add(times).ok_or(SketchError::Full)?;
            *self.counts.entry(bucket).or_default() += times;
        }
        Ok(())
    }

    /// Takes one value out again, exactly.
    pub fn remove(&mut self, value: f64) -> Result<(), SketchError> {
        self.remove_times(value, 1)
    }

    /// Takes a value out many times over. Nothing changes if it is not there so often.
    pub fn remove_times(&mut self, value: f64, times: u64) -> Result<(), SketchError> {
        if times == 0 {
            return bucket_of(value).map(|_| ());
        }
        let bucket = bucket_of(value)?;
        let missing = SketchError::NotThere { value, times };
        let count = self.counts.get_mut(&bucket).ok_or(missing)?;
        *count = count.checked_sub(times).ok_or(missing)?;
        if *count == 0 {
            self.counts.remove(&bucket);
        }
        self.n -= times;
        Ok(())
    }

    /// Adds all that another holds. Nothing changes on an error.
    pub fn merge(&mut self, other: &Self) -> Result<(), SketchError> {
        self.n = self.n.checked_add(other.n).ok_or(SketchError::Full)?;
        for (bucket, count) in &other.counts {
            *self.counts.entry(*bucket).or_default() += count;
        }
        Ok(())
    }

    /// The value at a rank, 1 being the smallest; `None` outside 1..=n.
    pub fn value_at_rank(&self, rank: u64) -> Option<f64> {
        self.bucket_at_rank(rank).map(value_of)
    }

    fn bucket_at_rank(&self, rank: u64) -> Option<u32> {
        if rank == 0 || rank > self.n {
            return None;
        }
        let mut below = 0;
        for (bucket, count) in &self.counts {
            below += count;
            if below >= rank {
                return Some(*bucket);
            }
        }
        None
    }

    /// The mean of the values at ranks between two, where the value of rank i lies at i−1 to i.
    fn mean_between(&self, from: f64, to: f64) -> Option<f64> {
        let (mut below, mut sum) = (0u64, 0.0);
        for (bucket, count) in &self.counts {
            let start = (below as f64).max(from);
            below += count;
            let end = (below as f64).min(to);
            if end > start {
                sum += (end - start) / (to - from) * value_of(*bucket);
            }
            if below as f64 >= to {
                break;
            }
        }
        (to > from).then_some(sum)
    }
}

/// A quantile with its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantileEstimate {
    /// Values that it was estimated from.
    pub n: u64,
    /// The quantile, smoothed: what arms are compared by.
    pub value: f64,
    /// Its sampling variance.
    pub variance: f64,
    /// The value at rank ⌈np⌉, as it was: what a reader may be shown beside it.
    pub at_rank: f64,
}

/// The p-quantile and its sampling variance by ranks (Deng, Knoblich & Lu 2018, section 5).
///
/// With z = [`WINDOW`] and `h = z√(np(1−p))`, the values at ranks `⌊np−h⌋` and `⌈np+h⌉` are 2z
/// standard errors apart.
///
/// `value` is the mean of the values at ranks from np−h to np+h, an L-estimate, and not the one
/// value in their middle. With that one, two arms alike were told apart in a third of all runs
/// where values are whole numbers or have a gap at the quantile: it jumps from one to the next,
/// and is never close to normal. The mean moves by `(X_U − X_L)/2h` per rank, so that the
/// variance above, which is that slope times the deviation of the rank, is the mean's own, with
/// or without jumps. Where values are dense, both are the same but for a fraction of their error.
///
/// The uniform error of rounding to a bucket, width²/12, is added: with very many values the
/// rest would shrink below what a bucket can tell apart.
///
/// `None` unless 0 < p < 1 and `n·min(p, 1−p)` is at least [`TAIL_UNITS_MIN`].
pub fn quantile_estimate(sketch: &QuantileSketch, p: f64) -> Option<QuantileEstimate> {
    if !(p > 0.0 && p < 1.0) {
        return None;
    }
    let n = sketch.n as f64;
    // Products like 100·0.2 are a hair off a whole number: a rank must not depend on that.
    let at = n * p;
    if n * p.min(1.0 - p) < TAIL_UNITS_MIN - 1e-9 {
        return None;
    }
    let h = WINDOW * (at * (1.0 - p)).sqrt();
    let rank = |r: f64| (r as u64).clamp(1, sketch.n);
    let middle = sketch.bucket_at_rank(rank((at - 1e-9 * at).ceil()))?;
    let low = sketch.value_at_rank(rank((at - h).floor()))?;
    let high = sketch.value_at_rank(rank((at + h).ceil()))?;
    let rounding = if sketch.counts.len() > 1 { width_of(middle) } else { 0.0 };
    Some(QuantileEstimate {
        n: sketch.n,
        value: sketch.mean_between((at - h).max(0.0), (at + h).min(n))?,
        variance: ((high - low) / (2.0 * WINDOW)).powi(2) + rounding * rounding / 12.0,
        at_rank: value_of(middle),
    })
}

fn bucket_of(value: f64) -> Result<u32, SketchError> {
    if !(0.0..=VALUE_MAX).contains(&value) {
        return Err(SketchError::OutOfRange(value));
    }
    if value < VALUE_MIN {
        return Ok(0);
    }
    let rounded = (value.to_bits() + (1 << (DROPPED_BITS - 1))) >> DROPPED_BITS;
    u32::try_from(rounded).map_err(|_| SketchError::OutOfRange(value))
}

fn value_of(bucket: u32) -> f64 {
    f64::from_bits(u64::from(bucket) << DROPPED_BITS)
}

/// The distance from a bucket's value to the next.
fn width_of(bucket: u32) -> f64 {
    if bucket == 0 { 0.0 } else { value_of(bucket + 1) - value_of(bucket) }
}

/// Stored as bytes: per bucket in ascending order its distance from the one before and its
/// count, both as LEB128. Two or three bytes for most buckets.
impl Serialize for QuantileSketch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(self.counts.len() * 3);
        let mut before = 0;
        for (bucket, count) in &self.counts {
            write_varint(&mut bytes, u64::from(bucket - before));
            write_varint(&mut bytes, *count);
            before = *bucket;
        }
        bytes.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for QuantileSketch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Vec::<u8>::deserialize(deserializer)?;
        let broken = || D::Error::custom("a quantile sketch's bytes are not in order");
        let mut rest = bytes.as_slice();
        let mut sketch = Self::default();
        let (mut bucket, last) = (0u64, u64::from(bucket_of(VALUE_MAX).map_err(D::Error::custom)?));
        while !rest.is_empty() {
            let step = read_varint(&mut rest).ok_or_else(broken)?;
            let count = read_varint(&mut rest).ok_or_else(broken)?;
            let first = sketch.counts.is_empty();
            bucket = bucket.checked_add(step).filter(|b| *b <= last).ok_or_else(broken)?;
            sketch.n = sketch.n.checked_add(count).ok_or_else(broken)?;
            if count == 0 || (step == 0 && !first) {
                return Err(broken());
            }
            let key = u32::try_from(bucket).map_err(D::Error::custom)?;
            sketch.counts.insert(key, count);
        }
        Ok(sketch)
    }
}

fn write_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        if shift == 63 && part > 1 {
            return None;
        }
        value |= part << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests;
