//! The packed form of columns. Each part is a value of its own, so that a search reads only what
//! it asks about:
//!
//! ```text
//! rows:     count varint | piece: times, each a signed varint against the one before
//!           | piece: numbers likewise | piece: levels, one byte each | 3 dictionaries
//! subjects: count varint | dictionary of traces | dictionary of users
//! texts:    piece: lengths as varints | piece: all of them, one after the other
//! dictionary: piece: count varint, then length varint and bytes of each
//!           | piece: the place of each line as a varint; empty where there is but one text
//! ```

use std::sync::Arc;

use crate::model::varint;

use super::columns::{Columns, Dictionary, Rows, Subjects, Texts};
use super::piece::{Packer, Piece, Unpacker};

/// Lines of a block or a record of the journal, at most: what a damaged count may make us reserve.
pub(super) const LINES_MAX: usize = 1 << 20;

fn put_dictionary(packer: &mut Packer, out: &mut Vec<u8>, dictionary: &Dictionary) {
    let mut bytes = Vec::new();
    varint::put(&mut bytes, dictionary.names.len() as u64);
    for name in &dictionary.names {
        varint::put(&mut bytes, name.len() as u64);
        bytes.extend_from_slice(name.as_bytes());
    }
    packer.put(out, &bytes);
    bytes.clear();
    if dictionary.names.len() > 1 {
        for row in &dictionary.rows {
            varint::put(&mut bytes, u64::from(*row));
        }
    }
    packer.put(out, &bytes);
}

fn take_dictionary(
    unpacker: &mut Unpacker,
    rest: &mut &[u8],
    count: usize,
    scratch: &mut Vec<u8>,
) -> Option<Dictionary> {
    unpacker.take(rest, scratch)?;
    let mut bytes = scratch.as_slice();
    let len = usize::try_from(varint::take(&mut bytes)?).ok()?;
    if len > LINES_MAX || (len == 0 && count > 0) {
        return None;
    }
    let mut names: Vec<Arc<str>> = Vec::with_capacity(len);
    for _ in 0..len {
        let len = usize::try_from(varint::take(&mut bytes)?).ok()?;
        let name = std::str::from_utf8(varint::take_bytes(&mut bytes, len)?).ok()?;
        names.push(name.into());
    }
    unpacker.take(rest, scratch)?;
    let mut bytes = scratch.as_slice();
    let rows = if len > 1 {
        let mut rows = Vec::with_capacity(count);
        for _ in 0..count {
            let row = u32::try_from(varint::take(&mut bytes)?).ok()?;
            if row as usize >= len {
                return None;
            }
            rows.push(row);
        }
        rows
    } else {
        vec![0; count]
    };
    bytes.is_empty().then(|| Dictionary::from_parts(names, rows))
}

/// Packs rows.
pub(super) fn put_rows(packer: &mut Packer, out: &mut Vec<u8>, rows: &Rows) {
    varint::put(out, rows.times.len() as u64);
    let mut bytes = Vec::with_capacity(rows.times.len() * 2);
    let mut before = 0i64;
    for time in &rows.times {
        varint::put_signed(&mut bytes, time.wrapping_sub(before));
        before = *time;
    }
    packer.put(out, &bytes);
    bytes.clear();
    let mut before = 0u64;
    for number in &rows.numbers {
        varint::put_signed(&mut bytes, number.wrapping_sub(before) as i64);
        before = *number;
    }
    packer.put(out, &bytes);
    packer.put(out, &rows.levels);
    for dictionary in [&rows.sources, &rows.features, &rows.environments] {
        put_dictionary(packer, out, dictionary);
    }
}

/// Unpacks rows from the front; `None` where they are damaged.
pub(super) fn take_rows(
    unpacker: &mut Unpacker,
    rest: &mut &[u8],
    scratch: &mut Vec<u8>,
) -> Option<Rows> {
    let count = usize::try_from(varint::take(rest)?).ok().filter(|count| *count <= LINES_MAX)?;
    unpacker.take(rest, scratch)?;
    let mut bytes = scratch.as_slice();
    let mut times = Vec::with_capacity(count);
    let mut before = 0i64;
    for _ in 0..count {
        before = before.wrapping_add(varint::take_signed(&mut bytes)?);
        times.push(before);
    }
    unpacker.take(rest, scratch)?;
    let mut bytes = scratch.as_slice();
    let mut numbers = Vec::with_capacity(count);
    let mut before = 0u64;
    for _ in 0..count {
        before = before.wrapping_add(varint::take_signed(&mut bytes)? as u64);
        numbers.push(before);
    }
    let mut levels = Vec::new();
    unpacker.take(rest, &mut levels)?;
    if levels.len() != count {
        return None;
    }
    Some(Rows {
        times,
        numbers,
        levels,
        sources: take_dictionary(unpacker, rest, count, scratch)?,
        features: take_dictionary(unpacker, rest, count, scratch)?,
        environments: take_dictionary(unpacker, rest, count, scratch)?,
    })
}

