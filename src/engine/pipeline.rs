//! The one write door: a bounded queue in front of the one thread that commits.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::oneshot;

use super::group::{self, Job};
use super::intake::{Intake, IntakeReader};
use crate::clock::Clock;
use crate::config::Limits;
use crate::decode::WireError;
use crate::decode::admit::{Refusals, TimeBounds};
use crate::model::{Exemplar, Labels, Metadata, Row};
use crate::telemetry::{Telemetry, Way};
use crate::tsdb::{Retention, Tsdb};

/// What the door lets in; may be replaced while it is open.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Bounds on input.
    pub limits: Limits,
    /// How long data is kept: older samples are refused.
    pub retention: Retention,
    /// Writes are refused while the disk has fewer free bytes than this; `None` stands for 5 %
    /// of it, at least 256 MiB.
    pub free_bytes_min: Option<u64>,
}

/// What was made durable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Samples, histograms included.
    pub samples: u64,
    /// How many of them are native histograms, or came as such and mark the end of a series.
    pub histograms: u64,
    /// What was refused.
    pub refusals: Refusals,
    /// Exemplars, those included that were known already.
    pub exemplars: u64,
    /// Exemplars that were offered and not stored.
    pub exemplars_skipped: u64,
}

/// Why nothing of a request was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Too much is waiting already.
    #[error(
        "{queued} samples wait to be written (limits.queued_samples_max = {max}); retry in {retry_after_s} s"
    )]
    Busy {
        /// How many wait.
        queued: usize,
        /// How many may.
        max: usize,
        /// When to try again, in seconds.
        retry_after_s: u64,
    },
    /// The disk is nearly full.
    #[error(
        "the disk that holds {place} has {free_bytes} free bytes, fewer than the {min_bytes} that \
         must stay free; make room, shorten retention, or set storage.free_bytes_min"
    )]
    DiskFull {
        /// The database.
        place: String,
        /// Free bytes.
        free_bytes: u64,
        /// The bytes that must stay free.
        min_bytes: u64,
    },
    /// vedette is on its way down.
    #[error("shutting down")]
    ShuttingDown,
    /// The commit failed; nothing of the request is visible.
    #[error("{0}")]
    Failed(String),
}

/// The write door. Clones share it.
#[derive(Clone)]
pub struct Pipeline {
    inner: Arc<Inner>,
}

struct Inner {
    tsdb: Arc<Tsdb>,
    clock: Arc<dyn Clock>,
    telemetry: Arc<Telemetry>,
    policy: ArcSwap<Policy>,
    sender: Mutex<Option<Sender<Job>>>,
    queued: Arc<AtomicUsize>,
    disk: DiskGauge,
    closed: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Remembers how much is free, so that not every write asks the system.
#[derive(Debug)]
struct DiskGauge {
    started: Instant,
    /// Milliseconds since `started` of the last look, plus one; 0 before the first.
    looked_ms: AtomicU64,
    free: AtomicU64,
    total: AtomicU64,
}

const DISK_LOOK_MS: u64 = 1000;
const MEBIBYTE: u64 = 1 << 20;

impl Pipeline {
    /// Opens the door and starts its thread.
    pub fn new(
        tsdb: Arc<Tsdb>,
        clock: Arc<dyn Clock>,
        telemetry: Arc<Telemetry>,
        policy: Policy,
    ) -> std::io::Result<Pipeline> {
        let (sender, receiver) = channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let thread = {
            let (tsdb, telemetry, queued) =
                (Arc::clone(&tsdb), Arc::clone(&telemetry), Arc::clone(&queued));
            std::thread::Builder::new()
                .name("vedette-writer".to_owned())
                .spawn(move || group::run(&receiver, &tsdb, &telemetry, &queued))?
        };
        let inner = Inner {
            tsdb,
            clock,
            telemetry,
            policy: ArcSwap::from_pointee(policy),
            sender: Mutex::new(Some(sender)),
            queued,
            disk: DiskGauge {
                started: Instant::now(),
                looked_ms: AtomicU64::new(0),
                free: AtomicU64::new(u64::MAX),
                total: AtomicU64::new(0),
            },
            closed: AtomicBool::new(false),
            thread: Mutex::new(Some(thread)),
        };
        Ok(Pipeline { inner: Arc::new(inner) })
    }

    /// The engine behind the door.
    pub fn tsdb(&self) -> &Arc<Tsdb> {
        &self.inner.tsdb
    }

    /// What counts all of it.
    pub fn telemetry(&self) -> &Arc<Telemetry> {
        &self.inner.telemetry
    }

    /// What holds now.
    pub fn policy(&self) -> Arc<Policy> {
        self.inner.policy.load_full()
    }

    /// Replaces what holds, for requests from now on.
    pub fn set_policy(&self, policy: Policy) {
        self.inner.policy.store(Arc::new(policy));
    }

    /// Refuses early, before a body is read and decoded, what [`Pipeline::write`] would refuse.
    pub fn check_open(&self) -> Result<(), WriteError> {
        let policy = self.inner.policy.load();
        self.check(&policy, 0)
    }

    /// Reads an inflated remote write 1.0 body.
    pub fn read_remote_write_1(&self, body: &[u8]) -> Result<Intake, WireError> {
        self.read(|reader| reader.remote_write_1(body))
    }

    /// Reads an inflated remote write 2.0 body.
    pub fn read_remote_write_2(&self, body: &[u8]) -> Result<Intake, WireError> {
        self.read(|reader| reader.remote_write_2(body))
    }

