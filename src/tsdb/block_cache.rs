//! Unpacked blocks that queries share: neighbouring panels and the next refresh of a dashboard
//! read the same few blocks, and unpacking one costs far more than reading a chunk of it.

use std::sync::{Arc, Mutex, PoisonError};

use super::block::OpenBlock;

/// However small its blocks are, the cache keeps no more; a look at it stays short.
const BLOCKS_MAX: usize = 256;

/// Which block it is. Blocks are written once and never changed; stamp and checksum of the seal
/// tell a block from one of the same key whose transaction failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockId {
    pub(super) segment: u32,
    pub(super) first_series: u32,
    pub(super) part: u32,
    pub(super) stamp: u64,
    pub(super) checksum: u32,
}

/// The unpacked blocks that were used last, as many as fit the bound.
#[derive(Debug)]
pub(super) struct BlockCache {
    bytes_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The one used last is the last.
    blocks: Vec<(BlockId, Arc<OpenBlock>)>,
    bytes: usize,
}

impl BlockCache {
    /// Keeps at most `bytes_max` bytes of unpacked blocks.
    pub(super) fn new(bytes_max: usize) -> Self {
        BlockCache { bytes_max, kept: Mutex::default() }
    }

    /// How many bytes one reader may put in: a query over everything leaves half of what was
    /// there, and finds half of its own the next time.
    pub(super) fn share_bytes(&self) -> usize {
        self.bytes_max / 2
    }

    /// The block, where it is known.
    pub(super) fn get(&self, id: &BlockId) -> Option<Arc<OpenBlock>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.blocks.iter().rposition(|(known, _)| known == id)?;
        kept.blocks[place..].rotate_left(1);
        kept.blocks.last().map(|(_, block)| Arc::clone(block))
    }

    /// Keeps a block, in place of those that were not used for longest.
    pub(super) fn put(&self, id: BlockId, block: &Arc<OpenBlock>) {
        let bytes = block.memory_bytes();
        if bytes > self.bytes_max {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = &mut *kept;
        if kept.blocks.iter().any(|(known, _)| *known == id) {
            return;
        }
        kept.bytes += bytes;
        kept.blocks.push((id, Arc::clone(block)));
        let mut gone = 0;
        while kept.bytes > self.bytes_max || kept.blocks.len() - gone > BLOCKS_MAX {
            kept.bytes -= kept.blocks[gone].1.memory_bytes();
            gone += 1;
        }
        kept.blocks.drain(..gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(segment: u32) -> BlockId {
        BlockId { segment, first_series: 1, part: 0, stamp: 7, checksum: 9 }
    }

    fn block(bytes: usize) -> Arc<OpenBlock> {
        Arc::new(OpenBlock::of_bytes(bytes))
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let cache = BlockCache::new(3000);
        (0..3).for_each(|n| cache.put(id(n), &block(900)));
        assert!(cache.get(&id(0)).is_some());
        cache.put(id(3), &block(900));
        assert!(cache.get(&id(1)).is_none());
        assert!([0, 2, 3].iter().all(|n| cache.get(&id(*n)).is_some()));
        let bytes = cache.kept.lock().expect("not poisoned").bytes;
        assert!((2700..=3000).contains(&bytes), "{bytes}");
    }

    #[test]
    fn a_block_of_the_same_key_written_anew_is_another() {
        let cache = BlockCache::new(3000);
        cache.put(id(1), &block(10));
        assert!(cache.get(&BlockId { stamp: 8, ..id(1) }).is_none());
        assert!(cache.get(&BlockId { checksum: 8, ..id(1) }).is_none());
    }

    #[test]
    fn neither_large_nor_many_blocks_exceed_the_bounds() {
        let cache = BlockCache::new(100_000);
        cache.put(id(0), &block(100_001));
        assert!(cache.get(&id(0)).is_none());
        (0..1000).for_each(|n| cache.put(id(n), &block(1)));
        assert_eq!(cache.kept.lock().expect("not poisoned").blocks.len(), BLOCKS_MAX);
        assert!(cache.get(&id(999)).is_some());
    }
}
