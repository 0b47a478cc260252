//! Silences over HTTP, in our envelope: `/api/v1/silences`. Alertmanager's form of the same is in
//! `alertmanager/`.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Path, Request, State};
use axum::http::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::engine::watch::SilenceError;
use crate::incidents::HoldState;
use crate::incidents::silence::{TimedSilence, check};
use crate::model::{Matchers, Period, Recurrence, Silence, Timestamp};

use super::alertmanager::firing;
use super::auth::Caller;
use super::json::success;
use super::objects::{created, paged};
use super::params::Params;
use super::request::read_json;
use super::state::App;
use super::{ApiError, ErrorKind};

type Answered = Result<Response<Body>, ApiError>;

/// Silences in one page, unless asked for fewer.
const PAGE: usize = 1000;
/// Alerts that a preview shows.
const PREVIEW_MAX: usize = 1000;

impl From<SilenceError> for ApiError {
    fn from(error: SilenceError) -> Self {
        let kind = match error {
            SilenceError::Watch(error) => return error.into(),
            SilenceError::Absent => ErrorKind::NotFound,
            SilenceError::Invalid(_) | SilenceError::TooMany(_) => ErrorKind::BadData,
        };
        ApiError::new(kind, error.to_string())
    }
}

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/v1/silences", get(list).post(make))
        .route("/api/v1/silences/preview", post(preview))
        .route("/api/v1/silences/{id}", get(show).put(change).delete(end))
}

/// A silence as people send it. Instead of an end it may have a duration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    matchers: Matchers,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    duration: Option<Period>,
    recurrence: Option<Recurrence>,
    created_by: Option<String>,
    by: Option<String>,
    #[serde(default)]
    comment: String,
    // What answers add; a silence may be sent back as it was shown.
    #[serde(default, rename = "id")]
    _id: Option<Value>,
    #[serde(default, rename = "updated_at")]
    _updated_at: Option<Value>,
    #[serde(default, rename = "state")]
    _state: Option<Value>,
    #[serde(default, rename = "next_starts_at")]
    _next_starts_at: Option<Value>,
    #[serde(default, rename = "active_until")]
    _active_until: Option<Value>,
}

impl Wanted {
    fn silence(self, caller: &Caller, now: Timestamp) -> Result<Silence, ApiError> {
        let starts_at = self.starts_at.unwrap_or(now);
        let ends_at = match (self.ends_at, self.duration) {
            (Some(at), None) => at,
            (None, Some(duration)) => starts_at.max(now).plus_millis(duration.millis()),
            (Some(_), Some(_)) => {
                return Err(ApiError::bad_data("duration: ends_at is given too; give one of both"));
            }
            (None, None) => {
                let message = "ends_at: a silence has an end; give it, or a duration (\"2h\")";
                return Err(ApiError::bad_data(message));
            }
        };
        let by = self.created_by.or(self.by).filter(|by| !by.is_empty());
        Ok(Silence {
            id: Uuid::nil(),
            matchers: self.matchers,
            starts_at,
            ends_at,
            recurrence: self.recurrence,
            created_by: by.unwrap_or_else(|| caller.name.clone()),
            comment: self.comment,
            updated_at: now,
        })
    }
}

/// A silence as answers show it.
fn shown(timed: &TimedSilence, now: Timestamp) -> Value {
    let mut value = json!(timed.silence());
    value["state"] = timed.state(now).as_str().into();
    if let Some((_, until)) = timed.current(now) {
        value["active_until"] = json!(until);
    }
    if let Some((from, _)) = timed.next(now) {
        value["next_starts_at"] = json!(from);
    }
    value
}

fn read_id(text: &str) -> Result<Uuid, ApiError> {
    text.parse()
        .map_err(|_| ApiError::new(ErrorKind::NotFound, format!("there is no silence {text:?}")))
}

