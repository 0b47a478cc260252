//! Looks through the whole file from time to time: what nobody reads can be damaged for months, and
//! is missing when it is needed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::Settings;
use crate::engine::experiments::ledger;
use crate::engine::history;
use crate::logs;
use crate::store::{Scrub, Store, StoreError, Table, VerifyReport};
use crate::telemetry::Telemetry;
use crate::tsdb;

/// How long the first one waits after the start, as there is enough to do then.
const FIRST_AFTER: Duration = Duration::from_secs(600);
/// Bytes that are read at once.
const STEP_BYTES: u64 = 1 << 20;
/// For each moment of work so many of rest: a scrub takes 2 % of a core while it runs.
const RESTS: u32 = 49;

/// Looks into an intact value: what a checksum cannot tell.
///
/// # Errors
///
/// What is wrong with it.
pub fn inspect(table: Table, key: &[u8], payload: &[u8]) -> Result<(), String> {
    match table {
        Table::Checks => history::inspect(key, payload),
        Table::Units | Table::Ledger => ledger::inspect(table, key, payload),
        Table::Logs | Table::LogJournal => logs::inspect(table, key, payload),
        table => tsdb::inspect(table, key, payload),
    }
}

/// What scrubbing needs.
pub struct Scrubbing {
    /// The file.
    pub store: Arc<Store>,
    /// For when it was done.
    pub clock: Arc<dyn Clock>,
    /// Where it is counted.
    pub telemetry: Arc<Telemetry>,
    /// How often; it ends when nobody can change them any more.
    pub settings: watch::Receiver<Arc<Settings>>,
}

impl Scrubbing {
    /// Scrubs every `storage.scrub_interval`.
    pub async fn run(mut self) {
        let mut is_first = true;
        let mut began = Instant::now();
        loop {
            let interval = self.settings.borrow_and_update().storage.scrub_interval.duration();
            let wait = if is_first { interval.min(FIRST_AFTER) } else { interval };
            let wait = wait.saturating_sub(began.elapsed());
            tokio::select! {
                () = tokio::time::sleep(wait), if !interval.is_zero() => {}
                changed = self.settings.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
            }
            (is_first, began) = (false, Instant::now());
            match self.scrub().await {
                Ok(Some(report)) => self.tell(&report),
                Ok(None) => return,
                Err(error) => {
                    self.telemetry.scrubs.ended.add(["failure"], 1);
                    tracing::error!(%error, "the file could not be looked through");
                }
            }
        }
    }

    /// Once through the file; `None` at the end of the daemon.
    async fn scrub(&mut self) -> Result<Option<VerifyReport>, StoreError> {
        let mut scrub = Scrub::default();
        loop {
            let store = Arc::clone(&self.store);
            let began = Instant::now();
            let step = tokio::task::spawn_blocking(move || {
                let more = scrub.step(&store, STEP_BYTES, &inspect);
                more.map(|more| (scrub, more))
            });
            let panicked = |_| StoreError::Read("a step of the scrub panicked".to_owned());
            let (stepped, more) = step.await.map_err(panicked)??;
            scrub = stepped;
            if !more {
                return Ok(Some(scrub.report().clone()));
            }
            if !self.rest(began.elapsed() * RESTS).await {
                return Ok(None);
            }
        }
    }

    /// Whether to go on afterwards.
    async fn rest(&mut self, time: Duration) -> bool {
        let until = tokio::time::Instant::now() + time;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return true,
                changed = self.settings.changed() => if changed.is_err() { return false },
            }
        }
    }

    fn tell(&self, report: &VerifyReport) {
        let scrubs = &self.telemetry.scrubs;
        scrubs.ended.add(["success"], 1);
        scrubs.last_at_seconds.set(self.clock.now().millis() / 1000);
        scrubs.values.set(i64::try_from(report.values).unwrap_or(i64::MAX));
        scrubs.damaged.set(i64::try_from(report.damaged).unwrap_or(i64::MAX));
        for damage in &report.damage {
            tracing::error!(%damage, "found damaged while looking through the file");
        }
        if report.damaged > 0 {
            tracing::error!(
                damaged = report.damaged,
                values = report.values,
                "damaged values are skipped when read; see docs/troubleshooting.md"
            );
        } else {
            tracing::debug!(values = report.values, bytes = report.bytes, "the file is intact");
        }
    }
}
