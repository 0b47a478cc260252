//! Flushing: packs units that changed into their blocks, writes sums, tallies and ids, and cuts
//! the journal. It goes on in slices between groups, so that nobody waits long.
//!
//! Blocks are written first, slice by slice; the last transaction writes everything else as it was
//! when the flush began, and marks the journal up to there as done. Whatever crashes before that,
//! the journal is replayed over what was before: its facts say what every unit was and is.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::store::{StoreError, Table, Txn};

use super::core::Core;
use super::keys;
use super::units::{self, Changed, UnitKey};

/// A flush begins when so many bytes of journal would have to be replayed.
pub const JOURNAL_BYTES_MAX: usize = 16 << 20;
/// A flush begins when so many units are in memory.
pub const CHANGED_UNITS_MAX: usize = 100_000;
/// Bytes of blocks of experiments that are gone which one transaction removes, about.
const REMOVE_BYTES_MAX: usize = 16 << 20;
/// Tallies of one row.
const TALLIES_PER_ROW: usize = 512;

/// Where the last flush ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// Parts of the journal from here on are to be replayed.
    pub(super) flushed: u64,
    /// Experiments whose blocks are still to be removed.
    pub(super) dropped: Vec<u32>,
}

/// A flush that goes on.
pub(super) struct Flush {
    /// Parts of the journal before this one are done with it.
    until: u64,
    journal_bytes: usize,
    units: Arc<Changed>,
    /// Where the next slice begins; `None` when all units are packed.
    next: Option<UnitKey>,
    /// What the last transaction sets, and removes where there is nothing.
    last: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    dropped: BTreeSet<u32>,
}

impl Core {
    /// Whether so much changed that a flush should begin, or one goes on.
    pub fn wants_flush(&self) -> bool {
        self.flush.is_some()
            || self.journal_bytes >= JOURNAL_BYTES_MAX
            || self.shared().overlay().active.len() >= CHANGED_UNITS_MAX
            || (!self.dropped.is_empty() && self.journal_bytes == 0)
    }

    /// Whether anything changed since the last flush.
    pub fn has_unflushed(&self) -> bool {
        self.flush.is_some() || self.journal_bytes > 0 || !self.dropped.is_empty()
    }

    /// Takes the next step of a flush, one transaction; begins one where none goes on. Gives
    /// whether it is complete.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or written: the same step is taken the next time.
    pub fn flush_step(&mut self) -> Result<bool, StoreError> {
        self.settle()?;
        if self.flush.is_none() {
            let flush = self.begin_flush().map_err(StoreError::Write)?;
            self.flush = Some(flush);
        }
        let store = Arc::clone(self.tsdb().store());
        // Units of an experiment that was dropped meanwhile are gone from it.
        let frozen = Arc::clone(&self.shared().overlay().frozen);
        let Some(flush) = &mut self.flush else { return Ok(true) };
        flush.units = frozen;
        if let Some(from) = flush.next {
            let slice = units::pack(&store.read()?, &flush.units, from, flush.until)?;
            if !slice.writes.is_empty() {
                store.write(false, |txn| put(txn, &slice.writes))?;
            }
            flush.next = slice.next;
            return Ok(false);
        }
        let mark = Mark { flushed: flush.until, dropped: self.dropped.iter().copied().collect() };
        let mark = serde_json::to_vec(&mark).map_err(|e| StoreError::Encode(e.to_string()))?;
        let (from, until) = (keys::journal(self.flushed), keys::journal(flush.until));
        store.write(false, |txn| {
            put(txn, &flush.last)?;
            txn.insert(Table::Units, &keys::mark(), &mark)?;
            // What was added beyond a flush's bounds is removed all the same: a journal is small.
            txn.remove_range(Table::Ledger, &from, &until, usize::MAX).map(|_| ())
        })?;
        self.flushed = flush.until;
        self.journal_bytes = self.journal_bytes.saturating_sub(flush.journal_bytes);
        let gone = std::mem::take(&mut flush.dropped);
        self.flush = None;
        self.shared().change_overlay().frozen = Arc::default();
        for experiment in gone {
            self.remove_blocks(experiment)?;
        }
        Ok(true)
    }

    /// Flushes all that there is, step by step.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or written; nothing is lost then.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        while !self.flush_step()? {}
        Ok(())
    }

    fn begin_flush(&mut self) -> Result<Flush, String> {
        let mut last = Vec::new();
        {
            let mut books = self.memory.shared.books();
            for (experiment, book) in books.iter_mut().filter(|(_, book)| book.is_dirty) {
                let json = serde_json::to_vec(book).map_err(|error| error.to_string())?;
                last.push((keys::sums(*experiment), Some(json)));
                book.is_dirty = false;
            }
        }
        for experiment in &self.dropped {
            last.push((keys::sums(*experiment), None));
        }
        if std::mem::take(&mut self.tallies_dirty) {
            let tallies = self.shared().tallies();
            let all: Vec<_> = tallies.iter().collect();
            for (part, rows) in (0..).zip(all.chunks(TALLIES_PER_ROW)) {
                let json = serde_json::to_vec(rows).map_err(|error| error.to_string())?;
                last.push((keys::tallies(part), Some(json)));
            }
        }
        let (rows, expired) = self.memory.ids.begin_flush();
        last.extend(rows.into_iter().map(|(row, bytes)| (keys::ids(row), Some(bytes))));
        last.extend(expired.into_iter().map(|row| (keys::ids(row), None)));
        let mut overlay = self.memory.shared.change_overlay();
        let units = Arc::new(std::mem::take(&mut overlay.active));
        overlay.frozen = Arc::clone(&units);
        Ok(Flush {
            until: self.next_sequence,
            journal_bytes: self.journal_bytes,
            next: (!units.is_empty()).then_some((0, 0)),
            units,
            last,
            dropped: self.dropped.clone(),
        })
    }

    /// Removes the blocks of an experiment that is gone, some per transaction.
    fn remove_blocks(&mut self, experiment: u32) -> Result<(), StoreError> {
        let (from, until) = (keys::block(experiment, 0), keys::after_blocks(experiment));
        let store = Arc::clone(self.tsdb().store());
        let mut is_complete = false;
        while !is_complete {
            is_complete = store.write(false, |txn| {
                txn.remove_range(Table::Units, &from, &until, REMOVE_BYTES_MAX)
            })?;
        }
        self.dropped.remove(&experiment);
        let mark = Mark { flushed: self.flushed, dropped: self.dropped.iter().copied().collect() };
        let mark = serde_json::to_vec(&mark).map_err(|e| StoreError::Encode(e.to_string()))?;
        store.write(false, |txn| txn.insert(Table::Units, &keys::mark(), &mark))
    }
}

fn put(txn: &mut Txn<'_>, writes: &[(Vec<u8>, Option<Vec<u8>>)]) -> Result<(), StoreError> {
    writes.iter().try_for_each(|(key, payload)| match payload {
        Some(payload) => txn.insert(Table::Units, key, payload),
        None => txn.remove(Table::Units, key).map(|_| ()),
    })
}
