//! Figures about the engine.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::index::IndexStats;
use super::segment::{Level, Segment};
use super::{Tsdb, TsdbError};

/// What is stored where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorageStats {
    /// Bytes of the database file, free pages included.
    pub file_bytes: u64,
    /// Segments by level: flushed, hours, day, rollups.
    pub segments: [u64; 4],
    /// Samples in those segments.
    pub samples: [u64; 4],
    /// Bytes of those segments' blocks.
    pub bytes: [u64; 4],
    /// The earliest sample in a segment, in Unix milliseconds.
    pub from_ms: Option<i64>,
    /// The latest sample in a segment, in Unix milliseconds.
    pub until_ms: Option<i64>,
    /// Bytes of journal for the active head.
    pub journal_bytes: u64,
    /// Blocks that queries had to skip because they are damaged.
    pub damaged_blocks: u64,
}

/// What is in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TsdbStats {
    /// Series and labels.
    pub index: IndexStats,
    /// Samples in heads.
    pub head_samples: u64,
    /// The earliest and the latest sample in heads, in Unix milliseconds.
    pub head_bounds: Option<(i64, i64)>,
}

impl Tsdb {
    /// Figures about memory, with the `top` entries of each list.
    pub fn stats(&self, top: usize) -> TsdbStats {
        let heads = self.read_heads();
        let bounds = heads.all().filter_map(|head| head.bounds());
        TsdbStats {
            index: self.index.read().unwrap_or_else(PoisonError::into_inner).stats(top),
            head_samples: heads.all().map(|head| head.samples()).sum(),
            head_bounds: bounds.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))),
        }
    }

    /// Figures about the file.
    pub fn storage_stats(&self) -> Result<StorageStats, TsdbError> {
        let catalog = self.catalog();
        let mut stats = StorageStats {
            file_bytes: self.store.file_bytes()?,
            from_ms: catalog.segments.iter().map(|s| s.from_ms).min(),
            until_ms: catalog.segments.iter().map(|s| s.until_ms).max(),
            journal_bytes: self.journal_bytes(),
            damaged_blocks: self.damaged_blocks.load(Ordering::Relaxed),
            ..StorageStats::default()
        };
        for segment in &catalog.segments {
            let place = place(segment);
            stats.segments[place] += 1;
            stats.samples[place] += segment.samples;
            stats.bytes[place] += segment.bytes;
        }
        Ok(stats)
    }

    /// All segments, by number.
    pub fn segments(&self) -> Vec<Segment> {
        self.catalog().segments.clone()
    }
}

fn place(segment: &Segment) -> usize {
    match segment.level {
        Level::Flushed => 0,
        Level::Hours => 1,
        Level::Day => 2,
        Level::Rollup(_, _) => 3,
    }
}
