//! Merge: segments of many small chunks become segments of a window each, with long chunks.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::activity::{DAY_MS, day_of};
use super::block::Columns;
use super::lane::{BlockReader, Gatherer, Lane};
use super::segment::{Catalog, Level, Segment};
use super::segment_writer::SegmentWriter;
use super::{Tsdb, TsdbError};
use crate::model::Timestamp;
use crate::promql::Samples;
use crate::store::Snapshot;

/// The window of [`Level::Hours`].
const HOURS_MS: i64 = 2 * 3_600_000;
/// So many flushed segments are merged in any case: each makes every query a little slower.
const FLUSHED_MAX: usize = 8;
/// Windows that are written in one pass over the inputs: each holds a compressor and a block.
const WINDOWS_PER_PASS: usize = 8;
/// A day is closed for merging only a while after its end, so that what was on its way is in.
const CLOSED_AFTER_MS: i64 = 3_600_000;

/// A span of time that becomes one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Window {
    start: i64,
    end: i64,
    level: Level,
}

impl Window {
    /// The window of a time, as things stand at `now_ms`: the day once it is over, else two
    /// hours of it.
    fn of(at_ms: i64, now_ms: i64) -> Window {
        let day = day_of(at_ms);
        let day_end = (day + 1).saturating_mul(DAY_MS);
        if day_end.saturating_add(CLOSED_AFTER_MS) <= now_ms {
            return Window { start: day.saturating_mul(DAY_MS), end: day_end, level: Level::Day };
        }
        let start = at_ms.div_euclid(HOURS_MS).saturating_mul(HOURS_MS);
        Window { start, end: start.saturating_add(HOURS_MS), level: Level::Hours }
    }

    fn contains(&self, segment: &Segment) -> bool {
        segment.from_ms >= self.start && segment.until_ms < self.end
    }
}

/// What to merge next.
#[derive(Debug, PartialEq, Eq)]
enum Job {
    /// All flushed segments, into the windows that their samples belong to.
    Flushed,
    /// The parts of a day that is over.
    Day(Window),
}

/// Decides from the catalog alone.
fn next_job(catalog: &Catalog, now_ms: i64) -> Option<Job> {
    let flushed: Vec<&Segment> =
        catalog.segments.iter().filter(|s| s.level == Level::Flushed).collect();
    let this_window = now_ms.div_euclid(HOURS_MS) * HOURS_MS;
    // Once a window is over, what was flushed of it goes where it belongs.
    let over = flushed.iter().any(|segment| segment.from_ms < this_window);
    if over || flushed.len() >= FLUSHED_MAX {
        return Some(Job::Flushed);
    }
    let hours = catalog.segments.iter().filter(|s| s.level == Level::Hours);
    let closed = |segment: &Segment| {
        let window = Window::of(segment.window_start, now_ms);
        (window.level == Level::Day).then_some(window)
    };
    hours.filter_map(closed).min().map(Job::Day)
}

impl Tsdb {
    /// Merges what is ripe at `now`. Gives whether there was anything to do. Queries and writes
    /// go on meanwhile.
    pub fn merge(&self, now: Timestamp, progress: &dyn Fn(f64)) -> Result<bool, TsdbError> {
        let _turn = self.lock_upkeep();
        self.mend_store()?;
        let catalog = self.catalog();
        let Some(job) = next_job(&catalog, now.millis()) else { return Ok(false) };
        let flushed: Vec<Segment> = match job {
            Job::Flushed => {
                catalog.segments.iter().filter(|s| s.level == Level::Flushed).cloned().collect()
            }
            Job::Day(_) => Vec::new(),
        };
        let windows: Vec<Window> = match job {
            Job::Flushed => self.windows_of(&flushed, now)?.into_iter().collect(),
            Job::Day(window) => vec![window],
        };
        let mut add = Vec::new();
        let mut remove: BTreeSet<u32> = flushed.iter().map(|segment| segment.id).collect();
        let passes = windows.len().div_ceil(WINDOWS_PER_PASS).max(1);
        for (pass, windows) in windows.chunks(WINDOWS_PER_PASS).enumerate() {
            let within = |s: &&Segment| {
                s.level.is_raw()
                    && s.level != Level::Flushed
                    && windows.iter().any(|window| window.contains(s))
            };
            let merged: Vec<Segment> = catalog.segments.iter().filter(within).cloned().collect();
            remove.extend(merged.iter().map(|segment| segment.id));
            let inputs: Vec<Segment> = flushed.iter().cloned().chain(merged).collect();
            let share = |part: f64| progress((pass as f64 + part) / passes as f64);
            add.extend(self.merge_pass(&inputs, windows, &share)?);
        }
        let remove: Vec<u32> = remove.into_iter().collect();
        let changed = self.store.write(true, |txn| catalog.change(txn, &add, &remove))?;
        self.set_catalog(changed);
        self.remove_blocks(&remove)?;
        progress(1.0);
        Ok(true)
    }

