//! Log lines: the one thread that makes them durable, and what reads them.
//!
//! Owns: the queue, groups of lines, what is in memory and in the file, retention. Never: wire
//! formats, HTTP. Start reading at [`Logs`].

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use crate::clock::Clock;
use crate::engine::feed::{Fact, Feed};
use crate::engine::{Pipeline, WriteError};
use crate::model::{LogId, LogLine, StoredLine, Timestamp};

pub use crate::logs::{
    Context, LINE_BYTES_MAX, LogBucket, LogFilter, LogNames, LogPage, LogQuery, Order,
    PAGE_LINES_MAX, TextMatch,
};

/// How long lines are kept.
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

/// All log lines. Clones share them.
#[derive(Clone)]
pub struct Logs {
    inner: Arc<Inner>,
}

struct Inner {
    pipeline: Pipeline,
    feed: Feed,
    lines: Mutex<Vec<StoredLine>>,
    retention: ArcSwap<LogRetention>,
    closed: AtomicBool,
}

impl Logs {
    /// Reads what is in the file and starts what writes.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or no thread can be started.
    pub fn start(
        pipeline: Pipeline,
        _clock: Arc<dyn Clock>,
        feed: Feed,
        retention: LogRetention,
    ) -> Result<Logs, String> {
        let inner = Inner {
            pipeline,
            feed,
            lines: Mutex::default(),
            retention: ArcSwap::from_pointee(retention),
            closed: AtomicBool::new(false),
        };
        Ok(Logs { inner: Arc::new(inner) })
    }

    fn lines(&self) -> MutexGuard<'_, Vec<StoredLine>> {
        self.inner.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses early, before a body is read and decoded, what [`Logs::write`] would refuse.
    ///
    /// # Errors
    ///
    /// [`LogsError::Busy`], [`LogsError::DiskFull`] or [`LogsError::Stopping`].
    pub fn check_open(&self) -> Result<(), LogsError> {
        if self.inner.closed.load(Ordering::Acquire) {
            return Err(LogsError::Stopping);
        }
        match self.inner.pipeline.check_open() {
            Err(error @ WriteError::DiskFull { .. }) => Err(LogsError::DiskFull(error.to_string())),
            Err(WriteError::ShuttingDown) => Err(LogsError::Stopping),
            _ => Ok(()),
        }
    }

    /// Takes lines, and answers how many once they are durable and can be read.
    ///
    /// # Errors
    ///
    /// [`LogsError`]; none of them can be read then.
    pub async fn write(&self, lines: Vec<LogLine>) -> Result<u64, LogsError> {
        self.check_open()?;
        let count = lines.len() as u64;
        let mut all = self.lines();
        let first = all.len() as u64;
        let stored: Vec<StoredLine> = (first..)
            .zip(lines)
            .map(|(number, line)| StoredLine { id: LogId { time: line.time, number }, line })
            .collect();
        all.extend(stored.iter().cloned());
        all.sort_by_key(|line| line.id);
        self.inner.feed.publish(Fact::logs(stored.into()));
        Ok(count)
    }

    /// How long lines are kept from now on.
    pub fn set_retention(&self, retention: LogRetention) {
        self.inner.retention.store(Arc::new(retention));
    }

    /// Writes what waits and ends; whatever comes later hears that we are stopping.
    pub async fn close(&self) {
        self.inner.closed.store(true, Ordering::Release);
    }

    /// A page of lines. Blocks: call it where that is fine. It ends early when `stop` says so.
    ///
    /// # Errors
    ///
    /// [`LogsError::TimedOut`] and [`LogsError::Store`].
    pub fn query(&self, query: &LogQuery, _stop: &dyn Fn() -> bool) -> Result<LogPage, LogsError> {
        let all = self.lines();
        let fits = |line: &&StoredLine| {
            query.filter.matches(&line.line)
                && query.after.is_none_or(|after| match query.order {
                    Order::Newest => line.id < after,
                    Order::Oldest => line.id > after,
                })
        };
        let limit = query.limit.min(PAGE_LINES_MAX);
        let mut lines: Vec<StoredLine> = match query.order {
            Order::Newest => all.iter().rev().filter(fits).take(limit + 1).cloned().collect(),
            Order::Oldest => all.iter().filter(fits).take(limit + 1).cloned().collect(),
        };
        let has_more = lines.len() > limit;
        lines.truncate(limit);
        let next = lines.last().map(|line| line.id).filter(|_| has_more);
        Ok(LogPage { lines, next, scanned: all.len() as u64 })
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
        let side = |order, limit| {
            let query = LogQuery { filter: filter.clone(), order, after: Some(id), limit };
            self.query(&query, stop).map(|page| page.lines)
        };
        let mut before = side(Order::Newest, before)?;
        before.reverse();
        let line = self.lines().iter().find(|line| line.id == id).cloned();
        Ok(Context { before, line, after: side(Order::Oldest, after)? })
    }

    /// How many lines there are in each step of a time, the empty ones included. Steps begin at
    /// whole multiples of `step_ms`; lines before `from` and from `until` on do not count. Blocks.
    ///
    /// # Errors
    ///
    /// As [`Logs::query`], and [`LogsError::Invalid`] where the steps are no steps or too many.
    pub fn histogram(
        &self,
        filter: &LogFilter,
        from: Timestamp,
        until: Timestamp,
        step_ms: i64,
        _stop: &dyn Fn() -> bool,
    ) -> Result<Vec<LogBucket>, LogsError> {
        if step_ms <= 0 || until <= from || until.since(from) / step_ms > 10_000 {
            return Err(LogsError::Invalid("from 1 to 10000 steps, please".to_owned()));
        }
        let first = from.millis().div_euclid(step_ms);
        let last = (until.millis() - 1).div_euclid(step_ms);
        let mut buckets: Vec<LogBucket> = (first..=last)
            .map(|n| LogBucket { from: Timestamp::from_millis(n * step_ms), counts: [0; 5] })
            .collect();
        for line in self.lines().iter() {
            let time = line.id.time;
            if time >= from && time < until && filter.matches(&line.line) {
                let place = (time.millis().div_euclid(step_ms) - first) as usize;
                buckets[place].counts[line.line.level as usize] += 1;
            }
        }
        Ok(buckets)
    }

    /// Hands all lines that pass the filter to `sink`, in their order, until it has enough; any
    /// number of them in bounded memory. Blocks.
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
        let mut after = None;
        loop {
            let query = LogQuery { filter: filter.clone(), order, after, limit: PAGE_LINES_MAX };
            let page = self.query(&query, stop)?;
            for line in page.lines {
                if sink(line).is_break() {
                    return Ok(());
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// Sources, features and environments that lines name.
    pub fn names(&self) -> LogNames {
        let all = self.lines();
        let names = |pick: fn(&LogLine) -> &String| {
            let mut names: Vec<String> = all.iter().map(|line| pick(&line.line).clone()).collect();
            names.sort();
            names.dedup();
            names.retain(|name| !name.is_empty());
            names
        };
        LogNames {
            sources: names(|line| &line.source),
            features: names(|line| &line.feature),
            environments: names(|line| &line.environment),
        }
    }

    /// How much there is.
    pub fn figures(&self) -> LogFigures {
        let all = self.lines();
        let oldest = all.first().map(|line| line.id.time);
        LogFigures { lines: all.len() as u64, bytes: 0, oldest }
    }
}
