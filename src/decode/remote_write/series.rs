//! What both versions have in common: label keys, samples, metadata.

use crate::decode::wire::{Cursor, WireError, WireType};
use crate::model::{MetricType, Sample, Timestamp};

/// The labels of one series as bytes: `Label` fields of version 1, one after the other, in the
/// order in which they came.
///
/// Equal bytes mean equal labels. Unequal bytes may still mean equal labels (another order or an
/// unusual encoding), which costs a cache that is keyed by them an entry and nothing else.
#[derive(Clone, Copy, Debug)]
pub struct LabelKey<'a> {
    pub(super) bytes: &'a [u8],
    /// Where the bytes begin in the body (where the series begins if they had to be collected).
    pub(super) base: usize,
}

impl<'a> LabelKey<'a> {
    /// The bytes to hash and to compare.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Names and values, in the order in which they came, neither sorted nor checked for
    /// duplicates. Fails where a field is malformed or not valid UTF-8.
    pub fn labels(&self) -> LabelIter<'a> {
        LabelIter { cursor: Cursor::new(self.bytes, self.base) }
    }
}

/// Cuts a [`LabelKey`] into text. Ends after the first error.
#[derive(Clone, Debug)]
pub struct LabelIter<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Iterator for LabelIter<'a> {
    type Item = Result<(&'a str, &'a str), WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.cursor.is_empty() {
            return None;
        }
        let label = read_label(&mut self.cursor);
        if label.is_err() {
            self.cursor.rest = &[];
        }
        Some(label)
    }
}

fn read_label<'a>(cursor: &mut Cursor<'a>) -> Result<(&'a str, &'a str), WireError> {
    let (mut name, mut value) = ("", "");
    // A key consists of label fields only, so the field number needs no look.
    cursor.key()?;
    let mut label = cursor.message()?;
    while !label.is_empty() {
        match label.key()? {
            (1, WireType::Bytes) => name = label.text()?,
            (2, WireType::Bytes) => value = label.text()?,
            (1 | 2, _) => return Err(label.wrong_layout()),
            (field, wire) => label.skip(field, wire)?,
        }
    }
    Ok((name, value))
}

/// The samples of one series: field 2 of a series in both versions, a message of a double (field
/// 1) and Unix milliseconds (field 2). Ends after the first error.
#[derive(Clone, Debug)]
pub struct SampleIter<'a> {
    /// From the first sample to the last; other fields may lie in between.
    pub(super) cursor: Cursor<'a>,
}

/// The key of a `samples` field.
const SAMPLES_KEY: u8 = 0x12;
/// A sample as Prometheus writes it: key, double, key, and a timestamp of six bytes (any between
/// 1971 and 2109).
const USUAL_SAMPLE_BYTES: u8 = 16;
const USUAL_FIELD_BYTES: usize = 2 + USUAL_SAMPLE_BYTES as usize;

impl Iterator for SampleIter<'_> {
    type Item = Result<Sample, WireError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some((field, rest)) = self.cursor.rest.split_first_chunk::<USUAL_FIELD_BYTES>()
            && let Some(sample) = usual_sample(field)
        {
            self.cursor.rest = rest;
            return Some(Ok(sample));
        }
        self.next_unusual().transpose()
    }
}

/// The sample of a field that has the usual form, in a handful of instructions.
#[inline]
fn usual_sample(field: &[u8; USUAL_FIELD_BYTES]) -> Option<Sample> {
    let [samples_key, len, value_key, v0, v1, v2, v3, v4, v5, v6, v7, time_key, t @ ..] = *field;
    if (samples_key, len, value_key, time_key) != (SAMPLES_KEY, USUAL_SAMPLE_BYTES, 0x09, 0x10) {
        return None;
    }
    let varint = u64::from_le_bytes([t[0], t[1], t[2], t[3], t[4], t[5], 0, 0]);
    // Five bytes that say "more follows" and one that does not.
    if varint & 0x8080_8080_8080 != 0x0080_8080_8080 {
        return None;
    }
    let millis = (varint & 0x7f)
        | (varint & (0x7f << 8)) >> 1
        | (varint & (0x7f << 16)) >> 2
        | (varint & (0x7f << 24)) >> 3
        | (varint & (0x7f << 32)) >> 4
        | (varint & (0x7f << 40)) >> 5;
    let value = f64::from_bits(u64::from_le_bytes([v0, v1, v2, v3, v4, v5, v6, v7]));
    Some(Sample { at: Timestamp::from_millis(millis.cast_signed()), value })
}

impl SampleIter<'_> {
    /// Whether the series has no samples.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.cursor.is_empty()
    }

    #[cold]
    fn next_unusual(&mut self) -> Result<Option<Sample>, WireError> {
        let found = self.find_sample();
        if found.is_err() {
            self.cursor.rest = &[];
        }
        found
    }

    fn find_sample(&mut self) -> Result<Option<Sample>, WireError> {
        while !self.cursor.is_empty() {
            match self.cursor.key()? {
                (2, WireType::Bytes) => {
                    let mut sample = self.cursor.message()?;
                    let (mut millis, mut value) = (0_i64, 0.0_f64);
                    while !sample.is_empty() {
                        match sample.key()? {
                            (1, WireType::Fixed64) => value = f64::from_bits(sample.fixed64()?),
                            (2, WireType::Varint) => millis = sample.varint()?.cast_signed(),
                            (1 | 2, _) => return Err(sample.wrong_layout()),
                            // Among them field 3 of version 2, the sample's start time.
                            (field, wire) => sample.skip(field, wire)?,
                        }
                    }
                    return Ok(Some(Sample { at: Timestamp::from_millis(millis), value }));
                }
                (field, wire) => self.cursor.skip(field, wire)?,
            }
        }
        Ok(None)
    }
}

/// What a sender says about a metric family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetadataEntry<'a> {
    /// The family's name. In version 2 the metric name of the series.
    pub family: &'a str,
    /// Its type; a number that nobody knows is [`MetricType::Unknown`].
    pub kind: MetricType,
    /// A sentence about it, often empty.
    pub help: &'a str,
    /// Its unit, often empty.
    pub unit: &'a str,
}

/// The type behind the number, which is the same in both versions (`prompb/types.proto`,
/// `prompb/io/prometheus/write/v2/types.proto`).
pub(super) fn metric_type(number: u64) -> MetricType {
    // An enum is an int32 on the wire: the upper half of a longer varint is cut off.
    match number as u32 {
        1 => MetricType::Counter,
        2 => MetricType::Gauge,
        3 => MetricType::Histogram,
        4 => MetricType::GaugeHistogram,
        5 => MetricType::Summary,
        6 => MetricType::Info,
        7 => MetricType::StateSet,
        _ => MetricType::Unknown,
    }
}
