//! The one redb file: opening, reading, the only way to write, and repair.
//!
//! Owns: the redb handle, every table, the sealed form of every value, backup, verification and
//! salvage. Never: what the values mean. Start reading at [`Store`].
//!
//! Assumptions about the medium: a completed `fdatasync` is durable, a write that was not synced
//! may be lost, reordered or torn, and a bit may flip at rest. redb's commit is atomic under the
//! first two; the seal on every value (`seal.rs`) finds the third.

mod backup;
mod disk;
mod documents;
mod error;
mod key;
mod read;
mod records;
mod salvage;
mod seal;
mod table;
mod verify;
mod write;

pub use backup::backup;
pub use disk::{DATABASE_FILE, DiskMedium, Medium};
pub use documents::{
    DocumentKind, decode_document, document_key, document_range, documents, encode_document,
};
pub use error::StoreError;
pub use key::{Key, KeyReader};
pub use read::{Entry, Snapshot, TableReader, Value};
pub use records::{RecordKind, decode_record, encode_record};
pub use salvage::{SalvageReport, Salvaged, newest, salvage};
pub use seal::{SEAL_BYTES, SEAL_MAGIC};
pub use table::Table;
pub use verify::{DAMAGE_SHOWN_MAX, Inspect, Scrub, VerifyReport, verify};
pub use write::{Txn, Write};

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use redb::{Database, ReadableDatabase};

/// How to open a store.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Memory for redb's page cache, in bytes.
    pub cache_bytes: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions { cache_bytes: 8 << 20 }
    }
}

/// How far a slow step has come, from 0 to 1.
pub type Progress<'a> = dyn Fn(f64) + 'a;

/// How often what reads is run again because writes fail.
const AGAIN_MAX: usize = 10;

/// The open database. Any number of readers; writers take turns inside [`Store::write`].
pub struct Store {
    medium: Arc<dyn Medium>,
    options: StoreOptions,
    /// `None` where it could not be replaced after a failed write. Only whoever has the turn
    /// replaces it.
    handle: RwLock<Option<Database>>,
    /// The turn to write or to replace the handle: one that is opened while another commits would
    /// not know of that commit, and write over it.
    writing: Mutex<()>,
    /// Set when redb refused a write, until whoever wrote has looked what became of it.
    failed: AtomicBool,
    /// Counts writes that redb refused.
    failures: AtomicU64,
    /// Whether the last commit saved redb's allocator state.
    rested: AtomicBool,
    /// Counts transactions, over restarts: seals carry it, so that salvage knows the newest.
    stamp: AtomicU64,
}

impl Store {
    /// Opens or creates the database on `medium`. `progress` hears how far a repair after an
    /// unclean end has come.
    pub fn open(
        medium: Arc<dyn Medium>,
        options: StoreOptions,
        progress: &Progress<'_>,
    ) -> Result<Store, StoreError> {
        let database = open_database(medium.as_ref(), &options, progress)?;
        let store = Store {
            medium,
            options,
            handle: RwLock::new(Some(database)),
            writing: Mutex::new(()),
            failed: AtomicBool::new(false),
            failures: AtomicU64::new(0),
            rested: AtomicBool::new(false),
            stamp: AtomicU64::new(0),
        };
        table::create_all(&store)?;
        let stamp = store
            .read()?
            .get(Table::Meta, b"stamp")?
            .map(|value| KeyReader::new(value.payload()).u64().unwrap_or_default());
        // A stamp is saved only now and then (see `write`): skip past those that were not.
        store.stamp.store(stamp.unwrap_or(0) + write::STAMPS_PER_SAVE, Ordering::Relaxed);
        Ok(store)
    }

    /// Runs what reads, and again where it fails because somebody's write did: redb then refuses all
    /// that use the same handle, until it is replaced.
    pub fn again<R, E>(&self, mut work: impl FnMut() -> Result<R, E>) -> Result<R, E> {
        for _ in 0..AGAIN_MAX {
            let before = self.failures.load(Ordering::Acquire);
            let result = work();
            if result.is_ok() {
                return result;
            }
            // Whoever writes may just be failing.
            drop(self.turn());
            if self.failures.load(Ordering::Acquire) == before {
                return result;
            }
        }
        work()
    }

    /// A consistent view of everything committed so far.
    pub fn read(&self) -> Result<Snapshot, StoreError> {
        let handle = self.handle();
        let database = handle.as_ref().ok_or(StoreError::Failed)?;
        let transaction = database.begin_read().map_err(|e| StoreError::read(e.into()))?;
        Ok(Snapshot::new(transaction))
    }

