//! The keeper's thread: takes what waits, lets the book decide and commit, publishes, answers.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::engine::feed::Fact;

use super::book::{Applied, Book, Reply, Request};
use super::{ActError, Shared, feed};

/// Requests that are committed as one: bounds how long a transaction takes.
const GROUP_MAX: usize = 256;
/// How often the keeper looks at what time brings.
const TICK: Duration = Duration::from_millis(250);

/// A request with somebody waiting.
pub(super) struct Command {
    /// What is asked.
    pub(super) request: Request,
    /// Who waits; nobody waits for a tick.
    pub(super) reply: Option<oneshot::Sender<Result<Reply, ActError>>>,
}

/// What goes to the keeper's thread.
pub(super) enum Message {
    /// Something to decide.
    Command(Command),
    /// To decide what waits, and then end; the answer is that it has.
    Stop(oneshot::Sender<()>),
}

/// Runs until it is told to stop, or all handles are gone and nothing waits.
pub(super) fn run(
    mut book: Book,
    shared: &Shared,
    clock: &dyn Clock,
    mut waiting: mpsc::Receiver<Message>,
) {
    let mut messages = Vec::with_capacity(GROUP_MAX);
    let mut stopped: Option<oneshot::Sender<()>> = None;
    while waiting.blocking_recv_many(&mut messages, GROUP_MAX) > 0 {
        let mut commands = Vec::with_capacity(messages.len());
        for message in messages.drain(..) {
            match message {
                Message::Command(command) => commands.push(command),
                Message::Stop(done) => {
                    // What was sent before is still decided; nothing more is taken.
                    waiting.close();
                    stopped = Some(done);
                }
            }
        }
        decide(&mut book, shared, clock, commands);
    }
    if let Some(done) = stopped {
        // Whoever asked may have lost patience.
        let _ = done.send(());
    }
}

fn decide(book: &mut Book, shared: &Shared, clock: &dyn Clock, commands: Vec<Command>) {
    let (requests, replies): (Vec<_>, Vec<_>) =
        commands.into_iter().map(|command| (command.request, command.reply)).unzip();
    if requests.is_empty() {
        return;
    }
    let mut requests = requests;
    let facts: Vec<Vec<Fact>> = requests.iter_mut().map(facts_of).collect();
    let mut applied = book.apply(clock.now(), requests);
    publish(book, shared, &applied);
    let results = std::mem::take(&mut applied.replies);
    let durable: Vec<bool> = results.iter().map(Result::is_ok).collect();
    // Sources hear first, so that whoever asks them because of the feed finds them informed.
    for (reply, result) in replies.into_iter().zip(results) {
        if let Some(reply) = reply {
            // Whoever went away meanwhile does not need the answer.
            let _ = reply.send(result);
        }
    }
    let facts = facts.into_iter().zip(durable).filter(|(_, durable)| *durable);
    for fact in facts.flat_map(|(facts, _)| facts) {
        shared.told.publish(fact);
    }
    let state = book.state();
    for fact in applied.changes.iter().map(|change| feed::changed(change, &state)) {
        shared.told.publish(fact);
    }
}

/// What a source wants told once its batch is durable.
fn facts_of(request: &mut Request) -> Vec<Fact> {
    match request {
        Request::Commit(batch) => std::mem::take(&mut batch.facts),
        Request::Act(..)
        | Request::Delivered(_)
        | Request::Resend(_)
        | Request::Test(_)
        | Request::Policy(_)
        | Request::Tick => Vec::new(),
    }
}

/// Shows readers what is committed.
fn publish(book: &Book, shared: &Shared, applied: &Applied) {
    shared.state.store(book.state());
    shared.policy.store(book.policy());
    shared.counts.note(applied);
    if applied.outbox_changed || applied.failed {
        // After a failure the state was read anew: other deliveries may wait.
        shared.outbox.send_modify(|count| *count += 1);
    }
    if !applied.changes.is_empty() {
        // Nobody following is no fault.
        let _ = shared.feed.send(Arc::from(applied.changes.as_slice()));
    }
}

/// Sends ticks until the keeper is gone.
pub(super) fn tick(commands: &mpsc::WeakSender<Message>) {
    loop {
        std::thread::sleep(TICK);
        let Some(commands) = commands.upgrade() else { return };
        let tick = Message::Command(Command { request: Request::Tick, reply: None });
        match commands.try_send(tick) {
            Ok(()) => {}
            // It is busy: what is due is done with the next one.
            Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Closed(_)) => return,
        }
    }
}
