//! Selection: a consistent view of everything, by matchers and time.

use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use roaring::RoaringBitmap;

use super::Tsdb;
use super::activity::{self, DAY_MS};
use super::head::{Head, Heads};
use super::lane::{BlockReader, Gatherer, Lane};
use super::rollup::RollupReader;
use super::segment::{Catalog, Segment};
use crate::model::{Labels, Matcher};
use crate::promql::{Samples, Selection, SeriesCursor, Source, SourceError, Stop};
use crate::store::{Snapshot, StoreError};

/// A view of the engine for the length of one query. Samples that become durable while it is
/// open may appear in series that it has not come to yet.
pub struct Reader {
    pub(super) tsdb: Arc<Tsdb>,
    heads: Heads,
    pub(super) snapshot: Snapshot,
    catalog: Arc<Catalog>,
}

impl From<StoreError> for SourceError {
    fn from(error: StoreError) -> Self {
        SourceError::Storage(error.to_string())
    }
}

impl Tsdb {
    /// Opens a view.
    pub fn reader(self: &Arc<Self>) -> Result<Reader, StoreError> {
        // Heads before the snapshot: what is flushed in between is then seen twice, not never.
        let heads = self.read_heads();
        let catalog = self.catalog();
        let snapshot = self.store.read()?;
        let catalog = if Catalog::version_of(&snapshot)? == catalog.version {
            catalog
        } else {
            Arc::new(Catalog::load(&snapshot)?)
        };
        Ok(Reader { tsdb: Arc::clone(self), heads, snapshot, catalog })
    }
}

impl Reader {
    fn select_ids(&self, matchers: &[Matcher]) -> RoaringBitmap {
        self.tsdb.index.read().unwrap_or_else(PoisonError::into_inner).select(matchers)
    }

    /// The series that satisfy all matchers of any of the lists (all series without a list) and
    /// have samples about the time of the range: to the day for stored ones.
    fn matching(
        &self,
        lists: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<RoaringBitmap, StoreError> {
        let index = self.tsdb.index.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = RoaringBitmap::new();
        for matchers in lists {
            found |= index.select(matchers);
        }
        if lists.is_empty() {
            found = index.all().clone();
        }
        drop(index);
        let mut active = activity::between(&self.snapshot, start_ms, end_ms)?;
        for head in self.heads.all() {
            if head.bounds().is_some_and(|(from, until)| from <= end_ms && until >= start_ms) {
                active.extend(head.series());
            }
        }
        Ok(found & active)
    }

    /// The label sets of the series that satisfy any of the lists, sorted, at most `limit`.
    /// Times are Unix milliseconds, both included.
    pub fn series(
        &self,
        lists: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
        limit: usize,
    ) -> Result<Vec<Labels>, StoreError> {
        let found = self.matching(lists, start_ms, end_ms)?;
        let index = self.tsdb.index.read().unwrap_or_else(PoisonError::into_inner);
        let mut out: Vec<Labels> = found.iter().take(limit).map(|id| index.labels(id)).collect();
        out.sort_unstable();
        Ok(out)
    }

    /// The label names of those series, sorted.
    pub fn label_names(
        &self,
        lists: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>, StoreError> {
        let found = self.matching(lists, start_ms, end_ms)?;
        Ok(self.tsdb.index.read().unwrap_or_else(PoisonError::into_inner).names(&found))
    }

    /// The values of a label among those series, sorted.
    pub fn label_values(
        &self,
        name: &str,
        lists: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>, StoreError> {
        let found = self.matching(lists, start_ms, end_ms)?;
        Ok(self.tsdb.index.read().unwrap_or_else(PoisonError::into_inner).values(name, &found))
    }
}

impl Source for Reader {
    fn select<'a>(
        &'a self,
        selection: &Selection,
    ) -> Result<Box<dyn SeriesCursor + 'a>, SourceError> {
        self.select_until(selection, &Arc::default())
    }

    fn select_until<'a>(
        &'a self,
        selection: &Selection,
        stop: &Arc<Stop>,
    ) -> Result<Box<dyn SeriesCursor + 'a>, SourceError> {
        let (start, end) = (selection.start.millis(), selection.end.millis());
        let blocks = BlockReader::new(&self.snapshot)?;
        let raw = |s: &&Segment| s.level.is_raw() && s.overlaps(start, end);
        let segments = self.catalog.segments.iter().filter(raw);
        let lanes = segments.map(|s| Lane::new(s.clone(), Rc::clone(&blocks))).collect();
        let within = |(from, until): (i64, i64)| from <= end && until >= start;
        let heads = self.heads.all().filter(|head| head.bounds().is_some_and(within));
        let ids = self.select_ids(&selection.matchers);
        // Of many series it is worth knowing which have anything stored in these days.
        let stored = match ids.len() {
            0..ACTIVITY_WORTH_READING => None,
            // A day more at either end: what is rolled up may stand a little beside its samples.
            // A damaged day is no reason to fail; the blocks are what counts.
            _ => {
                let (from, until) = (start.saturating_sub(DAY_MS), end.saturating_add(DAY_MS));
                activity::between(&self.snapshot, from, until).ok()
            }
        };
        Ok(Box::new(Cursor {
            reader: self,
            stop: Arc::clone(stop),
            ids: ids.into_iter(),
            stored,
            heads: heads.cloned().collect(),
            start,
            end,
            lanes,
            rollups: RollupReader::new(&self.catalog, selection, &blocks),
            gatherer: Gatherer::default(),
            scratch: Vec::new(),
            part: Samples::default(),
        }))
    }
}

