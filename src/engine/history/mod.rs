//! What checks found, over time: results for 30 days, changes for 13 months, hourly and daily
//! rollups with latencies.
//!
//! Owns: the table `Checks` and everything in it. Never: what a result means, or when to ask.
//! Start reading at [`History`].
//!
//! A batch of results is one row of a journal, written in the transaction of whoever found them.
//! [`History::pack`] moves rows into packed columns, one chunk per check of at most a day, and
//! into rollups, and removes them in the same transaction: whatever crashes, a result is in one
//! place. Reading looks at both. There is no state in memory but the number of the next row.
//!
//! ```text
//! 1 | row u64                          → results of many checks, as they came
//! 2 | check | 0 | first result's time  → packed results of one check, of one day at most
//! 3 | check | 0 | time | decided       → a change, as JSON
//! 4 | check | 0 | hour                 → a rollup
//! 5 | check | 0 | day                  → a rollup
//! ```

mod chunk;
#[cfg(test)]
mod codec_tests;
mod expire;
mod keys;
mod pack;
mod read;
mod result_row;
mod rollup;
#[cfg(test)]
mod tests;

pub use expire::{HOURS_KEPT_MS, RESULTS_KEPT_MS, TRANSITIONS_KEPT_MS};
pub use read::{
    PAGE_MAX, ResultPage, last_result, results, rollups, status_at, transitions, uptime_of,
};
pub use rollup::{Latency, Rollup, RollupStep};

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::checks::Transition;
use crate::model::{CheckResult, Name, Timestamp};
use crate::store::{Store, StoreError, Table, Write};

use keys::{Area, row_key};

/// What keeps the history of checks.
pub struct History {
    next_row: AtomicU64,
    /// One packs or expires at a time.
    upkeep: Mutex<()>,
}

impl History {
    /// Finds where the journal ends.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub fn open(store: &Store) -> Result<History, StoreError> {
        let snapshot = store.read()?;
        let last = snapshot.table(Table::Checks)?.at_or_before(&row_key(u64::MAX))?;
        let last = last.and_then(|entry| keys::row_of(entry.key()));
        Ok(History {
            next_row: AtomicU64::new(last.map_or(0, |row| row + 1)),
            upkeep: Mutex::new(()),
        })
    }

    /// The write that keeps these results, of any checks: one row. It takes effect with the
    /// transaction that it is handed to. Times are kept to three significant digits, what
    /// explains a result to 16 KiB.
    pub fn record(&self, results: &[CheckResult]) -> Write {
        let row = self.next_row.fetch_add(1, Ordering::Relaxed);
        Write::Put {
            table: Table::Checks,
            key: row_key(row),
            payload: result_row::encode_row(results),
        }
    }

    /// The write that keeps a change of a check.
    pub fn record_transition(&self, check: &Name, transition: &Transition) -> Write {
        let mut key = keys::timed(Area::Transitions, check.as_str(), transition.at);
        key.extend_from_slice(&keys::time_bytes(transition.decided_at));
        // Plain enumerations and numbers: this cannot fail, and an empty value is read as none.
        let payload = serde_json::to_vec(transition).unwrap_or_default();
        Write::Put { table: Table::Checks, key, payload }
    }

    /// Packs rows of the journal, a slice of them at a time; every few minutes is often enough.
    /// Gives whether more wait.
    ///
    /// # Errors
    ///
    /// When the database cannot be read or written; nothing is lost or doubled then.
    pub fn pack(&self, store: &Store) -> Result<bool, StoreError> {
        let _one = self.upkeep.lock().unwrap_or_else(PoisonError::into_inner);
        pack::pack(store)
    }

    /// Removes what is too old, a slice at a time; once an hour is often enough. Gives whether
    /// more waits.
    ///
    /// # Errors
    ///
    /// When the database cannot be read or written.
    pub fn expire(&self, store: &Store, now: Timestamp) -> Result<bool, StoreError> {
        let _one = self.upkeep.lock().unwrap_or_else(PoisonError::into_inner);
        expire::expire(store, now)
    }
}

/// Whether a value of the table `Checks` decodes. The error says what is wrong with it.
pub fn inspect(key: &[u8], payload: &[u8]) -> Result<(), String> {
    let name = keys::name_of(key);
    match keys::area_of(key) {
        Some(Area::Rows) => match result_row::decode_row(payload, None, &mut Vec::new()) {
            Some(()) => Ok(()),
            None => Err("a row of results that cannot be decoded".to_owned()),
        },
        Some(Area::Chunks) => {
            let name = name.ok_or("a chunk of results without a check")?;
            let results =
                chunk::decode(&name, payload).ok_or("a chunk of results that cannot be decoded")?;
            let day = keys::time_of(key).map(keys::day_of);
            if results.iter().any(|result| Some(keys::day_of(result.at)) != day) {
                return Err("a chunk of results that does not keep to its day".to_owned());
            }
            Ok(())
        }
        Some(Area::Transitions) => match serde_json::from_slice::<Transition>(payload) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("a change of a check that cannot be read: {error}")),
        },
        Some(Area::Hours | Area::Days) => match Rollup::decode(Timestamp::default(), payload) {
            Some(_) => Ok(()),
            None => Err("a rollup that cannot be decoded".to_owned()),
        },
        None => Err("a key of no known kind".to_owned()),
    }
}
