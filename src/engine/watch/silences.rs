//! The silences: kept in the file, and in memory for whoever must not wait.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use uuid::Uuid;

use super::ids::{Ids, machines_randomness};
use super::{Batch, Watch, WatchError, feed};
use crate::incidents::HoldState;
use crate::incidents::silence::{Edit, TimedSilence, check, create, edit, expire};
use crate::model::{Labels, Silence, Timestamp};
use crate::store::{DocumentKind, Store, StoreError, Table, Write, documents};

/// Silences that are kept, expired ones included: bounds memory, the file, and the work per alert.
const SILENCES_MAX: usize = 10_000;
/// How long (ms) a silence is kept after its end: 120 hours, the default of Alertmanager
/// (`--data.retention`).
const RETENTION_MS: i64 = 120 * 3_600_000;

/// Why a silence was not taken, changed or ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SilenceError {
    /// There is none of that id.
    #[error("silence not found")]
    Absent,
    /// It is not valid.
    #[error("invalid silence: {0}")]
    Invalid(String),
    /// There are too many.
    #[error(
        "exceeded maximum number of silences: {0} (limit: {SILENCES_MAX}); expired ones go after \
         120 hours"
    )]
    TooMany(usize),
    /// It could not be committed.
    #[error(transparent)]
    Watch(#[from] WatchError),
}

type List = BTreeMap<Uuid, Arc<TimedSilence>>;

/// All silences, those that ended a while ago included.
pub struct Silences {
    list: ArcSwap<List>,
    /// One change at a time, from what is decided on to what is shown. Gives ids that rise.
    changing: tokio::sync::Mutex<Ids>,
}

impl Silences {
    /// Reads them from the database.
    ///
    /// # Errors
    ///
    /// When the database cannot be read. One that cannot be decoded is reported and left out.
    pub fn open(store: &Store) -> Result<Self, StoreError> {
        let kind = DocumentKind::Silence;
        let read = || documents::<Silence>(&store.read()?, Table::Watch, kind, "a silence");
        let mut list = List::new();
        for (id, silence) in store.again(read)? {
            match TimedSilence::new(silence) {
                Ok(silence) => {
                    list.insert(silence.silence().id, Arc::new(silence));
                }
                Err(error) => tracing::error!(%error, id, "a silence is not valid any more"),
            }
        }
        let mut ids = Ids::new(machines_randomness());
        if let Some(newest) = list.keys().next_back() {
            ids.after(newest);
        }
        Ok(Silences { list: ArcSwap::from_pointee(list), changing: tokio::sync::Mutex::new(ids) })
    }

    /// All of them, by id.
    pub fn list(&self) -> Arc<BTreeMap<Uuid, Arc<TimedSilence>>> {
        self.list.load_full()
    }

    /// One of them.
    pub fn get(&self, id: Uuid) -> Option<Arc<TimedSilence>> {
        self.list.load().get(&id).cloned()
    }

    /// Those that hold now and match.
    pub fn silencing(&self, labels: &Labels, now: Timestamp) -> Vec<Arc<TimedSilence>> {
        let list = self.list.load();
        list.values().filter(|silence| silence.silences(labels, now)).cloned().collect()
    }

    /// Makes one. Its id is given, whatever `wanted` says.
    ///
    /// # Errors
    ///
    /// [`SilenceError`]: it is not valid, there are too many, or it was not committed.
    pub async fn create(
        &self,
        watch: &Watch,
        wanted: Silence,
        now: Timestamp,
    ) -> Result<Arc<TimedSilence>, SilenceError> {
        check(&wanted, now).map_err(SilenceError::Invalid)?;
        let mut ids = self.changing.lock().await;
        self.check_room()?;
        let new = create(wanted, ids.next(now), now);
        self.save(watch, vec![new.clone()]).await?;
        self.get(new.id).ok_or(SilenceError::Absent)
    }

