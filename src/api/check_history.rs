//! What became of checks: results, and uptime over any window.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::Response;
use serde_json::{Value, json};

use crate::checks::{Span, Transition, Uptime, uptime as uptime_in};
use crate::engine::checker::check_labels;
use crate::engine::history::{self, Latency, RollupStep};
use crate::incidents::maintenance::{TimedWindow, intervals_about};
use crate::model::{CheckDefinition, CheckStatus, Name, Timestamp};
use crate::store::StoreError;

use super::checks::result_json;
use super::json::{seconds, success};
use super::objects::{find, paged};
use super::request::{blocking, read_params};
use super::state::App;
use super::{ApiError, params::Params};

type Answered = Result<Response<Body>, ApiError>;

/// Results in one page, unless asked for fewer.
const PAGE: usize = 100;
/// The longest page.
const PAGE_MAX: usize = 1000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// The longest window: changes are kept for 13 months.
const WINDOW_MS_MAX: i64 = 400 * DAY_MS;
/// Windows up to this long have a bar for every hour, longer ones for every day.
const HOURLY_MS: i64 = 48 * HOUR_MS;
/// Changes that one answer lists, the newest.
const TRANSITIONS_MAX: usize = 1000;

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        ApiError::internal(error)
    }
}

/// `GET /api/v1/checks/{name}/results?from=&to=&limit=&after=`: newest first; `after` is the
/// `next` of the page before.
pub(super) async fn results(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let params = read_params(&app, request).await?;
    let name = find::<CheckDefinition>(&app, &name)?.definition.name.clone();
    let limit = params.limit()?.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let from = params.time("from")?.unwrap_or(Timestamp::MIN);
    let mut until = params.time("to")?.unwrap_or(Timestamp::MAX);
    if let Some(after) = params.get("after") {
        let cursor = after
            .parse::<i64>()
            .map_err(|_| ApiError::parameter("after", "is not what a page gave as next"))?;
        until = until.min(Timestamp::from_millis(cursor));
    }
    let tsdb = Arc::clone(&app.engine()?.tsdb);
    blocking(move || {
        let snapshot = tsdb.store().read()?;
        let page = history::results(&snapshot, &name, from, until, limit)?;
        let shown: Vec<Value> = page.results.iter().map(result_json).collect();
        let next = page.next_until.map(|at| Value::from(at.millis().to_string()));
        Ok(paged(&shown, next))
    })
    .await
}

/// The window that a request asks about: `window=24h`, or `from` and `to`; a day unless it says.
fn window_of(params: &Params, now: Timestamp) -> Result<Span, ApiError> {
    let until = params.time("to")?.unwrap_or(now).min(now);
    let from = match (params.time("from")?, params.duration_ms("window")?) {
        (Some(_), Some(_)) => {
            return Err(ApiError::parameter("window", "is given besides from; use one of them"));
        }
        (Some(from), None) => from,
        (None, window) => until.plus_millis(-window.unwrap_or(DAY_MS)),
    };
    if from >= until {
        return Err(ApiError::parameter("from", "is not before to, or not before now"));
    }
    if until.since(from) > WINDOW_MS_MAX {
        return Err(ApiError::parameter("from", "is more than 400 days before to"));
    }
    Ok(Span { from, until })
}

/// The times of maintenance of a check.
fn maintenance_of(app: &App, check: &CheckDefinition, window: Span) -> Result<Vec<Span>, ApiError> {
    let labels = check_labels(check);
    let all = app.engine()?.catalog.maintenance.list();
    // Windows were read when they were defined.
    let windows: Vec<TimedWindow> =
        all.values().filter_map(|w| TimedWindow::new(w.definition.clone()).ok()).collect();
    let spans = intervals_about(&windows, &labels, window.from, window.until);
    Ok(spans.into_iter().map(|(from, until)| Span { from, until }).collect())
}

fn percent(ratio: Option<f64>) -> Value {
    // Thousandths of a percent; what is not all the time is never shown as 100.
    let rounded = ratio.map(|ratio| (ratio * 100_000.0).floor() / 1000.0);
    json!(rounded)
}

fn uptime_json(span: Span, spent: &Uptime) -> Value {
    json!({
        "from": span.from,
        "to": span.until,
        "uptime_percent": percent(spent.ratio()),
        "healthy_percent": percent(spent.healthy_ratio()),
        "seconds": {
            "healthy": seconds(spent.healthy_ms),
            "degraded": seconds(spent.degraded_ms),
            "unhealthy": seconds(spent.unhealthy_ms),
            "unknown": seconds(spent.unknown_ms),
            "paused": seconds(spent.paused_ms),
            "maintenance": seconds(spent.maintenance_ms),
        },
    })
}

fn latency_json(latency: &Latency) -> Value {
    let ms = |us: u64| us as f64 / 1000.0;
    json!({
        "count": latency.count,
        "mean": latency.mean_us / 1000.0,
        "min": ms(latency.min_us),
        "p50": ms(latency.p50_us),
        "p90": ms(latency.p90_us),
        "p95": ms(latency.p95_us),
        "p99": ms(latency.p99_us),
        "max": ms(latency.max_us),
    })
}

