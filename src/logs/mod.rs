//! Log lines at rest: which ones somebody wants, and how they are packed and searched.
//!
//! Owns: filters and pages, lines column by column, the packed form of blocks and of the journal,
//! the keys of both tables, and searching a block. Never: threads, queues, transactions, or when
//! something is written. Start reading at [`LogFilter`], then [`Columns`] and [`Open`].
//!
//! Lines are in memory as [`Columns`]: all messages in one piece, so that a text is looked for in
//! thousands of lines at once. [`pack_all`] makes blocks of them, whose parts are values of their
//! own: a search reads the [`Header`] (which is in memory), then only the parts that it asks about.

mod best;
mod block;
mod codec;
mod columns;
mod filter;
mod header;
mod inspect;
mod keys;
mod open;
mod page;
mod piece;
#[cfg(test)]
pub(crate) mod tests;
mod text;
mod traces;

pub use best::Best;
pub use block::{BLOCK_TEXT_BYTES, PackedBlock, pack, pack_all};
pub use codec::{decode_record, encode_record};
pub use columns::{Columns, line_bytes, text_bytes};
pub use filter::LogFilter;
pub use header::{Header, Names};
pub use inspect::inspect;
pub use keys::{Mark, Part, block_key, block_of, journal_key, journal_of, mark_key};
pub use open::{Fault, Open, Place, Tools, Wanted};
pub use page::{Context, LogBucket, LogNames, LogPage, LogQuery, Order, PAGE_LINES_MAX};
pub use piece::{Packer, Unpacker};
pub use text::TextMatch;

/// Bytes of a line, at most, all of its texts together.
pub const LINE_BYTES_MAX: usize = 1 << 20;
