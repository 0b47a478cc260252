//! Units: those that changed since the last flush in memory, all others in blocks of the file.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use crate::experiments::Exposure;
use crate::store::{Snapshot, StoreError, Table, TableReader};

use super::block::{self, Block, Row, Span, UNITS_MAX};
use super::keys;
use super::unit::Unit;

/// A unit's experiment, by its number, and hash.
pub(super) type UnitKey = (u32, u64);
/// Units as they are now; none is one that is not known any more.
pub(super) type Changed = BTreeMap<UnitKey, Option<Unit>>;

/// Units that changed since the last flush.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    /// Since a flush began, if one goes on.
    pub(super) active: Changed,
    /// Those that are being flushed.
    pub(super) frozen: Arc<Changed>,
}

impl Overlay {
    /// A unit as it is now; the outer `None` says that the file knows.
    pub(super) fn get(&self, key: UnitKey) -> Option<Option<&Unit>> {
        self.active.get(&key).or_else(|| self.frozen.get(&key)).map(Option::as_ref)
    }
}

/// Bytes of a packed block, at most: with key and seal just below 16 KiB, which redb gives a
/// page of exactly that size.
const BLOCK_BYTES_MAX: usize = 16_200;
/// Units that are packed anew together.
const RUN_UNITS_MAX: usize = 16 * 1024;
/// Bytes of blocks that one transaction writes, about.
pub(super) const SLICE_BYTES_MAX: usize = 4 << 20;

fn damaged(reason: &str) -> StoreError {
    StoreError::Damaged { table: "units", reason: reason.to_owned() }
}

