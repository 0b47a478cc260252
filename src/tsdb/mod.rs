//! The time-series engine: samples in, durable, and out again by selector.
//!
//! Owns: series and their index, the newest samples in memory (heads), the journal that makes
//! them durable, packed blocks and their segments, flush, merge, rollups, retention, selection.
//! Never: threads, clocks or wire formats; whoever calls brings time and schedule. Start reading
//! at [`Tsdb`].
//!
//! Life of a sample: [`BatchBuilder`] → [`Tsdb::write`] (journal, committed, then the active
//! head) → [`Tsdb::flush`] (head → L0 segment) → [`Tsdb::merge`] (L0 → 2 h → day) →
//! [`Tsdb::expire`] (day → rollups → gone).

mod activity;
mod batch;
mod block;
mod block_cache;
mod exemplars;
mod expire;
mod flush;
mod head;
mod index;
mod journal;
mod lane;
mod merge;
mod open_chunk;
mod open_histogram;
mod options;
mod packed_histograms;
mod packed_times;
mod packed_values;
mod postings;
mod recover;
mod rollup;
mod salvage;
#[cfg(test)]
mod sample_histograms;
mod segment;
mod segment_writer;
mod select;
mod series_keys;
mod series_table;
mod symbols;
pub(crate) use crate::model::varint;
mod verify;
mod views;
mod writer;

pub use batch::{Batch, BatchBuilder, BatchSeries};
pub use expire::Expired;
pub use index::IndexStats;
pub use options::{Retention, TsdbOptions};
pub use recover::RecoveryReport;
pub use salvage::{SALVAGED_UNITS_KEY, SalvageOutcome, salvage};
pub use segment::{Catalog, Column, Level, Resolution, Segment};
pub use select::Reader;
pub use series_keys::{SeriesHasher, SeriesKey};
pub use verify::inspect;
pub use views::{StorageStats, TsdbStats};

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use block_cache::BlockCache;
use exemplars::ExemplarLog;
use head::Heads;
use index::Index;
use series_keys::SeriesKeys;
use writer::Writer;

use crate::model::{Labels, Metadata};
use crate::store::{RecordKind, Store, StoreError, Table, encode_record};

/// Why the engine could not do it.
#[derive(Debug, thiserror::Error)]
pub enum TsdbError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Compression failed.
    #[error("cannot compress samples: {0}")]
    Codec(String),
    /// A series of the batch was removed after the batch was put together; putting it together
    /// again helps.
    #[error("a series was removed while its samples were on their way; send them again")]
    SeriesRemoved,
}

/// The engine. One per store.
pub struct Tsdb {
    store: Arc<Store>,
    options: TsdbOptions,
    index: RwLock<Index>,
    keys: RwLock<SeriesKeys>,
    hasher: SeriesHasher,
    heads: RwLock<Heads>,
    catalog: RwLock<Arc<Catalog>>,
    /// Blocks that queries unpacked.
    blocks: BlockCache,
    metadata: RwLock<BTreeMap<String, Metadata>>,
    writer: Mutex<WriterState>,
    exemplars: Mutex<ExemplarLog>,
    /// Held by flush, merge and expiry: they change segments and must take turns.
    upkeep: Mutex<Upkeep>,
    /// Counts removals of series, so that a batch with their ids is noticed.
    removals: AtomicU64,
    /// Blocks that were found damaged while reading.
    damaged_blocks: AtomicU64,
}

#[derive(Debug)]
struct WriterState {
    writer: Writer,
    /// The last commit failed and it is not known yet whether it is durable.
    unsettled: bool,
}

#[derive(Debug, Default)]
struct Upkeep {
    /// Series below this id are in the series table.
    series_saved_until: u32,
}

const METADATA_VERSION: u8 = 1;