    /// Reads rows of a collector or decoder, with what is known about their families. What the
    /// decoder itself refused goes in as `refusals`.
    pub fn read_rows<'m>(
        &self,
        rows: &[Row],
        families: impl IntoIterator<Item = (&'m str, &'m Metadata)>,
        refusals: Refusals,
    ) -> Intake {
        self.read_rows_and_exemplars(rows, &[], families, refusals)
    }

    /// Like [`Pipeline::read_rows`], with exemplars. They belong to series of the rows or to such
    /// as are known; others are skipped and counted.
    pub fn read_rows_and_exemplars<'m>(
        &self,
        rows: &[Row],
        exemplars: &[(Labels, Exemplar)],
        families: impl IntoIterator<Item = (&'m str, &'m Metadata)>,
        refusals: Refusals,
    ) -> Intake {
        let read = self.read(|reader| {
            reader.intake.refusals = refusals;
            reader.families(families);
            reader.rows(rows);
            reader.exemplars(exemplars);
            Ok::<(), std::convert::Infallible>(())
        });
        match read {
            Ok(intake) => intake,
            Err(never) => match never {},
        }
    }

    fn read<E>(
        &self,
        read: impl FnOnce(&mut IntakeReader<'_>) -> Result<(), E>,
    ) -> Result<Intake, E> {
        let policy = self.inner.policy.load();
        let now = self.inner.clock.now();
        let oldest = now.plus_millis(policy.retention.raw_ms.saturating_neg());
        let bounds = TimeBounds::new(now, oldest, &policy.limits);
        let mut reader = IntakeReader::new(self.inner.tsdb.batch(), &policy.limits, bounds);
        read(&mut reader)?;
        Ok(reader.finish())
    }

    /// Writes what was read. `Ok` only after it is durable.
    pub async fn write(&self, way: Way, intake: Intake) -> Result<Written, WriteError> {
        let inner = &self.inner;
        for (code, count) in intake.refusals.by_code() {
            inner.telemetry.refused.add([code], *count);
        }
        inner.telemetry.exemplars_skipped.add(intake.exemplars_skipped);
        let samples = intake.batch.len();
        // What waits is counted by what it takes: a histogram as much as many numbers.
        let weight = intake.batch.weight();
        let written = Written {
            samples: samples as u64,
            histograms: intake.batch.histograms() as u64 + intake.histogram_markers,
            refusals: intake.refusals,
            exemplars: intake.batch.exemplars() as u64,
            exemplars_skipped: intake.exemplars_skipped,
        };
        if intake.batch.is_empty() {
            return Ok(written);
        }
        self.check(&inner.policy.load(), weight)?;
        let (reply, answer) = oneshot::channel();
        inner.queued.fetch_add(weight, Ordering::AcqRel);
        let job = Job { batch: intake.batch, weight, reply };
        let sent = match &*inner.sender.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(sender) => sender.send(job).is_ok(),
            None => false,
        };
        if !sent {
            inner.queued.fetch_sub(weight, Ordering::AcqRel);
            return Err(WriteError::ShuttingDown);
        }
        match answer.await {
            Ok(result) => result?,
            Err(_) => return Err(WriteError::Failed("the writer stopped".to_owned())),
        }
        inner.telemetry.ingested(way).add(samples as u64);
        inner.telemetry.histograms_ingested.add(written.histograms);
        Ok(written)
    }

    fn check(&self, policy: &Policy, weight: usize) -> Result<(), WriteError> {
        let inner = &self.inner;
        if inner.closed.load(Ordering::Acquire) {
            return Err(WriteError::ShuttingDown);
        }
        let max = policy.limits.queued_samples_max;
        let queued = inner.queued.load(Ordering::Acquire);
        inner.telemetry.queue_samples.set(queued as i64);
        // A single request may always come in when nothing waits, however large.
        if queued > 0 && queued.saturating_add(weight) > max {
            return Err(WriteError::Busy { queued, max, retry_after_s: 1 });
        }
        let (free_bytes, total) = self.disk_space();
        let min_bytes = policy.free_bytes_min.unwrap_or((total / 20).max(256 * MEBIBYTE));
        if free_bytes < min_bytes {
            let place = inner.tsdb.store().place();
            return Err(WriteError::DiskFull { place, free_bytes, min_bytes });
        }
        Ok(())
    }

    /// Free and total bytes, looked up at most once a second.
    fn disk_space(&self) -> (u64, u64) {
        let disk = &self.inner.disk;
        let now = disk.started.elapsed().as_millis() as u64 + 1;
        let looked = disk.looked_ms.load(Ordering::Acquire);
        let is_due = looked == 0 || now.saturating_sub(looked) >= DISK_LOOK_MS;
        if is_due && let Some((free, total)) = self.inner.tsdb.store().disk_space() {
            disk.free.store(free, Ordering::Release);
            disk.total.store(total, Ordering::Release);
            disk.looked_ms.store(now, Ordering::Release);
            self.inner.telemetry.storage_free_bytes.set(i64::try_from(free).unwrap_or(i64::MAX));
        }
        (disk.free.load(Ordering::Acquire), disk.total.load(Ordering::Acquire))
    }

    /// Closes the door: what is queued is still written, then the thread ends. Blocks until
    /// then, or until `patience` is over; gives whether all was written.
    pub fn close(&self, patience: Duration) -> bool {
        self.inner.closed.store(true, Ordering::Release);
        drop(self.inner.sender.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.inner.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return true };
        let deadline = Instant::now() + patience;
        while !thread.is_finished() {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        thread.join().is_ok()
    }
}
