//! Which lines a request asks for, by its parameters.

use crate::api::ApiError;
use crate::api::params::{Params, parse_duration, parse_time};
use crate::logs::{LogFilter, Order, PAGE_LINES_MAX, TextMatch};
use crate::model::{LogId, LogLevel, LogLevels, Timestamp};

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
/// Values of one parameter that may be given many times.
const VALUES_MAX: usize = 100;
/// The longest value, in bytes. Expressions have a bound of their own besides.
const VALUE_BYTES_MAX: usize = 4096;
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

/// The values of a parameter that may be given many times: any of them.
fn any_of(params: &Params, name: &str) -> Result<Vec<String>, ApiError> {
    let values: Vec<String> = params.all(name).map(str::to_owned).collect();
    if values.len() > VALUES_MAX {
        let said = format!("{} values; give at most {VALUES_MAX}", values.len());
        return Err(ApiError::parameter(name, said));
    }
    for value in &values {
        bounded(name, value)?;
    }
    Ok(values)
}

fn bounded<'v>(name: &str, value: &'v str) -> Result<&'v str, ApiError> {
    if value.len() <= VALUE_BYTES_MAX {
        return Ok(value);
    }
    let said = format!("{} bytes; give at most {VALUE_BYTES_MAX}", value.len());
    Err(ApiError::parameter(name, said))
}

/// One value, if it is given.
fn one(params: &Params, name: &str) -> Result<Option<String>, ApiError> {
    params.get(name).map(|value| bounded(name, value).map(str::to_owned)).transpose()
}

fn levels(params: &Params) -> Result<LogLevels, ApiError> {
    let read = |name: &str, text: &str| {
        text.parse::<LogLevel>().map_err(|error| ApiError::parameter(name, error))
    };
    let each: Vec<&str> = params
        .all("levels")
        .flat_map(|text| text.split(','))
        .filter(|word| !word.trim().is_empty())
        .collect();
    match (params.get("level"), each.as_slice()) {
        (None, []) => Ok(LogLevels::ALL),
        (Some(least), []) => Ok(LogLevels::from_level_up(read("level", least)?)),
        (None, each) => {
            each.iter().try_fold(LogLevels::NONE, |set, text| Ok(set.with(read("levels", text)?)))
        }
        (Some(_), _) => Err(ApiError::parameter(
            "level",
            "give level, the mildest, or levels, which ones exactly; not both",
        )),
    }
}

fn text(params: &Params) -> Result<Option<TextMatch>, ApiError> {
    let ignore_case = match params.get("case") {
        None | Some("0" | "false") => true,
        Some("1" | "true") => false,
        Some(other) => {
            return Err(ApiError::parameter("case", format!("{other:?} is neither 0 nor 1")));
        }
    };
    match (one(params, "q")?, one(params, "regex")?) {
        (None, None) => Ok(None),
        (Some(text), None) => Ok(Some(TextMatch::substring(&text, ignore_case))),
        (None, Some(pattern)) => {
            let pattern = TextMatch::regex(&pattern);
            pattern.map(Some).map_err(|error| ApiError::parameter("regex", error))
        }
        (Some(_), Some(_)) => {
            Err(ApiError::parameter("regex", "give q, a text, or regex, an expression; not both"))
        }
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
    Ok(LogFilter {
        from,
        until,
        levels: levels(params)?,
        sources: any_of(params, "source")?,
        features: any_of(params, "feature")?,
        environments: any_of(params, "environment")?,
        trace_id: one(params, "trace_id")?,
        user_id: one(params, "user_id")?,
        text: text(params)?,
    })
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
    use crate::model::LogLine;

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
