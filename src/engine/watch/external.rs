//! Alerts that others send, until they end or run out.
//!
//! Prometheus sends each firing alert again about once a minute, each time with a later end.
//! Such a repetition only moves the end, in memory: it costs no transaction. What is written is
//! the alert when it begins, when its texts change and when it ends, and its end at most every
//! [`PERSIST_MS`]. After a restart every alert has [`RESOLVE_TIMEOUT_MS`] to be sent again, so that
//! neither our own downtime nor an end that was not written resolves anything.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::{Batch, Signal, Watch, WatchError};
use crate::model::{Alert, AlertKey, Timestamp};
use crate::store::{DocumentKind, Store, StoreError, Table, Write, documents};

/// How long (ms) an alert without an end holds if it is not sent again: Alertmanager's
/// `resolve_timeout`.
pub const RESOLVE_TIMEOUT_MS: i64 = 5 * 60_000;
/// How far (ms) the end in the file may lag behind.
const PERSIST_MS: i64 = 10 * 60_000;
/// Alerts that are held at once.
const ALERTS_MAX: usize = 20_000;
/// Alerts that end in one transaction.
const SWEEP_MAX: usize = 256;

/// An alert that somebody sent, and how long it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExternalAlert {
    /// The alert.
    pub alert: Alert,
    /// When it ends unless it is sent again.
    pub ends_at: Timestamp,
    /// Whether the end is only ours, as the sender gave none.
    #[serde(default)]
    pub timeout: bool,
    /// When it was last sent.
    pub updated_at: Timestamp,
}

impl ExternalAlert {
    /// Whether it has ended.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.ends_at <= now
    }

    /// What is known after `self` was followed by `younger` (`Alert.Merge` in Alertmanager's
    /// `types/types.go`): the earliest beginning, and a later end that a sender set himself.
    fn followed_by(&self, mut younger: ExternalAlert, now: Timestamp) -> ExternalAlert {
        let overlap = (younger.ends_at > self.alert.starts_at && younger.ends_at < self.ends_at)
            || (younger.alert.starts_at > self.alert.starts_at
                && younger.alert.starts_at < self.ends_at);
        if overlap {
            younger.alert.starts_at = younger.alert.starts_at.min(self.alert.starts_at);
            let still_rules =
                if younger.has_ended(now) { self.has_ended(now) } else { !self.timeout };
            if still_rules && self.ends_at > younger.ends_at {
                younger.ends_at = self.ends_at;
            }
        }
        younger
    }

    /// Whether only the times of `later` differ.
    fn says_the_same(&self, later: &ExternalAlert) -> bool {
        self.alert == later.alert
    }
}

/// Why nothing of what was sent was taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExternalError {
    /// There are too many.
    #[error("{ALERTS_MAX} alerts are held, and no more are taken; end some or send fewer")]
    TooMany,
    /// It could not be committed.
    #[error(transparent)]
    Watch(#[from] WatchError),
}

#[derive(Clone, Debug)]
struct Held {
    now: Arc<ExternalAlert>,
    /// The end that the file has.
    stored_ends_at: Timestamp,
}

/// All alerts that others sent and that have not ended.
pub struct ExternalAlerts {
    held: Mutex<BTreeMap<AlertKey, Held>>,
    /// One change at a time, from what is decided on to what is held.
    changing: tokio::sync::Mutex<()>,
}

impl ExternalAlerts {
    /// Reads them from the database, and gives each time to be sent again.
    ///
    /// # Errors
    ///
    /// When the database cannot be read. One that cannot be decoded is reported and left out.
    pub fn open(store: &Store, now: Timestamp) -> Result<Self, StoreError> {
        let kind = DocumentKind::ExternalAlert;
        let read =
            || documents::<ExternalAlert>(&store.read()?, Table::Watch, kind, "another's alert");
        let mut held = BTreeMap::new();
        for (_, mut alert) in store.again(read)? {
            let stored_ends_at = alert.ends_at;
            alert.ends_at = stored_ends_at.max(now.plus_millis(RESOLVE_TIMEOUT_MS));
            let key = alert.alert.key();
            held.insert(key, Held { now: Arc::new(alert), stored_ends_at });
        }
        Ok(ExternalAlerts { held: Mutex::new(held), changing: tokio::sync::Mutex::default() })
    }

    /// Those that have not ended, by key.
    pub fn list(&self) -> Vec<Arc<ExternalAlert>> {
        self.lock().values().map(|held| Arc::clone(&held.now)).collect()
    }

