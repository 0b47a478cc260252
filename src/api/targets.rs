//! What is scraped: `targets`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use serde_json::{Value, json};

use crate::collect::targets::TargetStatus;

use super::ApiError;
use super::json::success;
use super::request::read_params;
use super::state::App;

/// What Prometheus shows as the last scrape of a target that was never scraped: Go's zero time.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// `/api/v1/targets`, in the shape of Prometheus (`web/api/v1/api.go`, `TargetDiscovery`).
pub(super) async fn targets(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let params = read_params(&app, request).await?;
    let state = params.get("state").unwrap_or("any");
    if !["any", "active", "dropped"].contains(&state) {
        return Err(ApiError::parameter("state", format!("{state:?}; use any, active or dropped")));
    }
    let pool = params.get("scrapePool");
    let wanted = |name: &str| pool.is_none_or(|pool| pool == name);
    let list = app.engine()?.targets.list();
    let mut active = Vec::new();
    if state != "dropped" {
        let of_pool = list.active.iter().filter(|target| wanted(&target.pool));
        active.extend(of_pool.map(active_target));
    }
    let mut dropped = Vec::new();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for (pool, labels) in list.dropped.iter().filter(|(pool, _)| wanted(pool)) {
        *counts.entry(pool).or_default() += 1;
        if state != "active" {
            dropped.push(json!({"discoveredLabels": labels, "scrapePool": pool}));
        }
    }
    Ok(success(&json!({
        "activeTargets": active,
        "droppedTargets": dropped,
        "droppedTargetCounts": counts,
    })))
}

fn active_target(status: &TargetStatus) -> Value {
    let target = &status.target;
    json!({
        "discoveredLabels": target.discovered,
        "labels": target.labels,
        "scrapePool": status.pool,
        "scrapeUrl": target.url,
        "globalUrl": status.global_url,
        "lastError": status.last_error,
        "lastScrape": status.last_scrape.map_or_else(|| NEVER.to_owned(), |at| at.to_string()),
        "lastScrapeDuration": status.last_duration.as_secs_f64(),
        "health": status.health.as_str(),
        "scrapeInterval": target.interval.to_string(),
        "scrapeTimeout": target.timeout.to_string(),
    })
}
