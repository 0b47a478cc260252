//! What can go wrong with the store.

use super::Medium;

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be opened.
    #[error("cannot open {place}: {reason}{mend}")]
    Open {
        /// The file.
        place: String,
        /// What redb or the system said.
        reason: String,
        /// What to do about it, where that is known.
        mend: &'static str,
    },
    /// redb panicked while opening: the file is damaged in a way that it does not expect.
    #[error("cannot open {place}: the file is damaged; recover its data with `vedette salvage`")]
    OpenPanicked {
        /// The file.
        place: String,
    },
    /// A read failed.
    #[error("cannot read the database: {0}")]
    Read(String),
    /// A write failed; nothing of its transaction may be counted on.
    #[error("cannot write the database: {0}")]
    Write(String),
    /// An earlier write failed and the database has not been reopened yet.
    #[error("the database is closed after a failed write; it is reopened as soon as that succeeds")]
    Failed,
    /// A value cannot be brought into the form in which it is stored.
    #[error("cannot be stored: {0}")]
    Encode(String),
    /// A value does not have the form it was written in.
    #[error("damaged value in table {table}: {reason}")]
    Damaged {
        /// The table.
        table: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A file beside the database could not be written or read.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The caller asked to stop.
    #[error("stopped")]
    Stopped,
}

impl StoreError {
    pub(super) fn open(medium: &dyn Medium, error: redb::DatabaseError) -> Self {
        let mend = match &error {
            redb::DatabaseError::Storage(redb::StorageError::Corrupted(_)) => {
                "; recover its data with `vedette salvage`"
            }
            redb::DatabaseError::UpgradeRequired(_) => {
                "; it was written by another version of vedette"
            }
            _ => "",
        };
        StoreError::Open { place: medium.place(), reason: error.to_string(), mend }
    }

    pub(super) fn read(error: redb::Error) -> Self {
        StoreError::Read(error.to_string())
    }

    pub(super) fn write(error: redb::Error) -> Self {
        StoreError::Write(error.to_string())
    }

    pub(super) fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        StoreError::File { path: path.display().to_string(), reason: error.to_string() }
    }

    /// Whether the redb handle refuses everything after this error.
    pub(super) fn breaks_handle(&self) -> bool {
        matches!(self, StoreError::Write(_))
    }
}
