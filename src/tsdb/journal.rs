//! The journal: what was acknowledged since the last flush.
//!
//! A group of writes is one or more parts, each a row of its own in the same transaction:
//!
//! ```text
//! new series   count | first id | unpacked bytes | packed bytes | zstd of: labels count, (length, text)…
//! samples      (series, difference, zig-zag | sample as in `open_chunk`, with its histogram)…, to the end
//! ```
//! All numbers are varints. Parts of one generation follow each other without gaps and decode
//! only in order, from the first.

use super::varint;
use crate::model::Labels;
use crate::store::{Key, KeyReader};

/// A part with its seal, key and redb's leaf header fits a 64 KiB page: redb's pages are powers
/// of two, and a part of one byte more would take twice the room.
pub(super) const PART_BYTES_MAX: usize = 65_400;
/// The most bytes of label text in a part, before compression.
const TEXT_BYTES_MAX: usize = 1 << 20;
const ZSTD_LEVEL: i32 = 1;

/// The key of a part.
pub(super) fn key(generation: u32, sequence: u64) -> Key {
    Key::new().u32(generation).u64(sequence)
}

/// Generation and sequence of a key.
pub(super) fn parse_key(key: &[u8]) -> Option<(u32, u64)> {
    let mut reader = KeyReader::new(key);
    Some((reader.u32()?, reader.u64()?))
}

/// A part being put together.
#[derive(Debug, Default)]
pub(super) struct PartBuilder {
    first_new: u32,
    new_count: u32,
    texts: Vec<u8>,
    /// Encoded samples; the head takes them from here once they are durable.
    pub(super) samples: Vec<u8>,
    last_series: u32,
}

impl PartBuilder {
    /// Whether it should be closed before anything is added.
    pub(super) fn is_full(&self) -> bool {
        // The texts shrink several times when they are packed.
        self.samples.len() + self.texts.len() / 8 >= PART_BYTES_MAX - 64
            || self.texts.len() >= TEXT_BYTES_MAX
    }

    /// Whether it should be closed before so many bytes more are added to one of its samples.
    pub(super) fn is_full_with(&self, bytes: usize) -> bool {
        let so_far = self.samples.len() + self.texts.len() / 8;
        self.is_full() || (so_far > 0 && so_far + bytes >= PART_BYTES_MAX - 64)
    }

    /// Whether nothing was added.
    pub(super) fn is_empty(&self) -> bool {
        self.new_count == 0 && self.samples.is_empty()
    }

    /// Adds a new series. Ids rise one by one within a part.
    pub(super) fn add_series(&mut self, id: u32, labels: &Labels) {
        if self.new_count == 0 {
            self.first_new = id;
        }
        self.new_count += 1;
        put_labels(&mut self.texts, labels);
    }

    /// Notes the series of the sample that is then encoded to the end of `samples`.
    #[inline]
    pub(super) fn begin_sample(&mut self, series: u32) {
        let difference = i64::from(series) - i64::from(self.last_series);
        varint::put_signed(&mut self.samples, difference);
        self.last_series = series;
    }

    /// Writes the finished part to `out` and starts anew.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> std::io::Result<()> {
        out.clear();
        varint::put(out, u64::from(self.new_count));
        if self.new_count > 0 {
            let packed = zstd::bulk::compress(&self.texts, ZSTD_LEVEL)?;
            varint::put(out, u64::from(self.first_new));
            varint::put(out, self.texts.len() as u64);
            varint::put(out, packed.len() as u64);
            out.extend_from_slice(&packed);
        }
        out.extend_from_slice(&self.samples);
        self.clear();
        Ok(())
    }

    /// Drops what was added.
    pub(super) fn clear(&mut self) {
        self.new_count = 0;
        self.texts.clear();
        self.samples.clear();
        self.last_series = 0;
    }
}

/// A part, taken apart.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) first_new: u32,
    pub(super) new: Vec<Labels>,
    pub(super) samples: &'a [u8],
}

