//! The ledger's thread: takes everything that waits, commits it as one group, answers, and flushes
//! between groups.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::experiments::Board;

use super::LedgerError;
use super::core::{Core, Reply, Request};

/// The most results and outcomes in a group: bounds the memory of a commit and how long it takes.
const GROUP_ENTRIES_MAX: usize = 16 * 1024;
/// For so long exposures gather, as nobody waits for them.
const EXPOSURES_GATHER: Duration = Duration::from_millis(100);
/// After so long without a request what changed is flushed.
const FLUSH_WHEN_IDLE: Duration = Duration::from_secs(60);
/// How long to wait after a flush failed.
const FLUSH_AGAIN: Duration = Duration::from_secs(5);

/// A request with somebody waiting.
pub(super) struct Job {
    pub(super) request: Request,
    /// Its results or outcomes.
    pub(super) weight: usize,
    pub(super) reply: oneshot::Sender<Result<Reply, LedgerError>>,
}

/// What goes to the thread.
pub(super) enum Message {
    /// Something to decide.
    Job(Job),
    /// An exposure that nobody waits for.
    Expose(Request),
    /// To decide what waits, and then end; the answer is that it has.
    Stop(oneshot::Sender<()>),
}

/// What is decided on as one.
#[derive(Default)]
struct Group {
    requests: Vec<Request>,
    /// Who waits for which of them.
    waiting: Vec<(usize, oneshot::Sender<Result<Reply, LedgerError>>)>,
    weight: usize,
    exposures: usize,
    stop: Option<oneshot::Sender<()>>,
}

impl Group {
    fn push(&mut self, message: Message) {
        match message {
            Message::Job(job) => {
                self.waiting.push((self.requests.len(), job.reply));
                self.requests.push(job.request);
                self.weight += job.weight;
            }
            Message::Expose(request) => {
                self.requests.push(request);
                self.exposures += 1;
            }
            Message::Stop(done) => self.stop = Some(done),
        }
    }

    fn is_full(&self) -> bool {
        self.weight + self.exposures >= GROUP_ENTRIES_MAX || self.stop.is_some()
    }
}

/// Runs until it is told to stop, or the queue is closed and empty.
pub(super) fn run(
    mut core: Core,
    board: &Board,
    clock: &dyn Clock,
    messages: &Receiver<Message>,
    queued: &AtomicUsize,
    exposures: &AtomicUsize,
) {
    let mut flush_after: Option<Instant> = None;
    loop {
        let may_flush = flush_after.is_none_or(|after| Instant::now() >= after);
        let patience = match core.wants_flush() && may_flush {
            true => Duration::ZERO,
            false if flush_after.is_some() => FLUSH_AGAIN,
            false => FLUSH_WHEN_IDLE,
        };
        let mut is_idle = false;
        match messages.recv_timeout(patience) {
            Ok(first) => {
                let group = gather(first, messages);
                let is_last = group.stop.is_some();
                decide(&mut core, board, clock, group, queued, exposures);
                if is_last {
                    return;
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => is_idle = patience >= FLUSH_WHEN_IDLE,
        }
        let wants = core.wants_flush() || (is_idle && core.has_unflushed());
        if wants && flush_after.is_none_or(|after| Instant::now() >= after) {
            flush_after = match core.flush_step() {
                Ok(_) => None,
                Err(error) => {
                    // Nothing is lost: all of it is in the journal.
                    tracing::error!(%error, "the ledger of experiments could not be flushed");
                    Some(Instant::now() + FLUSH_AGAIN)
                }
            };
        }
    }
}

/// Takes what waits. While a commit syncs, the next group gathers by itself; only exposures, for
/// which nobody waits, are given time to become many.
fn gather(first: Message, messages: &Receiver<Message>) -> Group {
    let mut group = Group::default();
    group.push(first);
    let until = Instant::now() + EXPOSURES_GATHER;
    while !group.is_full() {
        let left = until.saturating_duration_since(Instant::now());
        let next = match group.waiting.is_empty() && !left.is_zero() {
            true => messages.recv_timeout(left).ok(),
            false => messages.try_recv().ok(),
        };
        let Some(next) = next else { break };
        group.push(next);
    }
    group
}

fn decide(
    core: &mut Core,
    board: &Board,
    clock: &dyn Clock,
    group: Group,
    queued: &AtomicUsize,
    exposures: &AtomicUsize,
) {
    if !group.requests.is_empty() {
        let board = board.load_full();
        let mut replies = core.apply(clock.now(), &board, &group.requests);
        queued.fetch_sub(group.weight, Ordering::AcqRel);
        exposures.fetch_sub(group.exposures, Ordering::AcqRel);
        for (place, reply) in group.waiting {
            let said = std::mem::replace(&mut replies[place], Ok(Reply::Done));
            // Whoever went away meanwhile does not need the answer.
            let _ = reply.send(said);
        }
    }
    if let Some(done) = group.stop {
        // Whoever asked may have lost patience.
        let _ = done.send(());
    }
}
