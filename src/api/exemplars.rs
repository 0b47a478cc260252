//! `/api/v1/query_exemplars`: the exemplars of the series that a query reads.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;

use crate::model::{Exemplar, Labels, Matcher, Timestamp};
use crate::promql;

use super::ApiError;
use super::json::{
    Remarks, close_success, open_success, push_float, push_labels, push_text, push_time,
};
use super::request::{blocking, read_params};
use super::state::App;

/// `GET|POST /api/v1/query_exemplars` (`queryExemplars` in Prometheus's `web/api/v1/api.go`). The
/// times choose exemplars by their own time; without them all are meant.
pub(super) async fn query(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let params = read_params(&app, request).await?;
    let start = params.time("start")?.unwrap_or(Timestamp::MIN);
    let end = params.time("end")?.unwrap_or(Timestamp::MAX);
    if end < start {
        return Err(ApiError::bad_data("end timestamp must not be before start timestamp"));
    }
    let expr = promql::parse(params.get("query").unwrap_or(""))
        .map_err(|error| ApiError::bad_data(error.to_string()))?;
    let lists: Vec<Vec<Matcher>> =
        promql::selectors(&expr).into_iter().map(|selector| selector.matchers.clone()).collect();
    let tsdb = Arc::clone(&app.engine()?.tsdb);
    blocking(move || {
        let reader = tsdb.reader().map_err(ApiError::internal)?;
        let found =
            reader.exemplars(&lists, start.millis(), end.millis()).map_err(ApiError::internal)?;
        Ok(render(&found))
    })
    .await
}

fn render(found: &[(Labels, Vec<Exemplar>)]) -> Response<Body> {
    let mut out = open_success(found.len() * 256);
    out.push(b'[');
    for (place, (labels, exemplars)) in found.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"seriesLabels\":");
        push_labels(&mut out, labels);
        out.extend_from_slice(b",\"exemplars\":[");
        for (place, exemplar) in exemplars.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            push_exemplar(&mut out, exemplar);
        }
        out.extend_from_slice(b"]}");
    }
    out.push(b']');
    close_success(out, &Remarks::default())
}

fn push_exemplar(out: &mut Vec<u8>, exemplar: &Exemplar) {
    let mut value = Vec::new();
    push_float(&mut value, exemplar.value);
    out.extend_from_slice(b"{\"labels\":");
    push_labels(out, &exemplar.labels);
    out.extend_from_slice(b",\"value\":");
    push_text(out, std::str::from_utf8(&value).unwrap_or("NaN"));
    out.extend_from_slice(b",\"timestamp\":");
    push_time(out, exemplar.at.millis());
    out.push(b'}');
}