/// Looks for a unit in the file.
fn look<T>(
    table: &TableReader<'_>,
    (experiment, hash): UnitKey,
    take: impl FnOnce(&Block<'_>, usize) -> Option<T>,
) -> Result<Option<T>, StoreError> {
    let Some(entry) = table.at_or_before(&keys::block(experiment, hash))? else {
        return Ok(None);
    };
    if keys::block_of(entry.key()).is_none_or(|(owner, _)| owner != experiment) {
        return Ok(None);
    }
    let value = entry.open()?;
    let block = Block::open(value.payload()).ok_or_else(|| damaged("no block of units"))?;
    match block.find(hash) {
        None => Ok(None),
        Some(place) => match take(&block, place) {
            Some(found) => Ok(Some(found)),
            None => Err(damaged("a unit that cannot be decoded")),
        },
    }
}

/// A unit of the file.
pub(super) fn unit(table: &TableReader<'_>, key: UnitKey) -> Result<Option<Unit>, StoreError> {
    look(table, key, |block, place| block.unit(place))
}

/// The first exposure of a unit of the file.
pub(super) fn exposure(
    table: &TableReader<'_>,
    key: UnitKey,
) -> Result<Option<Exposure>, StoreError> {
    look(table, key, |block, place| block.exposure(place))
}

/// Hands all units of an experiment that are in the file to `see`, by hash. Blocks that are
/// damaged are stepped over; gives how many.
pub(super) fn scan(
    snapshot: &Snapshot,
    experiment: u32,
    mut see: impl FnMut(u64, Exposure),
) -> Result<u64, StoreError> {
    let table = snapshot.table(Table::Units)?;
    let (from, until) = (keys::block(experiment, 0), keys::after_blocks(experiment));
    let mut broken = 0;
    for entry in table.range(&from, &until)? {
        let Ok(value) = entry?.open() else {
            broken += 1;
            continue;
        };
        let Some(block) = Block::open(value.payload()) else {
            broken += 1;
            continue;
        };
        for place in 0..block.len() {
            if let (Some(hash), Some(exposure)) = (block.hash(place), block.exposure(place)) {
                see(hash, exposure);
            }
        }
    }
    Ok(broken)
}

/// What a slice of a flush writes: blocks, and none for those that are gone.
#[derive(Debug, Default)]
pub(super) struct Slice {
    pub(super) writes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Where the next begins; `None` when all are packed.
    pub(super) next: Option<UnitKey>,
}

/// Packs changed units, from `from` on, into the blocks that they belong to: blocks that lie side
/// by side are packed anew together, so that they fill up again.
pub(super) fn pack(
    snapshot: &Snapshot,
    changed: &Changed,
    from: UnitKey,
    stamp: u64,
) -> Result<Slice, StoreError> {
    let table = snapshot.table(Table::Units)?;
    let mut slice = Slice { writes: Vec::new(), next: Some(from) };
    let mut bytes = 0;
    while let Some(next) = slice.next {
        let Some((&(experiment, hash), _)) = changed.range(next..).next() else {
            slice.next = None;
            break;
        };
        if bytes >= SLICE_BYTES_MAX {
            break;
        }
        let mut run = Run::begin(&table, experiment, hash, stamp)?;
        run.gather(&table, changed)?;
        slice.next = match run.until {
            Some(until) => Some((experiment, until)),
            None => experiment.checked_add(1).map(|next| (next, 0)),
        };
        bytes += run.write(&mut slice.writes);
    }
    Ok(slice)
}

/// Blocks side by side, with what changed in them.
struct Run {
    experiment: u32,
    /// Of the flush.
    stamp: u64,
    /// Where the first begins.
    low: u64,
    /// Keys that the file has of it.
    lows: Vec<u64>,
    /// Where the block after the last begins.
    until: Option<u64>,
    rows: Vec<Row>,
}

impl Run {
    /// The block that a hash belongs to.
    fn begin(
        table: &TableReader<'_>,
        experiment: u32,
        hash: u64,
        stamp: u64,
    ) -> Result<Run, StoreError> {
        let mut run =
            Run { experiment, stamp, low: 0, lows: Vec::new(), until: Some(0), rows: Vec::new() };
        let entry = table.at_or_before(&keys::block(experiment, hash))?;
        let found = entry.and_then(|entry| keys::block_of(entry.key()));
        if let Some((owner, low)) = found
            && owner == experiment
        {
            run.low = low;
        }
        Ok(run)
    }

    /// Takes up the first block, and those after it for as long as something changed in them.
    fn gather(&mut self, table: &TableReader<'_>, changed: &Changed) -> Result<(), StoreError> {
        let mut low = self.low;
        loop {
            let old = self.read(table, low)?;
            let after = low.checked_add(1).map(|next| keys::block(self.experiment, next));
            let next = match after {
                Some(key) => table.at_or_after(&key)?,
                None => None,
            };
            let next = next.and_then(|entry| keys::block_of(entry.key()));
            self.until = next.filter(|(owner, _)| *owner == self.experiment).map(|(_, low)| low);
            let end = match self.until {
                Some(until) => Bound::Excluded((self.experiment, until)),
                None => Bound::Included((self.experiment, u64::MAX)),
            };
            let new = changed.range((Bound::Included((self.experiment, low)), end));
            merge(old, new.map(|((_, hash), unit)| (*hash, unit.as_ref())), &mut self.rows);
            let Some(until) = self.until else { return Ok(()) };
            let dirty = changed.range((self.experiment, until)..).next();
            let goes_on = dirty.is_some_and(|((owner, hash), _)| {
                *owner == self.experiment && self.covers(table, until, *hash)
            });
            if !goes_on || self.rows.len() >= RUN_UNITS_MAX {
                return Ok(());
            }
            low = until;
        }
    }

    /// Whether a hash belongs to the block that begins at `low`.
    fn covers(&self, table: &TableReader<'_>, low: u64, hash: u64) -> bool {
        let entry = table.at_or_before(&keys::block(self.experiment, hash)).ok().flatten();
        entry.and_then(|entry| keys::block_of(entry.key())) == Some((self.experiment, low))
    }

    /// The rows of the block that begins at `low`.
    fn read(&mut self, table: &TableReader<'_>, low: u64) -> Result<Vec<Row>, StoreError> {
        let key = keys::block(self.experiment, low);
        let Some(entry) = table.at_or_after(&key)? else { return Ok(Vec::new()) };
        if entry.key() != key {
            return Ok(Vec::new());
        }
        self.lows.push(low);
        let rows = match entry.open() {
            Ok(value) => Block::open(value.payload()).and_then(|block| block.rows()),
            Err(StoreError::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(rows.unwrap_or_else(|| {
            // Nobody can read it any more; sums still count its units.
            tracing::error!(
                experiment = self.experiment,
                "a block of units is damaged: its units count as never seen from now on"
            );
            Vec::new()
        }))
    }

    /// Packs the rows; gives the bytes.
    fn write(self, writes: &mut Vec<(Vec<u8>, Option<Vec<u8>>)>) -> usize {
        let whole = block::encode(&self.rows, Span::default()).len();
        let blocks = whole.div_ceil(BLOCK_BYTES_MAX).max(1);
        let each = self.rows.len().div_ceil(blocks).clamp(1, UNITS_MAX);
        let mut pieces = Vec::with_capacity(blocks);
        for rows in self.rows.chunks(each) {
            split(rows, &mut pieces);
        }
        if pieces.is_empty() && !self.lows.is_empty() {
            // An empty block says that those who were in it are gone, whatever a salvage finds.
            pieces.push(&[]);
        }
        let mut bytes = 0;
        let mut fresh = Vec::with_capacity(pieces.len());
        for (place, rows) in pieces.iter().enumerate() {
            let first = rows.first().map_or(0, |(hash, _)| *hash);
            let low = if place == 0 { self.low } else { first };
            let next = pieces.get(place + 1).and_then(|rows| rows.first());
            let until = next.map(|(hash, _)| *hash).or(self.until);
            let payload = block::encode(rows, Span { until, stamp: self.stamp });
            bytes += payload.len();
            fresh.push(low);
            writes.push((keys::block(self.experiment, low), Some(payload)));
        }
        for low in self.lows {
            if fresh.binary_search(&low).is_err() {
                writes.push((keys::block(self.experiment, low), None));
            }
        }
        bytes
    }
}

/// Packs all units of an experiment anew.
pub(super) fn pack_whole(
    experiment: u32,
    rows: Vec<Row>,
    stamp: u64,
) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let mut writes = Vec::new();
    let mut rows = rows.into_iter().peekable();
    let mut low = 0;
    while rows.peek().is_some() {
        let part: Vec<Row> = rows.by_ref().take(RUN_UNITS_MAX).collect();
        let until = rows.peek().map(|(hash, _)| *hash);
        let run = Run { experiment, stamp, low, lows: Vec::new(), until, rows: part };
        run.write(&mut writes);
        low = until.unwrap_or(0);
    }
    writes
}

/// Cuts rows into pieces that each fit into a block.
fn split<'r>(rows: &'r [Row], out: &mut Vec<&'r [Row]>) {
    if rows.len() <= 1 || block::encode(rows, Span::default()).len() <= BLOCK_BYTES_MAX {
        if !rows.is_empty() {
            out.push(rows);
        }
        return;
    }
    let (left, right) = rows.split_at(rows.len() / 2);
    split(left, out);
    split(right, out);
}

/// Puts changed units among those of a block; both rise.
fn merge<'a>(
    old: Vec<Row>,
    new: impl Iterator<Item = (u64, Option<&'a Unit>)>,
    out: &mut Vec<Row>,
) {
    let mut old = old.into_iter().peekable();
    for (hash, unit) in new {
        while let Some(row) = old.next_if(|(before, _)| *before < hash) {
            out.push(row);
        }
        // The same one, as it was.
        let _ = old.next_if(|(before, _)| *before == hash);
        if let Some(unit) = unit {
            out.push((hash, unit.clone()));
        }
    }
    out.extend(old);
}
