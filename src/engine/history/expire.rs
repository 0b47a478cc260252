//! What is too old goes, a slice at a time.

use crate::model::{Name, Timestamp};
use crate::store::{Snapshot, Store, StoreError, Table};

use super::keys::{Area, after, name_of, prefix, time_of, timed};

/// How long results are kept: 30 days.
pub const RESULTS_KEPT_MS: i64 = 30 * 86_400_000;

/// How long hourly rollups are kept: as long as results.
pub const HOURS_KEPT_MS: i64 = RESULTS_KEPT_MS;

/// How long changes and daily rollups are kept: 13 months, of 31 days.
pub const TRANSITIONS_KEPT_MS: i64 = 13 * 31 * 86_400_000;

/// Ranges that are removed in one transaction.
const SLICE_RANGES: usize = 256;

/// Bytes that are removed in one transaction.
const SLICE_BYTES: usize = 8 << 20;

const fn kept_ms(area: Area) -> i64 {
    match area {
        Area::Rows | Area::Chunks => RESULTS_KEPT_MS,
        Area::Hours => HOURS_KEPT_MS,
        Area::Transitions | Area::Days => TRANSITIONS_KEPT_MS,
    }
}

/// Removes a slice; gives whether more is to go.
pub(super) fn expire(store: &Store, now: Timestamp) -> Result<bool, StoreError> {
    let snapshot = store.read()?;
    let mut ranges = Vec::new();
    for area in [Area::Chunks, Area::Transitions, Area::Hours, Area::Days] {
        let cutoff = now.plus_millis(-kept_ms(area));
        each_check(&snapshot, area, |check, first| {
            if ranges.len() < SLICE_RANGES
                && let Some(until) = end(&snapshot, area, check, first, cutoff)?
            {
                ranges.push((prefix(area, check.as_str()), until));
            }
            Ok(())
        })?;
    }
    if ranges.is_empty() {
        return Ok(false);
    }
    let mut more = ranges.len() == SLICE_RANGES;
    store.write(false, |txn| {
        let bytes = SLICE_BYTES / ranges.len();
        for (from, until) in &ranges {
            more |= !txn.remove_range(Table::Checks, from, until, bytes)?;
        }
        Ok(())
    })?;
    Ok(more)
}

/// Calls for each check that has something in an area, with the time of the first.
fn each_check(
    snapshot: &Snapshot,
    area: Area,
    mut each: impl FnMut(&Name, Timestamp) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let table = snapshot.table(Table::Checks)?;
    let mut from = vec![area as u8];
    while let Some(entry) = table.at_or_after(&from)? {
        let key = entry.key();
        if key.first() != Some(&(area as u8)) {
            break;
        }
        let (Some(check), Some(first)) = (name_of(key), time_of(key)) else {
            // No key of ours: the next one.
            from = [key, &[0]].concat();
            continue;
        };
        each(&check, first)?;
        from = after(area, check.as_str());
    }
    Ok(())
}

/// Up to where a check's oldest entries go; none where nothing is too old. Of changes the last
/// one before the limit stays: it says how the check was from then on.
fn end(
    snapshot: &Snapshot,
    area: Area,
    check: &Name,
    first: Timestamp,
    cutoff: Timestamp,
) -> Result<Option<Vec<u8>>, StoreError> {
    if first >= cutoff {
        return Ok(None);
    }
    let limit = timed(area, check.as_str(), cutoff);
    match area {
        // A chunk goes when all of it is too old; it holds a day at most.
        Area::Chunks => {
            let limit = cutoff.plus_millis(-super::keys::DAY_MS);
            Ok((first < limit).then(|| timed(area, check.as_str(), limit)))
        }
        Area::Transitions => {
            let last = snapshot.table(Table::Checks)?.at_or_before(&limit)?;
            let last = last.map(|entry| entry.key().to_vec());
            Ok(last.filter(|key| {
                key.starts_with(&prefix(area, check.as_str())) && time_of(key) > Some(first)
            }))
        }
        Area::Rows | Area::Hours | Area::Days => Ok(Some(limit)),
    }
}
