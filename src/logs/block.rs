//! Packing lines into blocks.
//!
//! A block has about [`BLOCK_TEXT_BYTES`] of text: large enough for zstd to find what repeats, and
//! small enough that a page of a few lines need not unpack much. Lines are in the order of their
//! ids, so that most blocks follow one another in time; late ones come into blocks of their own
//! where there are enough of them.

use std::sync::Arc;

use crate::model::Timestamp;

use super::codec::{put_rows, put_subjects, put_texts};
use super::keys::Part;
use super::piece::Packer;
use super::{Columns, Header, traces};

/// Bytes of messages and metadata of a block; its last line may go beyond.
pub const BLOCK_TEXT_BYTES: usize = 768 << 10;
/// Lines of a block.
const BLOCK_LINES_MAX: usize = 32 * 1024;
/// A pause of so long, in milliseconds, ends a block that has enough lines.
const PAUSE_MS: i64 = 3_600_000;
const ENOUGH_LINES: usize = 512;

/// A block, packed.
#[derive(Clone, Debug)]
pub struct PackedBlock {
    /// What is known of it.
    pub header: Header,
    /// Its parts, the header included.
    pub parts: Vec<(Part, Vec<u8>)>,
}

/// Packs columns, which have lines.
pub fn pack(packer: &mut Packer, columns: &Columns, packed_at: Timestamp) -> PackedBlock {
    let mut header = Header::of(columns, packed_at);
    let mut rows = Vec::new();
    put_rows(packer, &mut rows, &columns.rows);
    let mut messages = Vec::new();
    put_texts(packer, &mut messages, &columns.messages);
    let mut parts = vec![(Part::Rows, rows), (Part::Messages, messages)];
    if header.has_metadata {
        let mut metadata = Vec::new();
        put_texts(packer, &mut metadata, &columns.metadata);
        parts.push((Part::Metadata, metadata));
    }
    if header.has_subjects {
        let mut subjects = Vec::new();
        put_subjects(packer, &mut subjects, &columns.subjects);
        parts.push((Part::Subjects, subjects));
    }
    if let Some(filter) = traces::encode(&columns.subjects.traces) {
        parts.push((Part::Traces, filter));
    }
    header.bytes = parts.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    parts.push((Part::Header, header.encode()));
    PackedBlock { header, parts }
}

/// Packs all lines of `units` into blocks, in the order of their ids.
pub fn pack_all(
    packer: &mut Packer,
    units: &[Arc<Columns>],
    packed_at: Timestamp,
) -> Vec<PackedBlock> {
    let mut places: Vec<_> = units
        .iter()
        .enumerate()
        .flat_map(|(unit, columns)| (0..columns.len()).map(move |row| (columns.id(row), unit, row)))
        .collect();
    places.sort_unstable();
    let mut blocks = Vec::new();
    let mut columns = Columns::default();
    let mut before = 0;
    for (id, unit, row) in places {
        let time = id.time.millis();
        let is_full = columns.text_bytes() >= BLOCK_TEXT_BYTES
            || columns.len() >= BLOCK_LINES_MAX
            || (columns.len() >= ENOUGH_LINES && time.saturating_sub(before) >= PAUSE_MS);
        if is_full {
            blocks.push(pack(packer, &columns, packed_at));
            columns = Columns::default();
        }
        columns.push_row(&units[unit], row);
        before = time;
    }
    if !columns.is_empty() {
        blocks.push(pack(packer, &columns, packed_at));
    }
    blocks
}
