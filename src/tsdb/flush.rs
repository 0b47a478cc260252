//! Flush: a head becomes a segment, and its part of the journal goes.

use std::sync::{Arc, PoisonError};

use super::block::Columns;
use super::head::Head;
use super::recover::FLUSHED_KEY;
use super::segment::Level;
use super::segment_writer::{SLICE_BYTES, SegmentWriter};
use super::{Tsdb, TsdbError, Upkeep, activity, series_table};
use crate::promql::Samples;
use crate::store::{Key, Table};

impl Tsdb {
    /// Moves everything that is in heads into segments. Writes go on meanwhile, into a new head.
    /// `progress` hears how far it has come. Gives how many samples were moved.
    pub fn flush(&self, progress: &dyn Fn(f64)) -> Result<u64, TsdbError> {
        let mut upkeep = self.lock_upkeep();
        self.mend_store()?;
        self.freeze();
        let frozen = self.read_heads().frozen;
        let mut moved = 0;
        for (place, head) in frozen.iter().enumerate() {
            let share = |part: f64| progress((place as f64 + part) / frozen.len() as f64);
            moved += self.flush_head(&mut upkeep, head, &share)?;
        }
        Ok(moved)
    }

    /// Freezes the active head at a group's boundary, if it holds anything.
    fn freeze(&self) {
        let mut state = self.lock_writer();
        if state.unsettled {
            return;
        }
        let mut heads = self.heads.write().unwrap_or_else(PoisonError::into_inner);
        if heads.active.samples() == 0 {
            return;
        }
        let fresh = state.writer.next_generation();
        let old = std::mem::replace(&mut heads.active, fresh);
        heads.frozen.push(old);
    }

    fn flush_head(
        &self,
        upkeep: &mut Upkeep,
        head: &Arc<Head>,
        progress: &dyn Fn(f64),
    ) -> Result<u64, TsdbError> {
        let mut writer =
            SegmentWriter::new(&self.store, Level::Flushed, 0, u64::from(head.generation))?;
        let mut days = activity::Days::default();
        let (mut scratch, mut samples) = (Vec::new(), Samples::default());
        let series = head.series();
        for (place, id) in series.iter().enumerate() {
            head.read_series(*id, &mut scratch, &mut samples);
            days.note(*id, &samples.times);
            writer.push(*id, Columns::of(&samples, 0, samples.len()))?;
            if place % 256 == 0 {
                progress(place as f64 / series.len() as f64);
            }
        }
        let segment = writer.finish()?;
        let moved = segment.as_ref().map_or(0, |segment| segment.samples);

        let (blocks, saved_until) = self.series_blocks(upkeep.series_saved_until)?;
        let catalog = self.catalog();
        let add: Vec<_> = segment.into_iter().collect();
        let changed = self.store.write(true, |txn| {
            for (first, block) in &blocks {
                series_table::save(txn, *first, block.as_deref())?;
            }
            days.save(txn)?;
            txn.insert(Table::Meta, FLUSHED_KEY, Key::new().u32(head.generation).as_bytes())?;
            catalog.change(txn, &add, &[])
        })?;
        upkeep.series_saved_until = saved_until;
        // Blocks first, then without the head: a reader may see both, never neither.
        self.set_catalog(changed);
        let mut heads = self.heads.write().unwrap_or_else(PoisonError::into_inner);
        heads.frozen.retain(|other| other.generation != head.generation);
        drop(heads);
        self.clear_journal(head.generation)?;
        progress(1.0);
        Ok(moved)
    }

    /// The blocks of the series table that must be written, and the id up to which they reach.
    #[allow(clippy::type_complexity)]
    fn series_blocks(&self, from: u32) -> Result<(Vec<(u32, Option<Vec<u8>>)>, u32), TsdbError> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let until = index.next_id().max(from);
        if until == from {
            return Ok((Vec::new(), from));
        }
        let blocks = series_table::blocks(from, until)
            .map(|first| Ok((first, series_table::encode(&index, first)?)))
            .collect::<std::io::Result<Vec<_>>>()
            .map_err(|e| TsdbError::Codec(e.to_string()))?;
        Ok((blocks, until))
    }

    fn clear_journal(&self, generation: u32) -> Result<(), TsdbError> {
        let until = Key::new().u32(generation + 1);
        while !self.store.write(false, |txn| {
            txn.remove_range(Table::Journal, &[], until.as_bytes(), SLICE_BYTES)
        })? {}
        Ok(())
    }

    /// Removes what an interrupted flush, merge or expiry left behind.
    pub(super) fn remove_orphans(&self) -> Result<(), TsdbError> {
        let snapshot = self.store.read()?;
        let flushed = super::recover::flushed_generation(&snapshot)?;
        let catalog = self.catalog();
        let mut orphans = Vec::new();
        let table = snapshot.table(Table::Blocks)?;
        let mut from = Key::new();
        while let Some(entry) = table.at_or_after(from.as_bytes())? {
            let Some(id) = crate::store::KeyReader::new(entry.key()).u32() else { break };
            if !catalog.segments.iter().any(|segment| segment.id == id) {
                orphans.push(id);
            }
            let Some(next) = id.checked_add(1) else { break };
            from = Key::new().u32(next);
        }
        let has_journal = snapshot
            .table(Table::Journal)?
            .at_or_after(&[])?
            .and_then(|entry| super::journal::parse_key(entry.key()))
            .is_some_and(|(generation, _)| generation <= flushed);
        drop(table);
        drop(snapshot);
        if has_journal {
            self.clear_journal(flushed)?;
        }
        self.remove_blocks(&orphans)
    }

    /// Removes the blocks of segments that are not in the catalog any more.
    pub(super) fn remove_blocks(&self, segments: &[u32]) -> Result<(), TsdbError> {
        for id in segments {
            let (from, until) = (Key::new().u32(*id), Key::new().u32(id + 1));
            while !self.store.write(false, |txn| {
                txn.remove_range(Table::Blocks, from.as_bytes(), until.as_bytes(), SLICE_BYTES)
            })? {}
        }
        Ok(())
    }
}
