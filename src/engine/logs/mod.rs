//! Log lines: the one thread that makes them durable, and what reads them.
//!
//! Owns: the queue, groups of lines, what is in memory and in the file, packing, retention. Never:
//! wire formats, HTTP, or what a block looks like. Start reading at [`Logs`], then [`Core`].
//!
//! A line is numbered, packed with its group into one record of the journal, and committed; then it
//! is in memory for readers, told to the feed, and acknowledged. [`Keeper`] packs what waits into
//! blocks and cuts the journal in the same transaction.

mod core;
mod keeper;
mod read;
mod requests;
mod shared;
#[cfg(test)]
mod tests;
mod threads;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::engine::feed::Feed;
use crate::engine::{Pipeline, WriteError};
use crate::logs::{line_bytes, text_bytes};
use crate::model::{LogId, LogLine, StoredLine, Timestamp};
use crate::store::Write;

use requests::Requests;
use shared::Shared;
use threads::{Job, Message, Writer};

pub use self::core::{Core, Written};
pub use keeper::Keeper;
pub use read::HISTOGRAM_STEPS_MAX;
pub use requests::{Known, Ticket};

pub use crate::logs::{
    Context, LINE_BYTES_MAX, LogBucket, LogFilter, LogNames, LogPage, LogQuery, Order,
    PAGE_LINES_MAX, TextMatch,
};

/// Bytes of lines that wait for the writer.
const QUEUE_BYTES_MAX: usize = 64 << 20;
/// Bytes of lines in memory, because they are not packed yet.
const MEMORY_BYTES_MAX: usize = 128 << 20;
/// Names of a kind that are told.
const NAMES_MAX: usize = 1000;

/// How long lines are kept. Lines go by blocks: one stays until all of its block may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRetention {
    /// Lines older than this go, in milliseconds.
    pub max_age_ms: i64,
    /// The oldest go when all take more bytes of the file than this; 0 stands for no bound.
    pub max_bytes: u64,
}

impl Default for LogRetention {
    /// 14 days, 4 GiB.
    fn default() -> Self {
        LogRetention { max_age_ms: 14 * 24 * 3_600_000, max_bytes: 4 << 30 }
    }
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogFigures {
    /// Lines.
    pub lines: u64,
    /// Bytes of the file that they take, about.
    pub bytes: u64,
    /// The time of the oldest.
    pub oldest: Option<Timestamp>,
}

/// Why lines were not taken, or not found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogsError {
    /// Too much is waiting already.
    #[error(
        "{queued} bytes of log lines wait to be written, at most {max}; retry in {retry_after_s} s"
    )]
    Busy {
        /// Bytes that wait.
        queued: usize,
        /// Bytes that may.
        max: usize,
        /// When to try again, in seconds.
        retry_after_s: u64,
    },
    /// The disk is nearly full; the text says what to do.
    #[error("{0}")]
    DiskFull(String),
    /// vedette is on its way down.
    #[error("shutting down")]
    Stopping,
    /// What was asked makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// It took too long, or nobody waits any more.
    #[error("the search took too long; ask for a shorter time or fewer lines")]
    TimedOut,
    /// The file could not be read or written.
    #[error("{0}")]
    Store(String),
}

/// All log lines. Clones share them; when the last one goes, both threads end.
#[derive(Clone)]
pub struct Logs {
    inner: Arc<Inner>,
}

struct Inner {
    pipeline: Pipeline,
    shared: Arc<Shared>,
    requests: Requests,
    sender: Mutex<Option<Sender<Message>>>,
    queued: Arc<AtomicUsize>,
    retention: Arc<ArcSwap<LogRetention>>,
    wake: Mutex<Option<SyncSender<()>>>,
}

