//! Which series have samples in which day: answers "which series existed then" without reading
//! blocks, and finds series that nothing is left of.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

use crate::store::{Key, KeyReader, Snapshot, StoreError, Table, Txn};

/// The length of a day in milliseconds.
pub(super) const DAY_MS: i64 = 86_400_000;

/// The day of a time, counted from 1970.
pub(super) const fn day_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS)
}

/// Days and the series that have samples in them.
#[derive(Debug, Default)]
pub(super) struct Days(BTreeMap<i64, RoaringBitmap>);

fn damaged(reason: String) -> StoreError {
    StoreError::Damaged { table: Table::Activity.name(), reason }
}

fn parse(bytes: &[u8]) -> Result<RoaringBitmap, StoreError> {
    RoaringBitmap::deserialize_from(bytes).map_err(|e| damaged(e.to_string()))
}

impl Days {
    /// Notes the samples of a series; `times` rise.
    pub(super) fn note(&mut self, series: u32, times: &[i64]) {
        let mut rest = times;
        while let Some(first) = rest.first() {
            let day = day_of(*first);
            self.0.entry(day).or_default().insert(series);
            let end = (day + 1).saturating_mul(DAY_MS);
            rest = &rest[rest.partition_point(|at| *at < end)..];
        }
    }

    /// Adds them to what is stored.
    pub(super) fn save(&self, txn: &mut Txn<'_>) -> Result<(), StoreError> {
        for (day, series) in &self.0 {
            let key = Key::new().i64(*day);
            let mut series = series.clone();
            if let Some(known) = txn.get(Table::Activity, key.as_bytes())? {
                series |= parse(&known)?;
            }
            let mut bytes = Vec::with_capacity(series.serialized_size());
            series.serialize_into(&mut bytes).map_err(|e| damaged(e.to_string()))?;
            txn.insert(Table::Activity, key.as_bytes(), &bytes)?;
        }
        Ok(())
    }
}

/// The series with stored samples in any of the days of a range of times, both included.
pub(super) fn between(
    snapshot: &Snapshot,
    from_ms: i64,
    until_ms: i64,
) -> Result<RoaringBitmap, StoreError> {
    let table = snapshot.table(Table::Activity)?;
    let (from, until) = (Key::new().i64(day_of(from_ms)), Key::new().i64(day_of(until_ms) + 1));
    let mut out = RoaringBitmap::new();
    for entry in table.range(from.as_bytes(), until.as_bytes())? {
        out |= parse(entry?.open()?.payload())?;
    }
    Ok(out)
}

/// The least id that no stored sample has.
pub(super) fn next_id(snapshot: &Snapshot) -> Result<u32, StoreError> {
    let mut next = 0;
    for entry in snapshot.table(Table::Activity)?.all()? {
        // A damaged day is no reason not to start; the blocks are what counts.
        if let Ok(series) = entry?.open().and_then(|value| parse(value.payload())) {
            next = next.max(series.max().map_or(0, |id| id + 1));
        }
    }
    Ok(next)
}

/// The days before `day` that are stored.
pub(super) fn days_before(snapshot: &Snapshot, day: i64) -> Result<Vec<i64>, StoreError> {
    let until = Key::new().i64(day);
    let range = snapshot.table(Table::Activity)?.range(&[], until.as_bytes())?;
    range.map(|entry| Ok(KeyReader::new(entry?.key()).i64().unwrap_or(i64::MIN))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_noted_in_each_of_its_days() {
        let mut days = Days::default();
        days.note(7, &[-1, 0, 1, DAY_MS - 1, 3 * DAY_MS]);
        days.note(9, &[5]);
        let noted: Vec<(i64, Vec<u32>)> =
            days.0.iter().map(|(day, series)| (*day, series.iter().collect())).collect();
        assert_eq!(noted, [(-1, vec![7]), (0, vec![7, 9]), (3, vec![7])]);
    }
}
