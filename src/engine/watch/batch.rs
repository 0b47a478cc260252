//! What the keeper is handed.

use crate::engine::feed::Fact;
use crate::model::{Alert, AlertKey, Timestamp};
use crate::store::{DocumentKind, StoreError, Table, Txn, document_key, encode_document};

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
    pub(in crate::engine) fn apply(&self, txn: &mut Txn<'_>) -> Result<(), StoreError> {
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

/// What a source says of an alert.
#[derive(Clone, Debug, PartialEq)]
pub enum Signal {
    /// It fires. Said at each transition, and again when its texts changed.
    Firing(Box<Alert>),
    /// It ended.
    Ended {
        /// Which.
        key: AlertKey,
        /// When.
        at: Timestamp,
    },
}

/// What one source found, what it wants remembered with it, and what is told of it: one
/// transaction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// State of the source itself: clocks, results.
    pub writes: Vec<Write>,
    /// What the watch is to decide on.
    pub signals: Vec<Signal>,
    /// What the feed tells as soon as all of it is durable, before what is decided because of it.
    pub facts: Vec<Fact>,
}

impl Batch {
    /// Nothing but changes of values.
    pub fn of_writes(writes: Vec<Write>) -> Batch {
        Batch { writes, ..Batch::default() }
    }
}

/// Why nothing took effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// The daemon is stopping.
    #[error("stopping; try again after the restart")]
    Stopping,
    /// The database refused.
    #[error("the database did not take it: {0}; it is tried again")]
    Store(String),
}
