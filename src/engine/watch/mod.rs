//! The watch: what is wrong, what became of it, and who is told.
//!
//! Owns: the one thread (the keeper) that decides on signals and acts, and commits each decision
//! with everything that follows from it in one transaction; the definitions that people make.
//! Never: probing, evaluating rules or sending; those hand over what they found and are told
//! what to send. Start reading at [`Watch`], then `book.rs`.

mod act;
mod batch;
mod book;
mod catalog;
mod counts;
mod definitions;
mod delivering;
mod draft;
mod external;
mod feed;
mod ids;
mod keeper;
mod muting;
mod outbox;
mod policy;
mod rehearsal;
mod rounds;
mod signals;
mod silences;
mod state;
mod telling;
mod view;
mod witness;

pub use act::ActError;
pub use batch::{Batch, Signal, WatchError};
pub use book::{Applied, Book, Reply, Request};
pub use catalog::Catalog;
pub use counts::Counts;
pub use definitions::{Defined, DefinitionError, Definitions};
pub use external::{ExternalAlert, ExternalAlerts, ExternalError, RESOLVE_TIMEOUT_MS};
pub use feed::{Change, incident_json};
pub use ids::Randomness;
pub use muting::Muting;
pub use outbox::{Outcome, Sent};
pub use policy::{Channels, Policy};
pub use rehearsal::{Rehearsal, Rehearsed};
pub use silences::{SilenceError, Silences};
pub use state::State;
pub use view::{DeliveryFilter, IncidentFilter, Page, RouteExplained, View};
pub use witness::Witness;

use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use uuid::Uuid;

use crate::clock::Clock;
use crate::engine::feed::Feed;
use crate::incidents::Act;
use crate::model::{Delivery, Incident, IncidentId, Name};
use crate::store::Store;
use crate::tsdb::Tsdb;

use ids::machines_randomness;
use keeper::{Command, Message};

/// Commands that may wait for the keeper; senders wait beyond that.
const COMMANDS_MAX: usize = 1024;

/// Where the witness sits, once there is one.
pub type WitnessSeat = OnceLock<Arc<dyn Witness>>;

/// What the keeper shows to readers.
struct Shared {
    state: ArcSwap<State>,
    policy: ArcSwapOption<Policy>,
    store: Arc<Store>,
    outbox: watch::Sender<u64>,
    feed: broadcast::Sender<Arc<[Change]>>,
    told: Feed,
    counts: Counts,
    witness: Arc<WitnessSeat>,
}

/// The way to the keeper. Cheap to clone; the keeper ends when the last one is gone.
#[derive(Clone)]
pub struct Watch {
    commands: mpsc::Sender<Message>,
    shared: Arc<Shared>,
}

