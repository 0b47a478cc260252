//! The deciding core: decides on a group, commits it as one, adopts it. It knows no thread and no
//! clock, so that a simulation can drive it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::experiments::{Exposure, InForce};
use crate::model::{Name, Outcome, ResultEntry, Timestamp};
use crate::store::{StoreError, Table};
use crate::tsdb::Tsdb;

use super::decide::Draft;
use super::flush::Flush;
use super::ids::Ids;
use super::journal::{self, Fact};
use super::keys::{self, Hasher, Scope};
use super::shared::Shared;
use super::unit::{add, change};
use super::{LedgerError, Taken, recover};

/// What is asked of the ledger.
#[derive(Clone, Debug)]
pub enum Request {
    /// To take results.
    Results {
        /// Of which experiment.
        experiment: Name,
        /// The results.
        entries: Vec<ResultEntry>,
        /// What makes it this request: another with the same is left out.
        key: Option<String>,
    },
    /// To take outcomes.
    Outcomes {
        /// The outcomes.
        outcomes: Vec<Outcome>,
        /// As above.
        key: Option<String>,
    },
    /// To note that a unit was exposed.
    Expose {
        /// The experiment, by its number.
        number: u32,
        /// The unit's hash.
        hash: u64,
        /// What it was exposed to.
        exposure: Exposure,
    },
    /// To take a unit out of everything.
    Forget {
        /// The experiment, by its number.
        number: u32,
        /// The unit.
        unit: String,
    },
    /// To let all of an experiment go, by its number.
    Drop(u32),
}

/// What came of a request. Said after it is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// What was taken.
    Taken(Taken),
    /// Whether the unit was known.
    Forgotten(bool),
    /// It is done.
    Done,
}

/// What the core knows beside what it shows.
pub(super) struct Memory {
    pub(super) shared: Arc<Shared>,
    pub(super) ids: Ids,
}

/// The ledger without its thread.
pub struct Core {
    tsdb: Arc<Tsdb>,
    pub(super) memory: Memory,
    pub(super) hasher: Hasher,
    /// The number of the next part of the journal.
    pub(super) next_sequence: u64,
    /// Where the last flush ended: parts from here on are replayed.
    pub(super) flushed: u64,
    /// Bytes in the journal since.
    pub(super) journal_bytes: usize,
    /// Experiments whose blocks are still to be removed.
    pub(super) dropped: BTreeSet<u32>,
    /// Whether tallies changed since the last flush.
    pub(super) tallies_dirty: bool,
    pub(super) flush: Option<Flush>,
    /// A group whose commit failed, and the number of its first part: whether it is durable is
    /// not known yet.
    uncertain: Option<(u64, Vec<Fact>)>,
}

impl Core {
    /// Reads what is in the file and replays the journal. `random` fills the secret that units
    /// are hashed with, the first time.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or the secret cannot be written.
    pub fn open(
        tsdb: Arc<Tsdb>,
        random: impl FnOnce(&mut [u8]) -> Result<(), String>,
    ) -> Result<Core, LedgerError> {
        let hasher = recover::hasher(tsdb.store(), random)?;
        let shared = Arc::new(Shared::new(Arc::clone(tsdb.store())));
        let mut core = Core {
            memory: Memory { shared, ids: Ids::default() },
            tsdb,
            hasher,
            next_sequence: 0,
            flushed: 0,
            journal_bytes: 0,
            dropped: BTreeSet::new(),
            tallies_dirty: false,
            flush: None,
            uncertain: None,
        };
        recover::load(&mut core)?;
        Ok(core)
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.memory.shared
    }

    pub(super) fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    /// What an experiment's results come to.
    pub fn sums(&self, number: u32) -> Option<Arc<crate::experiments::Sums>> {
        self.shared().sums(number)
    }

    /// What outcomes come to.
    pub fn tallies(&self) -> Arc<crate::features::Tallies> {
        self.shared().tallies()
    }

