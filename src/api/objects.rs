//! Objects that people define: listing, making, changing and removing them, the same way for
//! every kind.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{Response, StatusCode};
use axum::routing::{MethodRouter, get};
use serde_json::{Map, Value, json};

use crate::engine::watch::{Catalog, Defined, DefinitionError, Definitions, WatchError};
use crate::model::{Definition, Origin, parse_duration_ms};

use super::json::{seconds, success};
use super::params::Params;
use super::request::{idempotency_key, read_json};
use super::state::App;
use super::{ApiError, ErrorKind};

type Answered = Result<Response<Body>, ApiError>;

/// What a kind of object adds to what all have.
pub(super) trait Object: Definition {
    /// Fields that are durations: answers give them in seconds.
    const DURATIONS: &'static [&'static str] = &[];

    /// Fields that answers add to the definition; a body may carry them, and they are ignored.
    const SHOWN_ONLY: &'static [&'static str] = &[];

    /// Where objects of this kind are.
    fn all(catalog: &Catalog) -> &Definitions<Self>;

    /// What can be said against a definition beyond [`Definition::check`], with everything at
    /// hand. The message names the field.
    fn examine(&self, _app: &App) -> Result<(), String> {
        Ok(())
    }

    /// Why this definition may not take the place of the one that is there, although nothing is
    /// wrong with it: how the object is at present does not allow it.
    fn may_replace(&self, _app: &App) -> Result<(), String> {
        Ok(())
    }

    /// Why the object may not be removed at present.
    fn may_remove(_app: &App, _name: &str) -> Result<(), String> {
        Ok(())
    }

    /// Waits until what was changed is taken up by whoever runs it.
    fn taken_up(_app: &App) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Puts back what answers hide, where a body has it as it was shown.
    fn with_secrets_of(self, _before: &Self) -> Self {
        self
    }

    /// Why an object of this name that is not among the definitions cannot be changed here.
    fn owned_elsewhere(_app: &App, _name: &str) -> Option<String> {
        None
    }

    /// Hides what is secret and adds what is known of the object besides.
    fn complete(_app: &App, _defined: &Defined<Self>, _shown: &mut Map<String, Value>) {}
}

/// Fields that every answer adds.
const SHOWN_ALWAYS: [&str; 3] = ["origin", "created_at", "updated_at"];

/// Objects in one page, unless asked for fewer.
const PAGE: usize = 1000;

impl From<WatchError> for ApiError {
    fn from(error: WatchError) -> Self {
        ApiError::new(ErrorKind::Unavailable, error.to_string()).retry_after(1)
    }
}

impl From<DefinitionError> for ApiError {
    fn from(error: DefinitionError) -> Self {
        let kind = match error {
            DefinitionError::Watch(error) => return error.into(),
            DefinitionError::Exists { .. } | DefinitionError::OfFile { .. } => ErrorKind::Conflict,
            DefinitionError::Absent { .. } => ErrorKind::NotFound,
            DefinitionError::Invalid(_) | DefinitionError::TooMany { .. } => ErrorKind::BadData,
        };
        ApiError::new(kind, error.to_string())
    }
}

/// The routes of a kind: `/api/v1/{plural}` and `/api/v1/{plural}/{name}`.
pub(super) fn routes<T: Object>(plural: &str) -> Router<Arc<App>> {
    routes_but_list::<T>(plural, get(list::<T>))
}

/// The same with another handler for the list.
pub(super) fn routes_but_list<T: Object>(
    plural: &str,
    list: MethodRouter<Arc<App>>,
) -> Router<Arc<App>> {
    let one = get(show::<T>).put(put::<T>).patch(patch::<T>).delete(remove::<T>);
    Router::new()
        .route(&format!("/api/v1/{plural}"), list.post(create::<T>))
        .route(&format!("/api/v1/{plural}/{{name}}"), one)
}

/// An object as answers show it.
pub(super) fn shown<T: Object>(app: &App, defined: &Defined<T>) -> Value {
    let mut object = match serde_json::to_value(&defined.definition) {
        Ok(Value::Object(object)) => object,
        // Definitions are structs with names for keys.
        _ => Map::new(),
    };
    for name in T::DURATIONS {
        if let Some(value) = object.get_mut(*name)
            && let Some(millis) = value.as_str().and_then(|text| parse_duration_ms(text).ok())
        {
            *value = seconds(millis);
        }
    }
    object.insert("origin".to_owned(), json!(defined.origin));
    object.insert("created_at".to_owned(), json!(defined.created_at));
    object.insert("updated_at".to_owned(), json!(defined.updated_at));
    T::complete(app, defined, &mut object);
    Value::Object(object)
}

/// `GET /api/v1/{plural}?limit=&after=`: by name.
async fn list<T: Object>(State(app): State<Arc<App>>, request: Request) -> Answered {
    let params = Params::read(request.uri(), request.headers(), &axum::body::Bytes::new())?;
    let limit = params.limit()?.unwrap_or(PAGE).min(PAGE);
    let after = params.get("after").unwrap_or("");
    let all = T::all(&app.engine()?.catalog).list();
    let mut page = all.iter().filter(|(name, _)| name.as_str() > after);
    let objects: Vec<Value> =
        page.by_ref().take(limit).map(|(_, defined)| shown(&app, defined)).collect();
    let next = page.next().and_then(|_| objects.last()?.get("name").cloned());
    Ok(paged(&objects, next))
}

/// A page of a list, and where the next one begins (`after`).
pub(super) fn paged(objects: &[Value], next: Option<Value>) -> Response<Body> {
    let mut envelope = json!({"status": "success", "data": objects});
    if let Some(next) = next {
        envelope["next"] = next;
    }
    let mut response = Response::new(Body::from(envelope.to_string()));
    let json = axum::http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(axum::http::header::CONTENT_TYPE, json);
    response
}

