//! Rows of the journal into chunks and rollups.

use std::collections::BTreeMap;

use crate::model::{CheckResult, Name, Timestamp};
use crate::store::{Snapshot, Store, StoreError, Table, Txn};

use super::keys::{Area, day_of, floor, prefix, row_key, time_of, timed};
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

/// A chunk that results are added to.
struct OpenChunk {
    key: Vec<u8>,
    results: Vec<CheckResult>,
    /// Bytes of details that differ from those of the result before.
    details: usize,
}

impl OpenChunk {
    fn new(key: Vec<u8>, results: Vec<CheckResult>) -> OpenChunk {
        let mut open = OpenChunk { key, results: Vec::new(), details: 0 };
        results.into_iter().for_each(|result| open.add(result));
        open
    }

    fn add(&mut self, result: CheckResult) {
        let place = self.results.partition_point(|known| known.at <= result.at);
        let details = result_row::details(&result);
        let before = place.checked_sub(1).and_then(|before| self.results.get(before));
        if before.map(result_row::details).as_ref() != Some(&details) {
            self.details += details.len();
        }
        self.results.insert(place, result);
    }

    /// Whether a result belongs in here: of the same day, while there is room; a full one still
    /// takes what would have its very key.
    fn takes(&self, key: &[u8], at: Timestamp) -> bool {
        let same_day = time_of(&self.key).map(day_of) == Some(day_of(at));
        let full = self.results.len() >= chunk::RESULTS_MAX || self.details >= chunk::DETAILS_MAX;
        same_day && (self.key == key || !full)
    }

    fn write(self, txn: &mut Txn<'_>) -> Result<Vec<u8>, StoreError> {
        let payload = chunk::encode(&self.results)
            .map_err(|e| StoreError::Encode(format!("results of a check cannot be packed: {e}")))?;
        txn.insert(Table::Checks, &self.key, &payload)?;
        Ok(self.key)
    }
}

/// The chunk that a result at `at` may be added to: the last that begins at or before it.
fn chunk_before(
    snapshot: &Snapshot,
    check: &Name,
    at: Timestamp,
) -> Result<Option<OpenChunk>, StoreError> {
    let last = timed(Area::Chunks, check.as_str(), at);
    let Some(entry) = snapshot.table(Table::Checks)?.at_or_before(&last)? else { return Ok(None) };
    let key = entry.key().to_vec();
    if !key.starts_with(&prefix(Area::Chunks, check.as_str())) {
        return Ok(None);
    }
    // One that is damaged is left as it is, for `verify` to find.
    let results = entry.open().ok().and_then(|value| chunk::decode(check, value.payload()));
    Ok(results.map(|results| OpenChunk::new(key, results)))
}

/// Adds results, in order of time. The snapshot from before this transaction is current but for
/// what is written here: only one packs at a time, and nobody else writes chunks.
fn add_chunks(
    txn: &mut Txn<'_>,
    snapshot: &Snapshot,
    check: &Name,
    results: Vec<CheckResult>,
) -> Result<(), StoreError> {
    let mut current: Option<OpenChunk> = None;
    let mut written: Vec<Vec<u8>> = Vec::new();
    for result in results {
        let key = timed(Area::Chunks, check.as_str(), result.at);
        if let Some(full) = current.take_if(|open| !open.takes(&key, result.at)) {
            written.push(full.write(txn)?);
        }
        let open = match current.take() {
            Some(open) => open,
            None => {
                let known = chunk_before(snapshot, check, result.at)?
                    .filter(|open| open.takes(&key, result.at) && !written.contains(&open.key));
                known.unwrap_or_else(|| OpenChunk::new(key, Vec::new()))
            }
        };
        current.insert(open).add(result);
    }
    current.map_or(Ok(()), |open| open.write(txn).map(|_| ()))
}