/// `GET /api/v1/silences?state=active,pending&limit=&after=`: newest first.
async fn list(State(app): State<Arc<App>>, request: Request) -> Answered {
    let params = Params::read(request.uri(), request.headers(), &Bytes::new())?;
    let now = app.clock.now();
    let states = [HoldState::Active, HoldState::Pending, HoldState::Expired];
    let mut wanted = Vec::new();
    for text in params.all("state").flat_map(|text| text.split(',')).filter(|t| !t.is_empty()) {
        let state = states.into_iter().find(|state| state.as_str() == text);
        wanted.push(state.ok_or_else(|| {
            ApiError::parameter("state", format!("{text:?} is not active, pending or expired"))
        })?);
    }
    let limit = params.limit()?.unwrap_or(PAGE).min(PAGE);
    let after = params.get("after").map(read_id).transpose()?;
    let list = app.engine()?.muting.silences().list();
    let mut page = list
        .values()
        .rev()
        .filter(|one| after.is_none_or(|after| one.silence().id < after))
        .filter(|one| wanted.is_empty() || wanted.contains(&one.state(now)));
    let silences: Vec<Value> = page.by_ref().take(limit).map(|one| shown(one, now)).collect();
    let next = page.next().and_then(|_| silences.last()?.get("id").cloned());
    Ok(paged(&silences, next))
}

/// `POST /api/v1/silences`
async fn make(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Answered {
    let now = app.clock.now();
    let wanted = read_json::<Wanted>(&app, request).await?.silence(&caller, now)?;
    let engine = app.engine()?;
    let made = engine.muting.silences().create(&engine.watch, wanted, now).await?;
    Ok(created(success(&shown(&made, now))))
}

/// `GET /api/v1/silences/{id}`
async fn show(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answered {
    let found = app.engine()?.muting.silences().get(read_id(&id)?);
    let found = found.ok_or(SilenceError::Absent)?;
    Ok(success(&shown(&found, app.clock.now())))
}

/// `PUT /api/v1/silences/{id}`: the answer's `id` is another one where the old silence had to end.
async fn change(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Answered {
    let id = read_id(&id)?;
    let now = app.clock.now();
    let mut wanted: Wanted = read_json(&app, request).await?;
    let engine = app.engine()?;
    let known = engine.muting.silences().get(id).ok_or(SilenceError::Absent)?;
    wanted.starts_at = wanted.starts_at.or(Some(known.silence().starts_at));
    let wanted = wanted.silence(&caller, now)?;
    let changed = engine.muting.silences().change(&engine.watch, id, wanted, now).await?;
    Ok(success(&shown(&changed, now)))
}

/// `DELETE /api/v1/silences/{id}`: ends it now; it is shown for 120 hours more.
async fn end(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answered {
    let id = read_id(&id)?;
    let now = app.clock.now();
    let engine = app.engine()?;
    let ended = engine.muting.silences().expire(&engine.watch, id, now).await?;
    Ok(success(&shown(&ended, now)))
}

/// `POST /api/v1/silences/preview`: what a silence would match now, whenever it holds. Matchers
/// are enough.
async fn preview(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Answered {
    let now = app.clock.now();
    let mut wanted: Wanted = read_json(&app, request).await?;
    if wanted.ends_at.is_none() && wanted.duration.is_none() {
        wanted.duration = Some(Period::from_secs(3600));
    }
    let silence = wanted.silence(&caller, now)?;
    check(&silence, now).map_err(ApiError::bad_data)?;
    let all = firing(&app)?;
    let matching = all.iter().filter(|one| silence.matchers.matches(&one.alert.labels));
    let (mut alerts, mut total) = (Vec::new(), 0);
    for one in matching {
        total += 1;
        if alerts.len() < PREVIEW_MAX {
            alerts.push(json!({
                "key": one.alert.key(),
                "labels": one.alert.labels,
                "severity": one.alert.severity,
                "starts_at": one.alert.starts_at,
                "incident": one.incident.as_ref().map(|(id, number)| json!({"id": id, "number": number})),
            }));
        }
    }
    let timed = TimedSilence::new(silence).map_err(ApiError::bad_data)?;
    let mut next = Vec::new();
    let mut from = now;
    // A few, so that a recurrence can be seen to be what was meant.
    for _ in 0..5 {
        let Some((begins, ends)) = timed.next(from) else { break };
        next.push(json!({"starts_at": begins, "ends_at": ends}));
        from = begins;
    }
    Ok(success(&json!({
        "matchers": timed.silence().matchers,
        "state": timed.state(now).as_str(),
        "total": total,
        "alerts": alerts,
        "next": next,
    })))
}
