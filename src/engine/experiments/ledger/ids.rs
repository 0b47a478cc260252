//! Ids that were seen lately: of results, of outcomes and of requests, so that what arrives again
//! counts once. They are kept for [`IDS_KEPT_MS`], the newest [`IDS_MAX`] of them, over restarts.

use std::collections::{HashSet, VecDeque};

use crate::model::Timestamp;
use crate::tsdb::varint;

/// For so long an id is known, in milliseconds: a day.
pub const IDS_KEPT_MS: i64 = 86_400_000;
/// So many ids are known at most, the newest; some 40 MB at the very most.
pub const IDS_MAX: usize = 2_000_000;
/// Ids of one row of the file.
const ROW_IDS_MAX: usize = 64 * 1024;

const VERSION: u8 = 1;

/// Ids that came about the same time.
#[derive(Clone, Debug)]
struct Row {
    /// Its key in the file, once it is there.
    number: Option<u64>,
    /// When its newest came.
    newest: i64,
    ids: Vec<u64>,
}

/// The ids.
#[derive(Clone, Debug, Default)]
pub(super) struct Ids {
    known: HashSet<u64>,
    /// The oldest first. Those without a number are not in the file yet.
    rows: VecDeque<Row>,
    next_row: u64,
    /// Rows of the file that are to be removed with the next flush.
    expired: Vec<u64>,
}

impl Ids {
    /// Whether it was seen.
    pub(super) fn contains(&self, id: u64) -> bool {
        self.known.contains(&id)
    }

    /// Remembers ids that came at a time.
    pub(super) fn add(&mut self, at: i64, ids: &[u64]) {
        for id in ids {
            if !self.known.insert(*id) {
                continue;
            }
            match self.rows.back_mut() {
                Some(row) if row.number.is_none() && row.ids.len() < ROW_IDS_MAX => {
                    row.newest = row.newest.max(at);
                    row.ids.push(*id);
                }
                _ => {
                    self.rows.push_back(Row { number: None, newest: at, ids: vec![*id] });
                }
            }
        }
    }

    /// Forgets what is too old, or too many.
    pub(super) fn expire(&mut self, now: Timestamp) {
        while let Some(oldest) = self.rows.front() {
            let is_old = oldest.newest < now.millis().saturating_sub(IDS_KEPT_MS);
            if !is_old && self.known.len() <= IDS_MAX {
                return;
            }
            let Some(row) = self.rows.pop_front() else { return };
            for id in &row.ids {
                self.known.remove(id);
            }
            self.expired.extend(row.number);
        }
    }

    /// Rows that are not in the file yet, with the numbers that they get, and the numbers of
    /// rows that are to be removed. They are as done: whoever fails to write them writes the same
    /// again.
    pub(super) fn begin_flush(&mut self) -> (Vec<(u64, Vec<u8>)>, Vec<u64>) {
        let mut fresh = Vec::new();
        for row in self.rows.iter_mut().filter(|row| row.number.is_none()) {
            row.number = Some(self.next_row);
            fresh.push((self.next_row, encode(row.newest, &row.ids)));
            self.next_row += 1;
        }
        (fresh, std::mem::take(&mut self.expired))
    }

    /// Takes a row of the file; false where it cannot be decoded.
    pub(super) fn load(&mut self, number: u64, bytes: &[u8]) -> bool {
        self.next_row = self.next_row.max(number + 1);
        let Some((newest, ids)) = decode(bytes) else { return false };
        self.known.extend(&ids);
        self.rows.push_back(Row { number: Some(number), newest, ids });
        true
    }
}

fn encode(newest: i64, ids: &[u64]) -> Vec<u8> {
    let mut out = vec![VERSION];
    varint::put_signed(&mut out, newest);
    out.extend(ids.iter().flat_map(|id| id.to_le_bytes()));
    out
}

/// When the newest of a row came, and its ids.
pub(super) fn decode(bytes: &[u8]) -> Option<(i64, Vec<u64>)> {
    let (version, mut rest) = bytes.split_first()?;
    let newest = varint::take_signed(&mut rest)?;
    let (ids, left) = rest.as_chunks::<8>();
    let is_whole = *version == VERSION && left.is_empty();
    is_whole.then(|| (newest, ids.iter().map(|id| u64::from_le_bytes(*id)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_known_for_a_day_and_over_restarts() {
        let mut ids = Ids::default();
        ids.add(1_000, &[1, 2, 2]);
        let (rows, gone) = ids.begin_flush();
        assert_eq!((rows.len(), gone), (1, vec![]));
        ids.add(5_000_000, &[3]);
        let (more, _) = ids.begin_flush();
        assert_eq!(more[0].0, 1);
        let mut again = Ids::default();
        for (number, bytes) in rows.iter().chain(&more) {
            assert!(again.load(*number, bytes));
        }
        for ids in [&mut ids, &mut again] {
            assert!(ids.contains(1) && ids.contains(2) && ids.contains(3));
            ids.expire(Timestamp::from_millis(1_001 + IDS_KEPT_MS));
            assert!(!ids.contains(1) && !ids.contains(2) && ids.contains(3));
            assert_eq!(ids.begin_flush().1, [0]);
        }
        assert!(!again.load(9, &[7]));
    }

    #[test]
    fn the_oldest_are_forgotten_when_there_are_too_many() {
        let mut ids = Ids::default();
        let all: Vec<u64> = (0..IDS_MAX as u64 + 1).collect();
        ids.add(0, &all);
        ids.expire(Timestamp::from_millis(0));
        assert!(!ids.contains(0), "the oldest row is gone");
        assert!(ids.contains(ROW_IDS_MAX as u64));
    }
}
