//! `GET /api/v2/status` and `/api/v2/receivers`

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use serde_json::{Value, json};

use super::groups::NOBODY;
use super::{answer, told};
use crate::api::ApiError;
use crate::api::state::App;

/// The names of all channels; there is always one receiver.
fn names(app: &App) -> Result<Vec<String>, ApiError> {
    let channels = app.engine()?.catalog.channels.list();
    let mut names: Vec<String> = channels.keys().map(ToString::to_string).collect();
    if names.is_empty() {
        names.push(NOBODY.to_owned());
    }
    Ok(names)
}

pub(super) async fn receivers(State(app): State<Arc<App>>) -> Response<Body> {
    told(names(&app).map(|names| {
        answer(&names.iter().map(|name| json!({"name": name})).collect::<Vec<Value>>())
    }))
}

/// Who we are. The configuration is what a client needs to read to go on: the receivers and a
/// route; ours has more than Alertmanager's form can say, and is at `/api/v1/status/config`.
pub(super) async fn status(State(app): State<Arc<App>>) -> Response<Body> {
    let build = || -> Result<Response<Body>, ApiError> {
        let names = names(&app)?;
        let mut original = String::from("global:\n  resolve_timeout: 5m\nroute:\n");
        original.push_str(&format!("  receiver: {}\nreceivers:\n", json!(names[0])));
        for name in &names {
            original.push_str(&format!("- name: {}\n", json!(name)));
        }
        Ok(answer(&json!({
            "cluster": {"status": "disabled", "peers": []},
            "config": {"original": original},
            "uptime": app.started_at,
            "versionInfo": {
                "version": env!("CARGO_PKG_VERSION"),
                "revision": "",
                "branch": "",
                "buildUser": "vedette",
                "buildDate": "",
                "goVersion": "",
            },
        })))
    };
    told(build())
}
