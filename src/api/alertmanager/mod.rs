//! Alertmanager's API, version 2, for those who speak to it: Prometheus sends alerts, amtool and
//! Grafana list and silence them (`api/v2/openapi.yaml` and `api/v2/api.go` of Alertmanager).
//!
//! Alerts are all that fire here, whoever found them. Receivers are our channels. Failures are
//! texts, as there. Start reading at [`routes`].

mod alerts;
mod groups;
mod receive;
mod silences;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Response, Uri, header};
use axum::routing::get;
use serde::Serialize;
use serde_json::{Value, json};

use crate::engine::watch::{Muting, RESOLVE_TIMEOUT_MS};
use crate::incidents::Suppressions as _;
use crate::model::{
    Alert, AlertKey, IncidentId, Labels, MatchOp, Matcher, Matchers, Timestamp, fingerprint,
};

use super::ApiError;
use super::params::Params;
use super::state::App;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/v2/alerts", get(alerts::list).post(receive::receive))
        .route("/api/v2/alerts/groups", get(groups::list))
        .route("/api/v2/silences", get(silences::list).post(silences::set))
        .route("/api/v2/silence/{id}", get(silences::show).delete(silences::expire))
        .route("/api/v2/status", get(status::status))
        .route("/api/v2/receivers", get(status::receivers))
}

/// An alert that fires, and what is known of it.
pub(super) struct Firing {
    pub(super) alert: Alert,
    pub(super) updated_at: Timestamp,
    pub(super) ends_at: Timestamp,
    /// The incident that it is, with its number.
    pub(super) incident: Option<(IncidentId, u64)>,
}

/// All alerts that fire now, whoever found them: those of incidents, and what others sent that is
/// no incident (yet).
pub(super) fn firing(app: &App) -> Result<Vec<Firing>, ApiError> {
    let engine = app.engine()?;
    let now = app.clock.now();
    let mut all: BTreeMap<AlertKey, Firing> = BTreeMap::new();
    for one in engine.external.list().iter().filter(|one| !one.has_ended(now)) {
        let firing = Firing {
            alert: one.alert.clone(),
            updated_at: one.updated_at,
            ends_at: one.ends_at,
            incident: None,
        };
        all.insert(one.alert.key(), firing);
    }
    for incident in engine.watch.view().at_work().filter(|incident| incident.firing) {
        let known = all.get(&incident.key);
        let updated_at = known.map_or(incident.triggered_at, |known| known.updated_at);
        // What is found here ends when it is found to: not before it is looked at again.
        let ends_at = known.map_or(now.plus_millis(RESOLVE_TIMEOUT_MS), |known| known.ends_at);
        let firing = Firing {
            alert: incident.alert.clone(),
            updated_at,
            ends_at,
            incident: Some((incident.id, incident.number)),
        };
        all.insert(incident.key, firing);
    }
    Ok(all.into_values().collect())
}

/// What keeps an alert from being told.
struct Status {
    silenced_by: Vec<String>,
    inhibited_by: Vec<String>,
    muted_by: Vec<String>,
}

impl Status {
    fn of(muting: &Muting, labels: &Labels, firing: &[Labels], now: Timestamp) -> Self {
        let silences = muting.silences().silencing(labels, now);
        let inhibiting = muting.inhibiting(labels, firing);
        Status {
            silenced_by: silences.iter().map(|one| one.silence().id.to_string()).collect(),
            inhibited_by: inhibiting.iter().map(|l| format!("{:016x}", fingerprint(l))).collect(),
            muted_by: muting.in_maintenance(labels, now).into_iter().map(|s| s.id).collect(),
        }
    }

    fn is_active(&self) -> bool {
        [&self.silenced_by, &self.inhibited_by, &self.muted_by].iter().all(|by| by.is_empty())
    }

    fn json(&self) -> Value {
        json!({
            "state": if self.is_active() { "active" } else { "suppressed" },
            "silencedBy": self.silenced_by,
            "inhibitedBy": self.inhibited_by,
            "mutedBy": self.muted_by,
        })
    }
}

/// `gettableAlert`
fn alert_json(one: &Firing, status: &Status, receivers: &[String]) -> Value {
    let annotations: serde_json::Map<String, Value> =
        one.alert.annotations.iter().map(|(n, v)| (n.clone(), v.as_str().into())).collect();
    let mut value = json!({
        "labels": one.alert.labels,
        "annotations": annotations,
        "startsAt": one.alert.starts_at,
        "endsAt": one.ends_at,
        "updatedAt": one.updated_at,
        "fingerprint": format!("{:016x}", fingerprint(&one.alert.labels)),
        "receivers": receivers.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
        "status": status.json(),
    });
    if !one.alert.generator_url.is_empty() {
        value["generatorURL"] = one.alert.generator_url.as_str().into();
    }
    value
}

/// What a list is asked for.
struct Wanted {
    matchers: Vec<Matcher>,
    receiver: Option<Matcher>,
    active: bool,
    silenced: bool,
    inhibited: bool,
    muted: bool,
}

impl Wanted {
    fn read(uri: &Uri, headers: &HeaderMap) -> Result<Self, ApiError> {
        let params = Params::read(uri, headers, &Bytes::new())?;
        let receiver = params.get("receiver").map(|text| {
            let matcher = Matcher::new("receiver", MatchOp::Regex, text);
            matcher.map_err(|e| ApiError::bad_data(format!("failed to parse receiver param: {e}")))
        });
        // All but what says so (`swag.ConvertBool`) is false; what is absent is true.
        let yes = |name| {
            params.get(name).is_none_or(|text| {
                let words =
                    ["true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"];
                words.iter().any(|word| text.eq_ignore_ascii_case(word))
            })
        };
        Ok(Wanted {
            matchers: read_filter(&params)?,
            receiver: receiver.transpose()?,
            active: yes("active"),
            silenced: yes("silenced"),
            inhibited: yes("inhibited"),
            muted: yes("muted"),
        })
    }

    /// Whether an alert is among what is asked for (`alertFilter` and `matchFilterLabels`).
    fn takes(&self, labels: &Labels, status: &Status) -> bool {
        (self.active || !status.is_active())
            && (self.silenced || status.silenced_by.is_empty())
            && (self.inhibited || status.inhibited_by.is_empty())
            && (self.muted || status.muted_by.is_empty())
            && self.matchers.iter().all(|matcher| matcher.matches_labels(labels))
    }

    fn takes_receiver(&self, receiver: &str) -> bool {
        self.receiver.as_ref().is_none_or(|matcher| matcher.matches(receiver))
    }
}

/// `filter`, given as often as there are matchers; one of them may hold several in braces.
fn read_filter(params: &Params) -> Result<Vec<Matcher>, ApiError> {
    let mut matchers = Vec::new();
    for text in params.all("filter").filter(|text| !text.is_empty()) {
        let read = if text.starts_with('{') {
            Matchers::parse(text).map(|read| read.0)
        } else {
            Matchers::parse_one(text).map(|one| vec![one])
        };
        matchers.extend(read.map_err(ApiError::bad_data)?);
    }
    Ok(matchers)
}

/// An answer in JSON.
fn answer(data: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(data) {
        Ok(body) => {
            let mut response = Response::new(Body::from(body));
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(error) => ApiError::internal(error).into_text(),
    }
}

/// An answer, or the text of the failure.
fn told(result: Result<Response<Body>, ApiError>) -> Response<Body> {
    result.unwrap_or_else(ApiError::into_text)
}
