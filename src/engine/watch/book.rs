//! The deciding core: takes what waits, decides on a draft of the state, commits all that follows
//! in one transaction, and only then takes the draft for the state. It knows no thread and no
//! clock, so that a simulation can drive it.

use std::sync::Arc;

use uuid::Uuid;

use super::draft::Draft;
use super::ids::{Ids, Randomness};
use super::rounds::Rounds;
use super::{ActError, Batch, Change, Outcome, Policy, State, WatchError, WitnessSeat};
use crate::incidents::Act;
use crate::model::{Delivery, Incident, IncidentId, Name, Timestamp};
use crate::store::{StoreError, Txn, Write};
use crate::tsdb::Tsdb;

/// What is asked of the watch.
#[derive(Debug)]
pub enum Request {
    /// To take up what a source found, and keep what it wants kept.
    Commit(Batch),
    /// To let a person act.
    Act(IncidentId, Act),
    /// To note what became of deliveries.
    Delivered(Vec<Outcome>),
    /// To send a dead delivery again.
    Resend(Uuid),
    /// To send a test to a channel.
    Test(Name),
    /// To go by other settings.
    Policy(Box<Policy>),
    /// To do what time brings.
    Tick,
}

/// What came of a request. Said after it is durable.
#[derive(Clone, Debug)]
pub enum Reply {
    /// It is done.
    Done,
    /// It is done, and this is the incident now.
    Incident(Arc<Incident>),
    /// It is done, and this delivery waits now.
    Delivery(Arc<Delivery>),
}

/// What one step came to.
#[derive(Debug, Default)]
pub struct Applied {
    /// One reply per request, in their order.
    pub replies: Vec<Result<Reply, ActError>>,
    /// What changed.
    pub changes: Vec<Change>,
    /// Whether other deliveries wait than before.
    pub outbox_changed: bool,
    /// Whether a transaction was committed.
    pub committed: bool,
    /// Whether a transaction failed.
    pub failed: bool,
}

/// The state and what decides on it.
pub struct Book {
    tsdb: Arc<Tsdb>,
    state: Arc<State>,
    ids: Ids,
    policy: Option<Arc<Policy>>,
    rounds: Rounds,
    witness: Arc<WitnessSeat>,
    /// A commit failed, and the state has not been read again since.
    unsettled: bool,
}

impl Book {
    /// Reads the state from the file. Nobody is told of anything before the first
    /// [`Request::Policy`].
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn open(tsdb: Arc<Tsdb>, random: Randomness) -> Result<Book, StoreError> {
        let state = tsdb.store().again(|| State::read(tsdb.store()))?;
        let mut ids = Ids::new(random);
        let newest = state.incidents.keys().chain(state.outbox.keys()).max();
        if let Some(newest) = newest {
            ids.after(newest);
        }
        Ok(Book {
            tsdb,
            state: Arc::new(state),
            ids,
            policy: None,
            rounds: Rounds::default(),
            witness: Arc::default(),
            unsettled: false,
        })
    }

    /// Where whoever knows what was written in logs is to be named. Without one, incidents have no
    /// such lines.
    pub fn witness(&self) -> Arc<WitnessSeat> {
        Arc::clone(&self.witness)
    }

    /// What is committed.
    pub fn state(&self) -> Arc<State> {
        Arc::clone(&self.state)
    }

    /// The settings in force.
    pub fn policy(&self) -> Option<Arc<Policy>> {
        self.policy.clone()
    }

