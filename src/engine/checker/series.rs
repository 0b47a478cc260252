//! Hands what checks measure to the write door, after it is committed as their state.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use crate::decode::admit::Refusals;
use crate::engine::Pipeline;
use crate::model::{CheckDefinition, Name, Timestamp};
use crate::telemetry::{Collected, Way};

use super::ledger::{Known, Ledger};
use super::metrics::CheckSeries;

/// Rounds that wait for the write door; newer ones are left out beyond that.
const ROUNDS_MAX: usize = 4096;
/// Rounds that are written at once.
const ROUNDS_PER_WRITE: usize = 512;
/// Checks that are asked less often are shown again after so long (ms): a query looks back five
/// minutes for a sample.
const REPEAT_MS: i64 = 60_000;

struct Shown {
    definition: std::sync::Arc<CheckDefinition>,
    series: CheckSeries,
    at: Timestamp,
}

/// The series of all checks.
pub(super) struct SeriesWriter {
    checks: BTreeMap<Name, Shown>,
    rounds: mpsc::Sender<Collected>,
    looked_at: Timestamp,
}

impl SeriesWriter {
    /// Starts the task that writes.
    pub(super) fn start(pipeline: Pipeline) -> Self {
        let (rounds, waiting) = mpsc::channel(ROUNDS_MAX);
        tokio::spawn(write(pipeline, waiting));
        SeriesWriter { checks: BTreeMap::new(), rounds, looked_at: Timestamp::MIN }
    }

    /// A check is so now, or gone.
    pub(super) fn check(&mut self, name: &Name, known: Option<&Known>, now: Timestamp) {
        let Some(known) = known else {
            if let Some(mut shown) = self.checks.remove(name) {
                self.hand_over(shown.series.end(now));
            }
            return;
        };
        let changed =
            self.checks.get(name).is_some_and(|shown| shown.definition != known.definition);
        if changed && let Some(mut shown) = self.checks.remove(name) {
            // Labels may have changed; a series that goes on is written again at once.
            self.hand_over(shown.series.end(now.plus_millis(-1)));
        }
        let shown = self.checks.entry(name.clone()).or_insert_with(|| Shown {
            definition: std::sync::Arc::clone(&known.definition),
            series: CheckSeries::new(&known.definition),
            at: now,
        });
        shown.at = now;
        let round = shown.series.round(
            known.definition.kind,
            known.state.status(),
            known.last.as_deref(),
            now,
        );
        self.hand_over(round);
    }

    /// Shows again what was not shown for a while.
    pub(super) fn repeat(&mut self, ledger: &Ledger, now: Timestamp) {
        if now.since(self.looked_at).abs() < REPEAT_MS / 4 {
            return;
        }
        self.looked_at = now;
        let due: Vec<Name> = self
            .checks
            .iter()
            .filter(|(_, shown)| now.since(shown.at).abs() >= REPEAT_MS)
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            self.check(&name, ledger.get(name.as_str()), now);
        }
    }

    fn hand_over(&self, rounds: Vec<Collected>) {
        for round in rounds {
            // While nothing can be written, what is measured is lost as a series; the state and
            // the results of the check are not.
            let _ = self.rounds.try_send(round);
        }
    }
}

async fn write(pipeline: Pipeline, mut waiting: mpsc::Receiver<Collected>) {
    let mut rounds = Vec::with_capacity(ROUNDS_PER_WRITE);
    let mut failing = false;
    while waiting.recv_many(&mut rounds, ROUNDS_PER_WRITE).await > 0 {
        let mut all = Collected::default();
        for round in rounds.drain(..) {
            all.rows.extend(round.rows);
            all.metadata.extend(round.metadata);
        }
        let families = all.metadata.iter().map(|(name, metadata)| (name.as_str(), metadata));
        let intake = pipeline.read_rows(&all.rows, families, Refusals::new());
        match pipeline.write(Way::Checks, intake).await {
            Ok(_) if failing => {
                tracing::info!("series of checks are stored again");
                failing = false;
            }
            Ok(_) => {}
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "series of checks are not stored");
                }
                failing = true;
            }
        }
    }
}