impl Logs {
    /// Reads what is in the file and starts what writes and packs.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or no thread can be started.
    pub fn start(
        pipeline: Pipeline,
        clock: Arc<dyn Clock>,
        feed: Feed,
        retention: LogRetention,
    ) -> Result<Logs, String> {
        let tsdb = pipeline.tsdb();
        let open = || Core::open(Arc::clone(tsdb), clock.now());
        let core = tsdb
            .store()
            .again(open)
            .map_err(|error| format!("log lines cannot be read: {error}"))?;
        let requests = tsdb
            .store()
            .again(|| Requests::open(tsdb.store()))
            .map_err(|error| format!("requests with log lines cannot be read: {error}"))?;
        let keeper = Keeper::new(&core)?;
        let shared = Arc::clone(core.shared());
        let retention = Arc::new(ArcSwap::from_pointee(retention));
        let queued = Arc::<AtomicUsize>::default();
        let (sender, messages) = channel();
        let (wake, woken) = sync_channel(1);
        let telemetry = Arc::clone(pipeline.telemetry());
        let writer = Writer {
            core,
            clock: Arc::clone(&clock),
            feed,
            telemetry: Arc::clone(&telemetry),
            queued: Arc::clone(&queued),
            wake: wake.clone(),
        };
        let failed = |error: std::io::Error| format!("cannot start a thread: {error}");
        std::thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || writer.run(&messages))
            .map_err(failed)?;
        let kept = Arc::clone(&retention);
        std::thread::Builder::new()
            .name("log-keeper".to_owned())
            .spawn(move || threads::keep(keeper, &*clock, &kept, &telemetry, &woken))
            .map_err(failed)?;
        let inner = Inner {
            pipeline,
            shared,
            requests,
            sender: Mutex::new(Some(sender)),
            queued,
            retention,
            wake: Mutex::new(Some(wake)),
        };
        Ok(Logs { inner: Arc::new(inner) })
    }

    /// Refuses early, before a body is read and decoded, what [`Logs::write`] would refuse.
    ///
    /// # Errors
    ///
    /// [`LogsError::Busy`], [`LogsError::DiskFull`] or [`LogsError::Stopping`].
    pub fn check_open(&self) -> Result<(), LogsError> {
        self.check(0)
    }

    fn check(&self, bytes: usize) -> Result<(), LogsError> {
        let inner = &self.inner;
        if inner.sender.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            return Err(LogsError::Stopping);
        }
        match inner.pipeline.check_open() {
            Err(error @ WriteError::DiskFull { .. }) => {
                return Err(LogsError::DiskFull(error.to_string()));
            }
            Err(WriteError::ShuttingDown) => return Err(LogsError::Stopping),
            // What waits of other kinds does not matter here.
            _ => {}
        }
        let queued = inner.queued.load(Ordering::Acquire);
        let busy = |queued, max| Err(LogsError::Busy { queued, max, retry_after_s: 1 });
        // A single request may always come in when nothing waits, however large.
        if queued > 0 && queued.saturating_add(bytes) > QUEUE_BYTES_MAX {
            return busy(queued, QUEUE_BYTES_MAX);
        }
        let waiting = {
            let state = inner.shared.state();
            state.active.bytes + state.frozen.bytes
        };
        match waiting > MEMORY_BYTES_MAX {
            true => busy(waiting, MEMORY_BYTES_MAX),
            false => Ok(()),
        }
    }

    /// Takes lines, and answers how many once they are durable and can be read.
    ///
    /// # Errors
    ///
    /// [`LogsError`]; none of them can be read then. [`LogsError::Invalid`] where a line has more
    /// than [`LINE_BYTES_MAX`].
    pub async fn write(&self, lines: Vec<LogLine>) -> Result<u64, LogsError> {
        self.write_noting(lines, Vec::new()).await
    }

    /// Begins a request under its key.
    pub fn begin(&self, key: &str) -> Known {
        self.inner.requests.begin(key)
    }

    /// As [`Logs::write`], for a request that [`Logs::begin`] does not know: its key is remembered
    /// in the transaction of the lines.
    ///
    /// # Errors
    ///
    /// As [`Logs::write`]; the key is not remembered either.
    pub async fn write_once(
        &self,
        mut ticket: Ticket,
        lines: Vec<LogLine>,
    ) -> Result<u64, LogsError> {
        let accepted = lines.len() as u64;
        let notes = ticket.notes(accepted).map_err(|error| LogsError::Store(error.to_string()))?;
        let logs = self.clone();
        // To its end also where the sender goes away: or what it sends again is taken again.
        let writing = tokio::spawn(async move {
            logs.write_noting(lines, notes).await?;
            ticket.done(accepted);
            Ok(accepted)
        });
        writing.await.unwrap_or(Err(LogsError::Stopping))
    }

    /// As [`Logs::write`], with `notes` in the same transaction: where a source has got to is known
    /// exactly if its lines are.
    ///
    /// # Errors
    ///
    /// As [`Logs::write`]; no note was taken either.
    pub async fn write_noting(
        &self,
        lines: Vec<LogLine>,
        notes: Vec<Write>,
    ) -> Result<u64, LogsError> {
        if lines.is_empty() && notes.is_empty() {
            return Ok(0);
        }
        let too_long = lines.iter().map(text_bytes).enumerate().find(|(_, b)| *b > LINE_BYTES_MAX);
        if let Some((place, bytes)) = too_long {
            return Err(LogsError::Invalid(format!(
                "line {place} has {bytes} bytes, at most {LINE_BYTES_MAX}; cut it"
            )));
        }
        let bytes: usize = lines.iter().map(line_bytes).sum();
        self.check(bytes)?;
        let (reply, answer) = oneshot::channel();
        self.inner.queued.fetch_add(bytes, Ordering::AcqRel);
        if self.send(Message::Job(Job { lines, notes, bytes, reply })).is_err() {
            self.inner.queued.fetch_sub(bytes, Ordering::AcqRel);
            return Err(LogsError::Stopping);
        }
        answer.await.map_err(|_| LogsError::Stopping)?
    }

    fn send(&self, message: Message) -> Result<(), LogsError> {
        match &*self.inner.sender.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(sender) => sender.send(message).map_err(|_| LogsError::Stopping),
            None => Err(LogsError::Stopping),
        }
    }

    /// How long lines are kept from now on.
    pub fn set_retention(&self, retention: LogRetention) {
        self.inner.retention.store(Arc::new(retention));
    }

    /// Writes what waits and ends; whatever comes later hears that we are stopping.
    pub async fn close(&self) {
        let (done, ended) = oneshot::channel();
        if self.send(Message::Stop(done)).is_ok() {
            drop(self.inner.sender.lock().unwrap_or_else(PoisonError::into_inner).take());
            drop(self.inner.wake.lock().unwrap_or_else(PoisonError::into_inner).take());
            // An error means that it has ended.
            let _ = ended.await;
        }
    }

    /// A page of lines. Blocks: call it where that is fine. It ends early when `stop` says so.
    ///
    /// # Errors
    ///
    /// [`LogsError::TimedOut`] and [`LogsError::Store`].
    pub fn query(&self, query: &LogQuery, stop: &dyn Fn() -> bool) -> Result<LogPage, LogsError> {
        self.inner.shared.query(query, stop)
    }

    /// A line with those around it that pass the filter. Blocks.
    ///
    /// # Errors
    ///
    /// As [`Logs::query`].
    pub fn context(
        &self,
        id: LogId,
        before: usize,
        after: usize,
        filter: &LogFilter,
        stop: &dyn Fn() -> bool,
    ) -> Result<Context, LogsError> {
        self.inner.shared.context(id, before, after, filter, stop)
    }

    /// How many lines there are in each step of a time, the empty ones included. Steps begin at
    /// whole multiples of `step_ms`; lines before `from` and from `until` on do not count. Blocks.
    ///
    /// # Errors
    ///
    /// As [`Logs::query`], and [`LogsError::Invalid`] where the steps are no steps or more than
    /// [`HISTOGRAM_STEPS_MAX`].
    pub fn histogram(
        &self,
        filter: &LogFilter,
        from: Timestamp,
        until: Timestamp,
        step_ms: i64,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<LogBucket>, LogsError> {
        self.inner.shared.histogram(filter, (from, until), step_ms, stop)
    }

    /// Hands all lines that pass the filter to `sink`, in their order, until it has enough; any
    /// number of them in bounded memory. Each once; what comes meanwhile may be among them. Blocks.
    ///
    /// # Errors
    ///
    /// As [`Logs::query`].
    pub fn scan(
        &self,
        filter: &LogFilter,
        order: Order,
        sink: &mut dyn FnMut(StoredLine) -> ControlFlow<()>,
        stop: &dyn Fn() -> bool,
    ) -> Result<(), LogsError> {
        self.inner.shared.scan(filter, order, sink, stop)
    }

    /// Sources, features and environments that lines name, at most a thousand of each.
    pub fn names(&self) -> LogNames {
        self.inner.shared.names(NAMES_MAX)
    }

    /// How much there is.
    pub fn figures(&self) -> LogFigures {
        self.inner.shared.figures()
    }

    /// Blocks and records of the journal that were found damaged and left out, since the start;
    /// each time that one was met.
    pub fn damaged(&self) -> u64 {
        self.inner.shared.damaged()
    }
}