    /// Runs `work` in one transaction and makes it durable before returning. When `work` fails
    /// nothing is written. `quick_repair` also saves redb's allocator state, so that opening
    /// after a crash need not walk the file; it costs a second sync.
    ///
    /// Where redb refuses the write, readers go on with a new handle if the file can be opened;
    /// writers are refused until [`Store::reopen`].
    pub fn write<R>(
        &self,
        quick_repair: bool,
        work: impl FnOnce(&mut Txn<'_>) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let _turn = self.turn();
        if self.failed.load(Ordering::Acquire) {
            return Err(StoreError::Failed);
        }
        let stamp = self.stamp.fetch_add(1, Ordering::Relaxed);
        let result = match self.handle().as_ref() {
            Some(database) => write::transact(database, stamp, quick_repair, work),
            None => return Err(StoreError::Failed),
        };
        match &result {
            Ok(_) => self.rested.store(quick_repair, Ordering::Release),
            Err(error) if error.breaks_handle() => {
                self.failed.store(true, Ordering::Release);
                // Where this fails, whoever calls `reopen` tries again.
                let _ = self.replace_handle();
                self.failures.fetch_add(1, Ordering::AcqRel);
            }
            Err(_) => {}
        }
        result
    }

    /// For idle moments: if the last commit did not save redb's allocator state, one more does,
    /// so that opening after a crash need not walk the file. Small files are walked in no time
    /// and left alone.
    pub fn rest(&self) -> Result<(), StoreError> {
        const WORTH_IT_BYTES: u64 = 64 << 20;
        if self.rested.load(Ordering::Acquire) || self.file_bytes()? < WORTH_IT_BYTES {
            return Ok(());
        }
        self.write(true, |txn| txn.insert(Table::Meta, b"rested", &[]))
    }

    /// Whether a write failed in a way that needs [`Store::reopen`].
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Lets writers go on after a failed write. What the failed transaction held may or may not
    /// have become durable: the caller must look. Views that were opened before keep what redb
    /// had cached for them and fail on anything else; they never see pages of a later commit.
    ///
    /// # Errors
    ///
    /// When the file can still not be opened.
    pub fn reopen(&self) -> Result<(), StoreError> {
        let _turn = self.turn();
        if self.handle().is_none() {
            self.replace_handle()?;
        }
        self.failed.store(false, Ordering::Release);
        Ok(())
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Only for whoever has the turn.
    fn replace_handle(&self) -> Result<(), StoreError> {
        let mut handle = self.handle.write().unwrap_or_else(PoisonError::into_inner);
        // One that is sound all the same writes its header when it goes: before the next reads it.
        drop(handle.take());
        *handle = Some(open_database(self.medium.as_ref(), &self.options, &|_| {})?);
        Ok(())
    }

    /// Where the database is, for people.
    pub fn place(&self) -> String {
        self.medium.place()
    }

    /// Bytes of the file, free pages included.
    pub fn file_bytes(&self) -> Result<u64, StoreError> {
        self.medium.file_bytes().map_err(|e| StoreError::read(redb::Error::Io(e)))
    }

    /// Free and total bytes of the file system that holds the file, where that is known.
    pub fn disk_space(&self) -> Option<(u64, u64)> {
        self.medium.disk_space()
    }

    /// Moves pages together and cuts the file. Needs that nobody else uses the store.
    pub fn compact(&mut self) -> Result<bool, StoreError> {
        let handle = self.handle.get_mut().unwrap_or_else(PoisonError::into_inner);
        let database = handle.as_mut().ok_or(StoreError::Failed)?;
        let mut moved = false;
        // One round may leave room that the next can use.
        for _ in 0..8 {
            if !database.compact().map_err(|e| StoreError::write(e.into()))? {
                break;
            }
            moved = true;
        }
        Ok(moved)
    }

    fn handle(&self) -> RwLockReadGuard<'_, Option<Database>> {
        self.handle.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open_database(
    medium: &dyn Medium,
    options: &StoreOptions,
    progress: &Progress<'_>,
) -> Result<Database, StoreError> {
    // redb wants a callback that owns what it uses; a channel carries the figures out of it.
    let (sender, receiver) = std::sync::mpsc::channel::<f64>();
    std::thread::scope(|scope| {
        let backend = disk::AnyBackend::new(
            medium.backend().map_err(|e| StoreError::open(medium, e.into()))?,
        );
        let cache_bytes = options.cache_bytes;
        let opening = scope.spawn(move || {
            Database::builder()
                .set_cache_size(cache_bytes)
                .set_repair_callback(move |session| {
                    // Nobody listening only means that nobody wants to know.
                    let _ = sender.send(session.progress());
                })
                .create_with_backend(backend)
        });
        while let Ok(share) = receiver.recv() {
            progress(share);
        }
        match opening.join() {
            Ok(result) => result.map_err(|e| StoreError::open(medium, e)),
            Err(_) => Err(StoreError::OpenPanicked { place: medium.place() }),
        }
    })
}
