//! Both threads: one takes everything that waits, commits it as one group, tells and answers; the
//! other packs and lets go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::engine::feed::{Fact, Feed};
use crate::model::{LogLine, StoredLine};
use crate::store::Write;
use crate::telemetry::Telemetry;

use super::core::Core;
use super::keeper::{Keeper, is_much};
use super::{LogRetention, LogsError};

/// Bytes of lines in a group: bounds the memory of a commit and how long it takes.
const GROUP_BYTES_MAX: usize = 8 << 20;
/// Lines of a fact of the feed.
const FACT_LINES_MAX: usize = 256;
/// Bytes of a source or a feature in the counter of lines; a longer one is cut.
const LABEL_BYTES_MAX: usize = 128;
/// How often it is looked whether something should be packed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often, in milliseconds, the oldest go.
const EXPIRE_EVERY_MS: i64 = 10_000;
/// How long to wait after packing failed.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Lines with somebody waiting.
pub(super) struct Job {
    pub(super) lines: Vec<LogLine>,
    /// What is written with them.
    pub(super) notes: Vec<Write>,
    pub(super) bytes: usize,
    pub(super) reply: oneshot::Sender<Result<u64, LogsError>>,
}

/// What goes to the writer.
pub(super) enum Message {
    Job(Job),
    /// To write what waits, and then end; the answer is that it has.
    Stop(oneshot::Sender<()>),
}

/// What the writer needs.
pub(super) struct Writer {
    pub(super) core: Core,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) feed: Feed,
    pub(super) telemetry: Arc<Telemetry>,
    /// Bytes that wait.
    pub(super) queued: Arc<AtomicUsize>,
    /// Wakes the keeper.
    pub(super) wake: SyncSender<()>,
}

impl Writer {
    /// Runs until it is told to end or nobody can tell it anything any more.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        while let Ok(first) = messages.recv() {
            let (mut lines, mut notes) = (Vec::new(), Vec::new());
            let (mut waiting, mut bytes) = (Vec::new(), 0);
            let mut stop = None;
            let mut next = Some(first);
            // While a commit syncs, the next group gathers by itself.
            while let Some(message) = next {
                match message {
                    Message::Job(job) => {
                        bytes += job.bytes;
                        waiting.push((job.lines.len() as u64, job.reply));
                        lines.extend(job.lines);
                        notes.extend(job.notes);
                    }
                    Message::Stop(done) => stop = Some(done),
                }
                let is_full = bytes >= GROUP_BYTES_MAX || stop.is_some();
                next = if is_full { None } else { messages.try_recv().ok() };
            }
            let outcome = self.commit(lines, &notes);
            self.queued.fetch_sub(bytes, Ordering::AcqRel);
            for (count, reply) in waiting {
                // Whoever went away meanwhile does not need the answer.
                let _ = reply.send(outcome.clone().map(|()| count));
            }
            if let Some(done) = stop {
                // Whoever asked may have lost patience.
                let _ = done.send(());
                return;
            }
        }
    }

    fn commit(&mut self, lines: Vec<LogLine>, notes: &[Write]) -> Result<(), LogsError> {
        if lines.is_empty() && notes.is_empty() {
            return Ok(());
        }
        let written = self.core.write(self.clock.now(), lines, notes).map_err(|error| {
            self.telemetry.commit_failures.add(1);
            tracing::error!(%error, "log lines could not be written; their senders were told");
            LogsError::Store(error.to_string())
        })?;
        for (level, source, feature, count) in &written.tallies {
            let labels = [level.as_str(), label(source), label(feature)];
            self.telemetry.log_lines.add(labels, *count);
        }
        let mut lines = written.late.into_iter().chain(written.lines);
        loop {
            let fact: Vec<StoredLine> = lines.by_ref().take(FACT_LINES_MAX).collect();
            if fact.is_empty() {
                break;
            }
            self.feed.publish(Fact::logs(fact.into()));
        }
        if is_much(&self.core.shared().state().active) {
            // Full means that it was woken already.
            let _ = self.wake.try_send(());
        }
        Ok(())
    }
}

/// The beginning of a name, as the value of a label.
fn label(name: &str) -> &str {
    let mut end = name.len().min(LABEL_BYTES_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

/// Packs and lets go until `woken` is closed.
pub(super) fn keep(
    mut keeper: Keeper,
    clock: &dyn Clock,
    retention: &ArcSwap<LogRetention>,
    telemetry: &Telemetry,
    woken: &Receiver<()>,
) {
    let mut expired_at = None;
    let mut patience = LOOK_EVERY;
    loop {
        match woken.recv_timeout(patience) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let now = clock.now();
        let is_due = expired_at.is_none_or(|at| now.since(at) >= EXPIRE_EVERY_MS || now < at);
        let packed = match keeper.wants_pack(now) {
            true => keeper.pack(now),
            false => Ok(0),
        };
        let result = packed.and_then(|packed| match is_due {
            true => {
                expired_at = Some(now);
                Ok((packed, keeper.expire(now, &retention.load())?))
            }
            false => Ok((packed, 0)),
        });
        match result {
            Ok((packed, expired)) => {
                patience = LOOK_EVERY;
                if packed > 0 || expired > 0 {
                    tracing::debug!(packed.blocks = packed, expired.blocks = expired, "log lines");
                }
            }
            Err(error) => {
                // Nothing is lost: all of it is in the journal.
                telemetry.maintenance_failures.add(1);
                tracing::error!(%error, "log lines could not be packed; it is tried again");
                patience = AGAIN_AFTER;
            }
        }
    }
}
