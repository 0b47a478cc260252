//! Native histograms: the message `Histogram`, which is the same in both versions
//! (`prompb/types.proto`, `prompb/io/prometheus/write/v2/types.proto`).

use crate::decode::admit::{Reason, admit_histogram};
use crate::decode::wire::{Cursor, WireError, WireType};
use crate::model::{
    BucketSpan, Buckets, Histogram, Reading, ResetHint, STALE_NAN, Timestamp, is_stale_nan,
};

/// The histograms of one series, each with its time: a histogram, or a staleness marker where
/// its sum is one, or why it cannot be let in. Ends after the first malformed message.
#[derive(Clone, Debug)]
pub struct HistogramIter<'a> {
    /// From the first histogram to the last; other fields may lie in between.
    pub(super) cursor: Cursor<'a>,
    /// The number of the field: 4 in version 1, 3 in version 2.
    pub(super) field: u32,
    pub(super) buckets_max: usize,
}

/// When it was measured, and what it is or why it is not let in.
type Judged = (Timestamp, Result<Reading, Reason>);

impl Iterator for HistogramIter<'_> {
    type Item = Result<Judged, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.find();
        if found.is_err() {
            self.cursor.rest = &[];
        }
        found.transpose()
    }
}

impl HistogramIter<'_> {
    fn find(&mut self) -> Result<Option<Judged>, WireError> {
        while !self.cursor.is_empty() {
            match self.cursor.key()? {
                (field, WireType::Bytes) if field == self.field => {
                    let message = Message::read(self.cursor.message()?, self.buckets_max)?;
                    let at = Timestamp::from_millis(message.at_ms);
                    return Ok(Some((at, message.reading(self.buckets_max))));
                }
                (field, wire) => self.cursor.skip(field, wire)?,
            }
        }
        Ok(None)
    }
}

/// The buckets of one sign as they come: whole numbers as differences, others as they are.
#[derive(Debug, Default)]
struct Side {
    spans: Vec<BucketSpan>,
    deltas: Vec<i64>,
    counts: Vec<f64>,
    /// Spans and numbers, those included that were not kept because they are too many.
    found: usize,
}

impl Side {
    /// Keeps a number, or only counts it.
    fn keep<T>(list: &mut Vec<T>, value: T, found: &mut usize, max: usize) {
        *found += 1;
        if list.len() <= max {
            list.push(value);
        }
    }

    fn buckets(self, is_float: bool) -> Result<Buckets, Reason> {
        let counts = if is_float {
            self.counts
        } else {
            let mut count = 0i64;
            let sums = self.deltas.into_iter().map(|delta| {
                count = count.checked_add(delta)?;
                Some(count as f64)
            });
            sums.collect::<Option<_>>().ok_or_else(|| {
                Reason::InvalidHistogram("a bucket's count does not fit 64 bits".to_owned())
            })?
        };
        Ok(Buckets { spans: self.spans, counts })
    }
}

#[derive(Debug, Default)]
struct Message {
    at_ms: i64,
    hint: u64,
    schema: i32,
    zero_threshold: f64,
    /// Whether the counts are floats: decided by the form of the total count, as in
    /// `IsFloatHistogram`.
    is_float: bool,
    count: f64,
    zero_count: f64,
    sum: f64,
    positive: Side,
    negative: Side,
    bounds: Vec<f64>,
    bounds_found: usize,
}

impl Message {
    /// Reads at most one number more of each kind than `max`.
    fn read(mut rest: Cursor<'_>, max: usize) -> Result<Self, WireError> {
        let mut out = Message::default();
        while !rest.is_empty() {
            match rest.key()? {
                (1, WireType::Varint) => {
                    (out.count, out.is_float) = (rest.varint()? as f64, false);
                }
                (2, WireType::Fixed64) => (out.count, out.is_float) = (float(&mut rest)?, true),
                (3, WireType::Fixed64) => out.sum = float(&mut rest)?,
                (4, WireType::Varint) => out.schema = sint32(&mut rest)?,
                (5, WireType::Fixed64) => out.zero_threshold = float(&mut rest)?,
                (6, WireType::Varint) => out.zero_count = rest.varint()? as f64,
                (7, WireType::Fixed64) => out.zero_count = float(&mut rest)?,
                (field @ 8..=13, wire) => {
                    let (side, field) = match field {
                        8..=10 => (&mut out.negative, field),
                        _ => (&mut out.positive, field - 3),
                    };
                    side_field(side, field, wire, &mut rest, max)?;
                }
                (14, WireType::Varint) => out.hint = rest.varint()?,
                (15, WireType::Varint) => out.at_ms = rest.varint()?.cast_signed(),
                (16, wire) => repeated(&mut rest, wire, WireType::Fixed64, |rest| {
                    Side::keep(&mut out.bounds, float(rest)?, &mut out.bounds_found, max);
                    Ok(())
                })?,
                (1..=15, _) => return Err(rest.wrong_layout()),
                (field, wire) => rest.skip(field, wire)?,
            }
        }
        Ok(out)
    }

