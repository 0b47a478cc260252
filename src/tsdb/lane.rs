//! Walks the blocks of one segment by rising series.

use std::cell::RefCell;
use std::rc::Rc;

use super::block::{ChunkEntry, OpenBlock, Unpacker};
use super::segment::Segment;
use crate::promql::Samples;
use crate::store::{KeyReader, Snapshot, StoreError, Table, TableReader};

/// What the lanes of one reader share.
pub(super) struct BlockReader<'s> {
    table: TableReader<'s>,
    unpacker: RefCell<Unpacker>,
}

impl<'s> BlockReader<'s> {
    /// Reads blocks of a view.
    pub(super) fn new(snapshot: &'s Snapshot) -> Result<Rc<Self>, StoreError> {
        let unpacker = Unpacker::new().map_err(|e| StoreError::Read(e.to_string()))?;
        let table = snapshot.table(Table::Blocks)?;
        Ok(Rc::new(BlockReader { table, unpacker: RefCell::new(unpacker) }))
    }
}

/// One segment's blocks, opened one at a time.
pub(super) struct Lane<'s> {
    pub(super) segment: Segment,
    reader: Rc<BlockReader<'s>>,
    block: OpenBlock,
    /// The key of the open block: first series and part.
    open: Option<(u32, u32)>,
    /// The next chunk of the open block.
    at: usize,
    exhausted: bool,
    /// Blocks that were damaged and skipped.
    pub(super) damaged: u64,
}

impl<'s> Lane<'s> {
    pub(super) fn new(segment: Segment, reader: Rc<BlockReader<'s>>) -> Self {
        Lane {
            segment,
            reader,
            block: OpenBlock::default(),
            open: None,
            at: 0,
            exhausted: false,
            damaged: 0,
        }
    }

    /// Moves to the first chunk of a series of at least `series` and gives that series; `None`
    /// when there is none. Never moves back.
    pub(super) fn seek(&mut self, series: u32) -> Result<Option<u32>, StoreError> {
        loop {
            if self.exhausted {
                return Ok(None);
            }
            let ahead = &self.block.chunks[self.at..];
            match ahead.last() {
                Some(last) if last.series >= series => {
                    self.at += ahead.partition_point(|chunk| chunk.series < series);
                    return Ok(Some(self.block.chunks[self.at].series));
                }
                _ => self.open_block(series)?,
            }
        }
    }

    /// Adds the chunks of `series` that reach into the times from `start` to `end` to `gatherer`.
    pub(super) fn gather(
        &mut self,
        series: u32,
        start: i64,
        end: i64,
        gatherer: &mut Gatherer,
    ) -> Result<(), StoreError> {
        if self.seek(series)? != Some(series) {
            return Ok(());
        }
        let priority = self.segment.priority;
        let mut damaged = 0;
        self.for_each_chunk(series, |block, chunk| {
            if chunk.first <= end
                && chunk.last >= start
                && !gatherer.add_chunk(block, chunk, priority)
            {
                damaged += 1;
            }
        })?;
        self.damaged += damaged;
        Ok(())
    }

    /// Calls `each` with the chunks of exactly `series`, in the order of time. `seek` must have
    /// been called with it.
    pub(super) fn for_each_chunk(
        &mut self,
        series: u32,
        mut each: impl FnMut(&OpenBlock, &ChunkEntry),
    ) -> Result<(), StoreError> {
        loop {
            while let Some(chunk) = self.block.chunks.get(self.at) {
                if chunk.series != series {
                    return Ok(());
                }
                each(&self.block, chunk);
                self.at += 1;
            }
            // The series may go on in the next block.
            if self.seek(series)? != Some(series) {
                return Ok(());
            }
        }
    }

    /// Opens the first block after the current one that may hold `series`.
    fn open_block(&mut self, series: u32) -> Result<(), StoreError> {
        let id = self.segment.id;
        // Blocks between are skipped unopened. The right one is the last that begins before the
        // series (the series may start at its end), unless that is behind us already.
        let before = match series.checked_sub(1) {
            Some(lower) => {
                let bound = Segment::block_key(id, lower, u32::MAX);
                let entry = self.reader.table.at_or_before(bound.as_bytes())?;
                entry.filter(|entry| segment_of(entry.key()) == Some(id))
            }
            None => None,
        };
        let current = self.open.map(|(first, part)| Segment::block_key(id, first, part));
        let is_ahead = |key: &[u8]| current.as_ref().is_none_or(|c| key > c.as_bytes());
        let next = match before {
            Some(entry) if is_ahead(entry.key()) => Some(entry),
            _ => {
                let (first, part) = self.open.map_or((0, 0), |(first, part)| (first, part + 1));
                self.reader.table.at_or_after(Segment::block_key(id, first, part).as_bytes())?
            }
        };
        let Some(entry) = next.filter(|entry| segment_of(entry.key()) == Some(id)) else {
            self.exhausted = true;
            return Ok(());
        };
        let mut key = KeyReader::new(&entry.key()[4..]);
        self.open = key.u32().zip(key.u32());
        self.at = 0;
        let opened = match entry.open() {
            Ok(value) => {
                self.block.open(&mut self.reader.unpacker.borrow_mut(), value.payload()).is_ok()
            }
            Err(StoreError::Damaged { .. }) => false,
            Err(error) => return Err(error),
        };
        if !opened {
            self.block.chunks.clear();
            self.damaged += 1;
            tracing::error!(segment = id, block = ?self.open, "skipped a damaged block; `vedette verify` lists all");
        }
        Ok(())
    }
}

