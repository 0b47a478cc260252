//! The figures of a window: its queries run, its answers put together.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::features::{Figure, Figures, outcome_queries, own_queries};
use crate::model::{FeatureDefinition, Timestamp};
use crate::promql::{self, Options, Source, Value, VectorSample};

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

/// A stretch of time that is asked about: after `from`, up to and with `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) at: Timestamp,
    pub(super) millis: i64,
}

impl Window {
    pub(super) fn from(self) -> Timestamp {
        self.at.plus_millis(-self.millis)
    }

    /// `window=1h`, and `at=` unless it ends now. What ends now has everything that was counted
    /// before the call.
    pub(super) async fn read(app: &App, params: &Params) -> Result<Window, ApiError> {
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
) -> Result<(BTreeMap<String, Figures>, BTreeMap<String, Vec<String>>), ApiError> {
    let queries = outcome_queries(by, matchers, window.millis);
    let asked = Asked::read(app, params)?;
    in_a_place(app, &asked, move |source, options, _| {
        let mut all: BTreeMap<String, Figures> = BTreeMap::new();
        let mut problems: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (figure, text) in queries {
            for sample in ask(source, options, &text, window.at)? {
                let Some(name) = sample.labels.get(by) else { continue };
                take(all.entry(name.to_owned()).or_default(), figure, &sample);
            }
        }
        for feature in own {
            let mut figures = Figures::default();
            for (figure, text) in own_queries(&feature.queries, window.millis) {
                match ask(source, options, &text, window.at) {
                    Ok(samples) if samples.len() > 1 && is_single(figure) => {
                        let name = feature.name.to_string();
                        problems.entry(name).or_default().push(format!(
                            "queries: {text:?} gives {} series; aggregate them to one",
                            samples.len()
                        ));
                    }
                    Ok(samples) => {
                        samples.iter().for_each(|sample| take(&mut figures, figure, sample));
                    }
                    Err(error) => {
                        let problem = format!("queries: {text:?}: {}", error.message);
                        problems.entry(feature.name.to_string()).or_default().push(problem);
                    }
                }
            }
            all.entry(feature.name.to_string()).or_default().overrule(figures);
        }
        Ok((all, problems))
    })
    .await
}

/// Whether a figure cannot be the sum of several.
fn is_single(figure: Figure) -> bool {
    matches!(figure, Figure::LatencyMean | Figure::LatencyQuantile(_) | Figure::Availability)
}

fn take(figures: &mut Figures, figure: Figure, sample: &VectorSample) {
    // A histogram is no figure.
    if sample.histogram.is_none() {
        figures.take(figure, |name| sample.labels.get(name), sample.sample.value);
    }
}

fn ask(
    source: &dyn Source,
    options: &Options,
    text: &str,
    at: Timestamp,
) -> Result<Vec<VectorSample>, ApiError> {
    let expr = promql::parse(text).map_err(|error| ApiError::bad_data(error.to_string()))?;
    let answer = promql::instant(source, &expr, at, options)
        .map_err(|error| ApiError::from(error.located(text)))?;
    Ok(match answer.value {
        Value::Vector(samples) => samples,
        Value::Scalar(sample) => {
            vec![VectorSample { labels: Default::default(), sample, histogram: None }]
        }
        Value::String { .. } | Value::Matrix(_) => Vec::new(),
    })
}
