//! How the daemon is: health, readiness, `status/…`, `/metrics`, and the front page.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Response, header};
use serde_json::{Map, Value, json};

use crate::collect::own::exposition;
use crate::decode::exposition::Format;

use super::ApiError;
use super::json::success;
use super::request::blocking;
use super::state::{App, Phase};

type Answered = Result<Response<Body>, ApiError>;

fn text(content_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// `/-/healthy`
pub(super) async fn healthy() -> Response<Body> {
    text("text/plain; charset=utf-8", "vedette is healthy.\n")
}

/// `/-/ready`
pub(super) async fn ready(State(app): State<Arc<App>>) -> Answered {
    app.engine()?;
    Ok(text("text/plain; charset=utf-8", "vedette is ready.\n"))
}

/// `POST /-/reload`
pub(super) async fn reload(State(app): State<Arc<App>>) -> Answered {
    match app.reload().await {
        Ok(()) => Ok(success(&json!({"reloaded": true}))),
        Err(reason) => Err(ApiError::bad_data(format!(
            "the settings were not taken up, and nothing has changed: {reason}"
        ))),
    }
}

/// `/api/v1/status/buildinfo`
///
/// Grafana decides by `version` what it may ask for: the fields say which Prometheus we speak
/// like, and `application` says who we are.
pub(super) async fn buildinfo() -> Response<Body> {
    success(&json!({
        "version": PROMETHEUS_VERSION,
        "revision": env!("CARGO_PKG_VERSION"),
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
        "application": "vedette",
        "applicationVersion": env!("CARGO_PKG_VERSION"),
    }))
}

/// The Prometheus whose API and PromQL ours is like.
const PROMETHEUS_VERSION: &str = "3.0.0";

/// `/api/v1/status/runtimeinfo`
pub(super) async fn runtimeinfo(State(app): State<Arc<App>>) -> Answered {
    let settings = app.settings.load_full();
    let last = app.last_reload();
    let directory = std::env::current_dir().unwrap_or_default();
    Ok(success(&json!({
        "startTime": app.started_at.to_string(),
        "CWD": directory.display().to_string(),
        "serverTime": app.clock.now().to_string(),
        "reloadConfigSuccess": last.succeeded,
        "lastConfigTime": last.at.to_string(),
        "corruptionCount": 0,
        "goroutineCount": 0,
        "GOMAXPROCS": std::thread::available_parallelism().map_or(1, usize::from),
        "GOMEMLIMIT": 0,
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": settings.retention.raw.to_string(),
        "notice": settings.server.notice,
        "phase": match app.phase() {
            Phase::Recovering => "recovering",
            Phase::Ready => "ready",
            Phase::Stopping => "stopping",
        },
    })))
}

/// `/api/v1/status/config`: our own settings, in TOML under Prometheus's key.
pub(super) async fn config(State(app): State<Arc<App>>) -> Response<Body> {
    success(&json!({"yaml": app.settings.load().to_public_toml()}))
}

/// `/api/v1/status/flags`: the settings that Prometheus has as flags, under its names.
pub(super) async fn flags(State(app): State<Arc<App>>) -> Response<Body> {
    let settings = app.settings.load();
    let mut flags = Map::new();
    let mut set = |name: &str, value: String| flags.insert(name.to_owned(), Value::String(value));
    set("web.listen-address", app.address.to_string());
    set("storage.tsdb.path", settings.storage.path.display().to_string());
    set("storage.tsdb.retention.time", settings.retention.raw.to_string());
    set("storage.tsdb.retention.size", settings.retention.max_bytes.to_string());
    set("query.timeout", settings.query.timeout.to_string());
    set("query.max-samples", settings.query.max_samples.to_string());
    set("query.max-concurrency", settings.query.concurrency.to_string());
    set("query.lookback-delta", settings.query.lookback_delta.to_string());
    set("log.level", settings.log.level.clone());
    success(&Value::Object(flags))
}

/// `/metrics`
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response<Body> {
    // The text format is what every scraper reads; OpenMetrics would add nothing that we have.
    text(Format::Text.content_type(), exposition(&app.telemetry))
}

/// `/`: where to look.
pub(super) async fn front(State(app): State<Arc<App>>) -> Response<Body> {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>vedette</title>\
         <style>body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;\
         padding:0 1rem}code{background:#8882;padding:.1em .3em}</style><h1>vedette</h1>",
    );
    let state = match app.phase() {
        Phase::Recovering => format!("recovering the database: {}", app.recovered()),
        Phase::Ready => "ready".to_owned(),
        Phase::Stopping => "stopping".to_owned(),
    };
    // Writing to a String cannot fail.
    let _ = write!(
        page,
        "<p>Version {}, {state}.</p><p>This address speaks Prometheus's HTTP API: give it to \
         Grafana as a Prometheus data source, or to a Prometheus as \
         <code>remote_write</code> (<code>/api/v1/write</code>).</p><ul>\
         <li><a href=\"/api/v1/query?query=node_load1\">one query</a>\
         <li><a href=\"/api/v1/label/__name__/values\">the names of all metrics</a>\
         <li><a href=\"/api/v1/checks\">checks</a>, <a href=\"/api/v1/incidents\">incidents</a>, \
         <a href=\"/api/v1/rules\">rules</a>, <a href=\"/api/v1/channels\">channels</a>\
         <li><a href=\"/api/v1/targets\">scrape targets</a>\
         <li><a href=\"/api/v1/status/tsdb\">the time-series engine</a>\
         <li><a href=\"/metrics\">metrics about vedette</a>\
         <li><a href=\"/-/ready\">readiness</a></ul>",
        env!("CARGO_PKG_VERSION"),
    );
    text("text/html; charset=utf-8", page)
}

/// `/api/v1/status/tsdb`
pub(super) async fn tsdb(State(app): State<Arc<App>>) -> Answered {
    let tsdb = Arc::clone(&app.engine()?.tsdb);
    let stats = blocking(move || Ok(tsdb.stats(TOP))).await?;
    let list = |items: &[(String, u64)]| -> Vec<Value> {
        items.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
    };
    Ok(success(&json!({
        "headStats": {
            "numSeries": stats.index.series,
            "numLabelPairs": stats.index.label_pairs,
            "numSamples": stats.head_samples,
            "minTime": stats.head_bounds.map(|(from, _)| from),
            "maxTime": stats.head_bounds.map(|(_, until)| until),
        },
        "seriesCountByMetricName": list(&stats.index.series_by_metric),
        "labelValueCountByLabelName": list(&stats.index.values_by_label),
        "memoryInBytesByLabelName": [],
        "seriesCountByLabelValuePair": list(&stats.index.series_by_pair),
    })))
}

/// How many entries each list of `status/tsdb` has, as in Prometheus.
const TOP: usize = 10;
