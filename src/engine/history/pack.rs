//! Rows of the journal into chunks and rollups.

use std::collections::BTreeMap;

use crate::model::{CheckResult, Name, Timestamp};
use crate::store::{Snapshot, Store, StoreError, Table, Txn};

use super::keys::{Area, day_of, floor, name_of, prefix, row_key, time_of, timed};
use super::rollup::{Rollup, RollupStep};
use super::{chunk, result_row};

/// Results that are packed in one transaction, rows of the journal as they fall.
const SLICE_RESULTS: usize = 50_000;

/// Bytes of rows that are packed in one transaction.
const SLICE_BYTES: usize = 8 << 20;

/// Packs a slice; gives whether rows are left.
pub(super) fn pack(store: &Store) -> Result<bool, StoreError> {
    let snapshot = store.read()?;
    let mut results = Vec::new();
    let mut rows = Vec::new();
    let mut bytes = 0;
    let mut more = false;
    for entry in snapshot.table(Table::Checks)?.range(&row_key(0), &row_key(u64::MAX))? {
        let entry = entry?;
        if results.len() >= SLICE_RESULTS || bytes >= SLICE_BYTES {
            more = true;
            break;
        }
        bytes += entry.sealed_bytes();
        rows.push(entry.key().to_vec());
        let read =
            entry.open().map(|value| result_row::decode_row(value.payload(), None, &mut results));
        match read {
            Ok(Some(())) => {}
            // It would be in the way for ever; `verify` finds such rows before.
            Ok(None) => tracing::error!("a row of check results cannot be decoded; it is removed"),
            Err(error @ StoreError::Damaged { .. }) => {
                tracing::error!(%error, "a row of check results is damaged; it is removed");
            }
            Err(error) => return Err(error),
        }
    }
    if rows.is_empty() {
        return Ok(false);
    }
    let mut by_check: BTreeMap<Name, Vec<CheckResult>> = BTreeMap::new();
    for result in results {
        by_check.entry(result.check.clone()).or_default().push(result);
    }
    store.write(false, |txn| {
        for (check, mut results) in by_check {
            results.sort_by_key(|result| result.at);
            add_rollups(txn, &check, &results)?;
            add_chunks(txn, &snapshot, &check, results)?;
        }
        rows.iter().try_for_each(|row| txn.remove(Table::Checks, row).map(|_| ()))
    })?;
    Ok(more)
}

fn add_rollups(txn: &mut Txn<'_>, check: &Name, results: &[CheckResult]) -> Result<(), StoreError> {
    for step in RollupStep::ALL {
        let start = |result: &CheckResult| floor(result.at, step.millis());
        for stretch in results.chunk_by(|a, b| start(a) == start(b)) {
            let Some(at) = stretch.first().map(start) else { continue };
            let key = timed(step.area(), check.as_str(), at);
            let known = txn.get(Table::Checks, &key)?;
            let known = known.and_then(|payload| Rollup::decode(at, &payload));
            let mut rollup = known.unwrap_or_else(|| Rollup::new(at));
            stretch.iter().for_each(|result| rollup.add(result));
            txn.insert(Table::Checks, &key, &rollup.encode())?;
        }
    }
    Ok(())
}

/// The chunk that a result at `at` may be added to: the last that begins at or before it, of the
/// same day.
fn open_chunk(
    snapshot: &Snapshot,
    check: &Name,
    at: Timestamp,
) -> Result<Option<(Vec<u8>, Vec<CheckResult>)>, StoreError> {
    let last = timed(Area::Chunks, check.as_str(), at);
    let Some(entry) = snapshot.table(Table::Checks)?.at_or_before(&last)? else { return Ok(None) };
    let key = entry.key().to_vec();
    let same_day = time_of(&key).map(day_of) == Some(day_of(at));
    if !key.starts_with(&prefix(Area::Chunks, check.as_str())) || !same_day {
        return Ok(None);
    }
    let results = name_of(&key).and_then(|name| chunk::decode(&name, entry.open().ok()?.payload()));
    Ok(results.map(|results| (key, results)))
}

/// Adds results, in order of time. What was read before this transaction is current: only one
/// packs at a time, and nobody else writes chunks.
fn add_chunks(
    txn: &mut Txn<'_>,
    snapshot: &Snapshot,
    check: &Name,
    results: Vec<CheckResult>,
) -> Result<(), StoreError> {
    let write = |txn: &mut Txn<'_>, key: &[u8], results: &[CheckResult]| {
        let payload = chunk::encode(results)
            .map_err(|e| StoreError::Write(format!("results of {check} cannot be packed: {e}")))?;
        txn.insert(Table::Checks, key, &payload)
    };
    let mut current: Option<(Vec<u8>, Vec<CheckResult>)> = None;
    for result in results {
        let key = timed(Area::Chunks, check.as_str(), result.at);
        let fits = |chunk: &(Vec<u8>, Vec<CheckResult>)| {
            let same_day = time_of(&chunk.0).map(day_of) == Some(day_of(result.at));
            // A full one still takes what has its very key.
            same_day && (chunk.0 == key || !chunk::is_full(&chunk.1))
        };
        if current.is_none() {
            current = open_chunk(snapshot, check, result.at)?;
        }
        if let Some((key, results)) = current.take_if(|chunk| !fits(chunk)) {
            write(txn, &key, &results)?;
        }
        let (_, kept) = match current.as_mut() {
            Some(chunk) => chunk,
            None => {
                // Later chunks of the day may be there already, where the clock was set back.
                let found = open_chunk(snapshot, check, result.at)?.filter(fits);
                current.insert(found.unwrap_or((key, Vec::new())))
            }
        };
        let place = kept.partition_point(|known| known.at <= result.at);
        kept.insert(place, result);
    }
    match current {
        Some((key, results)) => write(txn, &key, &results),
        None => Ok(()),
    }
}
