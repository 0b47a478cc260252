//! Requests that were made before: what an `Idempotency-Key` is remembered for. In memory alone:
//! a restart forgets, and the last of many.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::api::{ApiError, ErrorKind};

/// Keys that are remembered, the oldest going first.
const KEYS_MAX: usize = 10_000;

#[derive(Debug, Default)]
struct Inner {
    /// How many lines were accepted; nothing while the request is under way.
    keys: BTreeMap<String, Option<u64>>,
    /// In the order in which they came.
    order: VecDeque<String>,
}

/// The keys of requests. Clones share them.
#[derive(Clone, Debug, Default)]
pub(in crate::api) struct Repeated {
    inner: Arc<Mutex<Inner>>,
}

/// What is known of a request.
pub(super) enum Known {
    /// Nothing: it is under way now, and remembered once [`Ticket::done`] is called.
    New(Ticket),
    /// So many lines were accepted.
    Before(u64),
}

/// Forgets its key when dropped undone: what failed may be sent again.
pub(super) struct Ticket {
    repeated: Repeated,
    key: Option<String>,
}

impl Repeated {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks a key up, and begins a request under it.
    ///
    /// # Errors
    ///
    /// While a request of the same key is under way.
    pub(super) fn begin(&self, key: &str) -> Result<Known, ApiError> {
        let mut inner = self.inner();
        match inner.keys.get(key) {
            Some(Some(accepted)) => Ok(Known::Before(*accepted)),
            Some(None) => Err(ApiError::new(
                ErrorKind::Conflict,
                format!("a request with the Idempotency-Key {key:?} is under way; ask again later"),
            )),
            None => {
                inner.keys.insert(key.to_owned(), None);
                Ok(Known::New(Ticket { repeated: self.clone(), key: Some(key.to_owned()) }))
            }
        }
    }
}

impl Ticket {
    /// Remembers that so many lines were accepted.
    pub(super) fn done(mut self, accepted: u64) {
        let Some(key) = self.key.take() else { return };
        let mut inner = self.repeated.inner();
        inner.keys.insert(key.clone(), Some(accepted));
        inner.order.push_back(key);
        if inner.order.len() > KEYS_MAX
            && let Some(oldest) = inner.order.pop_front()
        {
            inner.keys.remove(&oldest);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.repeated.inner().keys.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(repeated: &Repeated, key: &str) -> Ticket {
        match repeated.begin(key) {
            Ok(Known::New(ticket)) => ticket,
            _ => panic!("{key} is known"),
        }
    }

    #[test]
    fn a_key_is_known_once_its_request_is_done_and_forgotten_when_it_failed() {
        let repeated = Repeated::default();
        let ticket = begin(&repeated, "a");
        assert!(repeated.begin("a").is_err_and(|error| error.kind == ErrorKind::Conflict));
        drop(ticket);
        begin(&repeated, "a").done(7);
        assert!(matches!(repeated.begin("a"), Ok(Known::Before(7))));
        for n in 0..KEYS_MAX {
            begin(&repeated, &n.to_string()).done(1);
        }
        assert_eq!(repeated.inner().keys.len(), KEYS_MAX);
        drop(begin(&repeated, "a"));
    }
}