    /// Decides on requests and commits what follows, all in one transaction. When that fails,
    /// nothing has happened, as far as anybody is told: if the transaction turns out to be durable
    /// all the same, sources that try again find that it is known.
    pub fn apply(&mut self, now: Timestamp, requests: Vec<Request>) -> Applied {
        if self.unsettled
            && let Err(error) = self.settle()
        {
            return failed(requests.len(), &error);
        }
        let mut policy = self.policy.clone();
        for request in &requests {
            if let Request::Policy(new) = request {
                policy = Some(Arc::new(Policy::clone(new)));
            }
        }
        if !self.has_work(&requests, policy.as_deref(), now) {
            let replies = requests.iter().map(|_| Ok(Reply::Done)).collect();
            return Applied { replies, ..Applied::default() };
        }
        if let Some(writes) = only_writes(&requests) {
            let result = self.commit(&writes).map_err(ActError::Watch);
            let committed = result.is_ok();
            let replies = requests.iter().map(|_| result.clone().map(|()| Reply::Done)).collect();
            return Applied { replies, committed, failed: !committed, ..Applied::default() };
        }
        let mut rounds = self.rounds;
        let store = Arc::clone(self.tsdb.store());
        let state = Arc::clone(&self.state);
        let in_force = policy.as_deref().map(Policy::current);
        let mut draft = Draft::new(&state, in_force.as_ref(), now, &mut self.ids, &store);
        draft.witness = self.witness.get().map(|witness| &**witness);
        let count = requests.len();
        let mut replies = Vec::with_capacity(count);
        for request in requests {
            replies.push(take(&mut draft, request, &mut rounds));
        }
        draft.flush();
        let (state, writes, changes, outbox_changed) = draft.finish();
        if !writes.is_empty()
            && let Err(error) = self.commit(&writes)
        {
            return failed(count, &error);
        }
        self.state = Arc::new(state);
        self.policy = policy;
        self.rounds = rounds;
        let committed = !writes.is_empty();
        Applied { replies, changes, outbox_changed, committed, failed: false }
    }

    /// Whether a step can come to anything: mostly ticks do not.
    fn has_work(&self, requests: &[Request], policy: Option<&Policy>, now: Timestamp) -> bool {
        let reopen_ms = policy.map_or(0, |policy| policy.reopen_within_ms);
        let due = || self.rounds.due(&self.state, policy.is_some(), reopen_ms, now);
        requests.iter().any(|request| !matches!(request, Request::Tick)) || due()
    }

    fn commit(&mut self, writes: &[Write]) -> Result<(), WatchError> {
        let store = Arc::clone(self.tsdb.store());
        if store.has_failed() {
            // Another's write failed; nothing of ours is in doubt.
            self.tsdb.mend_store().map_err(|error| WatchError::Store(error.to_string()))?;
        }
        let all = |txn: &mut Txn<'_>| writes.iter().try_for_each(|write| write.apply(txn));
        let written = store.write(false, all);
        written.map_err(|error| {
            tracing::error!(%error, "the watch could not commit; it decides anew");
            self.unsettled = true;
            // Where this fails too, the next step tries again.
            let _ = self.settle();
            WatchError::Store(error.to_string())
        })
    }

    /// After a failed commit: it may be durable all the same, so the file says how things are.
    fn settle(&mut self) -> Result<(), WatchError> {
        let failed = |error: String| WatchError::Store(error);
        self.tsdb.mend_store().map_err(|error| failed(error.to_string()))?;
        let state = State::read(self.tsdb.store()).map_err(|error| failed(error.to_string()))?;
        self.state = Arc::new(state);
        self.unsettled = false;
        Ok(())
    }
}

fn take(draft: &mut Draft<'_>, request: Request, rounds: &mut Rounds) -> Result<Reply, ActError> {
    match request {
        Request::Commit(batch) => {
            draft.writes.extend(batch.writes);
            for signal in batch.signals {
                draft.signal(signal);
            }
            Ok(Reply::Done)
        }
        Request::Act(id, act) => draft.act(id, &act).map(Reply::Incident),
        Request::Delivered(outcomes) => {
            for outcome in outcomes {
                draft.outcome(outcome);
            }
            Ok(Reply::Done)
        }
        Request::Resend(id) => draft.resend(id).map(Reply::Delivery),
        Request::Test(channel) => draft.test(&channel).map(Reply::Delivery),
        Request::Policy(_) => {
            draft.reroute();
            draft.forget_channels();
            Ok(Reply::Done)
        }
        Request::Tick => {
            draft.round(rounds);
            Ok(Reply::Done)
        }
    }
}

/// The writes of requests that ask for nothing else: no state is needed for them.
fn only_writes(requests: &[Request]) -> Option<Vec<Write>> {
    let batch = |request: &Request| match request {
        Request::Commit(batch) if batch.signals.is_empty() => Some(batch.writes.clone()),
        _ => None,
    };
    let writes: Option<Vec<Vec<Write>>> = requests.iter().map(batch).collect();
    writes.map(|writes| writes.into_iter().flatten().collect())
}

fn failed(requests: usize, error: &WatchError) -> Applied {
    let replies = (0..requests).map(|_| Err(ActError::Watch(error.clone()))).collect();
    Applied { replies, failed: true, ..Applied::default() }
}