/// Of how many series on a selection asks which are active in its days, before it looks for
/// their blocks one by one.
const ACTIVITY_WORTH_READING: u64 = 1024;

struct Cursor<'a> {
    reader: &'a Reader,
    stop: Arc<Stop>,
    ids: roaring::bitmap::IntoIter,
    /// The series that have stored samples in the days of the range, where that is known.
    stored: Option<RoaringBitmap>,
    heads: Vec<Arc<Head>>,
    start: i64,
    end: i64,
    lanes: Vec<Lane<'a>>,
    rollups: Option<RollupReader<'a>>,
    gatherer: Gatherer,
    scratch: Vec<u8>,
    part: Samples,
}

impl SeriesCursor for Cursor<'_> {
    fn next(&mut self, samples: &mut Samples) -> Result<Option<Labels>, SourceError> {
        for id in self.ids.by_ref() {
            // Series without samples give nobody else an occasion to stop.
            self.stop.check().map_err(|_| SourceError::Stopped)?;
            self.gatherer.clear();
            if self.stored.as_ref().is_none_or(|stored| stored.contains(id)) {
                if let Some(rollups) = &mut self.rollups {
                    rollups.read(id, self.start, self.end, &mut self.part)?;
                    self.gatherer.add(&self.part, 0);
                }
                for lane in &mut self.lanes {
                    lane.gather(id, self.start, self.end, &mut self.gatherer)?;
                }
            }
            for head in &self.heads {
                head.read_series(id, &mut self.scratch, &mut self.part);
                self.gatherer.add(&self.part, u64::from(head.generation));
            }
            self.gatherer.finish(self.start, self.end, samples);
            if !samples.is_empty() {
                let index = self.reader.tsdb.index.read().unwrap_or_else(PoisonError::into_inner);
                return Ok(Some(index.labels(id)));
            }
        }
        Ok(None)
    }
}

impl Drop for Cursor<'_> {
    fn drop(&mut self) {
        let damaged: u64 = self.lanes.iter().map(|lane| lane.damaged).sum();
        self.reader.tsdb.damaged_blocks.fetch_add(damaged, Ordering::Relaxed);
    }
}
