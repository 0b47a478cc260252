//! Opening: what the last flush left, and the journal since.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::features::{Tallies, Tally, TallyKey};
use crate::store::{Store, StoreError, Table};

use super::LedgerError;
use super::block::Block;
use super::core::Core;
use super::flush::Mark;
use super::journal;
use super::keys::{self, Area, Hasher, SECRET_BYTES};
use super::shared::Book;
use super::units;

fn store_error(error: &StoreError) -> LedgerError {
    LedgerError::Store(error.to_string())
}

/// The hasher with the database's secret, which is made the first time.
pub(super) fn hasher(
    store: &Store,
    random: impl FnOnce(&mut [u8]) -> Result<(), String>,
) -> Result<Hasher, LedgerError> {
    let snapshot = store.read().map_err(|error| store_error(&error))?;
    let value = snapshot.get(Table::Units, &keys::secret()).map_err(|error| store_error(&error))?;
    let found = value.and_then(|value| value.payload().first_chunk::<SECRET_BYTES>().copied());
    drop(snapshot);
    let secret = match found {
        Some(secret) => secret,
        None => {
            let mut secret = [0; SECRET_BYTES];
            random(&mut secret).map_err(LedgerError::Store)?;
            let written =
                store.write(false, |txn| txn.insert(Table::Units, &keys::secret(), &secret));
            written.map_err(|error| store_error(&error))?;
            secret
        }
    };
    Hasher::new(&secret).ok_or_else(|| LedgerError::Store("no secret to hash with".to_owned()))
}

/// Takes up what the file has.
pub(super) fn load(core: &mut Core) -> Result<(), LedgerError> {
    read(core).map_err(|error| store_error(&error))
}

fn read(core: &mut Core) -> Result<(), StoreError> {
    let store = Arc::clone(core.tsdb().store());
    let was_salvaged = store.read()?.get(Table::Units, &keys::salvaged())?.is_some();
    if was_salvaged {
        settle_blocks(&store)?;
    }
    let snapshot = store.read()?;
    if let Some(value) = snapshot.get(Table::Units, &keys::mark())? {
        let mark: Mark = serde_json::from_slice(value.payload()).map_err(|error| {
            StoreError::Damaged { table: "units", reason: format!("where it ends: {error}") }
        })?;
        core.flushed = mark.flushed;
        core.dropped.extend(mark.dropped);
    }
    let table = snapshot.table(Table::Units)?;
    for area in [Area::Sums, Area::Tallies, Area::Ids] {
        let (from, until) = area.range();
        let mut tallies: Vec<(TallyKey, Tally)> = Vec::new();
        for entry in table.range(&from, &until)? {
            let entry = entry?;
            let key = entry.key().to_vec();
            match entry.open() {
                Ok(value) => take(core, area, &key, value.payload(), &mut tallies),
                Err(error) => tracing::error!(%error, "a part of the ledger is left out"),
            }
        }
        if area == Area::Tallies {
            core.shared().set_tallies(Tallies::from(tallies));
        }
    }
    core.next_sequence = core.flushed;
    let journal = snapshot.table(Table::Ledger)?;
    for entry in journal.range(&keys::journal(core.flushed), &[0xff; 9])? {
        let entry = entry?;
        let Some(sequence) = keys::sequence_of(entry.key()) else { continue };
        core.next_sequence = sequence + 1;
        let value = match entry.open() {
            Ok(value) => value,
            Err(error) => {
                tracing::error!(%error, "a part of the ledger's journal is left out");
                continue;
            }
        };
        core.journal_bytes += value.payload().len();
        match journal::decode(value.payload()) {
            Some(facts) => core.adopt(&facts),
            None => {
                tracing::error!(sequence, "a part of the ledger's journal cannot be decoded");
            }
        }
    }
    Ok(())
}

/// After a salvage blocks may be there that others had replaced. What is now is what is left when
/// each, in the order in which they were written, takes the place of all that was in its span.
fn settle_blocks(store: &Store) -> Result<(), StoreError> {
    let (from, until) = Area::Blocks.range();
    let mut next = Some(from);
    while let Some(from) = next.take() {
        let snapshot = store.read()?;
        let table = snapshot.table(Table::Units)?;
        let first = table.at_or_after(&from)?.and_then(|entry| keys::block_of(entry.key()));
        let Some((experiment, _)) = first else { break };
        let mut found = Vec::new();
        let (low, high) = (keys::block(experiment, 0), keys::after_blocks(experiment));
        for entry in table.range(&low, &high)? {
            let entry = entry?;
            let key = entry.key().to_vec();
            let value = entry.open()?;
            let block = Block::open(value.payload());
            let rows = block.as_ref().and_then(|block| Some((block.span, block.rows()?)));
            if let (Some((_, low)), Some((span, rows))) = (keys::block_of(&key), rows) {
                found.push((span.stamp, low, span.until, rows));
            }
        }
        found.sort_by_key(|(stamp, low, ..)| (*stamp, *low));
        let stamp = found.last().map_or(0, |(stamp, ..)| *stamp);
        let mut units = BTreeMap::new();
        for (_, low, until, rows) in found {
            let covered: Vec<u64> = match until {
                Some(until) => units.range(low..until).map(|(hash, _)| *hash).collect(),
                None => units.range(low..).map(|(hash, _)| *hash).collect(),
            };
            for hash in covered {
                units.remove(&hash);
            }
            units.extend(rows);
        }
        let writes = units::pack_whole(experiment, units.into_iter().collect(), stamp);
        store.write(false, |txn| {
            txn.remove_range(Table::Units, &low, &high, usize::MAX)?;
            writes.iter().try_for_each(|(key, payload)| match payload {
                Some(payload) => txn.insert(Table::Units, key, payload),
                None => Ok(()),
            })
        })?;
        next = Some(high).filter(|high| *high < until);
    }
    store.write(false, |txn| txn.remove(Table::Units, &keys::salvaged()).map(|_| ()))
}

fn take(
    core: &mut Core,
    area: Area,
    key: &[u8],
    payload: &[u8],
    tallies: &mut Vec<(TallyKey, Tally)>,
) {
    let taken = match area {
        Area::Sums => {
            let book = serde_json::from_slice::<Book>(payload).ok();
            match (keys::sums_of(key), book) {
                (Some(experiment), Some(book)) => {
                    core.shared().books().insert(experiment, book);
                    true
                }
                _ => false,
            }
        }
        Area::Tallies => match serde_json::from_slice::<Vec<(TallyKey, Tally)>>(payload) {
            Ok(rows) => {
                tallies.extend(rows);
                true
            }
            Err(_) => false,
        },
        Area::Ids => keys::ids_of(key).is_some_and(|row| core.memory.ids.load(row, payload)),
        Area::Secret | Area::Blocks | Area::Mark | Area::Salvaged => true,
    };
    if !taken {
        tracing::error!(?area, "a part of the ledger cannot be decoded and is left out");
    }
}
