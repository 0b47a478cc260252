//! When to flush, merge and expire. Decides at `now`; whoever calls brings the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::model::Timestamp;
use crate::telemetry::Telemetry;
use crate::tsdb::{Retention, Tsdb, TsdbError};

/// A head is flushed after so long, in milliseconds …
const FLUSH_EVERY_MS: i64 = 15 * 60_000;
/// … or when its journal has so many bytes, whichever comes first. The head takes about as much
/// memory as its journal, and for the length of a flush there are two.
const FLUSH_JOURNAL_BYTES: u64 = 24 << 20;
/// How often expiry looks, in milliseconds.
const EXPIRE_EVERY_MS: i64 = 10 * 60_000;
/// How many merges one call may do: each takes a while, and the caller may want to stop.
const MERGES_PER_CALL: usize = 16;

/// Looks after the engine's segments.
pub struct Upkeep {
    tsdb: Arc<Tsdb>,
    telemetry: Arc<Telemetry>,
    last_flush: Option<Timestamp>,
    last_expiry: Option<Timestamp>,
    stop: Arc<AtomicBool>,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UpkeepReport {
    /// Samples that were moved from memory into segments.
    pub flushed_samples: u64,
    /// Merges.
    pub merges: u64,
    /// Segments that expired.
    pub expired_segments: u64,
    /// Series that expired.
    pub expired_series: u64,
}

impl Upkeep {
    /// Starts counting at the first call of [`Upkeep::run`]. When `stop` is set, a run ends at
    /// the next occasion.
    pub fn new(tsdb: Arc<Tsdb>, telemetry: Arc<Telemetry>, stop: Arc<AtomicBool>) -> Self {
        Upkeep { tsdb, telemetry, last_flush: None, last_expiry: None, stop }
    }

    /// Does what is due. May take seconds; writes and queries go on meanwhile.
    pub fn run(
        &mut self,
        now: Timestamp,
        retention: &Retention,
    ) -> Result<UpkeepReport, TsdbError> {
        let result = self.run_due(now, retention);
        if result.is_err() {
            self.telemetry.maintenance_failures.add(1);
        }
        if result.as_ref().is_ok_and(|report| *report != UpkeepReport::default()) {
            self.tsdb.store().rest()?;
        }
        self.telemetry.series.set(self.tsdb.series_count() as i64);
        if let Ok(bytes) = self.tsdb.store().file_bytes() {
            self.telemetry.storage_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        result
    }

    fn run_due(
        &mut self,
        now: Timestamp,
        retention: &Retention,
    ) -> Result<UpkeepReport, TsdbError> {
        let mut report = UpkeepReport::default();
        if self.is_flush_due(now) {
            report.flushed_samples = self.tsdb.flush(&|_| {})?;
            self.last_flush = Some(now);
            if report.flushed_samples > 0 {
                self.telemetry.flushes.add(1);
            }
        }
        for _ in 0..MERGES_PER_CALL {
            if self.is_stopping() || !self.tsdb.merge(now, &|_| {})? {
                break;
            }
            report.merges += 1;
            self.telemetry.merges.add(1);
        }
        if !self.is_stopping() && is_due(&mut self.last_expiry, now, EXPIRE_EVERY_MS) {
            let expired = self.tsdb.expire(now, retention)?;
            self.last_expiry = Some(now);
            report.expired_segments = expired.segments;
            report.expired_series = expired.series;
        }
        Ok(report)
    }

    fn is_flush_due(&mut self, now: Timestamp) -> bool {
        self.tsdb.journal_bytes() >= FLUSH_JOURNAL_BYTES
            || is_due(&mut self.last_flush, now, FLUSH_EVERY_MS)
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}

/// Whether `every_ms` passed since `last`; the first call only sets it. A clock that was set back
/// starts anew.
fn is_due(last: &mut Option<Timestamp>, now: Timestamp, every_ms: i64) -> bool {
    match *last {
        Some(before) if now >= before => now.since(before) >= every_ms,
        _ => {
            *last = Some(now);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_is_due_when_its_time_has_passed() {
        let at = Timestamp::from_millis;
        let mut last = None;
        assert!(!is_due(&mut last, at(1000), 60), "the first look only starts the count");
        assert!(!is_due(&mut last, at(1059), 60));
        assert!(is_due(&mut last, at(1060), 60));
        assert!(!is_due(&mut last, at(500), 60), "a clock set back starts anew");
        assert!(is_due(&mut last, at(560), 60));
    }
}