impl Watch {
    /// Reads the watch's state from the file and starts the keeper's thread. No channel is told of
    /// anything before [`Watch::set_policy`]; `told` hears of every commit, in their order.
    ///
    /// # Errors
    ///
    /// When the state cannot be read or no thread can be started; says why.
    pub fn start(tsdb: Arc<Tsdb>, clock: Arc<dyn Clock>, told: Feed) -> Result<Watch, String> {
        let (commands, waiting) = mpsc::channel(COMMANDS_MAX);
        let store = Arc::clone(tsdb.store());
        let book = Book::open(tsdb, machines_randomness())
            .map_err(|error| format!("the state of the watch cannot be read: {error}"))?;
        let shared = Arc::new(Shared {
            state: ArcSwap::new(book.state()),
            policy: ArcSwapOption::empty(),
            store,
            outbox: watch::Sender::new(0),
            feed: broadcast::Sender::new(feed::FEED_MAX),
            told,
            counts: Counts::default(),
            witness: book.witness(),
        });
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(work)
                .map_err(|error| format!("cannot start a thread: {error}"))
        };
        let ticking = commands.downgrade();
        let shown = Arc::clone(&shared);
        spawn("watch", Box::new(move || keeper::run(book, &shown, &*clock, waiting)))?;
        spawn("watch-tick", Box::new(move || keeper::tick(&ticking)))?;
        Ok(Watch { commands, shared })
    }

    /// Says who knows what was written in logs: incidents that open from now on keep such lines as
    /// evidence. The first one who is named stays.
    pub fn call_witness(&self, witness: Arc<dyn Witness>) {
        // Named twice is as good as once.
        let _ = self.shared.witness.set(witness);
    }

    async fn ask(&self, request: Request) -> Result<Reply, ActError> {
        let (reply, answer) = oneshot::channel();
        let command = Message::Command(Command { request, reply: Some(reply) });
        let stopping = || ActError::Watch(WatchError::Stopping);
        self.commands.send(command).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?
    }

    /// As [`Watch::ask`], where nothing but the commit can fail.
    async fn tell(&self, request: Request) -> Result<(), WatchError> {
        match self.ask(request).await {
            Ok(_) => Ok(()),
            Err(ActError::Watch(error)) => Err(error),
            Err(error) => Err(WatchError::Store(error.to_string())),
        }
    }

    /// Hands over what was found, and what is to be remembered with it, and waits until all of it
    /// is durable, with everything that the watch decides because of it. Either all of it took
    /// effect or nothing. Saying a thing twice changes nothing, so whoever hears an error says it
    /// again.
    ///
    /// # Errors
    ///
    /// [`WatchError`]; nothing of the batch took effect.
    pub async fn commit(&self, batch: Batch) -> Result<(), WatchError> {
        self.tell(Request::Commit(batch)).await
    }

    /// Lets a person act on an incident, and gives it as it is then.
    ///
    /// # Errors
    ///
    /// [`ActError`]: there is none, the act does not fit how it is or somebody was faster, or this
    /// was not committed.
    pub async fn act(&self, id: IncidentId, act: Act) -> Result<Arc<Incident>, ActError> {
        match self.ask(Request::Act(id, act)).await? {
            Reply::Incident(incident) => Ok(incident),
            Reply::Done | Reply::Delivery(_) => Err(ActError::Watch(WatchError::Stopping)),
        }
    }

    /// Deliveries that wait to be sent, for the first time or again: by channel, each channel's in
    /// the order in which they were decided. Those whose `next_attempt_at` is yet to come are
    /// among them. One must not overtake an earlier one to its channel that tells of the same
    /// incident ([`Delivery::must_follow`]): or an end would arrive before its beginning.
    pub fn pending(&self) -> Vec<Arc<Delivery>> {
        let mut all: Vec<_> = self.shared.state.load().outbox.values().cloned().collect();
        // Stable: ids, which are in order, stay so within a channel.
        all.sort_by(|a, b| a.channel.cmp(&b.channel));
        all
    }

    /// Counts changes of what [`Watch::pending`] gives; whoever sends waits on it.
    pub fn outbox_changed(&self) -> watch::Receiver<u64> {
        self.shared.outbox.subscribe()
    }

    /// Notes what became of deliveries, and waits until that is durable. Outcomes of deliveries
    /// that do not wait any more are left out: reporting twice is harmless.
    ///
    /// # Errors
    ///
    /// [`WatchError`]; nothing was noted, and the deliveries still wait.
    pub async fn delivered(&self, outcomes: Vec<Outcome>) -> Result<(), WatchError> {
        self.tell(Request::Delivered(outcomes)).await
    }

    /// Lets a dead delivery wait again, with the same idempotency key and its attempts counted
    /// from 0.
    ///
    /// # Errors
    ///
    /// [`ActError`]: there is none, it is not dead, or this was not committed.
    pub async fn resend(&self, id: Uuid) -> Result<Arc<Delivery>, ActError> {
        self.delivery(Request::Resend(id)).await
    }

    /// Puts a test message for one channel into the outbox: it takes the way that all take.
    ///
    /// # Errors
    ///
    /// [`ActError`]: there is no such channel, or this was not committed.
    pub async fn enqueue_test(&self, channel: &Name) -> Result<Arc<Delivery>, ActError> {
        self.delivery(Request::Test(channel.clone())).await
    }

    async fn delivery(&self, request: Request) -> Result<Arc<Delivery>, ActError> {
        match self.ask(request).await? {
            Reply::Delivery(delivery) => Ok(delivery),
            Reply::Done | Reply::Incident(_) => Err(ActError::Watch(WatchError::Stopping)),
        }
    }

    /// Hands over what people have set. Takes effect with the next decision: open incidents are
    /// routed anew; whoever was told of one before is still told of its end.
    ///
    /// # Errors
    ///
    /// [`WatchError`]; the policy before stays in force.
    pub async fn set_policy(&self, policy: Policy) -> Result<(), WatchError> {
        self.tell(Request::Policy(Box::new(policy))).await
    }

    /// What is known now, and what is in the file: for reading.
    pub fn view(&self) -> View {
        View::new(
            self.shared.state.load_full(),
            self.shared.policy.load_full(),
            Arc::clone(&self.shared.store),
        )
    }

    /// What changes, one list per commit, from now on. A follower that lags too far misses some
    /// and is told how many.
    pub fn follow(&self) -> broadcast::Receiver<Arc<[Change]>> {
        self.shared.feed.subscribe()
    }

    /// The feed that hears of every commit.
    pub fn feed(&self) -> &Feed {
        &self.shared.told
    }

    /// What was counted.
    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// Decides what waits and ends the keeper's thread; whatever comes later hears that we are
    /// stopping.
    pub async fn close(&self) {
        let (done, ended) = oneshot::channel();
        if self.commands.send(Message::Stop(done)).await.is_ok() {
            // An error means that it has ended.
            let _ = ended.await;
        }
    }
}
