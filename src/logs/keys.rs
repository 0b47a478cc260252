//! Keys of the tables.
//!
//! ```text
//! logs:        0              → up to where the journal is packed: next line u64, next block u64
//!              part u8 | block u64 → a part of a block
//! log_journal: number of its first line u64 → the lines of a commit
//! ```

use crate::store::{Key, KeyReader};

/// A part of a block. Never changed, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Part {
    /// [`crate::logs::Header`].
    Header = 1,
    /// Times, numbers, levels, and where lines come from.
    Rows = 2,
    /// Messages.
    Messages = 3,
    /// Metadata.
    Metadata = 4,
    /// Traces and users.
    Subjects = 5,
    /// The filter of traces.
    Traces = 6,
}

impl Part {
    /// All of them.
    pub const ALL: [Part; 6] =
        [Part::Header, Part::Rows, Part::Messages, Part::Metadata, Part::Subjects, Part::Traces];
}

/// The key of the mark.
pub fn mark_key() -> Vec<u8> {
    vec![0]
}

/// The key of a part.
pub fn block_key(part: Part, block: u64) -> Vec<u8> {
    Key::new().u8(part as u8).u64(block).as_bytes().to_vec()
}

/// The part and the block of a key.
pub fn block_of(key: &[u8]) -> Option<(Part, u64)> {
    let mut reader = KeyReader::new(key);
    let code = reader.u8()?;
    let part = Part::ALL.into_iter().find(|part| *part as u8 == code)?;
    Some((part, reader.u64()?))
}

/// The key of a record of the journal.
pub fn journal_key(first: u64) -> Vec<u8> {
    Key::new().u64(first).as_bytes().to_vec()
}

/// The number of the first line of a record.
pub fn journal_of(key: &[u8]) -> Option<u64> {
    KeyReader::new(key).u64()
}

/// Up to where the journal is packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Lines with lower numbers are in blocks, or gone.
    pub next_line: u64,
    /// Blocks with lower numbers are complete, or gone.
    pub next_block: u64,
}

impl Mark {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        Key::new().u64(self.next_line).u64(self.next_block).as_bytes().to_vec()
    }

    /// From the stored form.
    pub fn decode(bytes: &[u8]) -> Option<Mark> {
        let mut reader = KeyReader::new(bytes);
        Some(Mark { next_line: reader.u64()?, next_block: reader.u64()? })
    }
}
