//! Configurations of features: reading, writing, what changed, and going back.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::engine::configurations::{ConfigurationError, ConfigurationVersion, Draft, DraftValue};
use crate::features::{CHANGES_MAX, differences};
use crate::model::{FeatureDefinition, Name};

use super::super::auth::Caller;
use super::super::json::success;
use super::super::objects::{created, find, paged};
use super::super::params::Params;
use super::super::request::{blocking, read_json, read_params};
use super::super::state::App;
use super::super::{ApiError, ErrorKind};

type Answered = Result<Response<Body>, ApiError>;

/// Versions in one page, unless asked for fewer.
const PAGE: usize = 100;

impl From<ConfigurationError> for ApiError {
    fn from(error: ConfigurationError) -> Self {
        let kind = match error {
            ConfigurationError::Watch(error) => return error.into(),
            ConfigurationError::Store(reason) => return ApiError::internal(reason),
            ConfigurationError::Invalid(_) => ErrorKind::BadData,
            ConfigurationError::Absent { .. } => ErrorKind::NotFound,
            ConfigurationError::Moved { .. } => ErrorKind::Conflict,
        };
        ApiError::new(kind, error.to_string())
    }
}

/// The name of a defined feature.
fn named(app: &App, name: &str) -> Result<Name, ApiError> {
    Ok(find::<FeatureDefinition>(app, name)?.definition.name.clone())
}

fn number(params: &Params, name: &str) -> Result<Option<u64>, ApiError> {
    let Some(text) = params.get(name) else { return Ok(None) };
    let number = text.parse::<u64>().ok().filter(|number| *number > 0);
    number.map(Some).ok_or_else(|| ApiError::parameter(name, "is a version, counted from 1"))
}

/// Reads a version on a thread that may block.
async fn version(
    app: &Arc<App>,
    feature: Name,
    version: u64,
) -> Result<ConfigurationVersion, ApiError> {
    let configurations = Arc::clone(&app.engine()?.configurations);
    blocking(move || Ok(configurations.version(&feature, version)?)).await
}

/// `GET /api/v1/features/{name}/config?version=`: the newest, or that one.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let params = read_params(&app, request).await?;
    let feature = named(&app, &name)?;
    if let Some(asked) = number(&params, "version")? {
        return Ok(success(&version(&app, feature, asked).await?));
    }
    match app.engine()?.configurations.newest(&name) {
        Some(newest) => Ok(success(&*newest)),
        None => Err(ApiError::new(
            ErrorKind::NotFound,
            format!("the feature {name:?} has no configuration yet; make one with PUT"),
        )),
    }
}

/// What makes a version. Exactly one of `value` and `version` is there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
    /// An older version, whose value is taken up again.
    #[serde(default)]
    version: Option<u64>,
    #[serde(default)]
    author: Option<String>,
    #[serde(default)]
    comment: String,
    /// The newest version that the writer knows; 0 before the first.
    #[serde(default)]
    follows: Option<u64>,
}

/// `null` is a value, too.
fn present<'de, D: serde::Deserializer<'de>>(reader: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(reader).map(Some)
}

/// `PUT /api/v1/features/{name}/config`: `{"value": …, "comment": …}`, or `{"version": 3}` to go
/// back to what that was. Each makes a new version.
pub(super) async fn put(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let put: Put = read_json(&app, request).await?;
    let feature = named(&app, &name)?;
    let value = match (put.value, put.version) {
        (Some(value), None) => DraftValue::Given(value),
        (None, Some(version)) => DraftValue::Restored(version),
        _ => {
            return Err(ApiError::bad_data(
                "value: is the new configuration; or give version, an older one to go back to",
            ));
        }
    };
    let author = put.author.unwrap_or(caller.name);
    let draft = Draft { value, author, comment: put.comment, follows: put.follows };
    let engine = app.engine()?;
    let now = app.clock.now();
    let made = engine.configurations.put(&engine.watch, &feature, draft, now).await?;
    Ok(created(success(&*made)))
}

/// `GET /api/v1/features/{name}/config/history?limit=&after=`: newest first.
pub(super) async fn history(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let params = read_params(&app, request).await?;
    let feature = named(&app, &name)?;
    let limit = params.limit()?.unwrap_or(PAGE).clamp(1, PAGE);
    let before = number(&params, "after")?.unwrap_or(u64::MAX);
    let configurations = Arc::clone(&app.engine()?.configurations);
    let versions = blocking(move || Ok(configurations.history(&feature, before, limit)?)).await?;
    let last = versions.last().filter(|last| versions.len() == limit && last.version > 1);
    let next = last.map(|last| last.version.to_string().into());
    let shown: Vec<Value> = versions.iter().map(|version| json!(version)).collect();
    Ok(paged(&shown, next))
}

/// `GET /api/v1/features/{name}/config/diff?from=1&to=2`: what is different; `to` is the newest
/// unless it says, `from` the one before.
pub(super) async fn diff(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let params = read_params(&app, request).await?;
    let feature = named(&app, &name)?;
    let newest = app.engine()?.configurations.newest(&name).map_or(0, |newest| newest.version);
    let to = number(&params, "to")?.unwrap_or(newest);
    let from = number(&params, "from")?.unwrap_or(to.saturating_sub(1));
    let before = version(&app, feature.clone(), from).await?;
    let after = version(&app, feature, to).await?;
    let changes = differences(&before.value, &after.value);
    let truncated = changes.len() >= CHANGES_MAX;
    Ok(success(&json!({"from": from, "to": to, "changes": changes, "truncated": truncated})))
}