    /// One of them.
    pub fn get(&self, key: AlertKey) -> Option<Arc<ExternalAlert>> {
        self.lock().get(&key).map(|held| Arc::clone(&held.now))
    }

    /// Takes what was sent. Waits until what must be remembered is durable.
    ///
    /// # Errors
    ///
    /// [`ExternalError`]; nothing was taken.
    pub async fn receive(
        &self,
        watch: &Watch,
        sent: Vec<ExternalAlert>,
        now: Timestamp,
    ) -> Result<(), ExternalError> {
        let _changing = self.changing.lock().await;
        let mut batch = Batch::default();
        // What was sent twice in one request counts in order.
        let mut changed: BTreeMap<AlertKey, Option<Held>> = BTreeMap::new();
        for alert in sent {
            let key = alert.alert.key();
            let known = match changed.get(&key) {
                Some(changed) => changed.clone(),
                None => self.lock().get(&key).cloned(),
            };
            let alert = match &known {
                Some(known) => known.now.followed_by(alert, now),
                None => alert,
            };
            let after = decide(known, alert, now, &mut batch)?;
            changed.insert(key, after);
        }
        {
            let held = self.lock();
            let new =
                changed.iter().filter(|(key, after)| after.is_some() && !held.contains_key(key));
            if held.len() + new.count() > ALERTS_MAX {
                return Err(ExternalError::TooMany);
            }
        }
        if !batch.writes.is_empty() || !batch.signals.is_empty() {
            watch.commit(batch).await?;
        }
        self.apply(changed);
        Ok(())
    }

    /// Ends those that have run out. Gives how many.
    ///
    /// # Errors
    ///
    /// [`WatchError`]; those of the last transaction stay, for the next time.
    pub async fn sweep(&self, watch: &Watch, now: Timestamp) -> Result<usize, WatchError> {
        let _changing = self.changing.lock().await;
        let over: Vec<(AlertKey, Timestamp)> = self
            .lock()
            .iter()
            .filter(|(_, held)| held.now.has_ended(now))
            .map(|(key, held)| (*key, held.now.ends_at))
            .collect();
        for some in over.chunks(SWEEP_MAX) {
            let writes = some.iter().map(|(key, _)| forget(*key)).collect();
            let signals =
                some.iter().map(|(key, at)| Signal::Ended { key: *key, at: *at }).collect();
            watch.commit(Batch { writes, signals, ..Batch::default() }).await?;
            self.apply(some.iter().map(|(key, _)| (*key, None)));
        }
        Ok(over.len())
    }

    fn apply(&self, changed: impl IntoIterator<Item = (AlertKey, Option<Held>)>) {
        let mut held = self.lock();
        for (key, after) in changed {
            match after {
                Some(after) => held.insert(key, after),
                None => held.remove(&key),
            };
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<AlertKey, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of an alert that was sent: what is held of it from now on, and into the batch
/// what must be durable before.
fn decide(
    known: Option<Held>,
    alert: ExternalAlert,
    now: Timestamp,
    batch: &mut Batch,
) -> Result<Option<Held>, WatchError> {
    let key = alert.alert.key();
    if alert.has_ended(now) {
        // Of what nobody heard the beginning, nobody needs to hear the end.
        if known.is_some() {
            batch.writes.push(forget(key));
            batch.signals.push(Signal::Ended { key, at: alert.ends_at });
        }
        return Ok(None);
    }
    let same = known.as_ref().is_some_and(|known| known.now.says_the_same(&alert));
    let stored_ends_at = known.filter(|_| same).map(|known| known.stored_ends_at);
    let lags = |stored: Timestamp| alert.ends_at.since(stored).abs() >= PERSIST_MS;
    if !same {
        batch.signals.push(Signal::Firing(Box::new(alert.alert.clone())));
    }
    let stored_ends_at = match stored_ends_at {
        Some(stored) if !lags(stored) => stored,
        _ => {
            let kind = DocumentKind::ExternalAlert;
            let write = Write::document(Table::Watch, kind, &key.to_string(), &alert);
            batch.writes.push(write.map_err(|error| WatchError::Store(error.to_string()))?);
            alert.ends_at
        }
    };
    Ok(Some(Held { now: Arc::new(alert), stored_ends_at }))
}

fn forget(key: AlertKey) -> Write {
    Write::no_document(Table::Watch, DocumentKind::ExternalAlert, &key.to_string())
}
