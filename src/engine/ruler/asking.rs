//! Runs a query of a rule on a thread of its own, in one of the places for queries.

use std::sync::Arc;

use tokio::sync::watch;

use crate::promql::{Options, Stop};
use crate::tsdb::Reader;

use super::Shared;

/// Why a query has no result.
#[derive(Debug)]
pub(super) enum NoResult {
    /// The group is being stopped: nothing is noted.
    Stopped,
    /// It failed.
    Failed(String),
}

/// Waits until the group is being stopped.
async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    // An error means that whoever could say so is gone, which says so as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Runs `work` over a view of the samples, within the time and the bounds of queries.
pub(super) async fn ask<T: Send + 'static>(
    shared: &Shared,
    stopped: &mut watch::Receiver<bool>,
    work: impl FnOnce(&Reader, &Options) -> Result<T, String> + Send + 'static,
) -> Result<T, NoResult> {
    let settings = Arc::clone(&shared.settings.borrow());
    let deadline = tokio::time::Instant::now() + settings.query.timeout.duration();
    let places = shared.places.load_full();
    let place = tokio::select! {
        place = tokio::time::timeout_at(deadline, places.acquire_owned()) => place,
        () = told_to_stop(stopped) => return Err(NoResult::Stopped),
    };
    let Ok(Ok(place)) = place else {
        return Err(NoResult::Failed("query timed out in query queue".to_owned()));
    };
    let stop = Arc::new(Stop::default());
    let options = Options {
        lookback_ms: settings.query.lookback_delta.millis(),
        max_samples: settings.query.max_samples as u64,
        default_subquery_step_ms: settings.rules.evaluation_interval.millis(),
        stop: Arc::clone(&stop),
        ..Options::default()
    };
    let tsdb = Arc::clone(shared.pipeline.tsdb());
    let mut working = tokio::task::spawn_blocking(move || {
        let _place = place;
        let reader = tsdb.reader().map_err(|error| error.to_string())?;
        work(&reader, &options)
    });
    let mut stopping = false;
    let finished = tokio::select! {
        finished = &mut working => finished,
        () = tokio::time::sleep_until(deadline) => {
            stop.time_out();
            working.await
        }
        () = told_to_stop(stopped) => {
            stopping = true;
            stop.cancel();
            working.await
        }
    };
    match finished {
        _ if stopping => Err(NoResult::Stopped),
        Ok(result) => result.map_err(NoResult::Failed),
        Err(_) => Err(NoResult::Failed("the evaluation panicked".to_owned())),
    }
}
