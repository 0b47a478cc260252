//! `/api/v2/silences` and `/api/v2/silence/{id}`

use std::cmp::Reverse;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Response, Uri};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::incidents::HoldState;
use crate::incidents::silence::{TimedSilence, check};
use crate::model::{MatchOp, Matcher, Matchers, Silence, Timestamp};

use super::{answer, read_filter, told};
use crate::api::params::Params;
use crate::api::request::read_json;
use crate::api::state::App;
use crate::api::{ApiError, ErrorKind};
use crate::engine::watch::SilenceError;

/// `gettableSilence`. One that recurs is shown with its whole bounds, and its state now.
fn silence_json(timed: &TimedSilence, now: Timestamp) -> Value {
    let silence = timed.silence();
    json!({
        "id": silence.id,
        "status": {"state": timed.state(now).as_str()},
        "updatedAt": silence.updated_at,
        "comment": silence.comment,
        "createdBy": silence.created_by,
        "startsAt": silence.starts_at,
        "endsAt": silence.ends_at,
        "matchers": silence.matchers.0.iter().map(matcher_json).collect::<Vec<_>>(),
    })
}

fn matcher_json(matcher: &Matcher) -> Value {
    json!({
        "name": matcher.name(),
        "value": matcher.value(),
        "isRegex": matches!(matcher.op(), MatchOp::Regex | MatchOp::NotRegex),
        "isEqual": matches!(matcher.op(), MatchOp::Equal | MatchOp::Regex),
    })
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    told(silences(&app, &uri, &headers))
}

/// Those whose matchers hold each of the filter's, word for word
/// (`CheckSilenceMatchesFilterLabels`); active ones first, then pending, then expired, each by
/// what happens to it next or happened last (`SortSilences`).
fn silences(app: &App, uri: &Uri, headers: &HeaderMap) -> Result<Response<Body>, ApiError> {
    let filter = read_filter(&Params::read(uri, headers, &Bytes::new())?)?;
    let now = app.clock.now();
    let list = app.engine()?.muting.silences().list();
    let mut found: Vec<_> = list
        .values()
        .filter(|one| filter.iter().all(|m| one.silence().matchers.0.contains(m)))
        .collect();
    found.sort_by_cached_key(|one| {
        let silence = one.silence();
        let order = match one.state(now) {
            HoldState::Active => (silence.ends_at, Reverse(Timestamp::MIN)),
            HoldState::Pending => (silence.starts_at, Reverse(Timestamp::MIN)),
            HoldState::Expired => (Timestamp::MIN, Reverse(silence.ends_at)),
        };
        (one.state(now), order)
    });
    let shown: Vec<Value> = found.into_iter().map(|one| silence_json(one, now)).collect();
    Ok(answer(&shown))
}

/// `postableSilence`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    #[serde(default)]
    id: Option<String>,
    matchers: Matchers,
    starts_at: Timestamp,
    ends_at: Timestamp,
    created_by: String,
    comment: String,
}

pub(super) async fn set(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    told(put(&app, request).await)
}

async fn put(app: &App, request: Request) -> Result<Response<Body>, ApiError> {
    let posted: Posted = read_json(app, request).await?;
    let now = app.clock.now();
    let failed = |reason: &str| ApiError::bad_data(format!("Failed to create silence: {reason}"));
    if posted.ends_at <= posted.starts_at {
        return Err(failed("start time must be before end time"));
    }
    if posted.ends_at <= now {
        return Err(failed("end time can't be in the past"));
    }
    let wanted = Silence {
        id: Uuid::nil(),
        matchers: posted.matchers,
        starts_at: posted.starts_at,
        ends_at: posted.ends_at,
        recurrence: None,
        created_by: posted.created_by,
        comment: posted.comment,
        updated_at: now,
    };
    // Alertmanager says what is wrong with a silence before it looks for the one to change.
    check(&wanted, now).map_err(|error| ApiError::from(SilenceError::Invalid(error)))?;
    let engine = app.engine()?;
    let silences = engine.muting.silences();
    let made = match posted.id.as_deref().filter(|id| !id.is_empty()) {
        None => silences.create(&engine.watch, wanted, now).await?,
        Some(id) => {
            let id = read_id(id)?;
            // What Alertmanager's form cannot say stays as it is.
            let recurrence = silences.get(id).and_then(|one| one.silence().recurrence.clone());
            silences.change(&engine.watch, id, Silence { recurrence, ..wanted }, now).await?
        }
    };
    Ok(answer(&json!({"silenceID": made.silence().id})))
}

fn read_id(text: &str) -> Result<Uuid, ApiError> {
    let not_found = || ApiError::new(ErrorKind::NotFound, SilenceError::Absent.to_string());
    text.parse().map_err(|_| not_found())
}

pub(super) async fn show(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response<Body> {
    let found = || {
        let found = app.engine()?.muting.silences().get(read_id(&id)?);
        let found = found.ok_or(SilenceError::Absent)?;
        Ok(answer(&silence_json(&found, app.clock.now())))
    };
    told(found())
}

pub(super) async fn expire(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response<Body> {
    told(end(&app, &id).await)
}

async fn end(app: &App, id: &str) -> Result<Response<Body>, ApiError> {
    let engine = app.engine()?;
    let now = app.clock.now();
    engine.muting.silences().expire(&engine.watch, read_id(id)?, now).await?;
    Ok(answer(&json!({})))
}
