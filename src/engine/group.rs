//! The writer's thread: takes everything that waits, commits it as one group, answers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::pipeline::WriteError;
use crate::telemetry::Telemetry;
use crate::tsdb::{Batch, Tsdb, TsdbError};

/// A batch with somebody waiting for it.
pub(super) struct Job {
    pub(super) batch: Batch,
    /// How many numbers take as much memory.
    pub(super) weight: usize,
    pub(super) reply: oneshot::Sender<Result<(), WriteError>>,
}

/// The most samples in a group: bounds the memory of a commit and how long it takes.
const GROUP_SAMPLES_MAX: usize = 256 * 1024;

/// So long without a write counts as idle.
const IDLE_AFTER: Duration = Duration::from_secs(2);

/// Runs until the queue is closed and empty.
pub(super) fn run(jobs: &Receiver<Job>, tsdb: &Tsdb, telemetry: &Telemetry, queued: &AtomicUsize) {
    // No lingering: while a commit syncs, the next group gathers by itself.
    while let Some(first) = next(jobs, tsdb) {
        let mut weight = first.weight;
        let mut batches = vec![first.batch];
        let mut waiting = vec![first.reply];
        while weight < GROUP_SAMPLES_MAX
            && let Ok(job) = jobs.try_recv()
        {
            weight += job.weight;
            batches.push(job.batch);
            waiting.push(job.reply);
        }
        let results = commit(tsdb, telemetry, &batches);
        queued.fetch_sub(weight, Ordering::AcqRel);
        telemetry.queue_samples.set(queued.load(Ordering::Acquire) as i64);
        for (reply, result) in waiting.into_iter().zip(results) {
            // Whoever went away meanwhile does not need the answer.
            let _ = reply.send(result);
        }
    }
}

/// The next job; `None` when the queue is closed and empty. When none comes for a while the store
/// may rest.
fn next(jobs: &Receiver<Job>, tsdb: &Tsdb) -> Option<Job> {
    match jobs.recv_timeout(IDLE_AFTER) {
        Ok(job) => return Some(job),
        Err(RecvTimeoutError::Disconnected) => return None,
        Err(RecvTimeoutError::Timeout) => {}
    }
    if let Err(error) = tsdb.store().rest() {
        // Nothing is lost; the next write mends the store or says why not.
        tracing::warn!(%error, "the database could not be prepared for a quick start");
    }
    jobs.recv().ok()
}

/// One result per batch.
fn commit(tsdb: &Tsdb, telemetry: &Telemetry, batches: &[Batch]) -> Vec<Result<(), WriteError>> {
    let begun = Instant::now();
    let result = tsdb.write(batches);
    telemetry.commit_duration.observe(begun.elapsed());
    match result {
        Ok(()) => vec![Ok(()); batches.len()],
        // Nothing was written yet: only the batch that is out of date has to fail.
        Err(TsdbError::SeriesRemoved) if batches.len() > 1 => batches
            .iter()
            .map(|batch| tsdb.write(std::slice::from_ref(batch)).map_err(|e| failed(telemetry, &e)))
            .collect(),
        Err(error) => vec![Err(failed(telemetry, &error)); batches.len()],
    }
}

fn failed(telemetry: &Telemetry, error: &TsdbError) -> WriteError {
    telemetry.commit_failures.add(1);
    tracing::error!(%error, "a write failed; its senders were told to send it again");
    WriteError::Failed(error.to_string())
}
