//! Searches in a place of their own, bounded in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::api::params::Params;
use crate::api::request::blocking;
use crate::api::state::App;
use crate::api::{ApiError, ErrorKind};
use crate::engine::logs::{Logs, LogsError};

/// Set when the one who asked has gone.
struct GoneOnDrop(Arc<AtomicBool>);

impl Drop for GoneOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How long a search may take: `timeout`, where it is less than `query.timeout`.
pub(super) fn timeout(app: &App, params: &Params) -> Result<Duration, ApiError> {
    let most = app.settings.load().query.timeout.duration();
    let asked = params.duration_ms("timeout")?;
    let asked = asked.map(|ms| Duration::from_millis(ms.max(0).unsigned_abs()));
    Ok(asked.map_or(most, |asked| asked.min(most)))
}

/// Waits for one of the places for queries and searches there, on a thread of its own, until the
/// time is up or the caller leaves. The wait is part of the time.
pub(super) async fn search<T: Send + 'static>(
    app: &App,
    timeout: Duration,
    work: impl FnOnce(&Logs, &dyn Fn() -> bool) -> Result<T, LogsError> + Send + 'static,
) -> Result<T, ApiError> {
    let logs = app.engine()?.logs.clone();
    let deadline = Instant::now() + timeout;
    let waiting = tokio::time::timeout(timeout, app.queries().acquire_owned());
    let Ok(Ok(place)) = waiting.await else {
        return Err(ApiError::new(
            ErrorKind::Timeout,
            "timed out in the query queue; ask less often or raise query.concurrency",
        ));
    };
    let gone = Arc::new(AtomicBool::new(false));
    let _gone_on_drop = GoneOnDrop(Arc::clone(&gone));
    blocking(move || {
        let _place = place;
        let stop = || gone.load(Ordering::Relaxed) || Instant::now() >= deadline;
        Ok(work(&logs, &stop)?)
    })
    .await
}