/// Packs traces and users.
pub(super) fn put_subjects(packer: &mut Packer, out: &mut Vec<u8>, subjects: &Subjects) {
    varint::put(out, subjects.traces.rows.len() as u64);
    put_dictionary(packer, out, &subjects.traces);
    put_dictionary(packer, out, &subjects.users);
}

/// Unpacks traces and users.
pub(super) fn take_subjects(
    unpacker: &mut Unpacker,
    rest: &mut &[u8],
    scratch: &mut Vec<u8>,
) -> Option<Subjects> {
    let count = usize::try_from(varint::take(rest)?).ok().filter(|count| *count <= LINES_MAX)?;
    Some(Subjects {
        traces: take_dictionary(unpacker, rest, count, scratch)?,
        users: take_dictionary(unpacker, rest, count, scratch)?,
    })
}

/// Packs texts.
pub(super) fn put_texts(packer: &mut Packer, out: &mut Vec<u8>, texts: &Texts) {
    let mut bytes = Vec::with_capacity(texts.ends.len() * 2);
    let mut before = 0;
    for end in &texts.ends {
        varint::put(&mut bytes, u64::from(end - before));
        before = *end;
    }
    // Nothing at all takes no more than two bytes.
    if texts.bytes.is_empty() {
        bytes.clear();
    }
    packer.put(out, &bytes);
    packer.put(out, &texts.bytes);
}

/// Texts that are still packed.
#[derive(Clone, Copy, Debug)]
pub(super) struct PackedTexts<'a> {
    lengths: Piece<'a>,
    bytes: Piece<'a>,
}

impl<'a> PackedTexts<'a> {
    /// Takes texts from the front.
    pub(super) fn take(rest: &mut &'a [u8]) -> Option<PackedTexts<'a>> {
        Some(PackedTexts { lengths: Piece::take(rest)?, bytes: Piece::take(rest)? })
    }

    /// Unpacks all of them in one piece.
    pub(super) fn bytes(&self, unpacker: &mut Unpacker, out: &mut Vec<u8>) -> Option<()> {
        unpacker.unpack(&self.bytes, out)
    }

    /// Unpacks their lengths, as varints.
    pub(super) fn lengths(&self, unpacker: &mut Unpacker, out: &mut Vec<u8>) -> Option<()> {
        unpacker.unpack(&self.lengths, out)
    }

    /// Unpacks where each of so many ends.
    pub(super) fn ends(
        &self,
        unpacker: &mut Unpacker,
        count: usize,
        scratch: &mut Vec<u8>,
    ) -> Option<Vec<u32>> {
        if self.bytes.is_empty() {
            return Some(vec![0; count]);
        }
        unpacker.unpack(&self.lengths, scratch)?;
        let mut bytes = scratch.as_slice();
        let mut ends = Vec::with_capacity(count);
        let mut end = 0u32;
        for _ in 0..count {
            end = end.checked_add(u32::try_from(varint::take(&mut bytes)?).ok()?)?;
            ends.push(end);
        }
        bytes.is_empty().then_some(ends)
    }

    /// Unpacks so many texts.
    pub(super) fn unpack(
        &self,
        unpacker: &mut Unpacker,
        count: usize,
        scratch: &mut Vec<u8>,
    ) -> Option<Texts> {
        let ends = self.ends(unpacker, count, scratch)?;
        let mut bytes = Vec::new();
        self.bytes(unpacker, &mut bytes)?;
        let is_whole = ends.last().copied().unwrap_or(0) as usize == bytes.len();
        is_whole.then_some(Texts { bytes, ends })
    }
}

const RECORD_VERSION: u8 = 1;

/// A record of the journal: all parts in one value.
pub fn encode_record(packer: &mut Packer, columns: &Columns) -> Vec<u8> {
    let mut out = vec![RECORD_VERSION];
    put_rows(packer, &mut out, &columns.rows);
    put_subjects(packer, &mut out, &columns.subjects);
    put_texts(packer, &mut out, &columns.messages);
    put_texts(packer, &mut out, &columns.metadata);
    out
}

/// Unpacks a record of the journal; `None` where it is none.
pub fn decode_record(unpacker: &mut Unpacker, bytes: &[u8]) -> Option<Columns> {
    let (version, mut rest) = bytes.split_first()?;
    if *version != RECORD_VERSION {
        return None;
    }
    let mut scratch = Vec::new();
    let rows = take_rows(unpacker, &mut rest, &mut scratch)?;
    let count = rows.times.len();
    let subjects = take_subjects(unpacker, &mut rest, &mut scratch)?;
    if subjects.traces.rows.len() != count {
        return None;
    }
    let messages = PackedTexts::take(&mut rest)?.unpack(unpacker, count, &mut scratch)?;
    let metadata = PackedTexts::take(&mut rest)?.unpack(unpacker, count, &mut scratch)?;
    let decoded = Columns { rows, subjects, messages, metadata };
    // Through pushing, so that more can be added to them.
    let mut columns = Columns::default();
    columns.append(&decoded);
    rest.is_empty().then_some(columns)
}
