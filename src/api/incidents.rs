//! Incidents over HTTP: `/api/v1/incidents`. Reading, and what people do to them.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Path, Request, State};
use axum::http::{HeaderMap, Response, header};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::engine::watch::{ActError, IncidentFilter, View, incident_json};
use crate::incidents::{Act, ActKind};
use crate::model::{Incident, IncidentId, IncidentStatus, Matchers, Period, Severity, Timestamp};
use crate::store::StoreError;

use super::auth::Caller;
use super::json::success;
use super::objects::paged;
use super::params::Params;
use super::request::{blocking, header_text, read_optional_json};
use super::state::App;
use super::{ApiError, ErrorKind};

type Answered = Result<Response<Body>, ApiError>;

/// Incidents in one page, unless asked for fewer.
const PAGE: usize = 100;
/// The most incidents in one page.
const PAGE_MAX: usize = 1000;
/// The most entries of a timeline, notes or deliveries in one answer.
const ENTRIES_MAX: usize = 1000;
/// Labels that may be asked for by a parameter of their name.
const LABELS: [&str; 5] = ["feature", "provider", "check", "alertname", "instance"];

impl From<ActError> for ApiError {
    fn from(error: ActError) -> Self {
        let kind = match error {
            ActError::Watch(error) => return error.into(),
            ActError::Absent { .. } => ErrorKind::NotFound,
            ActError::Conflict(_) => ErrorKind::Conflict,
            ActError::Invalid(_) => ErrorKind::BadData,
        };
        ApiError::new(kind, error.to_string())
    }
}

pub(super) fn routes() -> Router<Arc<App>> {
    let below = |path: &str| format!("/api/v1/incidents/{{id}}{path}");
    Router::new()
        .route("/api/v1/incidents", get(list))
        .route(&below(""), get(show).patch(edit))
        .route(&below("/acknowledge"), post(acknowledge))
        .route(&below("/resolve"), post(resolve))
        .route(&below("/reopen"), post(reopen))
        .route(&below("/snooze"), post(snooze).delete(wake))
        .route(&below("/assign"), post(assign))
        .route(&below("/notes"), get(notes).post(note))
        .route(&below("/timeline"), get(timeline))
        .route(&below("/evidence"), get(evidence))
        .route(&below("/deliveries"), get(deliveries))
}

/// An incident as answers show it.
pub(super) fn shown(incident: &Incident) -> Value {
    incident_json(incident)
}

fn failed(error: StoreError) -> ApiError {
    ApiError::internal(error)
}

/// A parameter that may be given many times, or once with commas.
fn each<T: serde::de::DeserializeOwned>(params: &Params, name: &str) -> Result<Vec<T>, ApiError> {
    let words = params.all(name).flat_map(|text| text.split(',')).filter(|word| !word.is_empty());
    words
        .map(|word| {
            serde_json::from_value(json!(word)).map_err(|error| ApiError::parameter(name, error))
        })
        .collect()
}

/// `GET /api/v1/incidents?status=&severity=&source=&match=&feature=&assignee=&after=&limit=`:
/// newest first.
async fn list(State(app): State<Arc<App>>, request: Request) -> Answered {
    let params = Params::read(request.uri(), request.headers(), &Bytes::new())?;
    let mut matchers = Vec::new();
    for text in params.all("match").chain(params.all("match[]")) {
        let matcher =
            Matchers::parse_one(text).map_err(|error| ApiError::parameter("match", error))?;
        matchers.push(matcher);
    }
    for label in LABELS {
        let wanted = params.get(label).map(|value| crate::model::Matcher::equal(label, value));
        matchers.extend(wanted);
    }
    let before = params
        .get("after")
        .map(|text| text.parse().map_err(|error| ApiError::parameter("after", error)))
        .transpose()?;
    let filter = IncidentFilter {
        status: each::<IncidentStatus>(&params, "status")?,
        severity: each::<Severity>(&params, "severity")?,
        source: params.get("source").map(str::to_owned),
        matchers: Matchers(matchers),
        assignee: params.get("assignee").map(str::to_owned),
        before,
        limit: params.limit()?.unwrap_or(PAGE).min(PAGE_MAX),
    };
    let view = app.engine()?.watch.view();
    let page = blocking(move || view.incidents(&filter).map_err(failed)).await?;
    let objects: Vec<Value> = page.items.iter().map(|incident| shown(incident)).collect();
    Ok(paged(&objects, page.next.map(|id| json!(id))))
}

/// An incident by its id or its number.
fn find(view: &View, id: &str) -> Result<Arc<Incident>, ApiError> {
    let found = match (id.parse::<u64>(), id.parse::<IncidentId>()) {
        (Ok(number), _) => view.numbered(number).map_err(failed)?,
        (_, Ok(id)) => view.incident(id).map_err(failed)?,
        (Err(_), Err(_)) => {
            let message = format!("{id:?} is neither an incident's number nor its id");
            return Err(ApiError::bad_data(message));
        }
    };
    let absent = || ApiError::new(ErrorKind::NotFound, format!("there is no incident {id}"));
    found.ok_or_else(absent)
}

