//! Puts what could be read out of a damaged file into a new one.

use std::collections::BTreeMap;
use std::path::Path;

use super::block::{self, OpenBlock, Unpacker};
use super::index::Index;
use super::segment::{Catalog, Segment};
use super::{TsdbError, activity, journal, series_table};
use crate::promql::Samples;
use crate::store::{self, Key, KeyReader, SalvageReport, Salvaged, Store, Table};

/// The key in the table `Units` that says that a salvage filled it.
pub const SALVAGED_UNITS_KEY: &[u8] = &[6];

/// What was saved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SalvageOutcome {
    /// What was found.
    pub found: SalvageReport,
    /// Series whose labels were saved.
    pub series: u64,
    /// Samples in the blocks that were saved.
    pub block_samples: u64,
    /// Blocks that were saved.
    pub blocks: u64,
    /// Parts of the journal that were saved.
    pub journal_parts: u64,
}

/// Reads the file at `path` and fills the empty `target`. Data that had been removed on purpose
/// (expired, or merged into other blocks) may come back, with the same values.
pub fn salvage(
    path: &Path,
    target: &Store,
    progress: &dyn Fn(f64),
) -> Result<SalvageOutcome, TsdbError> {
    let mut outcome = SalvageOutcome::default();
    let mut kept: BTreeMap<Table, BTreeMap<Vec<u8>, Salvaged>> = BTreeMap::new();
    let mut index = Index::default();
    let mut through = Through { target, rows: Vec::new(), bytes: 0, failed: None };
    outcome.found = store::salvage(path, progress, &mut |table, key, value| match table {
        // Old versions of a block of series may know series that were removed since; ids are
        // never reused, so all of them are right.
        Table::Series => {
            series_table::decode(&value.payload, |id, labels| {
                if !index.all().contains(id) && index.find(&labels).is_none() {
                    index.insert(id, &labels);
                }
            });
        }
        Table::Meta | Table::Segments | Table::Activity => {}
        // A part of a block of log lines never changes: any version is the newest. There may be
        // more of them than fit into memory. The mark, of one byte, does change.
        Table::Logs if key.len() > 1 => through.add(table, key, value.payload),
        Table::Blocks
        | Table::Journal
        | Table::Metadata
        | Table::Records
        | Table::Exemplars
        | Table::Watch
        | Table::Incidents
        | Table::Checks
        | Table::Units
        | Table::Ledger
        | Table::Experiments
        | Table::LogJournal
        | Table::Logs => {
            store::newest(kept.entry(table).or_default(), key, value);
        }
    })?;
    through.save();
    if let Some(error) = through.failed {
        return Err(error.into());
    }
    let blocks = kept.remove(&Table::Blocks).unwrap_or_default();
    let newest = save_blocks(target, &blocks, &mut outcome)?;
    let journal = kept.remove(&Table::Journal).unwrap_or_default();
    outcome.journal_parts = save_journal(target, &journal, newest)?;
    outcome.series = index.len();
    target.write(true, |txn| {
        for first in series_table::blocks(0, index.next_id()) {
            let encoded = series_table::encode(&index, first).map_err(|e| {
                store::StoreError::Encode(format!("a block of series cannot be packed: {e}"))
            })?;
            series_table::save(txn, first, encoded.as_deref())?;
        }
        for (table, values) in &kept {
            for (key, value) in values {
                txn.insert(*table, key, &value.payload)?;
            }
        }
        if kept.contains_key(&Table::Units) {
            // Blocks of units that others had replaced may be back: their owner sorts them out.
            txn.insert(Table::Units, SALVAGED_UNITS_KEY, &[])?;
        }
        Ok(())
    })?;
    Ok(outcome)
}

/// Bytes that are saved in one transaction while the file is searched.
const THROUGH_BYTES: usize = 8 << 20;

/// Saves values as they are found.
struct Through<'t> {
    target: &'t Store,
    rows: Vec<(Table, Vec<u8>, Vec<u8>)>,
    bytes: usize,
    /// The first write that failed; nothing more is tried then.
    failed: Option<store::StoreError>,
}

impl Through<'_> {
    fn add(&mut self, table: Table, key: &[u8], payload: Vec<u8>) {
        self.bytes += payload.len();
        self.rows.push((table, key.to_vec(), payload));
        if self.bytes >= THROUGH_BYTES {
            self.save();
        }
    }

    fn save(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        if rows.is_empty() || self.failed.is_some() {
            return;
        }
        let saved = self.target.write(false, |txn| {
            rows.iter().try_for_each(|(table, key, payload)| txn.insert(*table, key, payload))
        });
        self.failed = saved.err();
    }
}