    /// Changes one. Where that would change what was silenced in the past, the old one ends and
    /// another begins, under an id of its own.
    ///
    /// # Errors
    ///
    /// [`SilenceError`]: there is none, what is wanted is not valid, or it was not committed.
    pub async fn change(
        &self,
        watch: &Watch,
        id: Uuid,
        wanted: Silence,
        now: Timestamp,
    ) -> Result<Arc<TimedSilence>, SilenceError> {
        check(&wanted, now).map_err(SilenceError::Invalid)?;
        let mut ids = self.changing.lock().await;
        let previous = self.get(id).ok_or(SilenceError::Absent)?;
        let (changed, shown) = match edit(&previous, wanted, ids.next(now), now) {
            Edit::Update(silence) => {
                let id = silence.id;
                (vec![silence], id)
            }
            Edit::Replace { expired, new } => {
                self.check_room()?;
                let id = new.id;
                (expired.into_iter().chain([new]).collect(), id)
            }
        };
        self.save(watch, changed).await?;
        self.get(shown).ok_or(SilenceError::Absent)
    }

    /// Ends one now. One that has ended stays as it is.
    ///
    /// # Errors
    ///
    /// [`SilenceError`]: there is none, or this was not committed.
    pub async fn expire(
        &self,
        watch: &Watch,
        id: Uuid,
        now: Timestamp,
    ) -> Result<Arc<TimedSilence>, SilenceError> {
        let _changing = self.changing.lock().await;
        let previous = self.get(id).ok_or(SilenceError::Absent)?;
        if let Some(expired) = expire(&previous, now) {
            self.save(watch, vec![expired]).await?;
        }
        self.get(id).ok_or(SilenceError::Absent)
    }

    /// Forgets those that ended long ago. Gives how many.
    ///
    /// # Errors
    ///
    /// [`WatchError`]; all stay, for the next time.
    pub async fn sweep(&self, watch: &Watch, now: Timestamp) -> Result<usize, WatchError> {
        let _changing = self.changing.lock().await;
        let list = self.list.load_full();
        let over = |silence: &TimedSilence| {
            silence.silence().ends_at.plus_millis(RETENTION_MS) <= now
                && silence.state(now) == HoldState::Expired
        };
        let gone: Vec<Uuid> =
            list.values().filter(|silence| over(silence)).map(|one| one.silence().id).collect();
        if gone.is_empty() {
            return Ok(0);
        }
        let writes = gone
            .iter()
            .map(|id| Write::no_document(Table::Watch, DocumentKind::Silence, &id.to_string()))
            .collect();
        let facts = gone.iter().map(feed::silence_forgotten).collect();
        watch.commit(Batch { writes, facts, ..Batch::default() }).await?;
        let mut list = List::clone(&list);
        list.retain(|id, _| !gone.contains(id));
        self.list.store(Arc::new(list));
        Ok(gone.len())
    }

    fn check_room(&self) -> Result<(), SilenceError> {
        let count = self.list.load().len();
        if count >= SILENCES_MAX { Err(SilenceError::TooMany(count)) } else { Ok(()) }
    }

    /// Commits, and only then shows.
    async fn save(&self, watch: &Watch, changed: Vec<Silence>) -> Result<(), SilenceError> {
        let mut writes = Vec::with_capacity(changed.len());
        let mut timed = Vec::with_capacity(changed.len());
        let facts = changed.iter().map(feed::silence).collect();
        for silence in changed {
            let id = silence.id.to_string();
            let write = Write::document(Table::Watch, DocumentKind::Silence, &id, &silence)
                .map_err(|error| SilenceError::Invalid(error.to_string()))?;
            writes.push(write);
            timed.push(TimedSilence::new(silence).map_err(SilenceError::Invalid)?);
        }
        watch.commit(Batch { writes, facts, ..Batch::default() }).await?;
        let mut list = List::clone(&self.list.load());
        list.extend(timed.into_iter().map(|one| (one.silence().id, Arc::new(one))));
        self.list.store(Arc::new(list));
        Ok(())
    }
}
