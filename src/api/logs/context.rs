//! `GET /api/v1/logs/{id}/context`: a line and those around it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::Response;

use crate::api::state::App;
use crate::api::{ApiError, ErrorKind};
use crate::engine::logs::LogFilter;
use crate::model::{LogId, LogLine};

use super::bounded::{search, timeout};
use super::parameters::count;
use super::read::{answer, params_of, push_lines};

/// Lines on each side, unless asked for another number.
const AROUND: usize = 5;
/// The most on each side.
const AROUND_MAX: usize = 500;
const PARAMETERS: [&str; 4] = ["before", "after", "same", "timeout"];

/// In what lines around it must agree with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Same {
    Source,
    Feature,
    Environment,
    Trace,
    User,
}

impl Same {
    fn read(word: &str) -> Result<Same, ApiError> {
        Ok(match word.trim() {
            "source" => Same::Source,
            "feature" => Same::Feature,
            "environment" => Same::Environment,
            "trace_id" => Same::Trace,
            "user_id" => Same::User,
            other => {
                let said = format!(
                    "{other:?}: lines can be the same in source, feature, environment, trace_id \
                     and user_id"
                );
                return Err(ApiError::parameter("same", said));
            }
        })
    }

    fn narrow(self, filter: &mut LogFilter, line: &LogLine) {
        match self {
            Same::Source => filter.sources = vec![line.source.clone()],
            Same::Feature => filter.features = vec![line.feature.clone()],
            Same::Environment => filter.environments = vec![line.environment.clone()],
            Same::Trace => filter.trace_id = Some(line.trace_id.clone()),
            Same::User => filter.user_id = Some(line.user_id.clone()),
        }
    }
}

/// `GET /api/v1/logs/{id}/context?before=5&after=5&same=source`
pub(super) async fn context(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let params = params_of(&request)?;
    if let Some(name) = params.names().find(|name| !PARAMETERS.contains(name)) {
        let said = format!("unknown parameter {name:?}; use {}", PARAMETERS.join(", "));
        return Err(ApiError::bad_data(said));
    }
    let id: LogId = id.parse().map_err(ApiError::bad_data)?;
    let before = count(&params, "before", AROUND, AROUND_MAX)?;
    let after = count(&params, "after", AROUND, AROUND_MAX)?;
    let words = params.all("same").flat_map(|text| text.split(','));
    let words = words.filter(|word| !word.trim().is_empty());
    let same = words.map(Same::read).collect::<Result<Vec<Same>, ApiError>>()?;
    let timeout = timeout(&app, &params)?;
    let found = search(&app, timeout, move |logs, stop| {
        let mut filter = LogFilter::default();
        if !same.is_empty() {
            let Some(found) = logs.context(id, 0, 0, &filter, stop)?.line else { return Ok(None) };
            same.iter().for_each(|same| same.narrow(&mut filter, &found.line));
        }
        let found = logs.context(id, before, after, &filter, stop)?;
        let Some(line) = found.line else { return Ok(None) };
        let mut out = String::from("{\"status\":\"success\",\"data\":{\"before\":");
        push_lines(&mut out, &found.before);
        out.push_str(",\"line\":");
        line.push_json(&mut out);
        out.push_str(",\"after\":");
        push_lines(&mut out, &found.after);
        out.push_str("}}");
        Ok(Some(out))
    })
    .await?;
    match found {
        Some(body) => Ok(answer(body)),
        None => {
            let said = format!("there is no line {id}; it may have been too old to be kept");
            Err(ApiError::new(ErrorKind::NotFound, said))
        }
    }
}
