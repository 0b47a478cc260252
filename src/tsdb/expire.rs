//! Expiry: samples that are too old become rollups, rollups that are too old go, and so do
//! series that nothing is left of.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use roaring::RoaringBitmap;

use super::activity::{self, DAY_MS, day_of};
use super::block::Columns;
use super::lane::{BlockReader, Gatherer, Lane};
use super::merge::for_each_series;
use super::options::Retention;
use super::rollup::{last_histograms, reduce};
use super::segment::{Catalog, Column, Level, Resolution, Segment};
use super::segment_writer::SegmentWriter;
use super::{Tsdb, TsdbError, Upkeep, series_table};
use crate::model::Timestamp;
use crate::promql::Samples;
use crate::store::{Key, Table};

/// What an expiry removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Segments, those that became rollups included.
    pub segments: u64,
    /// Series.
    pub series: u64,
}

impl Tsdb {
    /// Applies `retention` as of `now`.
    pub fn expire(&self, now: Timestamp, retention: &Retention) -> Result<Expired, TsdbError> {
        let mut upkeep = self.lock_upkeep();
        self.mend_store()?;
        let mut expired = Expired::default();
        let raw_horizon = now.millis().saturating_sub(retention.raw_ms);
        // A rollup that would go at once is not made.
        let keeps_rollups = retention.rollup_ms > retention.raw_ms;
        if keeps_rollups {
            while let Some(day) = ripe_day(&self.catalog(), raw_horizon) {
                expired.segments += self.roll_up(day)?;
            }
        }
        let horizon = now.millis().saturating_sub(retention.raw_ms.max(retention.rollup_ms));
        // Where rollups are kept, samples go only when their day has become one.
        let old = |s: &Segment| {
            let is_raw_only = s.level.is_raw() && !keeps_rollups;
            s.until_ms < if is_raw_only { raw_horizon } else { horizon }
        };
        let gone: Vec<u32> =
            self.catalog().segments.iter().filter(|s| old(s)).map(|s| s.id).collect();
        expired.segments += self.drop_segments(&gone)?;
        if let Some(bytes_max) = retention.bytes_max {
            expired.segments += self.drop_segments(&beyond(&self.catalog(), bytes_max))?;
        }
        self.expire_exemplars(Timestamp::from_millis(raw_horizon))?;
        expired.series = self.remove_series(&mut upkeep)?;
        Ok(expired)
    }

    fn drop_segments(&self, gone: &[u32]) -> Result<u64, TsdbError> {
        if gone.is_empty() {
            return Ok(0);
        }
        let catalog = self.catalog();
        let changed = self.store.write(true, |txn| catalog.change(txn, &[], gone))?;
        self.set_catalog(changed);
        self.remove_blocks(gone)?;
        Ok(gone.len() as u64)
    }

    /// Replaces the samples of a day by their figures, in one step for readers.
    fn roll_up(&self, day: i64) -> Result<u64, TsdbError> {
        let catalog = self.catalog();
        let inputs: Vec<Segment> = raw_of_day(&catalog, day).cloned().collect();
        let start = day * DAY_MS;
        let mut writers = BTreeMap::new();
        for resolution in [Resolution::FiveMinutes, Resolution::Hour] {
            for column in Column::ALL.into_iter().chain([Column::Histogram]) {
                let level = Level::Rollup(resolution, column);
                let writer = SegmentWriter::new(&self.store, level, start, 0)?;
                writers.insert((resolution, column), writer);
            }
        }
        let snapshot = self.store.read()?;
        let blocks = BlockReader::new(&snapshot)?;
        let mut before = LastBefore::new(&catalog, start, &blocks);
        for_each_series(&snapshot, &inputs, |series, samples| {
            let last = before.read(series)?;
            for resolution in [Resolution::FiveMinutes, Resolution::Hour] {
                let figures = reduce(samples, resolution, last);
                for (column, values) in Column::ALL.into_iter().zip(&figures.columns) {
                    if let Some(writer) = writers.get_mut(&(resolution, column)) {
                        writer.push(series, Columns::floats(&figures.times, values))?;
                    }
                }
                let histograms = last_histograms(samples, resolution);
                if let Some(writer) = writers.get_mut(&(resolution, Column::Histogram)) {
                    writer.push(series, Columns::of(&histograms, 0, histograms.len()))?;
                }
            }
            Ok(())
        })?;
        let finished = writers.into_values().map(SegmentWriter::finish);
        let add: Vec<Segment> =
            finished.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        let remove: Vec<u32> = inputs.iter().map(|segment| segment.id).collect();
        drop(before);
        drop(blocks);
        drop(snapshot);
        let changed = self.store.write(true, |txn| catalog.change(txn, &add, &remove))?;
        self.set_catalog(changed);
        self.remove_blocks(&remove)?;
        Ok(remove.len() as u64)
    }