    /// The windows in which flushed segments have samples.
    fn windows_of(
        &self,
        flushed: &[Segment],
        now: Timestamp,
    ) -> Result<BTreeSet<Window>, TsdbError> {
        let mut windows = BTreeSet::new();
        let mut wide = Vec::new();
        for segment in flushed {
            let first = Window::of(segment.from_ms, now.millis());
            windows.insert(first);
            if segment.until_ms >= first.end {
                wide.push(segment.clone());
            }
        }
        // Only samples that reach over several windows are looked at one by one.
        let snapshot = self.store.read()?;
        for_each_series(&snapshot, &wide, |_, samples| {
            let mut rest = samples.times.as_slice();
            while let Some(at) = rest.first() {
                let window = Window::of(*at, now.millis());
                windows.insert(window);
                rest = &rest[rest.partition_point(|at| *at < window.end)..];
            }
            Ok(())
        })?;
        Ok(windows)
    }

    fn merge_pass(
        &self,
        inputs: &[Segment],
        windows: &[Window],
        progress: &dyn Fn(f64),
    ) -> Result<Vec<Segment>, TsdbError> {
        let priority = inputs.iter().map(|segment| segment.priority).max().unwrap_or(0);
        let mut writers = BTreeMap::new();
        for window in windows {
            let writer = SegmentWriter::new(&self.store, window.level, window.start, priority)?;
            writers.insert(window.start, (window.end, writer));
        }
        let snapshot = self.store.read()?;
        let total = self.index.read().map_or(1, |index| index.next_id().max(1));
        for_each_series(&snapshot, inputs, |series, samples| {
            if series % 256 == 0 {
                progress(f64::from(series) / f64::from(total));
            }
            for (start, (end, writer)) in &mut writers {
                let from = samples.times.partition_point(|at| at < start);
                let until = samples.times.partition_point(|at| at < end);
                writer.push(series, Columns::of(samples, from, until))?;
            }
            Ok(())
        })?;
        drop(snapshot);
        let finished = writers.into_values().map(|(_, writer)| writer.finish());
        Ok(finished.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }
}

/// Calls `each` with every series that has samples in any of the segments, by rising id, and
/// those samples in order.
pub(super) fn for_each_series(
    snapshot: &Snapshot,
    segments: &[Segment],
    mut each: impl FnMut(u32, &Samples) -> Result<(), TsdbError>,
) -> Result<(), TsdbError> {
    let blocks = BlockReader::new(snapshot)?;
    let mut lanes: Vec<Lane<'_>> =
        segments.iter().map(|s| Lane::new(s.clone(), Rc::clone(&blocks))).collect();
    let (mut gatherer, mut samples) = (Gatherer::default(), Samples::default());
    let mut from = Some(0);
    while let Some(wanted) = from {
        let mut next: Option<u32> = None;
        for lane in &mut lanes {
            if let Some(found) = lane.seek(wanted)? {
                next = Some(next.map_or(found, |next| next.min(found)));
            }
        }
        let Some(series) = next else { break };
        gatherer.clear();
        for lane in &mut lanes {
            lane.gather(series, i64::MIN, i64::MAX, &mut gatherer)?;
        }
        gatherer.finish(i64::MIN, i64::MAX, &mut samples);
        each(series, &samples)?;
        from = series.checked_add(1);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(id: u32, level: Level, from_ms: i64, until_ms: i64) -> Segment {
        let window_start = if level == Level::Flushed { 0 } else { from_ms };
        Segment {
            id,
            level,
            window_start,
            priority: 1,
            from_ms,
            until_ms,
            samples: 1,
            bytes: 1,
            blocks: 1,
        }
    }

    fn job(segments: Vec<Segment>, now_ms: i64) -> Option<Job> {
        next_job(&Catalog { version: 1, segments }, now_ms)
    }

    #[test]
    fn flushed_segments_wait_until_their_window_is_over() {
        let fresh = segment(1, Level::Flushed, HOURS_MS, HOURS_MS + 900_000);
        assert_eq!(job(vec![fresh.clone()], HOURS_MS + 1_000_000), None);
        assert_eq!(job(vec![fresh.clone()], 2 * HOURS_MS), Some(Job::Flushed));
        let eight = (0..8).map(|id| Segment { id, ..fresh.clone() }).collect();
        assert_eq!(job(eight, HOURS_MS + 1_000_000), Some(Job::Flushed));
    }

    #[test]
    fn hours_become_a_day_an_hour_after_its_end() {
        let hours = segment(1, Level::Hours, 0, HOURS_MS - 1);
        assert_eq!(job(vec![hours.clone()], DAY_MS), None);
        let day = Window { start: 0, end: DAY_MS, level: Level::Day };
        assert_eq!(job(vec![hours], DAY_MS + CLOSED_AFTER_MS), Some(Job::Day(day)));
    }

    #[test]
    fn times_before_1970_have_windows_too() {
        let window = Window::of(-1, 0);
        assert_eq!((window.start, window.end), (-HOURS_MS, 0));
        let window = Window::of(-1, CLOSED_AFTER_MS);
        assert_eq!((window.start, window.end, window.level), (-DAY_MS, 0, Level::Day));
    }
}