/// Saves blocks under their old keys and rebuilds the catalog from what they say of themselves.
/// Gives the newest generation that is in them.
fn save_blocks(
    target: &Store,
    blocks: &BTreeMap<Vec<u8>, Salvaged>,
    outcome: &mut SalvageOutcome,
) -> Result<u32, TsdbError> {
    let mut segments: BTreeMap<u32, Segment> = BTreeMap::new();
    let mut days = activity::Days::default();
    let mut open = OpenBlock::default();
    let mut unpacker = Unpacker::new().map_err(|e| TsdbError::Codec(e.to_string()))?;
    let mut slice: Vec<(&[u8], &[u8])> = Vec::new();
    let mut slice_bytes = 0;
    for (key, value) in blocks {
        let (Some(id), Some(origin)) = (KeyReader::new(key).u32(), block::origin(&value.payload))
        else {
            continue;
        };
        if open.open(&mut unpacker, &value.payload).is_err() {
            continue;
        }
        let segment = segments.entry(id).or_insert_with(|| Segment {
            id,
            level: origin.level,
            window_start: origin.window_start,
            priority: origin.priority,
            from_ms: i64::MAX,
            until_ms: i64::MIN,
            samples: 0,
            bytes: 0,
            blocks: 0,
        });
        let mut samples = Samples::default();
        for chunk in &open.chunks {
            samples.clear();
            if open.decode(chunk, &mut samples).is_ok() {
                days.note(chunk.series, &samples.times);
            }
            segment.from_ms = segment.from_ms.min(chunk.first);
            segment.until_ms = segment.until_ms.max(chunk.last);
            segment.samples += u64::from(chunk.count);
        }
        segment.bytes += value.payload.len() as u64;
        segment.blocks += 1;
        outcome.blocks += 1;
        slice.push((key, &value.payload));
        slice_bytes += value.payload.len();
        if slice_bytes >= super::segment_writer::SLICE_BYTES {
            save_slice(target, &mut slice)?;
            slice_bytes = 0;
        }
    }
    save_slice(target, &mut slice)?;
    outcome.block_samples = segments.values().map(|segment| segment.samples).sum();
    let next = segments.keys().next_back().map_or(1, |id| id + 1);
    let newest = segments.values().map(|segment| segment.priority).max().unwrap_or(0);
    let newest = u32::try_from(newest).unwrap_or(u32::MAX / 2);
    let segments: Vec<Segment> = segments.into_values().collect();
    target.write(true, |txn| {
        days.save(txn)?;
        Catalog::take_ids(txn, next)?;
        txn.insert(Table::Meta, super::recover::FLUSHED_KEY, Key::new().u32(newest).as_bytes())?;
        Catalog::default().change(txn, &segments, &[])
    })?;
    Ok(newest)
}

fn save_slice(target: &Store, slice: &mut Vec<(&[u8], &[u8])>) -> Result<(), TsdbError> {
    target.write(false, |txn| {
        slice.iter().try_for_each(|(key, payload)| txn.insert(Table::Blocks, key, payload))
    })?;
    slice.clear();
    Ok(())
}

/// Saves the parts of each generation that follow each other from the first without a gap: only
/// those decode. Generations are numbered anew, after the newest in blocks: whether a generation
/// was flushed completely is unknown, and replaying it once more changes nothing.
fn save_journal(
    target: &Store,
    parts: &BTreeMap<Vec<u8>, Salvaged>,
    newest: u32,
) -> Result<u64, TsdbError> {
    let mut generations: BTreeMap<u32, u64> = BTreeMap::new();
    let mut good = Vec::new();
    for (key, part) in parts {
        let Some((generation, sequence)) = journal::parse_key(key) else { continue };
        let place = generations.len() as u32;
        let is_new = !generations.contains_key(&generation);
        let expected = generations.entry(generation).or_insert(0);
        if *expected == sequence {
            *expected += 1;
            // Keys come in order, so the newest number so far is this generation's.
            let renumbered = newest + if is_new { place + 1 } else { place };
            good.push((journal::key(renumbered, sequence), part));
        }
    }
    for slice in good.chunks(64) {
        target.write(false, |txn| {
            slice.iter().try_for_each(|(key, part)| {
                txn.insert(Table::Journal, key.as_bytes(), &part.payload)
            })
        })?;
    }
    Ok(good.len() as u64)
}
