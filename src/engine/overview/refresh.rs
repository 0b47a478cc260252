//! Computes figures and features again and again, in one of the places for queries.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::key_figures::KeyFigures;
use super::lines::{self, FeatureLine};
use super::{KeyFigure, Overview, ended};
use crate::promql::{Options, Stop};

/// Between two times.
const EVERY: Duration = Duration::from_secs(5);
/// Computing takes at most one part in so many of the time: over many series it happens less often.
const SHARE: u32 = 10;
/// However long it takes, it is tried again after this.
const EVERY_MAX: Duration = Duration::from_secs(300);

/// What one time came to. What could not be computed is told by its error.
struct Round {
    figures: KeyFigures,
    shown: Vec<KeyFigure>,
    features: Option<Vec<FeatureLine>>,
    error: Option<String>,
}

/// Runs until the sender of the settings is gone.
pub(super) async fn run(overview: Overview) {
    let mut settings = overview.inner.parts.settings.clone();
    let mut figures = KeyFigures::new();
    let mut failing = false;
    loop {
        let began = Instant::now();
        let round = tokio::select! {
            round = round(&overview, figures) => round,
            () = ended(&mut settings) => return,
        };
        match &round.error {
            Some(error) if !failing => tracing::warn!(%error, "key figures are not up to date"),
            None if failing => tracing::info!("key figures are up to date again"),
            _ => {}
        }
        failing = round.error.is_some();
        overview.take_up_figures(round.shown);
        if let Some(features) = round.features {
            overview.take_up_features(features);
        }
        figures = round.figures;
        let pause = began.elapsed().saturating_mul(SHARE).clamp(EVERY, EVERY_MAX);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = ended(&mut settings) => return,
        }
    }
}

/// Ends an evaluation when nobody waits for it any more.
struct StopOnDrop(Arc<Stop>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Waits for a place and computes on a thread of its own, within the time and the bounds of queries.
async fn round(overview: &Overview, figures: KeyFigures) -> Round {
    let parts = overview.inner.parts.clone();
    let settings = Arc::clone(&parts.settings.borrow());
    let shown_before = overview.inner.figures.load_full();
    let unchanged = |figures, error: &str| Round {
        figures,
        shown: shown_before.to_vec(),
        features: None,
        error: Some(error.to_owned()),
    };
    // As long as it takes: requests go first, and what is shown meanwhile is what was.
    let Ok(place) = parts.places.load_full().acquire_owned().await else {
        return unchanged(figures, "the places for queries are gone");
    };
    let stop = Arc::new(Stop::default());
    let _stop_on_drop = StopOnDrop(Arc::clone(&stop));
    let options = Options {
        lookback_ms: settings.query.lookback_delta.millis(),
        max_samples: settings.query.max_samples as u64,
        default_subquery_step_ms: settings.rules.evaluation_interval.millis(),
        stop: Arc::clone(&stop),
        ..Options::default()
    };
    let mut working = tokio::task::spawn_blocking(move || {
        let _place = place;
        let mut figures = figures;
        let reader = match parts.tsdb.reader() {
            Ok(reader) => reader,
            Err(error) => {
                let (shown, error) = (figures.shown(), Some(error.to_string()));
                return Round { figures, shown, features: None, error };
            }
        };
        let now = parts.clock.now();
        let refreshed = figures.refresh(&reader, &options, now);
        let features = lines::features(&parts, &reader, &options, now);
        let error = match (refreshed, &features) {
            (Err(error), _) => Some(error.to_string()),
            (Ok(()), Err(error)) => Some(error.to_string()),
            (Ok(()), Ok(_)) => None,
        };
        let shown = figures.shown();
        Round { figures, shown, features: features.ok(), error }
    });
    let finished = tokio::select! {
        finished = &mut working => finished,
        () = tokio::time::sleep(settings.query.timeout.duration()) => {
            stop.time_out();
            working.await
        }
    };
    finished.unwrap_or_else(|_| unchanged(KeyFigures::new(), "the evaluation panicked"))
}