impl Tsdb {
    /// Begins to put a batch together.
    pub fn batch(&self) -> BatchBuilder<'_> {
        BatchBuilder::new(self)
    }

    /// Makes batches durable in one transaction and then visible. When it fails, none of them
    /// is visible; whether they are durable is then unknown to the caller, but each is whole or
    /// absent.
    pub fn write(&self, batches: &[Batch]) -> Result<(), TsdbError> {
        let mut state = self.lock_writer();
        let head = Arc::clone(&self.read_heads().active);
        if state.unsettled || self.store.has_failed() {
            self.settle(&mut state, &head)?;
        }
        for batch in batches {
            if batch.removals != self.removals() && !self.series_exist(batch) {
                state.writer.roll_back();
                return Err(TsdbError::SeriesRemoved);
            }
            if let Err(error) = state.writer.stage(self, batch) {
                state.writer.roll_back();
                return Err(TsdbError::Codec(error.to_string()));
            }
        }
        let metadata = self.changed_metadata(batches);
        let exemplars_max = self.options.exemplars_max;
        let exemplars = self.lock_exemplars().stage(state.writer.exemplars(), exemplars_max);
        let written = state.writer.commit(self, &head, |txn| {
            for (family, record) in &metadata {
                let bytes = encode_record(RecordKind::Metadata, METADATA_VERSION, record)?;
                txn.insert(Table::Metadata, family.as_bytes(), &bytes)?;
            }
            exemplars.save(txn)
        });
        match written {
            Ok(()) => {
                self.lock_exemplars().publish(exemplars, exemplars_max);
                if !metadata.is_empty() {
                    self.metadata.write().unwrap_or_else(PoisonError::into_inner).extend(metadata);
                }
                Ok(())
            }
            Err(error) => {
                state.unsettled = true;
                // Where this fails too, the next write tries again.
                let _ = self.settle(&mut state, &head);
                Err(error)
            }
        }
    }

    /// Brings store and writer back together after a failed commit.
    fn settle(&self, state: &mut WriterState, head: &head::Head) -> Result<(), TsdbError> {
        if self.store.has_failed() {
            self.store.reopen()?;
        }
        state.writer.settle_failed(self, head)?;
        self.reload_exemplars()?;
        state.unsettled = false;
        Ok(())
    }

    /// Reopens the store if a failed write of anybody but the writer has closed it.
    pub(crate) fn mend_store(&self) -> Result<(), TsdbError> {
        if !self.store.has_failed() {
            return Ok(());
        }
        let mut state = self.lock_writer();
        let head = Arc::clone(&self.read_heads().active);
        self.settle(&mut state, &head)
    }

    fn series_exist(&self, batch: &Batch) -> bool {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        batch
            .samples
            .iter()
            .map(|sample| sample.series)
            .chain(batch.exemplars.iter().map(|(series, _)| *series))
            .filter(|series| series & writer::NEW_SERIES == 0)
            .all(|series| index.all().contains(series))
    }

    fn changed_metadata(&self, batches: &[Batch]) -> BTreeMap<String, Metadata> {
        let known = self.metadata.read().unwrap_or_else(PoisonError::into_inner);
        let mut changed = BTreeMap::new();
        for (family, metadata) in batches.iter().flat_map(|batch| &batch.metadata) {
            let is_new = !known.contains_key(family) && !changed.contains_key(family);
            if is_new && known.len() + changed.len() >= self.options.metadata_max {
                continue;
            }
            if known.get(family) != Some(metadata) {
                changed.insert(family.clone(), metadata.clone());
            }
        }
        changed
    }

    /// The type, unit and help of metric families, by name.
    pub fn metadata(&self) -> BTreeMap<String, Metadata> {
        self.metadata.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many series are known.
    pub fn series_count(&self) -> u64 {
        self.index.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Bytes of journal that the active head stands on: what a restart would replay.
    pub fn journal_bytes(&self) -> u64 {
        self.lock_writer().writer.journal_bytes
    }

    /// The store beneath.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    fn find_series(&self, labels: &Labels) -> Option<u32> {
        self.index.read().unwrap_or_else(PoisonError::into_inner).find(labels)
    }

    fn removals(&self) -> u64 {
        self.removals.load(Ordering::Acquire)
    }

    fn lock_writer(&self) -> MutexGuard<'_, WriterState> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_upkeep(&self) -> MutexGuard<'_, Upkeep> {
        self.upkeep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_heads(&self) -> Heads {
        self.heads.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_catalog(&self, catalog: Catalog) {
        *self.catalog.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(catalog);
    }
}
