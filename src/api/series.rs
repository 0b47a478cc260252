//! What series there are: `series`, `labels`, `label/{name}/values`, `metadata`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::Response;
use serde::Serialize;

use crate::model::{Matcher, Timestamp};
use crate::promql::parse_selector;

use super::ApiError;
use super::json::{Remarks, close_success, open_success, push_labels, success, success_with};
use super::params::Params;
use super::request::{blocking, read_params};
use super::state::App;

type Answered = Result<Response<Body>, ApiError>;

/// Which series a request means: those that satisfy any of the lists, within the times.
struct Scope {
    lists: Vec<Vec<Matcher>>,
    start_ms: i64,
    end_ms: i64,
    limit: Option<usize>,
}

impl Scope {
    fn read(params: &Params) -> Result<Self, ApiError> {
        let lists = params
            .all("match[]")
            .map(|text| {
                let matchers =
                    parse_selector(text).map_err(|error| ApiError::parameter("match[]", error))?;
                if matchers.iter().all(|matcher| matcher.matches("")) {
                    return Err(ApiError::parameter(
                        "match[]",
                        "match[] must contain at least one non-empty matcher",
                    ));
                }
                Ok(matchers)
            })
            .collect::<Result<_, _>>()?;
        let start = params.time("start")?.unwrap_or(Timestamp::MIN);
        let end = params.time("end")?.unwrap_or(Timestamp::MAX);
        if end < start {
            return Err(ApiError::parameter("end", "end timestamp must not be before start time"));
        }
        Ok(Scope { lists, start_ms: start.millis(), end_ms: end.millis(), limit: params.limit()? })
    }
}

/// Cuts a list to its limit and remarks on it, as Prometheus does.
fn cut<T>(items: &mut Vec<T>, limit: Option<usize>) -> Remarks {
    let mut remarks = Remarks::default();
    if let Some(limit) = limit
        && items.len() > limit
    {
        items.truncate(limit);
        remarks.warnings.push("results truncated due to limit".to_owned());
    }
    remarks
}

/// `/api/v1/series`
pub(super) async fn series(State(app): State<Arc<App>>, request: Request) -> Answered {
    let params = read_params(&app, request).await?;
    let scope = Scope::read(&params)?;
    if scope.lists.is_empty() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let tsdb = Arc::clone(&app.engine()?.tsdb);
    blocking(move || {
        let reader = tsdb.reader().map_err(ApiError::internal)?;
        // One more than asked for, to know whether there are more.
        let wanted = scope.limit.map_or(usize::MAX, |limit| limit.saturating_add(1));
        let mut found = reader
            .series(&scope.lists, scope.start_ms, scope.end_ms, wanted)
            .map_err(ApiError::internal)?;
        let remarks = cut(&mut found, scope.limit);
        let mut out = open_success(found.len() * 128);
        out.push(b'[');
        for (place, labels) in found.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            push_labels(&mut out, labels);
        }
        out.push(b']');
        Ok(close_success(out, &remarks))
    })
    .await
}

/// `/api/v1/labels`
pub(super) async fn label_names(State(app): State<Arc<App>>, request: Request) -> Answered {
    let params = read_params(&app, request).await?;
    let scope = Scope::read(&params)?;
    let tsdb = Arc::clone(&app.engine()?.tsdb);
    blocking(move || {
        let reader = tsdb.reader().map_err(ApiError::internal)?;
        let mut names = reader
            .label_names(&scope.lists, scope.start_ms, scope.end_ms)
            .map_err(ApiError::internal)?;
        let remarks = cut(&mut names, scope.limit);
        Ok(success_with(&names, &remarks))
    })
    .await
}

/// `/api/v1/label/{name}/values`
pub(super) async fn label_values(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let params = read_params(&app, request).await?;
    let name = unescape_name(&name);
    if name.is_empty() {
        return Err(ApiError::bad_data("invalid label name: \"\""));
    }
    let scope = Scope::read(&params)?;
    let tsdb = Arc::clone(&app.engine()?.tsdb);
    blocking(move || {
        let reader = tsdb.reader().map_err(ApiError::internal)?;
        let mut values = reader
            .label_values(&name, &scope.lists, scope.start_ms, scope.end_ms)
            .map_err(ApiError::internal)?;
        let remarks = cut(&mut values, scope.limit);
        Ok(success_with(&values, &remarks))
    })
    .await
}

/// Undoes Prometheus's `U__` escaping, by which UTF-8 names fit into a path: `_` doubled, and
/// `_HEX_` for a code point (`common/model/metric.go`, `UnescapeName`). What is not well escaped
/// is meant literally.
fn unescape_name(name: &str) -> String {
    let Some(mut rest) = name.strip_prefix("U__") else { return name.to_owned() };
    let mut out = String::new();
    while let Some(at) = rest.find('_') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('_') {
            out.push('_');
            rest = after;
            continue;
        }
        let Some((digits, after)) = rest.split_once('_') else { return name.to_owned() };
        let point = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
        let Some(point) = point.filter(|_| digits.len() <= 6) else { return name.to_owned() };
        out.push(point);
        rest = after;
    }
    out.push_str(rest);
    out
}

#[derive(Serialize)]
struct Family<'m> {
    #[serde(rename = "type")]
    kind: &'m str,
    help: &'m str,
    unit: &'m str,
}

/// `/api/v1/metadata`
pub(super) async fn metadata(State(app): State<Arc<App>>, request: Request) -> Answered {
    let params = read_params(&app, request).await?;
    let limit = params.limit()?.unwrap_or(usize::MAX);
    // At most one entry is kept of a family, so that `limit_per_metric` has nothing to cut.
    let all = app.engine()?.tsdb.metadata();
    let wanted = params.get("metric");
    let chosen: BTreeMap<&str, [Family<'_>; 1]> = all
        .iter()
        .filter(|(name, _)| wanted.is_none_or(|wanted| wanted == name.as_str()))
        .take(limit)
        .map(|(name, one)| {
            let family = Family { kind: one.kind.as_str(), help: &one.help, unit: &one.unit };
            (name.as_str(), [family])
        })
        .collect();
    Ok(success(&chosen))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The escaped forms follow the rules of Prometheus's proposal on UTF-8 names.
    #[test]
    fn escaped_label_names_are_undone() {
        for (escaped, name) in [
            ("job", "job"),
            ("U__http_2e_status", "http.status"),
            ("U__a__b", "a_b"),
            ("U___1F600_", "\u{1F600}"),
            ("U__broken_zz_", "U__broken_zz_"),
            ("U__open_2e", "U__open_2e"),
        ] {
            assert_eq!(unescape_name(escaped), name, "{escaped}");
        }
    }

    #[test]
    fn a_cut_list_says_so() {
        let mut items = vec![1, 2, 3];
        assert!(cut(&mut items, Some(3)).warnings.is_empty());
        assert_eq!(cut(&mut items, Some(2)).warnings, ["results truncated due to limit"]);
        assert_eq!(items, [1, 2]);
    }
}
