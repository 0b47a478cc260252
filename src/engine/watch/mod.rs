//! The watch: what is wrong, what became of it, and who is told.
//!
//! Owns: the one thread (the keeper) that decides on signals and acts, and commits each decision
//! with everything that follows from it in one transaction; the definitions that people make.
//! Never: probing, evaluating rules or sending; those hand over what they found and are told
//! what to send. Start reading at [`Watch`].

mod batch;
mod catalog;
mod definitions;
mod keeper;

pub use batch::{Batch, Signal, WatchError, Write};
pub use catalog::Catalog;
pub use definitions::{Defined, DefinitionError, Definitions};

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::tsdb::Tsdb;

use keeper::Command;

/// Commands that may wait for the keeper; senders wait beyond that.
const COMMANDS_MAX: usize = 1024;

/// The way to the keeper. Cheap to clone; the keeper ends when the last one is gone.
#[derive(Clone)]
pub struct Watch {
    commands: mpsc::Sender<Command>,
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
        Ok(Watch { commands })
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
}
