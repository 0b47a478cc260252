//! The figures of a window: its queries run, its answers put together.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::features::{Figure, Figures, own_queries};
use crate::model::{FeatureDefinition, Timestamp};
use crate::promql::{self, Options, QueryError, Source, Value, VectorSample};

/// A stretch of time that is asked about: after `from`, up to and with `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its end.
    pub at: Timestamp,
    /// How long it is, in milliseconds.
    pub millis: i64,
}

impl Window {
    /// Its beginning.
    pub fn from(self) -> Timestamp {
        self.at.plus_millis(-self.millis)
    }
}

/// Why there are no figures.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FiguresError {
    /// A query is none.
    #[error("{0}")]
    Parse(String),
    /// A query failed.
    #[error(transparent)]
    Query(#[from] QueryError),
}

/// Figures by name, and what went wrong with queries that features have of their own, by feature.
pub type Found = (BTreeMap<String, Figures>, BTreeMap<String, Vec<String>>);

/// Runs queries whose answers belong to the values of the label `by`; with `own`, those that
/// features ask for in their own words come over them.
///
/// # Errors
///
/// When one of `queries` fails. One of a feature's own is told as its problem.
pub fn figures_of(
    source: &dyn Source,
    options: &Options,
    by: &str,
    queries: Vec<(Figure, String)>,
    window: Window,
    own: &[Arc<FeatureDefinition>],
) -> Result<Found, FiguresError> {
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
                    let problem = format!("queries: {text:?}: {error}");
                    problems.entry(feature.name.to_string()).or_default().push(problem);
                }
            }
        }
        all.entry(feature.name.to_string()).or_default().overrule(figures);
    }
    Ok((all, problems))
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
) -> Result<Vec<VectorSample>, FiguresError> {
    let expr = promql::parse(text).map_err(|error| FiguresError::Parse(error.to_string()))?;
    let answer = promql::instant(source, &expr, at, options).map_err(|e| e.located(text))?;
    Ok(match answer.value {
        Value::Vector(samples) => samples,
        Value::Scalar(sample) => {
            vec![VectorSample { labels: Default::default(), sample, histogram: None }]
        }
        Value::String { .. } | Value::Matrix(_) => Vec::new(),
    })
}
