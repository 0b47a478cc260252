//! Checks over HTTP: what they are, how they are, and what may be done with them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{Response, StatusCode};
use axum::routing::{get, post};
use serde_json::{Map, Value, json};

use crate::config::Role;
use crate::engine::checker::{self, CheckView, RunError, check_labels};
use crate::engine::watch::{Catalog, Defined, Definitions};
use crate::model::{
    CheckDefinition, CheckKind, CheckResult, CheckStatus, Definition as _, Matchers, Name, Origin,
};

use super::auth::Caller;
use super::json::success;
use super::objects::{Object, find, paged, read_definition, routes_but_list, shown};
use super::request::{read_json, read_params};
use super::state::App;
use super::{ApiError, ErrorKind};
use super::{check_history, hidden};

type Answered = Result<Response<Body>, ApiError>;

/// Checks in one page, unless asked for fewer.
const PAGE: usize = 1000;
/// How long who asks for a run waits for what it comes to.
const RUN_WAIT: Duration = Duration::from_secs(60);

impl Object for CheckDefinition {
    const DURATIONS: &'static [&'static str] = &["every", "timeout", "grace"];

    const SHOWN_ONLY: &'static [&'static str] = &[
        "status",
        "since",
        "unknown_because",
        "last_result",
        "response_time_ms",
        "next_check_at",
        "running_since",
        "alerting",
        "held_back_by",
        "uptime_24h",
    ];

    fn all(catalog: &Catalog) -> &Definitions<Self> {
        &catalog.checks
    }

    fn examine(&self, app: &App) -> Result<(), String> {
        let settings = app.settings.load();
        let engine = app.engine().map_err(|error| error.message)?;
        checker::examine(self, &settings, &engine.catalog.checks.list())
    }

    fn with_secrets_of(mut self, before: &Self) -> Self {
        self.target = hidden::restore_target(&self.target, &before.target);
        let before = Value::Object(before.settings.clone());
        let mut settings = Value::Object(std::mem::take(&mut self.settings));
        hidden::restore(&mut settings, &before);
        if let Value::Object(settings) = settings {
            self.settings = settings;
        }
        self
    }

    fn complete(app: &App, defined: &Defined<Self>, shown: &mut Map<String, Value>) {
        hidden::hide_all(shown);
        let Ok(engine) = app.engine() else { return };
        let view = engine.checker.view(defined.definition.name.as_str());
        add_view(view.as_deref(), shown);
    }
}

fn add_view(view: Option<&CheckView>, shown: &mut Map<String, Value>) {
    let status = view.map_or(CheckStatus::Unknown, |view| view.status);
    shown.insert("status".to_owned(), json!(status));
    let Some(view) = view else { return };
    let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    put("since", json!(view.since));
    if let Some(reason) = &view.unknown_because {
        put("unknown_because", json!(reason));
    }
    if let Some(last) = &view.last {
        put("response_time_ms", json!(last.phases.total_us as f64 / 1000.0));
        put("last_result", result_json(last));
    }
    put("next_check_at", json!(view.next_at));
    if let Some(since) = view.running_since {
        put("running_since", json!(since));
    }
    put("alerting", json!(view.alerting));
    if let Some(parent) = &view.held_back_by {
        put("held_back_by", json!(parent));
    }
}

/// A result as answers show it: with the whole response time besides its phases.
pub(super) fn result_json(result: &CheckResult) -> Value {
    let mut shown = serde_json::to_value(result).unwrap_or_default();
    shown["response_time_ms"] = json!(result.phases.total_us as f64 / 1000.0);
    shown
}

/// All routes of checks.
pub(super) fn routes() -> Router<Arc<App>> {
    routes_but_list::<CheckDefinition>("checks", get(list))
        .route("/api/v1/checks/run", post(run_all))
        .route("/api/v1/checks/test", post(test))
        .route("/api/v1/checks/{name}/run", post(run))
        .route("/api/v1/checks/{name}/pause", post(pause))
        .route("/api/v1/checks/{name}/resume", post(resume))
        .route("/api/v1/checks/{name}/heartbeat", get(heartbeat))
        .route("/api/v1/checks/{name}/results", get(check_history::results))
        .route("/api/v1/checks/{name}/uptime", get(check_history::uptime))
}

impl From<RunError> for ApiError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Paused | RunError::NotAsked => {
                ApiError::new(ErrorKind::Conflict, error.to_string())
            }
            RunError::Failed => ApiError::new(ErrorKind::Internal, error.to_string()),
            RunError::Watch(error) => error.into(),
        }
    }
}