fn segment_of(key: &[u8]) -> Option<u32> {
    KeyReader::new(key).u32()
}

/// A sorted run of samples of one series, from one lane or head.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Where it stands in the gathered samples.
    from: usize,
    until: usize,
    priority: u64,
}

/// Brings the samples of one series from several lanes and heads together.
#[derive(Debug, Default)]
pub(super) struct Gatherer {
    gathered: Samples,
    runs: Vec<Run>,
}

impl Gatherer {
    pub(super) fn clear(&mut self) {
        self.gathered.clear();
        self.runs.clear();
    }

    /// Adds a chunk. Chunks of one lane come in the order of time.
    pub(super) fn add_chunk(
        &mut self,
        block: &OpenBlock,
        chunk: &ChunkEntry,
        priority: u64,
    ) -> bool {
        let from = self.gathered.len();
        if block.decode(chunk, &mut self.gathered).is_err() {
            self.gathered.truncate(from);
            return false;
        }
        self.note(from, priority);
        true
    }

    /// Adds samples in order of time.
    pub(super) fn add(&mut self, samples: &Samples, priority: u64) {
        let from = self.gathered.len();
        self.gathered.extend_from(samples, 0, samples.len());
        self.note(from, priority);
    }

    fn note(&mut self, from: usize, priority: u64) {
        let until = self.gathered.len();
        if until > from {
            self.runs.push(Run { from, until, priority });
        }
    }

    /// Puts the samples from `start` to `end` (both included) into `out`, by rising time; of
    /// several at one time the one of the greatest priority, and of equal priority the one that
    /// was added last.
    pub(super) fn finish(&mut self, start: i64, end: i64, out: &mut Samples) {
        out.clear();
        let times = &self.gathered.times;
        self.runs.sort_by_key(|run| times[run.from]);
        let apart = self.runs.windows(2).all(|pair| times[pair[0].until - 1] < times[pair[1].from]);
        if !apart {
            self.runs.sort_by_key(|run| run.priority);
        }
        for run in &self.runs {
            let times = &self.gathered.times[run.from..run.until];
            let from = times.partition_point(|at| *at < start);
            let until = times.partition_point(|at| *at <= end);
            if from < until {
                out.extend_from(&self.gathered, run.from + from, run.from + until);
            }
        }
        if !apart {
            super::head::put_in_order(out);
        }
        if !out.histograms.iter().any(Option::is_some) {
            // None of them is within the times.
            out.histograms.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(pairs: &[(i64, f64)]) -> Samples {
        let mut out = Samples::default();
        pairs.iter().for_each(|(at, value)| out.push(*at, *value));
        out
    }

    #[test]
    fn runs_apart_are_put_one_after_another() {
        let mut gatherer = Gatherer::default();
        gatherer.add(&samples(&[(30, 3.0), (40, 4.0)]), 1);
        gatherer.add(&samples(&[(10, 1.0), (20, 2.0)]), 9);
        let mut out = Samples::default();
        gatherer.finish(20, 30, &mut out);
        assert_eq!((out.times, out.values), (vec![20, 30], vec![2.0, 3.0]));
    }

    #[test]
    fn at_one_time_the_greater_priority_wins() {
        let mut gatherer = Gatherer::default();
        gatherer.add(&samples(&[(10, 9.0), (20, 9.0)]), 2);
        gatherer.add(&samples(&[(5, 1.0), (20, 1.0), (30, 1.0)]), 1);
        let mut out = Samples::default();
        gatherer.finish(i64::MIN, i64::MAX, &mut out);
        assert_eq!(out.times, [5, 10, 20, 30]);
        assert_eq!(out.values, [1.0, 9.0, 9.0, 1.0]);
    }
}
