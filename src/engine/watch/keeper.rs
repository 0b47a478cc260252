//! The keeper's thread: takes what waits, decides, commits, tells.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::store::Txn;
use crate::tsdb::Tsdb;

use super::{Batch, WatchError, Write};

/// Commands that are committed as one: bounds how long a transaction takes.
const GROUP_MAX: usize = 256;

/// What the keeper is asked.
pub(super) enum Command {
    /// To take a batch.
    Commit {
        /// The batch.
        batch: Batch,
        /// Who waits.
        reply: oneshot::Sender<Result<(), WatchError>>,
    },
}

/// All that the thread holds.
pub(super) struct Keeper {
    tsdb: Arc<Tsdb>,
    #[expect(dead_code, reason = "decisions need it")]
    clock: Arc<dyn Clock>,
}

impl Keeper {
    pub(super) fn new(tsdb: Arc<Tsdb>, clock: Arc<dyn Clock>) -> Self {
        Keeper { tsdb, clock }
    }

    /// Runs until all handles are gone and nothing waits.
    pub(super) fn run(self, mut waiting: mpsc::Receiver<Command>) {
        let mut commands = Vec::with_capacity(GROUP_MAX);
        while waiting.blocking_recv_many(&mut commands, GROUP_MAX) > 0 {
            let mut writes = Vec::new();
            let mut replies = Vec::new();
            for command in commands.drain(..) {
                match command {
                    Command::Commit { batch, reply } => {
                        writes.extend(batch.writes);
                        replies.push(reply);
                    }
                }
            }
            let result = self.commit(&writes);
            for reply in replies {
                // Whoever went away meanwhile does not need the answer.
                let _ = reply.send(result.clone());
            }
        }
    }

    fn commit(&self, writes: &[Write]) -> Result<(), WatchError> {
        let all = |txn: &mut Txn<'_>| {
            writes.iter().try_for_each(|write| match write {
                Write::Put { table, key, payload } => txn.insert(*table, key, payload),
                Write::Remove { table, key } => txn.remove(*table, key).map(|_| ()),
            })
        };
        let written = self.tsdb.store().write(false, all);
        written.map_err(|error| WatchError::Store(error.to_string()))
    }
}