    fn reading(self, buckets_max: usize) -> Result<Reading, Reason> {
        if is_stale_nan(self.sum) {
            return Ok(Reading::Float(f64::from_bits(STALE_NAN)));
        }
        let found = self.positive.found + self.negative.found;
        // Spans and counts are kept up to the limit each: beyond it the lists are cut off.
        let cut_off = [&self.positive, &self.negative].into_iter().any(|side| {
            [side.spans.len(), side.deltas.len(), side.counts.len()]
                .iter()
                .any(|n| *n > buckets_max)
        });
        if cut_off || self.bounds.len() > buckets_max {
            let found = found.max(self.bounds_found);
            return Err(Reason::TooManyBuckets { found, max: buckets_max });
        }
        let is_float = self.is_float;
        let histogram = Histogram {
            // "Not reset" is told of the sender's histogram before, which may have got lost.
            reset_hint: match self.hint as u32 {
                1 => ResetHint::Reset,
                3 => ResetHint::Gauge,
                _ => ResetHint::Unknown,
            },
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count,
            count: self.count,
            sum: self.sum,
            positive: self.positive.buckets(is_float)?,
            negative: self.negative.buckets(is_float)?,
            custom_bounds: self.bounds,
        };
        let histogram = admit_histogram(histogram, buckets_max)?;
        if !is_float {
            histogram.validate_whole().map_err(|e| Reason::InvalidHistogram(e.to_string()))?;
        }
        Ok(Reading::Histogram(std::sync::Arc::new(histogram)))
    }
}

/// A field of one side, numbered as those below zero are: 8 spans, 9 deltas, 10 counts.
fn side_field(
    side: &mut Side,
    field: u32,
    wire: WireType,
    rest: &mut Cursor<'_>,
    max: usize,
) -> Result<(), WireError> {
    match field {
        8 if wire == WireType::Bytes => {
            let span = read_span(rest.message()?)?;
            Side::keep(&mut side.spans, span, &mut 0, max);
            Ok(())
        }
        8 => Err(rest.wrong_layout()),
        9 => repeated(rest, wire, WireType::Varint, |rest| {
            let delta = zigzag(rest.varint()?);
            Side::keep(&mut side.deltas, delta, &mut side.found, max);
            Ok(())
        }),
        _ => repeated(rest, wire, WireType::Fixed64, |rest| {
            Side::keep(&mut side.counts, float(rest)?, &mut side.found, max);
            Ok(())
        }),
    }
}

/// Numbers one after the other in one field, or each in a field of its own: protobuf leaves it
/// to the sender.
fn repeated(
    rest: &mut Cursor<'_>,
    wire: WireType,
    single: WireType,
    mut each: impl FnMut(&mut Cursor<'_>) -> Result<(), WireError>,
) -> Result<(), WireError> {
    if wire == single {
        return each(rest);
    }
    if wire != WireType::Bytes {
        return Err(rest.wrong_layout());
    }
    let mut packed = rest.message()?;
    while !packed.is_empty() {
        each(&mut packed)?;
    }
    Ok(())
}

fn read_span(mut rest: Cursor<'_>) -> Result<BucketSpan, WireError> {
    let mut span = BucketSpan::default();
    while !rest.is_empty() {
        match rest.key()? {
            (1, WireType::Varint) => span.offset = sint32(&mut rest)?,
            // A uint32: the upper half of a longer varint is cut off.
            (2, WireType::Varint) => span.length = rest.varint()? as u32,
            (1 | 2, _) => return Err(rest.wrong_layout()),
            (field, wire) => rest.skip(field, wire)?,
        }
    }
    Ok(span)
}

fn float(rest: &mut Cursor<'_>) -> Result<f64, WireError> {
    rest.fixed64().map(f64::from_bits)
}

fn sint32(rest: &mut Cursor<'_>) -> Result<i32, WireError> {
    let n = rest.varint()? as u32;
    Ok((n >> 1).cast_signed() ^ -((n & 1).cast_signed()))
}

fn zigzag(n: u64) -> i64 {
    (n >> 1).cast_signed() ^ -((n & 1).cast_signed())
}

#[cfg(test)]
mod tests;
