//! A copy of everything, taken while the store is in use.

use std::path::Path;
use std::sync::Arc;

use super::disk::sync_directory_of;
use super::{DiskMedium, Progress, Store, StoreError, StoreOptions, Table};

/// Bytes copied in one transaction of the new file.
const SLICE_BYTES: usize = 8 << 20;

/// Copies one consistent view of `store` into a new database file at `target`: written beside
/// it, synced, and renamed, so that `target` is either absent or complete. Refuses to replace
/// an existing file. Gives the bytes of values copied.
pub fn backup(store: &Store, target: &Path, progress: &Progress<'_>) -> Result<u64, StoreError> {
    if target.exists() {
        return Err(StoreError::File {
            path: target.display().to_string(),
            reason: "already exists; name a new file".to_owned(),
        });
    }
    let mut partial = target.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Path::new(&partial);
    if partial.exists() {
        std::fs::remove_file(partial).map_err(|e| StoreError::file(partial, &e))?;
    }
    let copied = copy(store, partial, progress)?;
    std::fs::rename(partial, target).map_err(|e| StoreError::file(target, &e))?;
    sync_directory_of(target).map_err(|e| StoreError::file(target, &e))?;
    Ok(copied)
}

fn copy(store: &Store, partial: &Path, progress: &Progress<'_>) -> Result<u64, StoreError> {
    let snapshot = store.read()?;
    let total = store.file_bytes()?.max(1) as f64;
    let medium = DiskMedium::open(partial).map_err(|e| StoreError::file(partial, &e))?;
    let copy = Store::open(Arc::new(medium), StoreOptions::default(), &|_| {})?;
    let mut copied = 0u64;
    for table in Table::ALL {
        let reader = snapshot.table(table)?;
        let mut entries = reader.all()?.peekable();
        while entries.peek().is_some() {
            copied += copy.write(true, |txn| {
                let mut bytes = 0;
                while bytes < SLICE_BYTES {
                    let Some(entry) = entries.next() else { break };
                    let entry = entry?;
                    let key = entry.key().to_vec();
                    bytes += entry.sealed_bytes();
                    txn.insert(table, &key, entry.open()?.payload())?;
                }
                Ok(bytes as u64)
            })?;
            progress((copied as f64 / total).min(1.0));
        }
    }
    progress(1.0);
    Ok(copied)
}
