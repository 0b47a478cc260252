//! The API's own description: an OpenAPI 3.1 document.
//!
//! Owns: one entry for every method of every path, with its permission, and the schemas of what
//! they take and answer. Never: deciding who may do what, or what is valid; it says what others
//! decide, and its tests hold it to the router, to the table of permissions and to the types.
//! Start reading at [`document`]; a topic's operations are in the file of its name, its schemas in
//! `schemas/`.

mod alertmanager;
mod checks;
mod experiments;
mod features;
mod incidents;
mod live;
mod notify;
mod objects;
mod operation;
mod querying;
mod rules;
mod running;
mod schema;
mod schemas;
mod sending;

#[cfg(test)]
mod tests;

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use serde_json::{Map, Value, json};

use operation::Operation;

/// A topic: its name, what it is about, and its operations.
type Topic = (&'static str, &'static str, Vec<Operation>);

/// All topics, in the order in which they are shown.
fn topics() -> Vec<Topic> {
    vec![
        ("Live", "How everything is, at a glance and as it changes.", live::operations()),
        ("Querying", "Prometheus's API for reading metrics.", querying::operations()),
        (
            "Sending",
            "Metrics, outcomes and traces of them, as others send them.",
            sending::operations(),
        ),
        (
            "Checks",
            "What is asked again and again, and what heartbeats tell.",
            checks::operations(),
        ),
        ("Rules", "When to alert, and what was promised.", rules::operations()),
        ("Incidents", "What fires, and what people do about it.", incidents::operations()),
        ("Notifications", "Who is told, and when not.", notify::operations()),
        ("Experiments", "Who gets what, and which is better.", experiments::operations()),
        ("Statistics", "Calculators that know no experiment.", experiments::statistics()),
        ("Features", "What is watched as a unit, and its configuration.", features::operations()),
        (
            "Alertmanager",
            "As much of Alertmanager's API as Prometheus, Grafana and amtool use.",
            alertmanager::operations(),
        ),
        ("Running", "Health, settings, tokens, storage, the page.", running::operations()),
    ]
}

/// The whole document.
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    let mut tags = Vec::new();
    for (tag, says, operations) in topics() {
        tags.push(json!({"name": tag, "description": says}));
        for operation in operations {
            let (path, _) = operation.template();
            let methods = paths.entry(path).or_insert_with(|| json!({}));
            methods[operation.method.to_ascii_lowercase()] = operation.document(tag);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "vedette",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Metrics, checks, alerts, incidents, experiments and logs in one file.",
            "description": ABOUT,
            "license": {
                "name": env!("CARGO_PKG_LICENSE"),
                "identifier": env!("CARGO_PKG_LICENSE"),
            },
        },
        "servers": [{"url": "/", "description": "The daemon that answered."}],
        "security": [{"bearer": []}, {"basic": []}, {"cookie": []}],
        "tags": tags,
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "http", "scheme": "bearer",
                    "description": "A token that `vedette token create` made.",
                },
                "basic": {
                    "type": "http", "scheme": "basic",
                    "description": "Any user, and a token as the password.",
                },
                "cookie": {
                    "type": "apiKey", "in": "cookie", "name": "vedette-session",
                    "description": "What `POST /api/v1/session` sets, for the page.",
                },
            },
            "responses": schemas::answers(),
            "schemas": schemas::all(),
        },
    })
}

/// What holds for all operations.
const ABOUT: &str = "A superset of Prometheus's HTTP API. Success is \
`{\"status\":\"success\",\"data\":…}`, failure `{\"status\":\"error\",\"errorType\":…,\"error\":…}`; \
operations that speak another program's format answer in that.\n\n\
Times are RFC 3339 or Unix milliseconds, and those of Prometheus's operations Unix seconds. \
Durations are seconds or texts such as `5m`; answers give seconds. Unknown fields of bodies are \
refused. Each operation names the permission that it asks for (`x-permission`): `read` has every \
role but writer, `send` every one but viewer, `operate` operators and administrators, `administer` \
administrators alone. Where no token exists yet and the daemon listens on loopback, none is needed.";

/// `GET /api/v1/openapi.json`
pub(super) async fn openapi() -> Response<Body> {
    let mut response = Response::new(Body::from(document().to_string()));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
