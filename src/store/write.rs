//! One write transaction, and what it is told to change.

use redb::{Database, ReadableTable, WriteTransaction};

use super::seal::{seal_into, sealed_len};
use super::{DocumentKind, Key, StoreError, Table, Value, document_key, encode_document};

/// A transaction that is being put together. Nothing of it is seen before it is committed.
pub struct Txn<'a> {
    transaction: &'a WriteTransaction,
    stamp: u64,
}

/// Every so many transactions the stamp itself is saved.
pub(super) const STAMPS_PER_SAVE: u64 = 256;

pub(super) fn transact<R>(
    database: &Database,
    stamp: u64,
    quick_repair: bool,
    work: impl FnOnce(&mut Txn<'_>) -> Result<R, StoreError>,
) -> Result<R, StoreError> {
    let mut transaction = database.begin_write().map_err(|e| StoreError::write(e.into()))?;
    transaction.set_quick_repair(quick_repair);
    let mut txn = Txn { transaction: &transaction, stamp };
    let outcome = work(&mut txn).and_then(|result| {
        if stamp.is_multiple_of(STAMPS_PER_SAVE) {
            txn.insert(Table::Meta, b"stamp", Key::new().u64(stamp).as_bytes())?;
        }
        Ok(result)
    });
    match outcome {
        Ok(result) => {
            transaction.commit().map_err(|e| StoreError::write(e.into()))?;
            Ok(result)
        }
        Err(error) => {
            transaction.abort().map_err(|e| StoreError::write(e.into()))?;
            Err(error)
        }
    }
}

impl Txn<'_> {
    pub(super) fn create(&mut self, table: Table) -> Result<(), StoreError> {
        self.transaction.open_table(table.definition()).map_err(|e| StoreError::write(e.into()))?;
        Ok(())
    }

    /// Sets a key, sealed.
    pub fn insert(&mut self, table: Table, key: &[u8], payload: &[u8]) -> Result<(), StoreError> {
        let mut open = self
            .transaction
            .open_table(table.definition())
            .map_err(|e| StoreError::write(e.into()))?;
        let mut room = open
            .insert_reserve(key, sealed_len(key, payload.len()))
            .map_err(|e| StoreError::write(e.into()))?;
        seal_into(room.as_mut(), table, key, self.stamp, payload);
        Ok(())
    }

    /// Removes a key; whether it was there.
    pub fn remove(&mut self, table: Table, key: &[u8]) -> Result<bool, StoreError> {
        let mut open = self
            .transaction
            .open_table(table.definition())
            .map_err(|e| StoreError::write(e.into()))?;
        let removed = open.remove(key).map_err(|e| StoreError::write(e.into()))?.is_some();
        Ok(removed)
    }

    /// Removes keys from `from` (inclusive) up to `until` (exclusive), in order, stopping once
    /// about `bytes_max` bytes of values are gone. Gives whether all are.
    pub fn remove_range(
        &mut self,
        table: Table,
        from: &[u8],
        until: &[u8],
        bytes_max: usize,
    ) -> Result<bool, StoreError> {
        let mut open = self
            .transaction
            .open_table(table.definition())
            .map_err(|e| StoreError::write(e.into()))?;
        let mut bytes = 0;
        let mut complete = true;
        open.retain_in(from..until, |_, value| {
            if bytes >= bytes_max {
                complete = false;
                return true;
            }
            bytes += value.len();
            false
        })
        .map_err(|e| StoreError::write(e.into()))?;
        Ok(complete)
    }

    /// The value of a key as this transaction sees it.
    pub fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let open = self
            .transaction
            .open_table(table.definition())
            .map_err(|e| StoreError::write(e.into()))?;
        let guard = open.get(key).map_err(|e| StoreError::write(e.into()))?;
        match guard {
            None => Ok(None),
            Some(guard) => Ok(Some(Value::open(table, key, guard.value())?.to_vec())),
        }
    }
}

/// A change of one value in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Puts a value in place of what is there.
    Put {
        /// Where.
        table: Table,
        /// Under which key.
        key: Vec<u8>,
        /// What, without its seal.
        payload: Vec<u8>,
    },
    /// Removes a value, if there is one.
    Remove {
        /// Where.
        table: Table,
        /// Under which key.
        key: Vec<u8>,
    },
}

impl Write {
    /// Puts a document.
    ///
    /// # Errors
    ///
    /// When it cannot be encoded.
    pub fn document<T: serde::Serialize>(
        table: Table,
        kind: DocumentKind,
        id: &str,
        document: &T,
    ) -> Result<Write, StoreError> {
        let key = document_key(kind, id).as_bytes().to_vec();
        Ok(Write::Put { table, key, payload: encode_document(document)? })
    }

    /// Writes it as part of a transaction.
    pub fn apply(&self, txn: &mut Txn<'_>) -> Result<(), StoreError> {
        match self {
            Write::Put { table, key, payload } => txn.insert(*table, key, payload),
            Write::Remove { table, key } => txn.remove(*table, key).map(|_| ()),
        }
    }

    /// Removes a document.
    pub fn no_document(table: Table, kind: DocumentKind, id: &str) -> Write {
        Write::Remove { table, key: document_key(kind, id).as_bytes().to_vec() }
    }
}
