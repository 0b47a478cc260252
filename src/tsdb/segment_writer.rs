//! Writes the blocks of a new segment, a slice of them per transaction. The segment is seen only
//! once its catalog entry is committed; blocks without one are removed at the next start.

use super::TsdbError;
use super::block::{BlockPacker, Columns, PackedBlock};
use super::segment::{Catalog, Level, Origin, Segment};
use crate::store::{Store, Table};

/// Bytes of blocks in one transaction: keeps each commit short for the writers that wait.
pub(super) const SLICE_BYTES: usize = 8 << 20;

/// A segment that is being written.
pub(super) struct SegmentWriter<'s> {
    store: &'s Store,
    packer: BlockPacker,
    packed: Vec<PackedBlock>,
    packed_bytes: usize,
    /// First series and part of the last block that was written.
    last_block: Option<(u32, u32)>,
    segment: Segment,
}

fn codec(error: std::io::Error) -> TsdbError {
    TsdbError::Codec(error.to_string())
}

impl<'s> SegmentWriter<'s> {
    pub(super) fn new(
        store: &'s Store,
        level: Level,
        window_start: i64,
        priority: u64,
    ) -> Result<Self, TsdbError> {
        let id = store.write(false, |txn| Catalog::take_ids(txn, 1))?;
        let packer = BlockPacker::new(Origin { level, window_start, priority }).map_err(codec)?;
        let segment = Segment {
            id,
            level,
            window_start,
            priority,
            from_ms: i64::MAX,
            until_ms: i64::MIN,
            samples: 0,
            bytes: 0,
            blocks: 0,
        };
        Ok(SegmentWriter {
            store,
            packer,
            packed: Vec::new(),
            packed_bytes: 0,
            last_block: None,
            segment,
        })
    }

    /// Adds samples of a series, by rising series and time.
    pub(super) fn push(&mut self, series: u32, samples: Columns<'_>) -> Result<(), TsdbError> {
        let Some((first, last)) = samples.bounds() else { return Ok(()) };
        self.segment.from_ms = self.segment.from_ms.min(first);
        self.segment.until_ms = self.segment.until_ms.max(last);
        let before = self.packed.len();
        self.packer.push(series, samples, &mut self.packed).map_err(codec)?;
        self.packed_bytes +=
            self.packed[before..].iter().map(|block| block.payload.len()).sum::<usize>();
        if self.packed_bytes >= SLICE_BYTES {
            self.write_slice()?;
        }
        Ok(())
    }

    fn write_slice(&mut self) -> Result<(), TsdbError> {
        let blocks = std::mem::take(&mut self.packed);
        self.packed_bytes = 0;
        let id = self.segment.id;
        let mut last = self.last_block;
        self.store.write(false, |txn| {
            for block in &blocks {
                // Only blocks within one series can begin with the same series.
                let part = match last {
                    Some((first, part)) if first == block.first_series => part + 1,
                    _ => 0,
                };
                last = Some((block.first_series, part));
                let key = Segment::block_key(id, block.first_series, part);
                txn.insert(Table::Blocks, key.as_bytes(), &block.payload)?;
            }
            Ok(())
        })?;
        self.last_block = last;
        self.segment.blocks += blocks.len() as u32;
        for block in &blocks {
            self.segment.samples += block.samples;
            self.segment.bytes += block.payload.len() as u64;
        }
        Ok(())
    }

    /// Writes what is left. `None` where nothing was added; otherwise the segment, which the
    /// caller enters into the catalog.
    pub(super) fn finish(mut self) -> Result<Option<Segment>, TsdbError> {
        self.packer.finish(&mut self.packed).map_err(codec)?;
        if !self.packed.is_empty() {
            self.write_slice()?;
        }
        Ok((self.segment.samples > 0).then_some(self.segment))
    }
}
