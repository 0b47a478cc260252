//! Log lines: what keeps them, by the settings.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::Settings;
use crate::engine::Pipeline;
use crate::engine::feed::Feed;
use crate::engine::logs::{LogRetention, Logs};

use super::DaemonError;

/// How long the end waits for lines that are queued.
const DRAIN: Duration = Duration::from_secs(2);

/// How long lines are kept, by the settings.
pub(super) fn retention(settings: &Settings) -> LogRetention {
    LogRetention {
        max_age_ms: settings.logs.retention.millis(),
        max_bytes: settings.logs.max_bytes.bytes(),
    }
}

/// Reads what is in the file and starts what writes.
pub(super) fn start(
    pipeline: &Pipeline,
    clock: &Arc<dyn Clock>,
    feed: &Feed,
    settings: &Settings,
) -> Result<Logs, DaemonError> {
    Logs::start(pipeline.clone(), Arc::clone(clock), feed.clone(), retention(settings))
        .map_err(DaemonError::Start)
}

/// Writes what waits and ends.
pub(super) async fn stop(logs: &Logs) {
    if tokio::time::timeout(DRAIN, logs.close()).await.is_err() {
        tracing::warn!("log lines did not end in time; nothing acknowledged is lost");
    }
}
