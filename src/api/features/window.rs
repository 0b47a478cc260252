//! The window of a request, and the figures within it.

use std::sync::Arc;

use crate::engine::summaries::{FiguresError, Found, Window, figures_of};
use crate::features::outcome_queries;
use crate::model::FeatureDefinition;

use super::super::ApiError;
use super::super::params::Params;
use super::super::query::{Asked, in_a_place};
use super::super::state::App;

/// A minute, in milliseconds.
pub(super) const MINUTE_MS: i64 = 60_000;
/// The window of who names none.
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// The longest: 13 months, as long as rollups are kept.
const WINDOW_MS_MAX: i64 = 400 * 24 * HOUR_MS;

/// `window=1h`, and `at=` unless it ends now. What ends now has everything that was counted
/// before the call.
pub(super) async fn read_window(app: &App, params: &Params) -> Result<Window, ApiError> {
    let millis = params.duration_ms("window")?.unwrap_or(HOUR_MS);
    if !(1000..=WINDOW_MS_MAX).contains(&millis) {
        return Err(ApiError::parameter("window", "is from 1s to 400d"));
    }
    let at = match params.time("at")? {
        Some(at) => at,
        None => {
            app.engine()?.outcomes.catch_up().await;
            app.clock.now()
        }
    };
    Ok(Window { at, millis })
}

impl From<FiguresError> for ApiError {
    fn from(error: FiguresError) -> Self {
        match error {
            FiguresError::Parse(reason) => ApiError::bad_data(reason),
            FiguresError::Query(error) => error.into(),
        }
    }
}

/// Asks for the figures of every value of the label `by`; with `own`, those that features ask
/// for in their own words come over them. Gives what went wrong with the latter, by feature.
pub(super) async fn figures(
    app: &Arc<App>,
    params: &Params,
    window: Window,
    by: &'static str,
    matchers: &[(&str, &str)],
    own: Vec<Arc<FeatureDefinition>>,
) -> Result<Found, ApiError> {
    let queries = outcome_queries(by, matchers, window.millis);
    let asked = Asked::read(app, params)?;
    in_a_place(app, &asked, move |source, options, _| {
        Ok(figures_of(source, options, by, queries, window, &own)?)
    })
    .await
}
