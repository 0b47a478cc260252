//! Looks into values of the ledger's tables, beyond their checksums.

use crate::features::{Tally, TallyKey};
use crate::store::Table;

use super::block::Block;
use super::flush::Mark;
use super::keys::{self, Area, SECRET_BYTES};
use super::shared::Book;
use super::{ids, journal};

/// Whether a value of the tables `Units` and `Ledger` decodes. The error says what is wrong.
pub fn inspect(table: Table, key: &[u8], payload: &[u8]) -> Result<(), String> {
    if table == Table::Ledger {
        keys::sequence_of(key).ok_or("a key of no number")?;
        return match journal::decode(payload) {
            Some(_) => Ok(()),
            None => Err("a part of the ledger's journal that cannot be decoded".to_owned()),
        };
    }
    let json = |error: serde_json::Error| error.to_string();
    match Area::of(key) {
        Some(Area::Blocks) => {
            let (_, low) = keys::block_of(key).ok_or("a block of units of no experiment")?;
            let rows = Block::open(payload).and_then(|block| block.rows());
            let rows = rows.ok_or("a block of units that cannot be decoded")?;
            if rows.first().is_some_and(|(hash, _)| *hash < low) {
                return Err("a block of units that belong before it".to_owned());
            }
            Ok(())
        }
        Some(Area::Sums) => {
            keys::sums_of(key).ok_or("sums of no experiment")?;
            serde_json::from_slice::<Book>(payload).map(|_| ()).map_err(json)
        }
        Some(Area::Tallies) => {
            serde_json::from_slice::<Vec<(TallyKey, Tally)>>(payload).map(|_| ()).map_err(json)
        }
        Some(Area::Ids) => match ids::decode(payload) {
            Some(_) => Ok(()),
            None => Err("a row of ids that cannot be decoded".to_owned()),
        },
        Some(Area::Mark) => serde_json::from_slice::<Mark>(payload).map(|_| ()).map_err(json),
        Some(Area::Salvaged) => Ok(()),
        Some(Area::Secret) if payload.len() == SECRET_BYTES => Ok(()),
        Some(Area::Secret) => Err("a secret of another length".to_owned()),
        None => Err("a key of no known kind".to_owned()),
    }
}
