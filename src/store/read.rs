//! Reading: a consistent view, its tables and their values.

use std::ops::Bound;

use redb::{AccessGuard, ReadOnlyTable, ReadTransaction};

use super::seal::{SEAL_BYTES, unseal};
use super::{StoreError, Table};

/// Everything that was committed when it was taken. Cheap to take; it keeps the pages that it
/// sees from being reused, so it must not be held for longer than a query.
pub struct Snapshot {
    transaction: ReadTransaction,
}

/// One table of a snapshot.
pub struct TableReader<'s> {
    table: Table,
    open: ReadOnlyTable<&'static [u8], &'static [u8]>,
    _snapshot: std::marker::PhantomData<&'s Snapshot>,
}

/// A value whose seal was checked.
pub struct Value<'s> {
    guard: AccessGuard<'static, &'static [u8]>,
    key_len: usize,
    _snapshot: std::marker::PhantomData<&'s Snapshot>,
}

impl Value<'_> {
    /// What was put in.
    pub fn payload(&self) -> &[u8] {
        &self.guard.value()[SEAL_BYTES + self.key_len..]
    }

    /// Checks a seal and gives the payload.
    pub(super) fn open<'b>(
        table: Table,
        key: &[u8],
        sealed: &'b [u8],
    ) -> Result<&'b [u8], StoreError> {
        let damaged = |reason: &str| StoreError::Damaged {
            table: table.name(),
            reason: format!("key {key:02x?}: {reason}"),
        };
        let opened = unseal(sealed).map_err(damaged)?;
        if opened.table != table || opened.key != key {
            return Err(damaged("it belongs to another key"));
        }
        Ok(opened.payload)
    }
}

impl Snapshot {
    pub(super) fn new(transaction: ReadTransaction) -> Self {
        Snapshot { transaction }
    }

    pub(super) fn table_names(&self) -> Result<Vec<String>, StoreError> {
        use redb::TableHandle;
        let tables = self.transaction.list_tables().map_err(|e| StoreError::read(e.into()))?;
        Ok(tables.map(|table| table.name().to_owned()).collect())
    }

    /// Opens a table.
    pub fn table(&self, table: Table) -> Result<TableReader<'_>, StoreError> {
        let open = self
            .transaction
            .open_table(table.definition())
            .map_err(|e| StoreError::read(e.into()))?;
        Ok(TableReader { table, open, _snapshot: std::marker::PhantomData })
    }

    /// The value of one key.
    pub fn get(&self, table: Table, key: &[u8]) -> Result<Option<Value<'_>>, StoreError> {
        let open = self.table(table)?;
        let guard = open.open.get(key).map_err(|e| StoreError::read(e.into()))?;
        guard.map(|guard| checked(table, key, guard)).transpose()
    }
}

fn checked<'s>(
    table: Table,
    key: &[u8],
    guard: AccessGuard<'static, &'static [u8]>,
) -> Result<Value<'s>, StoreError> {
    Value::open(table, key, guard.value())?;
    Ok(Value { guard, key_len: key.len(), _snapshot: std::marker::PhantomData })
}

impl<'s> TableReader<'s> {
    /// How many entries the table has.
    pub fn len(&self) -> Result<u64, StoreError> {
        use redb::ReadableTableMetadata;
        self.open.len().map_err(|e| StoreError::read(e.into()))
    }

    /// Whether the table has no entries.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.len()? == 0)
    }

    /// The first entry at or after `from`. The value comes unopened, so that a damaged one can
    /// be stepped over.
    pub fn at_or_after(&self, from: &[u8]) -> Result<Option<Entry<'s>>, StoreError> {
        let mut range = self.open.range(from..).map_err(|e| StoreError::read(e.into()))?;
        self.entry(range.next())
    }

    /// The last entry at or before `until`.
    pub fn at_or_before(&self, until: &[u8]) -> Result<Option<Entry<'s>>, StoreError> {
        let mut range = self.open.range(..=until).map_err(|e| StoreError::read(e.into()))?;
        self.entry(range.next_back())
    }

    /// The entries from `from` (inclusive) up to `until` (exclusive), in order.
    pub fn range(
        &self,
        from: &[u8],
        until: &[u8],
    ) -> Result<impl Iterator<Item = Result<Entry<'s>, StoreError>> + use<'s>, StoreError> {
        let range = self.open.range(from..until).map_err(|e| StoreError::read(e.into()))?;
        let table = self.table;
        Ok(range.map(move |next| entry(table, next)))
    }

    /// The entries from `from` (inclusive) up to `until` (exclusive), the last first.
    pub fn range_back(
        &self,
        from: &[u8],
        until: &[u8],
    ) -> Result<impl Iterator<Item = Result<Entry<'s>, StoreError>> + use<'s>, StoreError> {
        let range = self.open.range(from..until).map_err(|e| StoreError::read(e.into()))?;
        let table = self.table;
        Ok(range.rev().map(move |next| entry(table, next)))
    }

    /// All entries, in order.
    pub fn all(
        &self,
    ) -> Result<impl Iterator<Item = Result<Entry<'s>, StoreError>> + use<'s>, StoreError> {
        self.after(None)
    }

    /// All entries behind a key, or all, in order.
    pub fn after(
        &self,
        key: Option<&[u8]>,
    ) -> Result<impl Iterator<Item = Result<Entry<'s>, StoreError>> + use<'s>, StoreError> {
        let from = key.map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.open.range::<&[u8]>((from, Bound::Unbounded));
        let range = range.map_err(|e| StoreError::read(e.into()))?;
        let table = self.table;
        Ok(range.map(move |next| entry(table, next)))
    }

    fn entry(&self, next: Option<RedbEntry>) -> Result<Option<Entry<'s>>, StoreError> {
        next.map(|next| entry(self.table, next)).transpose()
    }
}

type RedbEntry = Result<
    (AccessGuard<'static, &'static [u8]>, AccessGuard<'static, &'static [u8]>),
    redb::StorageError,
>;

fn entry<'s>(table: Table, next: RedbEntry) -> Result<Entry<'s>, StoreError> {
    let (key, guard) = next.map_err(|e| StoreError::read(e.into()))?;
    Ok(Entry { table, key: key.value().to_vec(), guard, _snapshot: std::marker::PhantomData })
}

/// A key with its value, which is not opened yet.
pub struct Entry<'s> {
    table: Table,
    key: Vec<u8>,
    guard: AccessGuard<'static, &'static [u8]>,
    _snapshot: std::marker::PhantomData<&'s Snapshot>,
}

impl<'s> Entry<'s> {
    /// The key.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Bytes of the sealed value.
    pub fn sealed_bytes(&self) -> usize {
        self.guard.value().len()
    }

    /// The stamp and the checksum that the seal states, unchecked: with the key they tell this
    /// value from any other. `None` where the seal is cut short.
    pub fn stamp_and_checksum(&self) -> Option<(u64, u32)> {
        super::seal::stamp_and_checksum(self.guard.value())
    }

    /// Checks the seal and opens the value.
    pub fn open(self) -> Result<Value<'s>, StoreError> {
        checked(self.table, &self.key, self.guard)
    }
}
