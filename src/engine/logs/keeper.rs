//! Packing lines into blocks, and letting the oldest go. Knows no thread and no clock.

use std::sync::Arc;

use crate::logs::{Mark, PackedBlock, Packer, Part, block_key, journal_key, mark_key, pack_all};
use crate::model::Timestamp;
use crate::store::{StoreError, Table};

use super::LogRetention;
use super::core::{Core, by_age, mend};
use super::shared::{Block, Shared};

/// Packing begins at so many bytes of journal, which would have to be replayed …
const PACK_JOURNAL_BYTES: u64 = 4 << 20;
/// … or of memory …
const PACK_MEMORY_BYTES: usize = 24 << 20;
/// … or when the first line is so old, in milliseconds, and there are many …
const PACK_MANY_AFTER_MS: i64 = 5 * 60_000;
const MANY_LINES: usize = 1024;
/// … or not so many.
const PACK_ANY_AFTER_MS: i64 = 3_600_000;
/// Bytes of blocks that one transaction removes, about.
const REMOVE_BYTES_MAX: u64 = 8 << 20;

/// What packs, and lets go.
pub struct Keeper {
    shared: Arc<Shared>,
    packer: Packer,
    mark: Mark,
    /// Below this number are all lines that are set aside.
    until: u64,
}

impl Keeper {
    /// Keeps what the core commits. One for each core.
    ///
    /// # Errors
    ///
    /// When zstd gets no memory.
    pub fn new(core: &Core) -> Result<Keeper, String> {
        let shared = Arc::clone(core.shared());
        Ok(Keeper { shared, packer: Packer::new()?, mark: core.mark, until: core.mark.next_line })
    }

    /// Whether so much waits that it should be packed.
    pub fn wants_pack(&self, now: Timestamp) -> bool {
        wants_pack(&self.shared, now)
    }

    /// Packs all that waits and cuts the journal, in one transaction. Gives how many blocks there
    /// were.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or written: nothing is lost, and the same is packed the next
    /// time. It does not matter then whether it is durable already: the same blocks are written
    /// once more under the same keys.
    pub fn pack(&mut self, now: Timestamp) -> Result<usize, StoreError> {
        mend(&self.shared.tsdb)?;
        let Some((units, until)) = self.shared.freeze(self.until) else { return Ok(0) };
        self.until = until;
        let blocks = pack_all(&mut self.packer, &units, now);
        drop(units);
        let count = blocks.len();
        let mark = Mark { next_line: until, next_block: self.mark.next_block + count as u64 };
        self.shared.tsdb.store().write(false, |txn| {
            for (number, block) in (self.mark.next_block..).zip(&blocks) {
                for (part, payload) in &block.parts {
                    txn.insert(Table::Logs, &block_key(*part, number), payload)?;
                }
            }
            txn.insert(Table::Logs, &mark_key(), &mark.encode())?;
            let (from, until) = (journal_key(0), journal_key(until));
            // Some bytes more or less than were asked for: a journal is small.
            txn.remove_range(Table::LogJournal, &from, &until, usize::MAX).map(|_| ())
        })?;
        let headers = blocks.into_iter().map(|PackedBlock { header, .. }| header);
        self.shared.packed((self.mark.next_block..).zip(headers).collect());
        self.mark = mark;
        Ok(count)
    }

    /// Lets blocks go whose last line is too old, and the oldest ones where all take too much.
    /// Gives how many.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or written: what is left goes the next time.
    pub fn expire(
        &mut self,
        now: Timestamp,
        retention: &LogRetention,
    ) -> Result<usize, StoreError> {
        mend(&self.shared.tsdb)?;
        let (blocks, mut bytes) = {
            let state = self.shared.state();
            let journal = state.active.journal_bytes + state.frozen.journal_bytes;
            (by_age(&state.blocks), state.block_bytes + journal)
        };
        let horizon = now.millis().saturating_sub(retention.max_age_ms);
        let gone: Vec<Arc<Block>> = blocks
            .into_iter()
            .take_while(|block| {
                let is_old = block.header.age_from() < horizon;
                let is_beyond = retention.max_bytes > 0 && bytes > retention.max_bytes;
                bytes = bytes.saturating_sub(block.bytes());
                is_old || is_beyond
            })
            .collect();
        let count = gone.len();
        let mut rest = gone.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |block: &Arc<Block>| {
                bytes += block.bytes();
                bytes <= REMOVE_BYTES_MAX
            };
            let (slice, others) =
                rest.split_at(rest.iter().map(fits).take_while(|f| *f).count().max(1));
            self.shared.tsdb.store().write(false, |txn| {
                for (block, part) in slice.iter().flat_map(|b| Part::ALL.map(|part| (b, part))) {
                    txn.remove(Table::Logs, &block_key(part, block.number))?;
                }
                Ok(())
            })?;
            let mut numbers: Vec<u64> = slice.iter().map(|block| block.number).collect();
            numbers.sort_unstable();
            self.shared.remove(&numbers);
            rest = others;
        }
        Ok(count)
    }
}

/// Whether so much waits that it should be packed.
pub(super) fn wants_pack(shared: &Shared, now: Timestamp) -> bool {
    let state = shared.state();
    let tail = &state.active;
    let age = tail.since.map_or(0, |since| now.since(since));
    !state.frozen.units.is_empty()
        || is_much(&state.active)
        || (age >= PACK_MANY_AFTER_MS && tail.lines() >= MANY_LINES)
        || age >= PACK_ANY_AFTER_MS
}

/// Whether so much waits that packing should not wait either.
pub(super) fn is_much(tail: &super::shared::Tail) -> bool {
    tail.journal_bytes >= PACK_JOURNAL_BYTES || tail.bytes >= PACK_MEMORY_BYTES
}
