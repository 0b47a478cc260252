//! `GET /api/v2/alerts/groups`, and who is told of an alert.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, Uri};
use serde_json::{Value, json};

use crate::engine::watch::View;
use crate::model::{Alert, Labels, fingerprint};

use super::{Status, Wanted, alert_json, answer, firing, told};
use crate::api::ApiError;
use crate::api::state::App;

/// The name of the receiver of what nobody is told of.
pub(super) const NOBODY: &str = "nobody";

/// Who is told of an alert: channels, each with the labels of the group.
fn told_of(view: &View, alert: &Alert) -> Vec<(String, Labels)> {
    let routes = view.explain_routing(&alert.labels, alert.severity, &alert.channels);
    let told: Vec<_> = routes
        .unwrap_or_default()
        .into_iter()
        .map(|route| (route.channel.to_string(), route.group_labels))
        .collect();
    if told.is_empty() { vec![(NOBODY.to_owned(), Labels::empty())] } else { told }
}

/// The names of those who are told of an alert, each once.
pub(super) fn receivers_of(view: &View, alert: &Alert) -> Vec<String> {
    let mut names = Vec::new();
    for (name, _) in told_of(view, alert) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    told(groups(&app, &uri, &headers))
}

/// Groups by labels, then by receiver, as Alertmanager sorts them (`dispatch.AlertGroups`).
fn groups(app: &App, uri: &Uri, headers: &HeaderMap) -> Result<Response<Body>, ApiError> {
    let wanted = Wanted::read(uri, headers)?;
    let now = app.clock.now();
    let muting = &app.engine()?.muting;
    let view = app.engine()?.watch.view();
    let mut all = firing(app)?;
    all.sort_by_cached_key(|one| (one.alert.starts_at, fingerprint(&one.alert.labels)));
    let labels: Vec<Labels> = all.iter().map(|one| one.alert.labels.clone()).collect();
    let mut groups: BTreeMap<(Labels, String), Vec<Value>> = BTreeMap::new();
    for one in &all {
        let status = Status::of(muting, &one.alert.labels, &labels, now);
        if !wanted.takes(&one.alert.labels, &status) {
            continue;
        }
        let receivers = receivers_of(&view, &one.alert);
        let shown = alert_json(one, &status, &receivers);
        for (receiver, group) in told_of(&view, &one.alert) {
            if wanted.takes_receiver(&receiver) {
                groups.entry((group, receiver)).or_default().push(shown.clone());
            }
        }
    }
    let shown: Vec<Value> = groups
        .into_iter()
        .map(|((labels, receiver), alerts)| {
            json!({"labels": labels, "receiver": {"name": receiver}, "alerts": alerts})
        })
        .collect();
    Ok(answer(&shown))
}
