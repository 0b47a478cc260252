//! The ledger: results, exposures and outcomes, each counted once.
//!
//! Owns: the one thread that takes them, groups what waits and commits each group as one record
//! of a journal; the tables `Units` and `Ledger`; the sums of every experiment. Never: what sums
//! mean, or how an experiment stands. Start reading at [`Ledger`], then `core.rs`.
//!
//! ```text
//! results ──┐                    one transaction                   adopt
//! outcomes ─┼→ queue → decide ──→ facts: unit before, after ──→ sums, tallies, overlay → readers
//! exposures ┘          on a draft  (journal, fsync)                     │ flush
//!                                                        blocks of units, sums, tallies, ids
//! ```
//!
//! Sums are exact and independent of order, and a fact says what a unit was and what it is: so
//! the state after a crash is the one before it, bit by bit.

mod block;
#[cfg(test)]
mod block_tests;
mod core;
mod decide;
mod flush;
mod ids;
mod inspect;
mod journal;
mod keys;
mod numbers;
mod outcomes;
mod recover;
mod shared;
#[cfg(test)]
mod tests;
mod unit;
mod units;
mod window;
mod writer;

pub use self::core::{Core, Reply, Request};
pub use decide::{COUNT_MAX, ID_BYTES_MAX};
pub use flush::{CHANGED_UNITS_MAX, JOURNAL_BYTES_MAX};
pub use ids::{IDS_KEPT_MS, IDS_MAX};
pub use inspect::inspect;

use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::experiments::{Board, Exposure, Sums};
use crate::features::Tallies;
use crate::model::{Name, Outcome, ResultEntry, Timestamp};
use crate::tsdb::Tsdb;

use keys::{Hasher, Scope};
use shared::Shared;
use writer::{Job, Message};

/// Results and outcomes that may wait for the ledger's thread; a request that finds more waiting
/// is told to come back.
pub const QUEUE_ENTRIES_MAX: usize = 100_000;
/// Exposures that may wait; what comes beyond that is dropped and counted.
pub const QUEUE_EXPOSURES_MAX: usize = 50_000;
/// Exposures that one look at the log gives, at most.
pub const EXPOSURES_PAGE_MAX: usize = 1_000;

/// What became of a request's results or outcomes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Those that count now.
    pub accepted: u64,
    /// Those that were seen before, by their id or the request's key.
    pub repeated: u64,
    /// Those of units that are in no analysis: seen in two variants, or forced.
    pub left_out: u64,
    /// Those that were refused, by their place, and why.
    pub refused: Vec<(usize, String)>,
}

/// Why nothing of a request was taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// There is no such experiment.
    #[error("there is no experiment named {0}")]
    UnknownExperiment(Name),
    /// Too much is waiting already.
    #[error("{queued} results and outcomes wait to be written, and {max} may; retry in 1 s")]
    Busy {
        /// How many wait.
        queued: usize,
        /// How many may.
        max: usize,
    },
    /// vedette is on its way down.
    #[error("shutting down")]
    Stopping,
    /// The file cannot be read or written; nothing of the request is visible.
    #[error("{0}")]
    Store(String),
}

/// An exposure as the log shows it: the unit's id is not kept, its hash is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedExposure {
    /// The unit's hash.
    pub unit: u64,
    /// Its first exposure.
    pub exposure: Exposure,
}

/// Which exposures the log is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExposureFilter {
    /// Of this variant, by its place.
    pub variant: Option<u16>,
    /// Of this unit.
    pub unit: Option<String>,
    /// First exposed before this.
    pub before: Option<Timestamp>,
    /// At most so many, the newest first; held at [`EXPOSURES_PAGE_MAX`].
    pub limit: usize,
}

/// The way to the ledger. Clones share it.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    hasher: Hasher,
    sender: Mutex<Option<Sender<Message>>>,
    queued: Arc<AtomicUsize>,
    exposures: Arc<AtomicUsize>,
}

