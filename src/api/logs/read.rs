//! `GET /api/v1/logs`: a page of lines.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Response, header};
use serde_json::json;

use crate::api::ApiError;
use crate::api::json::success;
use crate::api::params::Params;
use crate::api::request::blocking;
use crate::api::state::App;
use crate::logs::{LogPage, LogQuery};
use crate::model::{LogLevel, StoredLine};

use super::bounded::{search, timeout};
use super::parameters;

/// The parameters of a request that has no body.
pub(super) fn params_of(request: &Request) -> Result<Params, ApiError> {
    Params::read(request.uri(), request.headers(), &Bytes::new())
}

/// Lines as an array of JSON.
pub(super) fn push_lines(out: &mut String, lines: &[StoredLine]) {
    out.push('[');
    for (place, line) in lines.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        line.push_json(out);
    }
    out.push(']');
}

/// An answer that was written by hand.
pub(super) fn answer(body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// `GET /api/v1/logs?from=&until=&level=&source=&…&order=&limit=&after=`
pub(super) async fn list(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let params = params_of(&request)?;
    parameters::refuse_unknown(&params, &["order", "limit", "after"])?;
    let query = LogQuery {
        filter: parameters::filter(&params)?,
        order: parameters::order(&params)?,
        after: parameters::after(&params)?,
        limit: parameters::limit(&params)?,
    };
    let timeout = timeout(&app, &params)?;
    let body =
        search(&app, timeout, move |logs, stop| Ok(page(&logs.query(&query, stop)?))).await?;
    Ok(answer(body))
}

/// `{"status":"success","data":[…],"next":"…"|null}`
fn page(page: &LogPage) -> String {
    let mut out = String::from("{\"status\":\"success\",\"data\":");
    push_lines(&mut out, &page.lines);
    out.push_str(",\"next\":");
    match page.next {
        Some(id) => out.push_str(&format!("\"{id}\"")),
        None => out.push_str("null"),
    }
    out.push_str(&format!(",\"scanned\":{}}}", page.scanned));
    out
}

/// `GET /api/v1/logs/fields`: what lines name, for whoever wants to choose.
pub(super) async fn fields(State(app): State<Arc<App>>) -> Result<Response<Body>, ApiError> {
    let logs = app.engine()?.logs.clone();
    let (names, figures) = blocking(move || Ok((logs.names(), logs.figures()))).await?;
    Ok(success(&json!({
        "levels": LogLevel::ALL.map(LogLevel::as_str),
        "sources": names.sources,
        "features": names.features,
        "environments": names.environments,
        "lines": figures.lines,
        "bytes": figures.bytes,
        "oldest": figures.oldest,
    })))
}
