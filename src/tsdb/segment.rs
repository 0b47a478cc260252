//! Segments: what is stored where, and which wins where they overlap.

use serde::{Deserialize, Serialize};

use crate::store::{
    Key, RecordKind, Snapshot, StoreError, Table, Txn, decode_record, encode_record,
};

/// What kind of data a segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// Straight from a head, any times (L0).
    Flushed,
    /// Two hours (L1).
    Hours,
    /// A day (L2).
    Day,
    /// A day of 5-minute or 1-hour figures.
    Rollup(Resolution, Column),
}

/// The width of a rollup's buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Resolution {
    /// 300 seconds.
    FiveMinutes,
    /// 3600 seconds.
    Hour,
}

impl Resolution {
    /// The width in milliseconds.
    pub const fn millis(self) -> i64 {
        match self {
            Resolution::FiveMinutes => 300_000,
            Resolution::Hour => 3_600_000,
        }
    }
}

/// What a rollup says about the samples of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Column {
    /// The least value.
    Min,
    /// The greatest value.
    Max,
    /// The sum of the values.
    Sum,
    /// How many samples there were.
    Count,
    /// The last value.
    Last,
    /// By how much a counter grew, resets allowed for.
    Increase,
    /// The last histogram, where there are any; the other figures are of numbers alone.
    Histogram,
}

impl Column {
    /// All figures of numbers.
    pub const ALL: [Column; 6] =
        [Column::Min, Column::Max, Column::Sum, Column::Count, Column::Last, Column::Increase];
}

impl Level {
    /// The number in blocks.
    pub(super) const fn code(self) -> u8 {
        match self {
            Level::Flushed => 0,
            Level::Hours => 1,
            Level::Day => 2,
            Level::Rollup(resolution, column) => {
                let base = match resolution {
                    Resolution::FiveMinutes => 16,
                    Resolution::Hour => 32,
                };
                base + column as u8
            }
        }
    }

    pub(super) fn from_code(code: u8) -> Option<Self> {
        let column = |base: u8| match usize::from(code - base) {
            6 => Some(Column::Histogram),
            place => Column::ALL.get(place).copied(),
        };
        Some(match code {
            0 => Level::Flushed,
            1 => Level::Hours,
            2 => Level::Day,
            16..=22 => Level::Rollup(Resolution::FiveMinutes, column(16)?),
            32..=38 => Level::Rollup(Resolution::Hour, column(32)?),
            _ => return None,
        })
    }

    /// Whether the segment holds samples as they were written.
    pub const fn is_raw(self) -> bool {
        matches!(self, Level::Flushed | Level::Hours | Level::Day)
    }
}

/// What all blocks of a segment have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) level: Level,
    /// Where the window begins, in Unix milliseconds; 0 for [`Level::Flushed`].
    pub(super) window_start: i64,
    /// Where two raw segments have a sample at the same time, the greater priority wins.
    pub(super) priority: u64,
}

/// A run of blocks, written once and then only read or removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Its number: the first part of its blocks' keys.
    pub id: u32,
    /// What it holds.
    pub level: Level,
    /// Where its window begins, in Unix milliseconds; 0 for [`Level::Flushed`].
    pub window_start: i64,
    /// Where two raw segments have a sample at the same time, the greater priority wins: it is
    /// the generation of the newest head that went into it.
    pub priority: u64,
    /// The earliest sample, in Unix milliseconds.
    pub from_ms: i64,
    /// The latest sample, in Unix milliseconds.
    pub until_ms: i64,
    /// Samples in it.
    pub samples: u64,
    /// Bytes of its blocks, without redb's own overhead.
    pub bytes: u64,
    /// How many blocks it has.
    pub blocks: u32,
}

const SEGMENT_VERSION: u8 = 1;

impl Segment {
    pub(super) fn key(&self) -> Key {
        Key::new().u32(self.id)
    }

    /// The key of one of its blocks. `part` counts blocks that begin with the same series.
    pub(super) fn block_key(id: u32, first_series: u32, part: u32) -> Key {
        Key::new().u32(id).u32(first_series).u32(part)
    }

    /// Whether it may hold samples between two times, both included.
    pub fn overlaps(&self, from_ms: i64, until_ms: i64) -> bool {
        self.from_ms <= until_ms && self.until_ms >= from_ms
    }

    pub(super) fn save(&self, txn: &mut Txn<'_>) -> Result<(), StoreError> {
        let record = encode_record(RecordKind::Segment, SEGMENT_VERSION, self)?;
        txn.insert(Table::Segments, self.key().as_bytes(), &record)
    }
}

/// All segments at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Changes with every change of the segments.
    pub version: u64,
    /// Segments by number.
    pub segments: Vec<Segment>,
}

const VERSION_KEY: &[u8] = b"catalog";
const NEXT_ID_KEY: &[u8] = b"next-segment";

impl Catalog {
    /// The version that a view has.
    pub(super) fn version_of(snapshot: &Snapshot) -> Result<u64, StoreError> {
        let value = snapshot.get(Table::Meta, VERSION_KEY)?;
        Ok(value.and_then(|v| crate::store::KeyReader::new(v.payload()).u64()).unwrap_or(0))
    }

    /// The segments that a view has.
    pub(super) fn load(snapshot: &Snapshot) -> Result<Catalog, StoreError> {
        let version = Self::version_of(snapshot)?;
        let mut segments = Vec::new();
        for entry in snapshot.table(Table::Segments)?.all()? {
            let value = entry?.open()?;
            segments.push(decode_record(RecordKind::Segment, SEGMENT_VERSION, value.payload())?);
        }
        Ok(Catalog { version, segments })
    }

    /// The catalog after a change, saved as part of `txn`.
    pub(super) fn change(
        &self,
        txn: &mut Txn<'_>,
        add: &[Segment],
        remove: &[u32],
    ) -> Result<Catalog, StoreError> {
        let version = self.version + 1;
        txn.insert(Table::Meta, VERSION_KEY, Key::new().u64(version).as_bytes())?;
        for id in remove {
            txn.remove(Table::Segments, Key::new().u32(*id).as_bytes())?;
        }
        for segment in add {
            segment.save(txn)?;
        }
        let mut segments: Vec<Segment> =
            self.segments.iter().filter(|s| !remove.contains(&s.id)).cloned().collect();
        segments.extend_from_slice(add);
        segments.sort_by_key(|segment| segment.id);
        Ok(Catalog { version, segments })
    }

    /// Takes `count` fresh segment numbers; gives the first. Numbers are never used twice.
    pub(super) fn take_ids(txn: &mut Txn<'_>, count: u32) -> Result<u32, StoreError> {
        let next = txn
            .get(Table::Meta, NEXT_ID_KEY)?
            .and_then(|bytes| crate::store::KeyReader::new(&bytes).u32())
            .unwrap_or(1);
        txn.insert(Table::Meta, NEXT_ID_KEY, Key::new().u32(next + count).as_bytes())?;
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_has_a_number_of_its_own() {
        let mut levels = vec![Level::Flushed, Level::Hours, Level::Day];
        for resolution in [Resolution::FiveMinutes, Resolution::Hour] {
            levels.extend(Column::ALL.map(|column| Level::Rollup(resolution, column)));
            levels.push(Level::Rollup(resolution, Column::Histogram));
        }
        for level in levels {
            assert_eq!(Level::from_code(level.code()), Some(level));
        }
        assert_eq!(Level::from_code(3), None);
        assert_eq!(Level::from_code(23), None);
    }
}
