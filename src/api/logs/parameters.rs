//! Which lines a request asks for, by its parameters.

use crate::api::ApiError;
use crate::api::params::{Params, parse_duration, parse_time};
use crate::logs::{LogFilter, Order, PAGE_LINES_MAX};
use crate::model::{LogId, Timestamp};

use super::wanted::WantedLines;

/// The parameters of [`filter`].
pub(super) const FILTER: [&str; 13] = [
    "from",
    "until",
    "level",
    "levels",
    "source",
    "feature",
    "environment",
    "trace_id",
    "user_id",
    "q",
    "case",
    "regex",
    "timeout",
];
/// Lines of one page, unless asked for another number.
const PAGE: usize = 100;
/// From so many on a number is a time in milliseconds: in seconds it would be in the year 5138.
const MILLIS_FROM: f64 = 1e11;

/// Refuses parameters that nobody asks for here: a filter that is misspelt would else be taken for
/// one that lets everything through.
pub(super) fn refuse_unknown(params: &Params, own: &[&str]) -> Result<(), ApiError> {
    let known = |name: &str| FILTER.contains(&name) || own.contains(&name);
    match params.names().find(|name| !known(name)) {
        None => Ok(()),
        Some(name) => Err(ApiError::bad_data(format!(
            "unknown parameter {name:?}; use {}",
            FILTER.iter().chain(own).copied().collect::<Vec<_>>().join(", ")
        ))),
    }
}

/// A time: RFC 3339, Unix seconds with a fraction, or Unix milliseconds.
fn time(params: &Params, name: &str) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = params.get(name) else { return Ok(None) };
    match text.parse::<f64>() {
        Ok(number) if number.abs() >= MILLIS_FROM && number.is_finite() => {
            Ok(Some(Timestamp::from_millis(number as i64)))
        }
        _ => parse_time(text).map(Some).map_err(|error| ApiError::parameter(name, error)),
    }
}

/// Which lines are asked for.
pub(super) fn filter(params: &Params) -> Result<LogFilter, ApiError> {
    let (from, until) = (time(params, "from")?, time(params, "until")?);
    if let (Some(from), Some(until)) = (from, until)
        && until < from
    {
        return Err(ApiError::parameter("until", "is before from"));
    }
    Ok(LogFilter { from, until, ..WantedLines::of_params(params)?.filter()? })
}

/// `order`: newest (unless it says) or oldest first.
pub(super) fn order(params: &Params) -> Result<Order, ApiError> {
    match params.get("order") {
        None | Some("newest") => Ok(Order::Newest),
        Some("oldest") => Ok(Order::Oldest),
        Some(other) => {
            Err(ApiError::parameter("order", format!("{other:?} is neither newest nor oldest")))
        }
    }
}

/// `after`: the cursor of the page before.
pub(super) fn after(params: &Params) -> Result<Option<LogId>, ApiError> {
    let id = params.get("after").map(|text| text.parse());
    id.transpose().map_err(|error| ApiError::parameter("after", error))
}

/// `limit`: lines of a page.
pub(super) fn limit(params: &Params) -> Result<usize, ApiError> {
    match params.limit()? {
        None => Ok(PAGE),
        Some(limit) if limit <= PAGE_LINES_MAX => Ok(limit),
        Some(limit) => Err(ApiError::parameter(
            "limit",
            format!("{limit} lines; a page has at most {PAGE_LINES_MAX}, an export any number"),
        )),
    }
}

/// A whole number within bounds.
pub(super) fn count(
    params: &Params,
    name: &str,
    default: usize,
    max: usize,
) -> Result<usize, ApiError> {
    let Some(text) = params.get(name) else { return Ok(default) };
    match text.parse::<usize>() {
        Ok(count) if count <= max => Ok(count),
        _ => Err(ApiError::parameter(name, format!("{text:?} is not from 0 to {max}"))),
    }
}

/// `step`, in milliseconds: seconds, or Prometheus's notation.
pub(super) fn step_ms(params: &Params) -> Result<Option<i64>, ApiError> {
    let Some(text) = params.get("step") else { return Ok(None) };
    let step = parse_duration(text).map_err(|error| ApiError::parameter("step", error))?;
    if step < 1 {
        return Err(ApiError::parameter("step", "is to be a millisecond or more"));
    }
    Ok(Some(step))
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use axum::http::HeaderMap;

    use super::*;
    use crate::model::{LogLevel, LogLine};

    fn params(query: &str) -> Params {
        let uri = format!("/x?{query}").parse().expect("a URI");
        Params::read(&uri, &HeaderMap::new(), &Bytes::new()).expect("readable")
    }

    fn line() -> LogLine {
        LogLine {
            time: Timestamp::from_millis(1_767_225_600_000),
            level: LogLevel::Warn,
            message: "Disk is slow".to_owned(),
            source: "db,main".to_owned(),
            feature: "search".to_owned(),
            ..LogLine::default()
        }
    }

    #[test]
    fn what_is_asked_for_decides() {
        for (query, matches) in [
            ("", true),
            ("level=info", true),
            ("level=error", false),
            ("levels=warn,fatal", true),
            ("levels=info&levels=error", false),
            // A name may have a comma.
            ("source=db%2Cmain", true),
            ("source=api&source=db,main", true),
            ("source=db", false),
            ("feature=search&environment=", true),
            ("q=SLOW", true),
            ("q=SLOW&case=1", false),
            ("regex=s.ow$", true),
            // The same time three ways; `until` is not included.
            ("from=1767225600", true),
            ("from=1767225600000", true),
            ("from=2026-01-01T00:00:00Z", true),
            ("until=1767225600", false),
            ("until=1767225600.001", true),
        ] {
            let filter = filter(&params(query)).expect(query);
            assert_eq!(filter.matches(&line()), matches, "{query}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        let long = format!("q={}", "x".repeat(5000));
        for (query, name) in [
            ("level=loud", "level"),
            ("levels=warn,loud", "levels"),
            ("level=warn&levels=error", "level"),
            ("q=a&regex=b", "regex"),
            ("regex=(", "regex"),
            ("case=yes", "case"),
            ("from=yesterday", "from"),
            ("from=2000&until=1000", "until"),
            (long.as_str(), "q"),
        ] {
            let error = filter(&params(query)).expect_err(query);
            assert!(error.message.contains(&format!("{name:?}")), "{query}: {}", error.message);
        }
        for query in ["limit=5001", "limit=-1", "limit=x"] {
            assert!(limit(&params(query)).is_err(), "{query}");
        }
        assert!(order(&params("order=random")).is_err());
        assert!(after(&params("after=x")).is_err());
        let error = refuse_unknown(&params("levle=warn"), &["limit"]).expect_err("unknown");
        assert!(error.message.contains("\"levle\"") && error.message.contains("limit"));
    }
}