/// Reads something of an incident.
async fn read<T: Send + 'static>(
    app: &App,
    id: String,
    read: impl FnOnce(&View, &Incident) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, ApiError> {
    let view = app.engine()?.watch.view();
    blocking(move || {
        let incident = find(&view, &id)?;
        read(&view, &incident).map_err(failed)
    })
    .await
}

async fn show(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answered {
    let incident = read(&app, id, |_, incident| Ok(incident.clone())).await?;
    Ok(success(&shown(&incident)))
}

async fn timeline(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answered {
    let entries = read(&app, id, |view, incident| view.timeline(incident.id, ENTRIES_MAX)).await?;
    Ok(success(&json!(entries)))
}

async fn notes(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answered {
    let notes = read(&app, id, |view, incident| view.notes(incident.id, ENTRIES_MAX)).await?;
    Ok(success(&json!(notes)))
}

async fn evidence(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answered {
    let evidence = read(&app, id, |view, incident| view.evidence(incident.id)).await?;
    Ok(success(&json!(evidence)))
}

async fn deliveries(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answered {
    let of = |view: &View, incident: &Incident| view.deliveries_of(incident.id, ENTRIES_MAX);
    Ok(success(&json!(read(&app, id, of).await?)))
}

/// What all acts may carry: who acts, and which version was seen.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    by: Option<String>,
    version: Option<u64>,
    /// Written down with whatever else is done.
    note: Option<String>,
    until: Option<Timestamp>,
    #[serde(rename = "for")]
    hold: Option<Period>,
    assignee: Option<String>,
    text: Option<String>,
    severity: Option<Severity>,
    title: Option<String>,
}

/// The version in `If-Match`, which counts like the field `version`.
fn if_match(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    match header_text(headers, &header::IF_MATCH).trim() {
        "" | "*" => Ok(None),
        text => text.trim_matches('"').parse().map(Some).map_err(|_| {
            ApiError::bad_data(format!("If-Match: {text:?} is no version of an incident"))
        }),
    }
}

/// Does what a person asks for.
async fn act(
    app: &App,
    id: String,
    caller: &Caller,
    request: Request,
    kind: impl FnOnce(&Asked, Timestamp) -> Result<ActKind, ApiError>,
) -> Answered {
    let seen = if_match(request.headers())?;
    let body: Asked = read_optional_json(app, request).await?;
    let kind = kind(&body, app.clock.now())?;
    let by = body.by.filter(|by| !by.is_empty()).unwrap_or_else(|| caller.name.clone());
    let watch = &app.engine()?.watch;
    let incident = read(app, id, |_, incident| Ok(incident.id)).await?;
    let note = body.note.filter(|note| !note.is_empty());
    let act = Act { by, version: body.version.or(seen), note, kind };
    Ok(success(&shown(&*watch.act(incident, act).await?)))
}

async fn acknowledge(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Answered {
    act(&app, id, &caller, request, |_, _| Ok(ActKind::Acknowledge)).await
}

async fn resolve(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Answered {
    act(&app, id, &caller, request, |_, _| Ok(ActKind::Resolve)).await
}

async fn reopen(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Answered {
    act(&app, id, &caller, request, |_, _| Ok(ActKind::Reopen)).await
}

async fn snooze(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Answered {
    let until = |body: &Asked, now: Timestamp| match (body.until, body.hold) {
        (Some(until), None) => Ok(ActKind::Snooze(Some(until))),
        (None, Some(hold)) => Ok(ActKind::Snooze(Some(now.plus_millis(hold.millis())))),
        (None, None) | (Some(_), Some(_)) => {
            Err(ApiError::bad_data("until: give a time, or for: give a duration (\"2h\")"))
        }
    };
    act(&app, id, &caller, request, until).await
}

async fn wake(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Answered {
    act(&app, id, &caller, request, |_, _| Ok(ActKind::Snooze(None))).await
}

async fn assign(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Answered {
    let to = |body: &Asked, _| Ok(ActKind::Assign(body.assignee.clone().filter(|a| !a.is_empty())));
    act(&app, id, &caller, request, to).await
}

async fn note(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Answered {
    let text = |body: &Asked, _| Ok(ActKind::Note(body.text.clone().unwrap_or_default()));
    act(&app, id, &caller, request, text).await
}

async fn edit(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Answered {
    let change = |body: &Asked, _| match (&body.severity, &body.title) {
        (None, None) => Err(ApiError::bad_data("severity or title: give what is to change")),
        (severity, title) => Ok(ActKind::Edit { severity: *severity, title: title.clone() }),
    };
    act(&app, id, &caller, request, change).await
}
