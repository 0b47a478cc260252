//! Reading what was kept, packed or not.

use crate::checks::{Span, Transition, Uptime, uptime};
use crate::model::{CheckResult, CheckStatus, Name, Timestamp};
use crate::store::{Snapshot, StoreError, Table};

use super::keys::{Area, day_of, floor, prefix, row_key, time_of, timed};
use super::rollup::{Rollup, RollupStep};
use super::{chunk, result_row};

/// The most results that are given at once.
pub const PAGE_MAX: usize = 10_000;

/// Some results of a check, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResultPage {
    /// The results.
    pub results: Vec<CheckResult>,
    /// Where the next page begins: ask for results before this. None when this is the last.
    pub next_until: Option<Timestamp>,
}

fn damaged(what: &str, check: &Name) -> StoreError {
    StoreError::Damaged { table: "checks", reason: format!("{what} of the check {check}") }
}

/// The results of a check that are not packed yet, from `from` until before `until`, in order.
fn pending(
    snapshot: &Snapshot,
    check: &Name,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<CheckResult>, StoreError> {
    let mut results = Vec::new();
    for entry in snapshot.table(Table::Checks)?.range(&row_key(0), &row_key(u64::MAX))? {
        let value = entry?.open()?;
        result_row::decode_row(value.payload(), Some(check.as_str()), &mut results).ok_or_else(
            || damaged("a row of results that cannot be decoded, when reading those", check),
        )?;
    }
    results.retain(|result| result.at >= from && result.at < until);
    results.sort_by_key(|result| result.at);
    Ok(results)
}

/// The packed results of a day, as far as they are before `until`.
fn of_day(
    snapshot: &Snapshot,
    check: &Name,
    day: Timestamp,
    until: Timestamp,
) -> Result<Vec<CheckResult>, StoreError> {
    let first = timed(Area::Chunks, check.as_str(), day);
    let last = timed(Area::Chunks, check.as_str(), until);
    let mut results = Vec::new();
    for entry in snapshot.table(Table::Checks)?.range(&first, &last)? {
        let value = entry?.open()?;
        let found = chunk::decode(check, value.payload())
            .ok_or_else(|| damaged("results that cannot be decoded", check))?;
        results.extend(found);
    }
    results.retain(|result| result.at < until);
    Ok(results)
}

/// Results of a check from `from` until before `until`, newest first: `limit` of them, at most
/// [`PAGE_MAX`], and all that share the time of the last.
///
/// # Errors
///
/// When the database cannot be read, or holds what cannot be decoded.
pub fn results(
    snapshot: &Snapshot,
    check: &Name,
    from: Timestamp,
    until: Timestamp,
    limit: usize,
) -> Result<ResultPage, StoreError> {
    let limit = limit.clamp(1, PAGE_MAX);
    let mut waiting = pending(snapshot, check, from, until)?;
    let mut page: Vec<CheckResult> = Vec::new();
    let mut until = until;
    // Day by day, from the last one back.
    while until > from {
        let last = timed(Area::Chunks, check.as_str(), until.plus_millis(-1));
        let entry = snapshot.table(Table::Checks)?.at_or_before(&last)?;
        let packed = entry
            .filter(|entry| entry.key().starts_with(&prefix(Area::Chunks, check.as_str())))
            .and_then(|entry| time_of(entry.key()).map(day_of));
        let newest = waiting.last().map(|result| day_of(result.at));
        let Some(day) = packed.max(newest) else { break };
        let mut results = of_day(snapshot, check, day, until)?;
        let split = waiting.partition_point(|result| result.at < day);
        results.extend(waiting.split_off(split));
        results.retain(|result| result.at >= from);
        results.sort_by_key(|result| result.at);
        for result in results.into_iter().rev() {
            let last = page.last().map(|last| last.at);
            if page.len() >= limit && last != Some(result.at) {
                return Ok(ResultPage { results: page, next_until: last });
            }
            page.push(result);
        }
        until = day;
    }
    Ok(ResultPage { results: page, next_until: None })
}

/// The newest result of a check, if any is kept.
///
/// # Errors
///
/// As [`results`].
pub fn last_result(snapshot: &Snapshot, check: &Name) -> Result<Option<CheckResult>, StoreError> {
    let page = results(snapshot, check, Timestamp::MIN, Timestamp::MAX, 1)?;
    Ok(page.results.into_iter().next())
}

/// The changes of a check from `from` until before `until`, oldest first.
///
/// # Errors
///
/// When the database cannot be read, or holds what cannot be decoded.
pub fn transitions(
    snapshot: &Snapshot,
    check: &Name,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<Transition>, StoreError> {
    if from >= until {
        return Ok(Vec::new());
    }
    let first = timed(Area::Transitions, check.as_str(), from);
    let last = timed(Area::Transitions, check.as_str(), until);
    let mut out = Vec::new();
    for entry in snapshot.table(Table::Checks)?.range(&first, &last)? {
        let value = entry?.open()?;
        let transition = serde_json::from_slice(value.payload())
            .map_err(|_| damaged("a change that cannot be decoded", check))?;
        out.push(transition);
    }
    Ok(out)
}

/// How a check was at a time: what its last change at or before that made it. Unknown when there
/// is none.
///
/// # Errors
///
/// As [`transitions`].
pub fn status_at(
    snapshot: &Snapshot,
    check: &Name,
    at: Timestamp,
) -> Result<CheckStatus, StoreError> {
    let limit = timed(Area::Transitions, check.as_str(), at.plus_millis(1));
    let entry = snapshot.table(Table::Checks)?.at_or_before(&limit)?;
    let mine = prefix(Area::Transitions, check.as_str());
    let Some(entry) = entry.filter(|entry| entry.key().starts_with(&mine)) else {
        return Ok(CheckStatus::Unknown);
    };
    let value = entry.open()?;
    let transition: Transition = serde_json::from_slice(value.payload())
        .map_err(|_| damaged("a change that cannot be decoded", check))?;
    Ok(transition.to)
}

/// How long a check was how in a window, which must not reach beyond the present.
///
/// # Errors
///
/// As [`transitions`].
pub fn uptime_of(
    snapshot: &Snapshot,
    check: &Name,
    window: Span,
    maintenance: &[Span],
) -> Result<Uptime, StoreError> {
    let initial = status_at(snapshot, check, window.from)?;
    let changes = transitions(snapshot, check, window.from.plus_millis(1), window.until)?;
    let changes = changes.into_iter().map(|change| (change.at, change.to));
    Ok(uptime(window, initial, changes, maintenance))
}

/// The rollups of a check that begin from `from` until before `until`, oldest first, with the
/// results that are not packed yet. Stretches without results have none.
///
/// # Errors
///
/// When the database cannot be read, or holds what cannot be decoded.
pub fn rollups(
    snapshot: &Snapshot,
    check: &Name,
    step: RollupStep,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<Rollup>, StoreError> {
    if from >= until {
        return Ok(Vec::new());
    }
    let first = timed(step.area(), check.as_str(), from);
    let last = timed(step.area(), check.as_str(), until);
    let mut out: Vec<Rollup> = Vec::new();
    for entry in snapshot.table(Table::Checks)?.range(&first, &last)? {
        let entry = entry?;
        let at = time_of(entry.key()).ok_or_else(|| damaged("a rollup without a time", check))?;
        let value = entry.open()?;
        let rollup = Rollup::decode(at, value.payload())
            .ok_or_else(|| damaged("a rollup that cannot be decoded", check))?;
        out.push(rollup);
    }
    for result in pending(snapshot, check, Timestamp::MIN, Timestamp::MAX)? {
        let at = floor(result.at, step.millis());
        if at < from || at >= until {
            continue;
        }
        let place = match out.binary_search_by_key(&at, |rollup| rollup.at) {
            Ok(place) => place,
            Err(place) => {
                out.insert(place, Rollup::new(at));
                place
            }
        };
        out[place].add(&result);
    }
    Ok(out)
}