impl<'a> Part<'a> {
    /// `None` where the bytes are not what [`PartBuilder`] writes.
    pub(super) fn parse(mut bytes: &'a [u8]) -> Option<Self> {
        let count = usize::try_from(varint::take(&mut bytes)?).ok()?;
        if count == 0 {
            return Some(Part { first_new: 0, new: Vec::new(), samples: bytes });
        }
        let first_new = u32::try_from(varint::take(&mut bytes)?).ok()?;
        let unpacked_len = usize::try_from(varint::take(&mut bytes)?).ok()?;
        let packed_len = usize::try_from(varint::take(&mut bytes)?).ok()?;
        let packed = varint::take_bytes(&mut bytes, packed_len)?;
        let texts = unpack_texts(packed, unpacked_len, count)?;
        Some(Part { first_new, new: texts, samples: bytes })
    }

    /// Calls `each` with every series id and the bytes from its sample on; `each` takes the
    /// sample off their front.
    pub(super) fn for_each_sample(
        &self,
        mut each: impl FnMut(u32, &mut &'a [u8]) -> Option<()>,
    ) -> Option<()> {
        let mut rest = self.samples;
        let mut series = 0i64;
        while !rest.is_empty() {
            series = series.checked_add(varint::take_signed(&mut rest)?)?;
            each(u32::try_from(series).ok()?, &mut rest)?;
        }
        Some(())
    }
}

/// A label set is at most this long in the journal and in series blocks.
const UNPACKED_BYTES_MAX: usize = 64 << 20;

fn unpack_texts(packed: &[u8], unpacked_len: usize, count: usize) -> Option<Vec<Labels>> {
    if unpacked_len > UNPACKED_BYTES_MAX || count > unpacked_len {
        return None;
    }
    let texts = zstd::bulk::decompress(packed, unpacked_len).ok()?;
    let mut rest = texts.as_slice();
    let mut out = Vec::with_capacity(count);
    for _ in 0..count {
        out.push(take_labels(&mut rest)?);
    }
    Some(out)
}

/// Writes a label set: count, then length and text of each name and value.
pub(super) fn put_labels(out: &mut Vec<u8>, labels: &Labels) {
    varint::put(out, labels.len() as u64);
    for (name, value) in labels.iter() {
        for text in [name, value] {
            varint::put(out, text.len() as u64);
            out.extend_from_slice(text.as_bytes());
        }
    }
}

/// Reads a label set that [`put_labels`] wrote.
pub(super) fn take_labels(rest: &mut &[u8]) -> Option<Labels> {
    let count = usize::try_from(varint::take(rest)?).ok()?;
    if count > rest.len() {
        return None;
    }
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        let mut text = || {
            let len = usize::try_from(varint::take(rest)?).ok()?;
            std::str::from_utf8(varint::take_bytes(rest, len)?).ok()
        };
        pairs.push((text()?, text()?));
    }
    Labels::from_sorted(pairs).ok()
}

#[cfg(test)]
mod tests {
    use super::super::open_chunk::{self, Tail};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_part_gives_back_series_and_samples() {
        let labels: Vec<Labels> = (0..3)
            .map(|i| Labels::from_pairs([("__name__", "m"), ("i", &i.to_string())]).expect("valid"))
            .collect();
        let mut builder = PartBuilder::default();
        for (place, set) in labels.iter().enumerate() {
            builder.add_series(7 + place as u32, set);
        }
        for series in [8, 7, 9] {
            builder.begin_sample(series);
            open_chunk::push(
                &mut Tail::default(),
                1000,
                f64::to_bits(f64::from(series)),
                &mut builder.samples,
            );
        }
        let mut bytes = Vec::new();
        builder.finish(&mut bytes).expect("packs");
        assert!(builder.is_empty());
        let part = Part::parse(&bytes).expect("parses");
        assert_eq!((part.first_new, &part.new), (7, &labels));
        let mut seen = Vec::new();
        part.for_each_sample(|series, rest| {
            seen.push((series, open_chunk::take(&mut Tail::default(), rest)?));
            Some(())
        })
        .expect("decodes");
        let expected = [8u32, 7, 9].map(|s| (s, (1000, f64::from(s).to_bits())));
        assert_eq!(seen, expected);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            if let Some(part) = Part::parse(&bytes) {
                part.for_each_sample(|_, rest| {
                    open_chunk::take(&mut Tail::default(), rest).map(|_| ())
                });
            }
        }
    }
}