    /// What a unit was first exposed to.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn exposure(&self, number: u32, unit: &str) -> Result<Option<Exposure>, LedgerError> {
        let key = (number, self.hasher.hash(Scope::Unit, number, unit));
        self.shared().exposure(key).map_err(|error| LedgerError::Store(error.to_string()))
    }

    /// The request that notes an exposure.
    pub fn exposed(&self, number: u32, unit: &str, exposure: Exposure) -> Request {
        Request::Expose { number, hash: self.hasher.hash(Scope::Unit, number, unit), exposure }
    }

    /// Decides on requests and commits what follows, all in one transaction. One reply per
    /// request, in their order. When the commit fails, all are told; whether it is durable all
    /// the same is found out from the file before anything else is done.
    pub fn apply(
        &mut self,
        now: Timestamp,
        board: &BTreeMap<Name, Arc<InForce>>,
        requests: &[Request],
    ) -> Vec<Result<Reply, LedgerError>> {
        match self.try_apply(now, board, requests) {
            Ok(replies) => replies,
            Err(error) => {
                let said = LedgerError::Store(error.to_string());
                requests.iter().map(|_| Err(said.clone())).collect()
            }
        }
    }

    fn try_apply(
        &mut self,
        now: Timestamp,
        board: &BTreeMap<Name, Arc<InForce>>,
        requests: &[Request],
    ) -> Result<Vec<Result<Reply, LedgerError>>, StoreError> {
        self.settle()?;
        self.memory.ids.expire(now);
        let (facts, replies) = {
            let snapshot = self.tsdb.store().read()?;
            let table = snapshot.table(Table::Units)?;
            let mut draft = Draft::new(now, &self.memory, &self.hasher, table);
            let mut replies = Vec::with_capacity(requests.len());
            for request in requests {
                replies.push(take(&mut draft, board, request)?);
            }
            (draft.facts(), replies)
        };
        if !facts.is_empty() {
            self.commit(facts)?;
        }
        Ok(replies)
    }

    fn commit(&mut self, facts: Vec<Fact>) -> Result<(), StoreError> {
        let parts = journal::encode(&facts).map_err(StoreError::Write)?;
        let first = self.next_sequence;
        let written = self.tsdb.store().write(false, |txn| {
            (first..).zip(&parts).try_for_each(|(sequence, part)| {
                txn.insert(Table::Ledger, &keys::journal(sequence), part)
            })
        });
        match written {
            Ok(()) => {
                self.adopt_group(&parts, &facts);
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "results could not be committed; their senders were told");
                self.uncertain = Some((first, facts));
                // Where this fails too, the next group tries again.
                let _ = self.settle();
                Err(error)
            }
        }
    }

    fn adopt_group(&mut self, parts: &[Vec<u8>], facts: &[Fact]) {
        self.next_sequence += parts.len() as u64;
        self.journal_bytes += parts.iter().map(Vec::len).sum::<usize>();
        self.adopt(facts);
        self.shared().note_commit();
    }

    /// Mends the store after a failed write, and finds out whether the last group is durable.
    pub(super) fn settle(&mut self) -> Result<(), StoreError> {
        let store = Arc::clone(self.tsdb.store());
        if store.has_failed() {
            let mended = self.tsdb.mend_store();
            mended.map_err(|error| StoreError::Read(error.to_string()))?;
        }
        let Some((first, _)) = &self.uncertain else { return Ok(()) };
        let is_durable = store.read()?.get(Table::Ledger, &keys::journal(*first))?.is_some();
        let Some((_, facts)) = self.uncertain.take() else { return Ok(()) };
        if is_durable {
            let parts = journal::encode(&facts).map_err(StoreError::Write)?;
            self.adopt_group(&parts, &facts);
        }
        Ok(())
    }

    /// Takes facts that are durable for what is: now, and in a replay.
    pub(super) fn adopt(&mut self, facts: &[Fact]) {
        let mut at = 0;
        {
            let mut overlay = self.memory.shared.change_overlay();
            for fact in facts {
                match fact {
                    Fact::Unit { experiment, hash, after, .. } => {
                        overlay.active.insert((*experiment, *hash), after.clone());
                    }
                    Fact::Dropped(experiment) => {
                        overlay.active.retain(|(owner, _), _| owner != experiment);
                        if overlay.frozen.keys().any(|(owner, _)| owner == experiment) {
                            let mut frozen = (*overlay.frozen).clone();
                            frozen.retain(|(owner, _), _| owner != experiment);
                            overlay.frozen = Arc::new(frozen);
                        }
                    }
                    _ => {}
                }
            }
        }
        let shared = Arc::clone(&self.memory.shared);
        let mut books = shared.books();
        for fact in facts {
            match fact {
                Fact::At(millis) => at = *millis,
                Fact::Metrics(experiment, metrics) => {
                    let book = books.entry(*experiment).or_default();
                    book.metrics.clone_from(metrics);
                    book.is_dirty = true;
                }
                Fact::Unit { experiment, before, after, .. } => {
                    let book = books.entry(*experiment).or_default();
                    book.is_dirty = true;
                    let sums = Arc::make_mut(&mut book.sums);
                    change(sums, &book.metrics, before.as_ref(), after.as_ref());
                }
                Fact::Nameless(experiment, nameless) => {
                    let book = books.entry(*experiment).or_default();
                    book.is_dirty = true;
                    let place = (nameless.epoch, nameless.variant, nameless.metric);
                    let sums = Arc::make_mut(&mut book.sums);
                    add(sums, &book.metrics, place, &nameless.value, nameless.count);
                    book.count_nameless(place, nameless.count);
                }
                Fact::Results(experiment, count) => {
                    let book = books.entry(*experiment).or_default();
                    book.is_dirty = true;
                    let results = &mut Arc::make_mut(&mut book.sums).results;
                    *results = results.saturating_add(*count);
                }
                Fact::Ids(ids) => self.memory.ids.add(at, ids),
                Fact::Tallies(delta) => {
                    shared.add_tallies(delta);
                    self.tallies_dirty = true;
                }
                Fact::Dropped(experiment) => {
                    books.remove(experiment);
                    self.dropped.insert(*experiment);
                }
            }
        }
    }

    pub(super) fn tsdb(&self) -> &Arc<Tsdb> {
        &self.tsdb
    }
}

fn take(
    draft: &mut Draft<'_>,
    board: &BTreeMap<Name, Arc<InForce>>,
    request: &Request,
) -> Result<Result<Reply, LedgerError>, StoreError> {
    Ok(match request {
        Request::Results { experiment, entries, key } => match board.get(experiment) {
            None => Err(LedgerError::UnknownExperiment(experiment.clone())),
            Some(known) => Ok(Reply::Taken(draft.results(known, entries, key.as_deref()))),
        },
        Request::Outcomes { outcomes, key } => {
            Ok(Reply::Taken(draft.outcomes(board, outcomes, key.as_deref())))
        }
        Request::Expose { number, hash, exposure } => {
            let known = board.values().find(|known| known.state.number == *number);
            draft.expose(known.map(|known| &**known), (*number, *hash), *exposure)?;
            Ok(Reply::Done)
        }
        Request::Forget { number, unit } => Ok(Reply::Forgotten(draft.forget(*number, unit)?)),
        Request::Drop(number) => {
            draft.drop_experiment(*number);
            Ok(Reply::Done)
        }
    })
}
