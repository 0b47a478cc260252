//! Opening: what the last flush left, and the journal since.

use std::sync::Arc;

use crate::features::{Tallies, Tally, TallyKey};
use crate::store::{Store, StoreError, Table};

use super::LedgerError;
use super::core::Core;
use super::flush::Mark;
use super::journal;
use super::keys::{self, Area, Hasher, SECRET_BYTES};
use super::shared::Book;

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
        Area::Secret | Area::Blocks | Area::Mark => true,
    };
    if !taken {
        tracing::error!(?area, "a part of the ledger cannot be decoded and is left out");
    }
}
