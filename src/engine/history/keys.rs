//! Keys of the table `Checks`.

use crate::model::{Name, Timestamp};
use crate::store::{Key, KeyReader};

/// What a key begins with: never changed, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Area {
    Rows = 1,
    Chunks = 2,
    Transitions = 3,
    Hours = 4,
    Days = 5,
}

impl Area {
    const ALL: [Area; 5] = [Area::Rows, Area::Chunks, Area::Transitions, Area::Hours, Area::Days];
}

pub(super) const HOUR_MS: i64 = 3_600_000;
pub(super) const DAY_MS: i64 = 86_400_000;

/// The beginning of the day (UTC) of a time.
pub(super) fn day_of(at: Timestamp) -> Timestamp {
    floor(at, DAY_MS)
}

/// The beginning of the stretch of `step_ms` that a time is in.
pub(super) fn floor(at: Timestamp, step_ms: i64) -> Timestamp {
    at.plus_millis(-at.millis().rem_euclid(step_ms))
}

pub(super) fn row_key(row: u64) -> Vec<u8> {
    Key::new().u8(Area::Rows as u8).u64(row).as_bytes().to_vec()
}

pub(super) fn row_of(key: &[u8]) -> Option<u64> {
    let mut reader = KeyReader::new(key);
    (reader.u8()? == Area::Rows as u8).then(|| reader.u64()).flatten()
}

/// What keys of a check begin with. Names have no zero byte, so that none begins another.
pub(super) fn prefix(area: Area, check: &str) -> Vec<u8> {
    let mut key = vec![area as u8];
    key.extend_from_slice(check.as_bytes());
    key.push(0);
    key
}

/// A key that comes after all keys of a check.
pub(super) fn after(area: Area, check: &str) -> Vec<u8> {
    let mut key = vec![area as u8];
    key.extend_from_slice(check.as_bytes());
    key.push(1);
    key
}

pub(super) fn timed(area: Area, check: &str, at: Timestamp) -> Vec<u8> {
    let mut key = prefix(area, check);
    key.extend_from_slice(&time_bytes(at));
    key
}

pub(super) fn time_bytes(at: Timestamp) -> Vec<u8> {
    Key::new().i64(at.millis()).as_bytes().to_vec()
}

pub(super) fn area_of(key: &[u8]) -> Option<Area> {
    Area::ALL.into_iter().find(|area| key.first() == Some(&(*area as u8)))
}

/// Whose key it is, where it is one of a check.
pub(super) fn name_of(key: &[u8]) -> Option<Name> {
    let rest = key.get(1..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    Name::new(std::str::from_utf8(&rest[..end]).ok()?).ok()
}

/// The time of a key of a check.
pub(super) fn time_of(key: &[u8]) -> Option<Timestamp> {
    let rest = key.get(1..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    KeyReader::new(rest.get(end + 1..)?).i64().map(Timestamp::from_millis)
}