/// Whole hours or days (UTC) that cover a window, cut at its ends.
fn bars_of(window: Span) -> (RollupStep, Vec<Span>) {
    let hourly = window.until.since(window.from) <= HOURLY_MS;
    let (step, millis) =
        if hourly { (RollupStep::Hour, HOUR_MS) } else { (RollupStep::Day, DAY_MS) };
    let mut bars = Vec::new();
    let mut from = window.from;
    while from < window.until {
        let end = Timestamp::from_millis((from.millis().div_euclid(millis) + 1) * millis);
        let until = end.min(window.until);
        bars.push(Span { from, until });
        from = until;
    }
    (step, bars)
}

/// How a check was at `at`: what the last change at or before that made it.
fn status_at(initial: CheckStatus, changes: &[Transition], at: Timestamp) -> CheckStatus {
    let before = changes.partition_point(|change| change.at <= at);
    before.checked_sub(1).map_or(initial, |last| changes[last].to)
}

/// `GET /api/v1/checks/{name}/uptime?window=24h`, or `from=&to=`.
pub(super) async fn uptime(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let params = read_params(&app, request).await?;
    let check = find::<CheckDefinition>(&app, &name)?;
    let window = window_of(&params, app.clock.now())?;
    let maintenance = maintenance_of(&app, &check.definition, window)?;
    let name = check.definition.name.clone();
    let tsdb = Arc::clone(&app.engine()?.tsdb);
    blocking(move || {
        let snapshot = tsdb.store().read()?;
        let initial = history::status_at(&snapshot, &name, window.from)?;
        let after = window.from.plus_millis(1);
        let changes = history::transitions(&snapshot, &name, after, window.until)?;
        let spent = |span: Span| {
            let pairs = changes.iter().map(|change| (change.at, change.to));
            let inside = pairs.filter(|(at, _)| *at > span.from && *at < span.until);
            uptime_in(span, status_at(initial, &changes, span.from), inside, &maintenance)
        };
        let (step, spans) = bars_of(window);
        let first = window.from.millis().div_euclid(step.millis()) * step.millis();
        let rolled =
            history::rollups(&snapshot, &name, step, Timestamp::from_millis(first), window.until)?;
        let mut whole: Option<history::Rollup> = None;
        for rollup in &rolled {
            match &mut whole {
                Some(whole) => whole.merge(rollup),
                None => whole = Some(rollup.clone()),
            }
        }
        let bars: Vec<Value> = spans
            .into_iter()
            .map(|span| {
                let mut bar = uptime_json(span, &spent(span));
                let at = span.from.millis().div_euclid(step.millis()) * step.millis();
                let rollup = rolled.iter().find(|rollup| rollup.at.millis() == at);
                let latency = rollup.and_then(history::Rollup::latency);
                bar["latency_ms"] = json!(latency.as_ref().map(latency_json));
                bar
            })
            .collect();
        let mut shown = uptime_json(window, &spent(window));
        let latency = whole.as_ref().and_then(history::Rollup::latency);
        shown["latency_ms"] = json!(latency.as_ref().map(latency_json));
        let skipped = changes.len().saturating_sub(TRANSITIONS_MAX);
        shown["transitions"] = json!(&changes[skipped..]);
        shown["transitions_left_out"] = json!(skipped);
        shown["bars"] = Value::Array(bars);
        Ok(success(&shown))
    })
    .await
}

/// Adds the uptime of the last day to checks of a page of the list.
pub(super) async fn add_uptimes(app: &App, page: &mut [Value]) -> Result<(), ApiError> {
    let engine = app.engine()?;
    let until = app.clock.now();
    let window = Span { from: until.plus_millis(-DAY_MS), until };
    let mut asked = Vec::with_capacity(page.len());
    for (place, object) in page.iter().enumerate() {
        let name = object["name"].as_str().unwrap_or_default();
        let Some(check) = engine.catalog.checks.get(name) else { continue };
        let maintenance = maintenance_of(app, &check.definition, window)?;
        asked.push((place, check.definition.name.clone(), maintenance));
    }
    let tsdb = Arc::clone(&engine.tsdb);
    let found = blocking(move || {
        let snapshot = tsdb.store().read()?;
        let of = |(place, name, maintenance): (usize, Name, Vec<Span>)| {
            let spent = history::uptime_of(&snapshot, &name, window, &maintenance)?;
            Ok((place, spent.ratio()))
        };
        asked.into_iter().map(of).collect::<Result<Vec<_>, StoreError>>().map_err(ApiError::from)
    })
    .await?;
    for (place, ratio) in found {
        page[place]["uptime_24h"] = percent(ratio);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_whole_hours_or_days_cut_at_the_ends_of_the_window() {
        let at =
            |hours: i64, minutes: i64| Timestamp::from_millis(hours * HOUR_MS + minutes * 60_000);
        let (step, bars) = bars_of(Span { from: at(0, 30), until: at(2, 15) });
        assert_eq!(step, RollupStep::Hour);
        let expected = [(at(0, 30), at(1, 0)), (at(1, 0), at(2, 0)), (at(2, 0), at(2, 15))];
        assert_eq!(bars, expected.map(|(from, until)| Span { from, until }));
        let (step, bars) = bars_of(Span { from: at(12, 0), until: at(12 + 7 * 24, 0) });
        assert_eq!((step, bars.len()), (RollupStep::Day, 8));
    }

    #[test]
    fn what_is_not_all_the_time_is_never_shown_as_a_hundred() {
        assert_eq!(percent(Some(1.0)), json!(100.0));
        assert_eq!(percent(Some(0.999_999_9)), json!(99.999));
        assert_eq!(percent(None), Value::Null);
    }
}