/// `GET /api/v1/{plural}/{name}`
async fn show<T: Object>(State(app): State<Arc<App>>, Path(name): Path<String>) -> Answered {
    Ok(success(&shown(&app, &*find::<T>(&app, &name)?)))
}

pub(super) fn find<T: Object>(app: &App, name: &str) -> Result<Arc<Defined<T>>, ApiError> {
    let absent = || DefinitionError::Absent { noun: T::NOUN, name: name.to_owned() };
    T::all(&app.engine()?.catalog).get(name).ok_or_else(|| absent().into())
}

/// `POST /api/v1/{plural}`. With an `Idempotency-Key`, what exists just so is what was made.
async fn create<T: Object>(State(app): State<Arc<App>>, request: Request) -> Answered {
    let repeated = idempotency_key(request.headers())?.is_some();
    let body: Value = read_json(&app, request).await?;
    let definition: T = read_definition(body)?;
    if repeated
        && let Some(known) = T::all(&app.engine()?.catalog).get(definition.name().as_str())
        && known.definition == definition
        && known.origin == Origin::Api
    {
        return Ok(success(&shown(&app, &*known)));
    }
    examine(&app, &definition)?;
    let engine = app.engine()?;
    let now = app.clock.now();
    let made = T::all(&engine.catalog).create(&engine.watch, definition, now).await?;
    T::taken_up(&app).await;
    Ok(created(success(&shown(&app, &*made))))
}

/// The same answer, saying that something was made (201).
pub(super) fn created(mut response: Response<Body>) -> Response<Body> {
    *response.status_mut() = StatusCode::CREATED;
    response
}

/// `PUT /api/v1/{plural}/{name}`: the whole object, in the place of what is there or new.
async fn put<T: Object>(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let mut body: Value = read_json(&app, request).await?;
    if let Value::Object(object) = &mut body {
        object.entry("name").or_insert_with(|| name.clone().into());
    }
    let definition: T = read_definition(body)?;
    replace(&app, &name, definition).await
}

/// `PATCH /api/v1/{plural}/{name}`: a JSON merge patch (RFC 7396).
async fn patch<T: Object>(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let patch: Value = read_json(&app, request).await?;
    refuse_foreign::<T>(&app, &name)?;
    let known = find::<T>(&app, &name)?;
    let mut whole = serde_json::to_value(&known.definition).map_err(ApiError::internal)?;
    merge(&mut whole, patch);
    replace(&app, &name, read_definition::<T>(whole)?).await
}

async fn replace<T: Object>(app: &App, name: &str, definition: T) -> Answered {
    if definition.name().as_str() != name {
        let message = format!(
            "name: is {:?} in the body and {name:?} in the path; an object keeps its name",
            definition.name().as_str()
        );
        return Err(ApiError::bad_data(message));
    }
    refuse_foreign::<T>(app, name)?;
    let engine = app.engine()?;
    let definition = match T::all(&engine.catalog).get(name) {
        Some(known) => definition.with_secrets_of(&known.definition),
        None => definition,
    };
    examine(app, &definition)?;
    definition.may_replace(app).map_err(|reason| ApiError::new(ErrorKind::Conflict, reason))?;
    let now = app.clock.now();
    let (made, new) = T::all(&engine.catalog).put(&engine.watch, definition, now).await?;
    T::taken_up(app).await;
    let answer = success(&shown(app, &*made));
    Ok(if new { created(answer) } else { answer })
}

/// `DELETE /api/v1/{plural}/{name}`
async fn remove<T: Object>(State(app): State<Arc<App>>, Path(name): Path<String>) -> Answered {
    refuse_foreign::<T>(&app, &name)?;
    T::may_remove(&app, &name).map_err(|reason| ApiError::new(ErrorKind::Conflict, reason))?;
    let engine = app.engine()?;
    T::all(&engine.catalog).remove(&engine.watch, &name).await?;
    T::taken_up(&app).await;
    Ok(success(&json!({"name": name, "deleted": true})))
}

/// Refuses to change what is no definition and is defined elsewhere.
fn refuse_foreign<T: Object>(app: &App, name: &str) -> Result<(), ApiError> {
    if T::all(&app.engine()?.catalog).get(name).is_some() {
        return Ok(());
    }
    match T::owned_elsewhere(app, name) {
        Some(message) => Err(ApiError::new(ErrorKind::Conflict, message)),
        None => Ok(()),
    }
}

fn examine<T: Object>(app: &App, definition: &T) -> Result<(), ApiError> {
    definition.check().and_then(|()| definition.examine(app)).map_err(ApiError::bad_data)
}

/// Reads a definition; fields that answers add are left out first, so that what was read can be
/// sent back changed.
pub(super) fn read_definition<T: Object>(mut body: Value) -> Result<T, ApiError> {
    if let Value::Object(object) = &mut body {
        for name in SHOWN_ALWAYS.iter().chain(T::SHOWN_ONLY) {
            object.remove(*name);
        }
    }
    T::deserialize(body)
        .map_err(|error| ApiError::bad_data(format!("the body is not a {}: {error}", T::NOUN)))
}

/// RFC 7396, section 2.
pub(super) fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(object) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            object.remove(&name);
        } else {
            merge(object.entry(name).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_patch_follows_the_examples_of_rfc_7396() {
        for (target, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
        ] {
            let mut merged = target.clone();
            merge(&mut merged, patch);
            assert_eq!(merged, result, "{target}");
        }
    }
}
