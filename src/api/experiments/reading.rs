//! What came of an experiment: its audit, its analysis, how its variants do.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::Response;
use serde_json::{Value, json};

use crate::experiments::{Analysis, InForce};
use crate::features::{Tallies, Tally};
use crate::model::MetricKind;

use super::in_force;
use crate::api::ApiError;
use crate::api::json::success;
use crate::api::objects::paged;
use crate::api::request::{blocking, read_params};
use crate::api::state::App;

type Answered = Result<Response<Body>, ApiError>;

/// Entries of the audit in one page, unless asked for fewer.
const AUDIT_PAGE: usize = 200;

/// `GET …/audit?limit=&after=`: newest first.
pub(super) async fn audit(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let params = read_params(&app, request).await?;
    let limit = params.limit()?.unwrap_or(AUDIT_PAGE).min(AUDIT_PAGE);
    let before = match params.get("after") {
        Some(text) => Some(text.parse().map_err(|error| ApiError::parameter("after", error))?),
        None => None,
    };
    let experiments = Arc::clone(&app.engine()?.experiments);
    let number = in_force(&app, &name)?.number();
    let work = move || experiments.audit(number, before, limit + 1).map_err(ApiError::internal);
    let mut entries = blocking(work).await?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries.last().filter(|_| more).map(|last| json!(last.number.to_string()));
    let shown: Vec<Value> = entries.iter().map(|entry| json!(entry)).collect();
    Ok(paged(&shown, next))
}

/// `GET …/timeline?metric=&variant=`: the estimates over time, oldest first.
pub(super) async fn timeline(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let params = read_params(&app, request).await?;
    let [metric, variant] = ["metric", "variant"].map(|field| params.get(field).map(str::to_owned));
    let experiments = Arc::clone(&app.engine()?.experiments);
    let experiment = in_force(&app, &name)?;
    let number = experiment.number();
    let work = move || experiments.timeline(number).map_err(ApiError::internal);
    let mut points = blocking(work).await?;
    for point in &mut points {
        point.estimates.retain(|estimate| {
            metric.as_ref().is_none_or(|name| *name == estimate.metric)
                && variant.as_ref().is_none_or(|name| *name == estimate.variant)
        });
    }
    Ok(success(&json!({
        "experiment": name,
        "alpha": experiment.definition.analysis.alpha,
        "points": points,
    })))
}

async fn analyse(app: &App, experiment: Arc<InForce>) -> Result<Analysis, ApiError> {
    let experiments = Arc::clone(&app.engine()?.experiments);
    blocking(move || Ok(experiments.analysis(&experiment))).await
}

/// `GET …/analysis`: what the results say, by the state that is stored.
pub(super) async fn analysis(State(app): State<Arc<App>>, Path(name): Path<String>) -> Answered {
    let experiment = in_force(&app, &name)?;
    Ok(success(&analyse(&app, experiment).await?))
}

/// `GET …/variants`: how each variant does, by its outcomes and results.
pub(super) async fn variants(State(app): State<Arc<App>>, Path(name): Path<String>) -> Answered {
    let experiment = in_force(&app, &name)?;
    let tallies = app.engine()?.ledger.tallies();
    let sums = app.engine()?.experiments.sums(experiment.number());
    let analysis = analyse(&app, Arc::clone(&experiment)).await?;
    let shares = normalised(experiment.weights());
    let definition = &experiment.definition;
    let one = |(place, variant): (usize, &crate::model::VariantDefinition)| {
        let own_units = sums.units.iter().filter(|((_, of), _)| usize::from(*of) == place);
        let units: u64 = own_units.map(|(_, count)| count).sum();
        let excluded = u16::try_from(place).ok().and_then(|v| sums.excluded.get(&v)).copied();
        let metrics: serde_json::Map<String, Value> = analysis
            .metrics
            .iter()
            .filter_map(|metric| {
                let own = metric.variants.iter().find(|own| own.name == variant.name)?;
                let shown = json!({
                    "n": own.n, "mean": own.mean, "ci_low": own.ci_low, "ci_high": own.ci_high,
                });
                Some((metric.name.clone(), shown))
            })
            .collect();
        let satisfaction = analysis
            .metrics
            .iter()
            .find(|metric| metric.kind == MetricKind::Satisfaction)
            .and_then(|metric| metric.variants.iter().find(|own| own.name == variant.name))
            .and_then(|own| own.mean);
        let mut shown = json!({
            "name": variant.name,
            "is_control": variant.is_control,
            "share": shares.get(place),
            "units": units,
            "excluded_units": excluded.unwrap_or(0),
            "metrics": metrics,
            "satisfaction": satisfaction,
        });
        add_outcomes(&mut shown, &tallies, definition.name.as_str(), variant.name.as_str());
        shown
    };
    let variants: Vec<Value> = definition.variants.iter().enumerate().map(one).collect();
    Ok(success(&json!({ "experiment": name, "at": app.clock.now(), "variants": variants })))
}

fn normalised(weights: &[f64]) -> Vec<f64> {
    let whole: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / whole).collect()
}

/// Requests, success rate, latency, cost and tokens of a variant since it was first used.
fn add_outcomes(shown: &mut Value, tallies: &Tallies, experiment: &str, variant: &str) {
    let mut all = Tally::default();
    let mut failed = 0u64;
    for (key, tally) in tallies.iter() {
        if key.experiment == experiment && key.variant == variant {
            all.merge(tally);
            failed += if key.ok { 0 } else { tally.count };
        }
    }
    let per = |sum: f64, count: u64| (count > 0).then(|| sum / count as f64);
    shown["requests"] = json!(all.count);
    shown["success_rate"] = json!(per((all.count - failed) as f64, all.count));
    shown["error_rate"] = json!(per(failed as f64, all.count));
    let histogram = all.latency.histogram();
    let quantile = |q: f64| {
        let value = crate::promql::histogram_quantile(q, &histogram) * 1000.0;
        (all.latency.count() > 0 && value.is_finite()).then_some(value)
    };
    shown["latency_ms"] = json!({
        "mean": per(all.latency.sum_ms(), all.latency.count()),
        "p50": quantile(0.5), "p95": quantile(0.95), "p99": quantile(0.99),
    });
    shown["cost"] = json!(all.cost.value());
    shown["cost_per_request"] = json!(per(all.cost.value(), all.priced));
    shown["tokens"] = json!({
        "input": all.input_tokens, "output": all.output_tokens, "unknown": all.tokens,
    });
}