/// `GET /api/v1/checks?status=&feature=&provider=&kind=&match[]=&limit=&after=`: by name.
async fn list(State(app): State<Arc<App>>, request: Request) -> Answered {
    let params = read_params(&app, request).await?;
    let limit = params.limit()?.unwrap_or(PAGE).min(PAGE);
    let after = params.get("after").unwrap_or("").to_owned();
    let mut fields = BTreeMap::new();
    for name in ["status", "feature", "provider", "kind"] {
        let wanted: Vec<String> = params.all(name).map(str::to_owned).collect();
        if !wanted.is_empty() {
            fields.insert(name, wanted);
        }
    }
    let matchers = params
        .all("match[]")
        .map(|text| Matchers::parse(text).map_err(|error| ApiError::parameter("match[]", error)))
        .collect::<Result<Vec<_>, _>>()?;
    let all = app.engine()?.catalog.checks.list();
    let mut page = Vec::new();
    let mut next = None;
    for (_, defined) in all.iter().filter(|(name, _)| name.as_str() > after.as_str()) {
        let definition = &defined.definition;
        let labels = check_labels(definition);
        if !matchers.is_empty() && !matchers.iter().any(|matchers| matchers.matches(&labels)) {
            continue;
        }
        let object = shown(&app, defined);
        let fits = fields.iter().all(|(field, wanted)| {
            object[*field].as_str().is_some_and(|value| wanted.iter().any(|w| w == value))
        });
        if !fits {
            continue;
        }
        if page.len() == limit {
            next = page.last().and_then(|last: &Value| last.get("name").cloned());
            break;
        }
        page.push(object);
    }
    check_history::add_uptimes(&app, &mut page).await?;
    Ok(paged(&page, next))
}

fn named(app: &App, name: &str) -> Result<Name, ApiError> {
    Ok(find::<CheckDefinition>(app, name)?.definition.name.clone())
}

/// `POST /api/v1/checks/{name}/run`: asks at once and gives the result.
async fn run(State(app): State<Arc<App>>, Path(name): Path<String>) -> Answered {
    let name = named(&app, &name)?;
    let checker = &app.engine()?.checker;
    match tokio::time::timeout(RUN_WAIT, checker.run(&name)).await {
        Ok(result) => Ok(success(&result_json(&result?))),
        Err(_) => Err(ApiError::new(
            ErrorKind::Timeout,
            format!("the run goes on; see /api/v1/checks/{name}/results for what it comes to"),
        )),
    }
}

/// `POST /api/v1/checks/run`: asks all that are not paused.
async fn run_all(State(app): State<Arc<App>>) -> Answered {
    let asked = app.engine()?.checker.run_all().await?;
    let mut response = success(&json!({ "asked": asked }));
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// `POST /api/v1/checks/test`: asks once what the body defines, and keeps nothing.
async fn test(State(app): State<Arc<App>>, request: Request) -> Answered {
    let mut body: Value = read_json(&app, request).await?;
    if let Value::Object(object) = &mut body {
        object.entry("name").or_insert_with(|| "test".into());
    }
    let definition: CheckDefinition = read_definition(body)?;
    definition.check().map_err(ApiError::bad_data)?;
    if definition.kind == CheckKind::Heartbeat {
        return Err(ApiError::bad_data("kind: a heartbeat is told, and not asked"));
    }
    let settings = app.settings.load_full();
    // Dependencies say nothing about one run.
    checker::examine(&definition, &settings, &BTreeMap::new()).map_err(ApiError::bad_data)?;
    let timeout = settings.checks.timeout.duration();
    let asking = checker::ask_once(definition, timeout, app.clock.as_ref());
    let outcome = tokio::time::timeout(RUN_WAIT, asking).await.map_err(|_| {
        ApiError::new(ErrorKind::Timeout, "no result within 60 s; use a shorter timeout")
    })?;
    let (result, excerpt) = outcome.map_err(ApiError::bad_data)?;
    Ok(success(&json!({ "result": result_json(&result), "response_excerpt": excerpt })))
}

/// `POST /api/v1/checks/{name}/pause`
async fn pause(State(app): State<Arc<App>>, Path(name): Path<String>) -> Answered {
    let name = named(&app, &name)?;
    app.engine()?.checker.pause(&name, true).await?;
    Ok(success(&shown(&app, &*find::<CheckDefinition>(&app, name.as_str())?)))
}

/// `POST /api/v1/checks/{name}/resume`
async fn resume(State(app): State<Arc<App>>, Path(name): Path<String>) -> Answered {
    let known = find::<CheckDefinition>(&app, &name)?;
    let engine = app.engine()?;
    if known.definition.paused {
        if known.origin == Origin::File {
            let message = format!("{name:?} is paused in the settings file; change it there");
            return Err(ApiError::new(ErrorKind::Conflict, message));
        }
        let definition = CheckDefinition { paused: false, ..known.definition.clone() };
        engine.catalog.checks.put(&engine.watch, definition, app.clock.now()).await?;
    }
    engine.checker.pause(&known.definition.name, false).await?;
    Ok(success(&shown(&app, &*find::<CheckDefinition>(&app, &name)?)))
}

/// `GET /api/v1/checks/{name}/heartbeat`: where the job sends its pings. The address is a secret:
/// viewers are not told.
async fn heartbeat(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let role = request.extensions().get::<Caller>().map(|caller| caller.role);
    if !matches!(role, Some(Role::Operator | Role::Admin)) {
        let message = "the address of a heartbeat is shown to operators and administrators";
        return Err(ApiError::new(ErrorKind::Forbidden, message));
    }
    let name = named(&app, &name)?;
    let view = app.engine()?.checker.view(name.as_str());
    let Some((view, token)) = view.as_ref().and_then(|view| Some((view, view.token.as_ref()?)))
    else {
        let message = format!("{name} is no heartbeat, or was made this very moment");
        return Err(ApiError::new(ErrorKind::NotFound, message));
    };
    Ok(success(&json!({
        "name": name,
        "token": token,
        "path": format!("/ping/{token}"),
        "deadline": view.next_at,
        "running_since": view.running_since,
    })))
}
