//! Writes the tallies of outcomes as samples, every five seconds and when somebody asks.
//!
//! Owns: when, and that nothing counts as shown before it is durable. Never: the tallies, which
//! are the ledger's, or what a series looks like, which is [`crate::features`]'s. Start reading at
//! [`OutcomeSeries::start`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::{Pipeline, WriteError};
use crate::clock::Clock;
use crate::decode::admit::Refusals;
use crate::features::{Emission, ROUND_MS, Tallies, outcome_metadata};
use crate::model::Timestamp;
use crate::telemetry::Way;

/// Requests for a round that wait at once; one more waits outside.
const REQUESTS_MAX: usize = 64;
/// Rounds are at least so far apart, however often somebody asks.
const APART: Duration = Duration::from_millis(100);

/// Where the tallies are.
pub type TalliesSource = Arc<dyn Fn() -> Arc<Tallies> + Send + Sync>;

/// What writes outcomes as series. Clones share it.
#[derive(Clone)]
pub struct OutcomeSeries {
    requests: mpsc::Sender<oneshot::Sender<()>>,
    tallies: TalliesSource,
}

impl OutcomeSeries {
    /// Starts the task that writes. It ends with the last clone.
    pub fn start(pipeline: Pipeline, clock: Arc<dyn Clock>, tallies: TalliesSource) -> Self {
        let (requests, waiting) = mpsc::channel(REQUESTS_MAX);
        tokio::spawn(run(pipeline, clock, Arc::clone(&tallies), waiting));
        OutcomeSeries { requests, tallies }
    }

    /// The tallies as they are now.
    pub fn tallies(&self) -> Arc<Tallies> {
        (self.tallies)()
    }

    /// Returns once everything that was counted before the call is written, or could not be
    /// written just now.
    pub async fn catch_up(&self) {
        let (done, wait) = oneshot::channel();
        if self.requests.send(done).await.is_ok() {
            // An error means that the task ended: there is nothing to wait for.
            let _ = wait.await;
        }
    }
}

async fn run(
    pipeline: Pipeline,
    clock: Arc<dyn Clock>,
    tallies: TalliesSource,
    mut requests: mpsc::Receiver<oneshot::Sender<()>>,
) {
    let mut emission = Emission::default();
    let mut last = Timestamp::MIN;
    let mut failing = false;
    let mut waiting = Vec::with_capacity(REQUESTS_MAX);
    loop {
        waiting.clear();
        tokio::select! {
            () = tokio::time::sleep(until_next(clock.now())) => {}
            asked = requests.recv_many(&mut waiting, REQUESTS_MAX) => if asked == 0 { return },
        }
        let now = match clock.now() {
            // One sample of a series per millisecond.
            now if now == last => now.plus_millis(1),
            now => now,
        };
        let outcome = round(&pipeline, &mut emission, &tallies(), now).await;
        last = now;
        match &outcome {
            Ok(()) if failing => tracing::info!("series of outcomes are stored again"),
            Err(error) if !failing => tracing::warn!(%error, "series of outcomes are not stored"),
            _ => {}
        }
        failing = outcome.is_err();
        for done in waiting.drain(..) {
            // Whoever asked may be gone.
            let _ = done.send(());
        }
        tokio::time::sleep(APART).await;
    }
}

/// Rounds fall on whole multiples of five seconds.
fn until_next(now: Timestamp) -> Duration {
    let past = now.millis().rem_euclid(ROUND_MS);
    Duration::from_millis((ROUND_MS - past).unsigned_abs())
}

async fn round(
    pipeline: &Pipeline,
    emission: &mut Emission,
    tallies: &Tallies,
    now: Timestamp,
) -> Result<(), WriteError> {
    let round = {
        let known = pipeline.tsdb().batch();
        emission.round(tallies, now, |labels| known.existing(labels).is_some())
    };
    if round.rows.is_empty() {
        return Ok(());
    }
    let metadata = outcome_metadata();
    let families = metadata.iter().map(|(name, metadata)| (name.as_str(), metadata));
    let intake = pipeline.read_rows(&round.rows, families, Refusals::new());
    let written = pipeline.write(Way::Outcomes, intake).await?;
    if !written.refusals.is_empty() {
        // By a limit of the settings: asking again would change nothing.
        tracing::debug!(refusals = %written.refusals, "samples of outcomes were refused");
    }
    emission.adopt(round);
    Ok(())
}
