//! Requests that were made before: what an `Idempotency-Key` is remembered for, with the lines and
//! as durably. Of very many the oldest are forgotten.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::store::{DocumentKind, Store, StoreError, Table, Write, documents};

/// Keys that are remembered, the oldest going first.
const KEYS_MAX: usize = 10_000;
/// Of keys that are too many, so many go with one that comes.
const LEAVING_MAX: usize = 4;

/// What is kept of a request under its key.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    /// Rises from one to the next.
    number: u64,
    accepted: u64,
}

#[derive(Debug, Default)]
struct Inner {
    /// How many lines were accepted; nothing while the request is under way.
    keys: BTreeMap<String, Option<u64>>,
    /// Those that are done, in the order in which they came.
    order: VecDeque<String>,
    next: u64,
}

/// The keys of requests. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests {
    inner: Arc<Mutex<Inner>>,
}

/// What is known of a request.
#[derive(Debug)]
pub enum Known {
    /// Nothing: it is under way now, and remembered once its lines are durable.
    New(Ticket),
    /// It is under way.
    UnderWay,
    /// So many lines were accepted.
    Before(u64),
}

/// One request that is under way. Forgets its key when dropped undone: what failed may be sent
/// again.
#[derive(Debug)]
pub struct Ticket {
    requests: Requests,
    key: String,
    /// Keys that are forgotten for this one.
    leaving: Vec<String>,
    is_done: bool,
}

impl Requests {
    /// Those in the file.
    pub(super) fn open(store: &Store) -> Result<Requests, StoreError> {
        let (table, kind) = (Table::Watch, DocumentKind::LogRequest);
        let mut stored: Vec<(String, Stored)> =
            documents(&store.read()?, table, kind, "the key of a request")?;
        stored.sort_by_key(|(_, stored)| stored.number);
        let next = stored.last().map_or(0, |(_, stored)| stored.number + 1);
        let order = stored.iter().map(|(key, _)| key.clone()).collect();
        let keys = stored.into_iter().map(|(key, stored)| (key, Some(stored.accepted))).collect();
        Ok(Requests { inner: Arc::new(Mutex::new(Inner { keys, order, next })) })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks a key up, and begins a request under it.
    pub(super) fn begin(&self, key: &str) -> Known {
        let mut inner = self.inner();
        match inner.keys.get(key) {
            Some(Some(accepted)) => Known::Before(*accepted),
            Some(None) => Known::UnderWay,
            None => {
                inner.keys.insert(key.to_owned(), None);
                Known::New(Ticket {
                    requests: self.clone(),
                    key: key.to_owned(),
                    leaving: Vec::new(),
                    is_done: false,
                })
            }
        }
    }
}

impl Ticket {
    /// What is written with the lines of the request, of which so many are accepted.
    pub(super) fn notes(&mut self, accepted: u64) -> Result<Vec<Write>, StoreError> {
        let (table, kind) = (Table::Watch, DocumentKind::LogRequest);
        let mut inner = self.requests.inner();
        let number = inner.next;
        inner.next += 1;
        let excess = (inner.order.len() + 1).saturating_sub(KEYS_MAX).min(LEAVING_MAX);
        self.leaving.extend(inner.order.drain(..excess));
        drop(inner);
        let leaving = self.leaving.iter().map(|key| Write::no_document(table, kind, key));
        let mut notes: Vec<Write> = leaving.collect();
        notes.push(Write::document(table, kind, &self.key, &Stored { number, accepted })?);
        Ok(notes)
    }

    /// Remembers that so many lines were accepted: they are durable now, and so is this.
    pub(super) fn done(mut self, accepted: u64) {
        self.is_done = true;
        let mut inner = self.requests.inner();
        for key in &self.leaving {
            inner.keys.remove(key);
        }
        inner.keys.insert(self.key.clone(), Some(accepted));
        inner.order.push_back(self.key.clone());
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let mut inner = self.requests.inner();
        inner.keys.remove(&self.key);
        for key in std::mem::take(&mut self.leaving).into_iter().rev() {
            inner.order.push_front(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{DiskMedium, StoreOptions};

    fn begin(requests: &Requests, key: &str) -> Ticket {
        match requests.begin(key) {
            Known::New(ticket) => ticket,
            other => panic!("{key} is known: {other:?}"),
        }
    }

    fn open(folder: &tempfile::TempDir) -> Store {
        let medium = DiskMedium::open(&folder.path().join("db")).expect("a folder");
        Store::open(Arc::new(medium), StoreOptions::default(), &|_| {}).expect("opens")
    }

    #[test]
    fn a_key_is_known_once_its_request_is_done_and_forgotten_when_it_failed() {
        let requests = Requests::default();
        let ticket = begin(&requests, "a");
        assert!(matches!(requests.begin("a"), Known::UnderWay));
        drop(ticket);
        begin(&requests, "a").done(7);
        assert!(matches!(requests.begin("a"), Known::Before(7)));
    }

    #[test]
    fn the_newest_are_known_after_a_restart_and_the_file_has_no_more() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(&folder);
        let requests = Requests::open(&store).expect("reads");
        let (surplus, count) = (10, KEYS_MAX + 10);
        let commit = |notes: Vec<Write>| {
            let written =
                store.write(false, |txn| notes.iter().try_for_each(|note| note.apply(txn)));
            written.expect("written");
        };
        let mut all = Vec::new();
        for n in 0..count {
            let mut ticket = begin(&requests, &format!("key {n}"));
            all.extend(ticket.notes(n as u64).expect("a number"));
            ticket.done(n as u64);
        }
        commit(all);
        // One that fails takes nobody's place.
        let mut failed = begin(&requests, "failed");
        assert_eq!(failed.notes(1).expect("a number").len(), 2);
        drop(failed);
        assert_eq!(requests.inner().keys.len(), KEYS_MAX);
        drop(store);

        let store = open(&folder);
        let requests = Requests::open(&store).expect("reads");
        assert_eq!(requests.inner().order.len(), KEYS_MAX);
        assert!(matches!(requests.begin(&format!("key {}", surplus - 1)), Known::New(_)));
        for n in [surplus, count - 1] {
            let known = requests.begin(&format!("key {n}"));
            assert!(matches!(known, Known::Before(accepted) if accepted == n as u64), "{known:?}");
        }
        assert_eq!(requests.inner().order.front(), Some(&format!("key {surplus}")));
    }
}