    /// Removes the days of activity that no segment reaches into any more, and then the series
    /// that have no samples left.
    fn remove_series(&self, upkeep: &mut Upkeep) -> Result<u64, TsdbError> {
        let snapshot = self.store.read()?;
        let earliest = self.catalog().segments.iter().map(|s| s.from_ms).min();
        let first_day = earliest.map_or(i64::MAX, day_of);
        let days = activity::days_before(&snapshot, first_day)?;
        if days.is_empty() {
            return Ok(0);
        }
        let _no_writes = self.lock_writer();
        // Under the writer's lock: nobody stages samples now, and batches that were put together
        // before carry the number of an earlier round.
        let mut alive = activity::between(&snapshot, first_day.saturating_mul(DAY_MS), i64::MAX)?;
        drop(snapshot);
        for head in self.read_heads().all() {
            alive.extend(head.series());
        }
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        // Series above are still only in the journal.
        let gone: RoaringBitmap =
            (index.all() - &alive).range(..upkeep.series_saved_until).collect();
        drop(index);
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        index.remove(&gone);
        let mut blocks = Vec::new();
        for first in series_table::blocks(0, upkeep.series_saved_until) {
            if gone.range(first..first.saturating_add(1000)).next().is_some() {
                let block = series_table::encode(&index, first);
                blocks.push((first, block.map_err(|e| TsdbError::Codec(e.to_string()))?));
            }
        }
        drop(index);
        self.keys.write().unwrap_or_else(PoisonError::into_inner).remove(&gone);
        self.removals.fetch_add(1, Ordering::AcqRel);
        self.store.write(true, |txn| {
            for (first, block) in &blocks {
                series_table::save(txn, *first, block.as_deref())?;
            }
            for day in &days {
                txn.remove(Table::Activity, Key::new().i64(*day).as_bytes())?;
            }
            Ok(())
        })?;
        Ok(gone.len())
    }
}

fn raw_of_day(catalog: &Catalog, day: i64) -> impl Iterator<Item = &Segment> {
    let (start, end) = (day * DAY_MS, (day + 1) * DAY_MS);
    catalog
        .segments
        .iter()
        .filter(move |s| s.level.is_raw() && s.from_ms >= start && s.until_ms < end)
}

/// The first day that lies wholly before the horizon, has samples, and has none in segments that
/// reach beyond it (those are merged into days first).
fn ripe_day(catalog: &Catalog, horizon_ms: i64) -> Option<i64> {
    let raw: Vec<&Segment> = catalog.segments.iter().filter(|s| s.level.is_raw()).collect();
    let mut days: Vec<i64> = raw
        .iter()
        .filter(|s| day_of(s.from_ms) == day_of(s.until_ms))
        .map(|s| day_of(s.from_ms))
        .filter(|day| (day + 1).saturating_mul(DAY_MS) <= horizon_ms)
        .collect();
    days.sort_unstable();
    days.into_iter().find(|day| {
        let (start, end) = (day * DAY_MS, (day + 1) * DAY_MS);
        raw.iter()
            .filter(|s| s.overlaps(start, end - 1))
            .all(|s| s.from_ms >= start && s.until_ms < end)
    })
}

/// The oldest segments that must go so that the rest is within `bytes_max`.
fn beyond(catalog: &Catalog, bytes_max: u64) -> Vec<u32> {
    let mut total: u64 = catalog.segments.iter().map(|segment| segment.bytes).sum();
    let mut oldest: Vec<&Segment> = catalog.segments.iter().collect();
    oldest.sort_by_key(|segment| segment.until_ms);
    let mut gone = Vec::new();
    for segment in oldest {
        if total <= bytes_max {
            break;
        }
        total -= segment.bytes;
        gone.push(segment.id);
    }
    gone
}

/// The last value of each series in the rollup of the day before.
struct LastBefore<'a> {
    lanes: Vec<Lane<'a>>,
    gatherer: Gatherer,
    samples: Samples,
}

impl<'a> LastBefore<'a> {
    fn new(catalog: &Catalog, start: i64, blocks: &Rc<BlockReader<'a>>) -> Self {
        let level = Level::Rollup(Resolution::FiveMinutes, Column::Last);
        let lanes = catalog
            .segments
            .iter()
            .filter(|s| s.level == level && s.window_start == start - DAY_MS)
            .map(|s| Lane::new(s.clone(), Rc::clone(blocks)))
            .collect();
        LastBefore { lanes, gatherer: Gatherer::default(), samples: Samples::default() }
    }

    fn read(&mut self, series: u32) -> Result<Option<f64>, TsdbError> {
        self.gatherer.clear();
        for lane in &mut self.lanes {
            lane.gather(series, i64::MIN, i64::MAX, &mut self.gatherer)?;
        }
        self.gatherer.finish(i64::MIN, i64::MAX, &mut self.samples);
        Ok(self.samples.values.last().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(id: u32, level: Level, from_ms: i64, until_ms: i64, bytes: u64) -> Segment {
        Segment {
            id,
            level,
            window_start: 0,
            priority: 1,
            from_ms,
            until_ms,
            samples: 1,
            bytes,
            blocks: 1,
        }
    }

    #[test]
    fn a_day_is_ripe_when_it_is_over_and_apart() {
        let catalog = |segments| Catalog { version: 1, segments };
        let day = segment(1, Level::Day, 5, DAY_MS - 1, 1);
        assert_eq!(ripe_day(&catalog(vec![day.clone()]), DAY_MS - 1), None);
        assert_eq!(ripe_day(&catalog(vec![day.clone()]), DAY_MS), Some(0));
        let wide = segment(2, Level::Flushed, 10, 3 * DAY_MS, 1);
        assert_eq!(ripe_day(&catalog(vec![day, wide]), 9 * DAY_MS), None);
    }

    #[test]
    fn the_oldest_go_first_when_space_is_bounded() {
        let segments = vec![
            segment(1, Level::Day, 0, 10, 100),
            segment(2, Level::Day, 20, 30, 100),
            segment(3, Level::Rollup(Resolution::Hour, Column::Min), 0, 5, 100),
        ];
        let catalog = Catalog { version: 1, segments };
        assert_eq!(beyond(&catalog, 300), Vec::<u32>::new());
        assert_eq!(beyond(&catalog, 150), [3, 1]);
    }
}
