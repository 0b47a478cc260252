//! Features and experiments, a line each.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::OverviewParts;
use crate::engine::experiments::runtime::Experiments;
use crate::engine::summaries::{Around, FiguresError, Subject, Summary, Window, figures_of};
use crate::features::{Health, outcome_queries};
use crate::model::{
    ExperimentKind, ExperimentStatus, FeatureDefinition, FeatureStatus, Name, Timestamp,
};
use crate::promql::{Options, Source};

/// Features in an overview; more are on their own page.
const FEATURES_MAX: usize = 200;
/// Experiments in an overview.
const EXPERIMENTS_MAX: usize = 50;
/// The window of features' figures: an hour.
const WINDOW_MS: i64 = 3_600_000;

/// How a feature does within the last hour.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeatureLine {
    /// Its name.
    pub name: String,
    /// What people call it; empty where nobody said.
    pub display_name: String,
    /// What people say of it.
    pub status: FeatureStatus,
    /// How it is.
    pub health: Health,
    /// 0 to 100, or none.
    pub health_score: Option<f64>,
    /// 0 to 1, or null.
    pub availability: Value,
    /// 0 to 1, or null.
    pub error_rate: Value,
    /// Requests by the minutes of the window.
    pub requests_per_minute: Value,
    /// The 95th percentile in milliseconds, or null.
    pub latency_p95_ms: Value,
    /// Or null.
    pub cost_per_request: Value,
    /// Incidents of it that are not resolved.
    pub open_incidents: usize,
}

impl FeatureLine {
    fn of(summary: Summary, status: FeatureStatus) -> Self {
        FeatureLine {
            name: summary.name,
            display_name: summary.display_name,
            status,
            health: summary.status,
            health_score: summary.health_score,
            availability: summary.availability,
            error_rate: summary.figures.error_rate,
            requests_per_minute: summary.figures.requests_per_minute,
            latency_p95_ms: summary.figures.latency_ms.p95,
            cost_per_request: summary.figures.cost_per_request,
            open_incidents: summary.open_incidents_count,
        }
    }
}

/// Computes the lines of all features. Blocks.
///
/// # Errors
///
/// When a query over outcomes fails or the history of checks cannot be read.
pub(super) fn features(
    parts: &OverviewParts,
    source: &dyn Source,
    options: &Options,
    now: Timestamp,
) -> Result<Vec<FeatureLine>, FiguresError> {
    let catalog = &parts.catalog;
    let defined = catalog.features.list();
    let tallies = parts.outcomes.tallies();
    let seen = tallies.iter().map(|(key, _)| key.feature.to_string());
    let seen = seen.filter(|name| !name.is_empty());
    let names: BTreeSet<String> = defined.keys().map(Name::to_string).chain(seen).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let own: Vec<Arc<FeatureDefinition>> = defined
        .values()
        .filter(|defined| defined.definition.queries != Default::default())
        .map(|defined| Arc::new(defined.definition.clone()))
        .collect();
    let window = Window { at: now, millis: WINDOW_MS };
    let queries = outcome_queries("feature", &[], WINDOW_MS);
    let (mut figures, _) = figures_of(source, options, "feature", queries, window, &own)?;
    let from = (parts.tsdb.store().as_ref(), catalog.as_ref(), &parts.watch.view());
    let around = Around::read(from, "feature", None, window, now)
        .map_err(|error| FiguresError::Parse(error.to_string()))?;
    let lines = names.into_iter().take(FEATURES_MAX).map(|name| {
        let subject = Subject::feature(catalog, &name);
        let status = subject.status();
        let figures = figures.remove(&name).unwrap_or_default();
        FeatureLine::of(around.summary(subject, window, figures, Vec::new()), status)
    });
    Ok(lines.collect())
}

/// An experiment that has started and is not over.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExperimentLine {
    /// Its name.
    pub name: Name,
    /// What kind.
    pub kind: ExperimentKind,
    /// `running` or `paused`.
    pub status: ExperimentStatus,
    /// When it first started.
    pub started_at: Option<Timestamp>,
    /// How many variants it has.
    pub variants: usize,
    /// Units that take part.
    pub units: u64,
    /// Guardrails that were breached.
    pub breaches: usize,
}

/// The lines of experiments, by name.
pub(super) fn experiments(experiments: &Experiments) -> Vec<ExperimentLine> {
    let all = experiments.all();
    let active = all.values().filter(|experiment| experiment.is_active());
    let line = |experiment: &Arc<crate::experiments::InForce>| ExperimentLine {
        name: experiment.definition.name.clone(),
        kind: experiment.definition.kind,
        status: experiment.state.status,
        started_at: experiment.state.started_at,
        variants: experiment.arms(),
        units: experiments.sums(experiment.number()).units.values().sum(),
        breaches: experiment.state.breaches.len(),
    };
    active.take(EXPERIMENTS_MAX).map(line).collect()
}
