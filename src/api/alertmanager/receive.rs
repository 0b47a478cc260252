//! `POST /api/v2/alerts`: what Prometheus sends.
//!
//! As there, alerts that are valid are taken also when others beside them are not; then the
//! answer is 400 and names what is wrong with those.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use serde::Deserialize;

use crate::engine::watch::{ExternalAlert, ExternalError, RESOLVE_TIMEOUT_MS};
use crate::model::{Alert, AlertSource, Evidence, Labels, Severity, Timestamp};

use super::{answer, told};
use crate::api::request::read_large;
use crate::api::state::App;
use crate::api::{ApiError, ErrorKind};

/// Bytes of one alert's labels, annotations and link.
const ALERT_BYTES_MAX: usize = 64 << 10;
/// Alerts of one request.
const ALERTS_MAX: usize = 10_000;
/// Reasons that an answer names.
const REASONS_MAX: usize = 20;

/// `postableAlert`
#[derive(Debug, Deserialize)]
struct Posted {
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
    #[serde(default, rename = "startsAt")]
    starts_at: Option<String>,
    #[serde(default, rename = "endsAt")]
    ends_at: Option<String>,
    #[serde(default, rename = "generatorURL")]
    generator_url: Option<String>,
}

impl From<ExternalError> for ApiError {
    fn from(error: ExternalError) -> Self {
        match error {
            ExternalError::Watch(error) => error.into(),
            ExternalError::TooMany => {
                ApiError::new(ErrorKind::TooMany, error.to_string()).retry_after(60)
            }
        }
    }
}

pub(super) async fn receive(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    told(take(&app, request).await)
}

async fn take(app: &App, request: Request) -> Result<Response<Body>, ApiError> {
    let (_, body) = read_large(app, request).await?;
    let posted: Vec<Posted> = serde_json::from_slice(&body).map_err(|error| {
        ApiError::bad_data(format!("parsing alerts body from \"\" failed, because {error}"))
    })?;
    if posted.len() > ALERTS_MAX {
        let message = format!("{} alerts in one request; send at most {ALERTS_MAX}", posted.len());
        return Err(ApiError::new(ErrorKind::TooLarge, message));
    }
    let now = app.clock.now();
    let labels_max = app.settings.load().limits.labels_max;
    let (mut valid, mut refused) = (Vec::new(), Vec::new());
    for one in posted {
        match read(one, now, labels_max) {
            Ok(alert) => valid.push(alert),
            Err(reason) => refused.push(reason),
        }
    }
    let engine = app.engine()?;
    engine.external.receive(&engine.watch, valid, now).await?;
    if refused.is_empty() {
        return Ok(answer(&serde_json::json!({})));
    }
    let more = refused.len().saturating_sub(REASONS_MAX);
    refused.truncate(REASONS_MAX);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    Err(ApiError::bad_data(format!("{}{more}", refused.join("; "))))
}

/// Go's zero time stands for a time that is absent.
const ZERO: &str = "0001-01-01T00:00:00";

fn read_time(text: Option<&str>, name: &str) -> Result<Option<Timestamp>, String> {
    match text {
        None | Some("") => Ok(None),
        Some(text) if text.starts_with(ZERO) => Ok(None),
        Some(text) => match text.parse::<jiff::Timestamp>() {
            Ok(time) => Ok(Some(Timestamp::from_millis(time.as_millisecond()))),
            Err(_) => Err(format!("{name} must be of type date-time: {text:?}")),
        },
    }
}

/// Fills in what was left out and checks the rest (`postAlertsHandler` in `api/v2/api.go`,
/// `Alert.Validate` in `types/types.go`).
fn read(posted: Posted, now: Timestamp, labels_max: usize) -> Result<ExternalAlert, String> {
    let starts_at = read_time(posted.starts_at.as_deref(), "startsAt")?;
    let ends_at = read_time(posted.ends_at.as_deref(), "endsAt")?;
    let starts_at = starts_at.or(ends_at).unwrap_or(now);
    let timeout = ends_at.is_none();
    let ends_at = ends_at.unwrap_or(now.plus_millis(RESOLVE_TIMEOUT_MS));
    if ends_at < starts_at {
        return Err("start time must be before end time".to_owned());
    }
    let annotations = posted.annotations.unwrap_or_default();
    let generator_url = posted.generator_url.unwrap_or_default();
    let texts = posted.labels.iter().chain(&annotations);
    let bytes = texts.map(|(n, v)| n.len() + v.len()).sum::<usize>() + generator_url.len();
    if bytes > ALERT_BYTES_MAX {
        return Err(format!("an alert of {bytes} bytes; send at most {ALERT_BYTES_MAX}"));
    }
    // Labels without a value are none.
    let labels = Labels::from_pairs(posted.labels)
        .map_err(|error| format!("invalid label set: invalid name \"\": {error}"))?;
    if labels.is_empty() {
        return Err("at least one label pair required".to_owned());
    }
    if labels.len() > labels_max {
        let count = labels.len();
        return Err(format!("an alert of {count} labels; limits.labels_max is {labels_max}"));
    }
    if annotations.contains_key("") {
        return Err("invalid annotations: invalid name \"\"".to_owned());
    }
    let severity = labels.get("severity").map(Severity::from_label).unwrap_or_default();
    Ok(ExternalAlert {
        alert: Alert {
            source: AlertSource::External,
            labels,
            annotations: annotations.into_iter().collect(),
            severity,
            starts_at,
            value: None,
            generator_url,
            channels: Vec::new(),
            cooldown_ms: 0,
            evidence: Evidence::default(),
            ends_at: None,
        },
        ends_at,
        timeout,
        updated_at: now,
    })
}
