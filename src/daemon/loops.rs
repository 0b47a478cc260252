//! What happens again and again: collecting and upkeep.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::collect::Collected;
use crate::collect::targets::Batch;
use crate::config::{Collector, Settings};
use crate::decode::admit::Refusals;
use crate::engine::{Pipeline, Upkeep};
use crate::model::Timestamp;
use crate::telemetry::Way;

/// The settings in force, and word of every change; closed when the daemon stops.
pub(super) type Changes = watch::Receiver<Arc<Settings>>;

/// One built-in collector: what it is called, where its settings are, and how it measures.
pub(super) struct CollectorLoop<C> {
    pub(super) way: Way,
    pub(super) settings: fn(&Settings) -> &Collector,
    pub(super) collector: C,
    pub(super) collect: fn(&mut C, Timestamp) -> Collected,
    pub(super) end: fn(&mut C, Timestamp) -> Collected,
}

impl<C: Send + 'static> CollectorLoop<C> {
    /// Collects at whole multiples of the interval until the daemon stops. A late round is left
    /// out, never made up for.
    pub(super) async fn run(self, pipeline: Pipeline, clock: Arc<dyn Clock>, mut changes: Changes) {
        let CollectorLoop { way, settings, mut collector, collect, end } = self;
        let mut running = false;
        let mut failing = false;
        // At once, so that there is something to see within a second of the start.
        let mut pause = Duration::ZERO;
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                changed = changes.changed() => if changed.is_err() { return },
            }
            let Collector { enabled, interval } = settings(&changes.borrow_and_update()).clone();
            let now = clock.now();
            if enabled || running {
                let measure = if enabled { collect } else { end };
                // Reading /proc takes milliseconds, which belong on a thread of their own.
                let measured = tokio::task::spawn_blocking(move || {
                    let collected = measure(&mut collector, now);
                    (collector, collected)
                });
                let Ok((back, collected)) = measured.await else { return };
                collector = back;
                failing = write(&pipeline, way, collected, failing).await;
            }
            running = enabled;
            pause = if enabled { until_next(clock.now(), interval.millis()) } else { IDLE };
        }
    }
}

/// How long a switched-off collector sleeps; a change of settings wakes it earlier.
const IDLE: Duration = Duration::from_secs(3600);

fn until_next(now: Timestamp, interval_ms: i64) -> Duration {
    let interval_ms = interval_ms.max(1);
    let past = now.millis().rem_euclid(interval_ms);
    Duration::from_millis((interval_ms - past).unsigned_abs())
}

/// Writes a round; says when it begins to fail, and when it works again. Gives whether it failed.
async fn write(pipeline: &Pipeline, way: Way, collected: Collected, failing: bool) -> bool {
    let families = collected.metadata.iter().map(|(name, metadata)| (name.as_str(), metadata));
    let intake = pipeline.read_rows(&collected.rows, families, Refusals::new());
    match pipeline.write(way, intake).await {
        Ok(_) => {
            if failing {
                tracing::info!(collector = way.as_str(), "collected metrics are stored again");
            }
            false
        }
        Err(error) => {
            if !failing {
                tracing::warn!(%error, collector = way.as_str(), "collected metrics are not stored");
            }
            true
        }
    }
}

/// Writes what targets gave, each scrape by itself, and tells the scraper what became of it.
pub(super) async fn store_scrapes(pipeline: Pipeline, mut scraped: mpsc::Receiver<Batch>) {
    while let Some(Batch { rows, exemplars, metadata, done }) = scraped.recv().await {
        let pipeline = pipeline.clone();
        // On a task of its own: the writer commits together what comes together.
        tokio::spawn(async move {
            let families = metadata.iter().map(|(name, metadata)| (name.as_str(), metadata));
            let intake =
                pipeline.read_rows_and_exemplars(&rows, &exemplars, families, Refusals::new());
            let outcome = match pipeline.write(Way::Scrape, intake).await {
                Ok(written) if written.refusals.is_empty() => Ok(()),
                Ok(written) => Err(written.refusals.to_string()),
                Err(error) => Err(error.to_string()),
            };
            // A scraper that was stopped meanwhile does not need the answer.
            let _ = done.send(outcome);
        });
    }
}

/// How often upkeep looks for work.
const UPKEEP_EVERY: Duration = Duration::from_secs(2);

/// Flushes, merges and expires on a thread of its own until `stop` is set; whoever sets it wakes
/// the thread by unparking it.
pub(super) fn upkeep(
    pipeline: Pipeline,
    clock: Arc<dyn Clock>,
    stop: Arc<AtomicBool>,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("vedette-upkeep".to_owned()).spawn(move || {
        let mut upkeep = Upkeep::new(
            Arc::clone(pipeline.tsdb()),
            Arc::clone(pipeline.telemetry()),
            Arc::clone(&stop),
        );
        let mut failing = false;
        while !stop.load(Ordering::Acquire) {
            match upkeep.run(clock.now(), &pipeline.policy().retention) {
                Ok(report) => {
                    failing = false;
                    if report.flushed_samples > 0 || report.merges > 0 {
                        tracing::debug!(
                            flushed.samples = report.flushed_samples,
                            merges = report.merges,
                            expired.segments = report.expired_segments,
                            expired.series = report.expired_series,
                            "upkeep"
                        );
                    }
                }
                Err(error) => {
                    if !failing {
                        tracing::error!(%error, "upkeep failed; it is tried again");
                    }
                    failing = true;
                }
            }
            std::thread::park_timeout(UPKEEP_EVERY);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_fall_on_whole_multiples_of_the_interval() {
        let at = Timestamp::from_millis;
        assert_eq!(until_next(at(15_000), 15_000), Duration::from_millis(15_000));
        assert_eq!(until_next(at(16_001), 15_000), Duration::from_millis(13_999));
        assert_eq!(until_next(at(-1), 15_000), Duration::from_millis(1));
    }
}
