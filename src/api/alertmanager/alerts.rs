//! `GET /api/v2/alerts`

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, Uri};
use serde_json::Value;

use crate::model::{Labels, fingerprint};

use super::groups::receivers_of;
use super::{Status, Wanted, alert_json, answer, firing, told};
use crate::api::ApiError;
use crate::api::state::App;

pub(super) async fn list(
    State(app): State<Arc<App>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    told(alerts(&app, &uri, &headers))
}

fn alerts(app: &App, uri: &Uri, headers: &HeaderMap) -> Result<Response<Body>, ApiError> {
    let wanted = Wanted::read(uri, headers)?;
    let now = app.clock.now();
    let muting = &app.engine()?.muting;
    let view = app.engine()?.watch.view();
    let mut all = firing(app)?;
    all.sort_by_cached_key(|one| fingerprint(&one.alert.labels));
    let labels: Vec<Labels> = all.iter().map(|one| one.alert.labels.clone()).collect();
    let mut shown: Vec<Value> = Vec::new();
    for one in &all {
        let receivers = receivers_of(&view, &one.alert);
        let status = Status::of(muting, &one.alert.labels, &labels, now);
        let any = receivers.iter().any(|receiver| wanted.takes_receiver(receiver));
        if (any || wanted.receiver.is_none()) && wanted.takes(&one.alert.labels, &status) {
            shown.push(alert_json(one, &status, &receivers));
        }
    }
    Ok(answer(&shown))
}