impl Ledger {
    /// Reads the ledger from the file, replays its journal and starts its thread.
    ///
    /// # Errors
    ///
    /// When it cannot be read or no thread can be started; says why.
    pub fn start(
        tsdb: Arc<Tsdb>,
        board: Arc<Board>,
        clock: Arc<dyn Clock>,
    ) -> Result<Ledger, String> {
        let random = |bytes: &mut [u8]| {
            getrandom::fill(bytes)
                .map_err(|error| format!("the system gives no random bytes: {error}"))
        };
        let store = Arc::clone(tsdb.store());
        let core = store
            .again(|| Core::open(Arc::clone(&tsdb), random))
            .map_err(|error| format!("the ledger of experiments cannot be read: {error}"))?;
        let (shared, hasher) = (Arc::clone(core.shared()), core.hasher().clone());
        let (sender, receiver) = channel();
        let (queued, exposures) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let counts = (Arc::clone(&queued), Arc::clone(&exposures));
        std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || writer::run(core, &board, &*clock, &receiver, &counts.0, &counts.1))
            .map_err(|error| format!("cannot start a thread: {error}"))?;
        let sender = Mutex::new(Some(sender));
        Ok(Ledger { inner: Arc::new(Inner { shared, hasher, sender, queued, exposures }) })
    }

    /// Takes results of an experiment, and waits until they are durable. Those that are wrong are
    /// refused one by one while the others stay. `request_key` makes it this request: what comes
    /// with the same one within [`IDS_KEPT_MS`] is left out.
    ///
    /// # Errors
    ///
    /// [`LedgerError`]; nothing was taken.
    pub async fn results(
        &self,
        experiment: &Name,
        entries: Vec<ResultEntry>,
        request_key: Option<String>,
    ) -> Result<Taken, LedgerError> {
        let weight = entries.len();
        let experiment = experiment.clone();
        self.taken(Request::Results { experiment, entries, key: request_key }, weight).await
    }

    /// Takes outcomes, as [`Ledger::results`] does: their tallies, and what they say about
    /// experiments.
    ///
    /// # Errors
    ///
    /// [`LedgerError`]; nothing was taken.
    pub async fn outcomes(
        &self,
        outcomes: Vec<Outcome>,
        request_key: Option<String>,
    ) -> Result<Taken, LedgerError> {
        let weight = outcomes.len();
        self.taken(Request::Outcomes { outcomes, key: request_key }, weight).await
    }

    async fn taken(&self, request: Request, weight: usize) -> Result<Taken, LedgerError> {
        match self.ask(request, weight).await? {
            Reply::Taken(taken) => Ok(taken),
            Reply::Forgotten(_) | Reply::Done => Err(LedgerError::Stopping),
        }
    }

    /// Takes all that is known of a unit out of an experiment, exactly: sums are as if it had
    /// never been. Gives whether anything was known, after that is durable.
    ///
    /// # Errors
    ///
    /// [`LedgerError`]; nothing was taken out.
    pub async fn forget(&self, number: u32, unit: &str) -> Result<bool, LedgerError> {
        let request = Request::Forget { number, unit: unit.to_owned() };
        match self.ask(request, 1).await? {
            Reply::Forgotten(was_known) => Ok(was_known),
            Reply::Taken(_) | Reply::Done => Err(LedgerError::Stopping),
        }
    }

    /// Lets all of an experiment go, which must not be on the board any more.
    ///
    /// # Errors
    ///
    /// [`LedgerError`]; all of it is still there.
    pub async fn drop_experiment(&self, number: u32) -> Result<(), LedgerError> {
        self.ask(Request::Drop(number), 1).await.map(|_| ())
    }

    /// Notes that a unit was exposed to a variant, and does not wait for it: exposures that find
    /// no room in the queue are dropped and counted. The first exposure counts; one to another
    /// variant takes the unit out of the analysis.
    pub fn expose(&self, number: u32, epoch: u16, unit: &str, variant: u16, at: Timestamp) {
        let inner = &self.inner;
        if inner.exposures.fetch_add(1, Ordering::AcqRel) >= QUEUE_EXPOSURES_MAX {
            inner.exposures.fetch_sub(1, Ordering::AcqRel);
            inner.shared.exposures_dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let hash = inner.hasher.hash(Scope::Unit, number, unit);
        let exposure = Exposure { variant, epoch, at, excluded: false };
        let sent = self.send(Message::Expose(Request::Expose { number, hash, exposure }));
        if sent.is_err() {
            inner.exposures.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Exposures that found no room since the start.
    pub fn exposures_dropped(&self) -> u64 {
        self.inner.shared.exposures_dropped.load(Ordering::Relaxed)
    }

    /// What a unit was first exposed to. Looks into memory or one block of the file.
    pub fn exposure(&self, number: u32, unit: &str) -> Option<Exposure> {
        let key = (number, self.inner.hasher.hash(Scope::Unit, number, unit));
        let shared = &self.inner.shared;
        shared.store.again(|| shared.exposure(key)).unwrap_or_else(|error| {
            tracing::warn!(%error, "an exposure cannot be read; the unit counts as not exposed");
            None
        })
    }

    /// The log of first exposures, the newest first. Reads all units of the experiment: call it
    /// where blocking is fine.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn exposures(
        &self,
        number: u32,
        filter: &ExposureFilter,
    ) -> Result<Vec<LoggedExposure>, LedgerError> {
        let store_error = |error: crate::store::StoreError| LedgerError::Store(error.to_string());
        let fits = |exposure: &Exposure| {
            filter.variant.is_none_or(|variant| variant == exposure.variant)
                && filter.before.is_none_or(|before| exposure.at < before)
        };
        if let Some(unit) = &filter.unit {
            let hash = self.inner.hasher.hash(Scope::Unit, number, unit);
            let found = self.inner.shared.exposure((number, hash)).map_err(store_error)?;
            let found = found.filter(fits);
            return Ok(found
                .map(|exposure| LoggedExposure { unit: hash, exposure })
                .into_iter()
                .collect());
        }
        let limit = filter.limit.clamp(1, EXPOSURES_PAGE_MAX);
        // The oldest on top, so that it goes when a newer one comes.
        let mut newest = BinaryHeap::with_capacity(limit + 1);
        let see = |hash: u64, exposure: Exposure| {
            if fits(&exposure) {
                let Exposure { variant, epoch, at, excluded } = exposure;
                newest.push(std::cmp::Reverse((at, hash, variant, epoch, excluded)));
                if newest.len() > limit {
                    newest.pop();
                }
            }
        };
        self.inner.shared.scan(number, see).map_err(store_error)?;
        let sorted = newest.into_sorted_vec().into_iter();
        Ok(sorted
            .map(|std::cmp::Reverse((at, unit, variant, epoch, excluded))| LoggedExposure {
                unit,
                exposure: Exposure { variant, epoch, at, excluded },
            })
            .collect())
    }

    /// What an experiment's results come to; `None` where there are none.
    pub fn sums(&self, number: u32) -> Option<Arc<Sums>> {
        self.inner.shared.sums(number)
    }

    /// What outcomes come to.
    pub fn tallies(&self) -> Arc<Tallies> {
        self.inner.shared.tallies()
    }

    /// Commits since the start.
    pub fn commits(&self) -> u64 {
        self.inner.shared.commits.load(Ordering::Relaxed)
    }

    /// Writes what waits and ends the thread; whatever comes later hears that we are stopping.
    pub async fn close(&self) {
        let (done, ended) = oneshot::channel();
        if self.send(Message::Stop(done)).is_ok() {
            drop(self.inner.sender.lock().unwrap_or_else(PoisonError::into_inner).take());
            // An error means that it has ended.
            let _ = ended.await;
        }
    }

    async fn ask(&self, request: Request, weight: usize) -> Result<Reply, LedgerError> {
        let queued = &self.inner.queued;
        let waiting = queued.fetch_add(weight, Ordering::AcqRel);
        // A single request may always come in when nothing waits, however large.
        if waiting > 0 && waiting.saturating_add(weight) > QUEUE_ENTRIES_MAX {
            queued.fetch_sub(weight, Ordering::AcqRel);
            return Err(LedgerError::Busy { queued: waiting, max: QUEUE_ENTRIES_MAX });
        }
        let (reply, answer) = oneshot::channel();
        if self.send(Message::Job(Job { request, weight, reply })).is_err() {
            queued.fetch_sub(weight, Ordering::AcqRel);
            return Err(LedgerError::Stopping);
        }
        answer.await.map_err(|_| LedgerError::Stopping)?
    }

    fn send(&self, message: Message) -> Result<(), LedgerError> {
        let sender = self.inner.sender.lock().unwrap_or_else(PoisonError::into_inner);
        match &*sender {
            Some(sender) => sender.send(message).map_err(|_| LedgerError::Stopping),
            None => Err(LedgerError::Stopping),
        }
    }
}
