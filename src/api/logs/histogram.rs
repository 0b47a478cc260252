//! `GET /api/v1/logs/histogram`: how many lines of each level there were over time.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;

use crate::api::ApiError;
use crate::api::state::App;
use crate::engine::logs::LogBucket;
use crate::model::LogLevel;

use super::bounded::{search, timeout};
use super::parameters;
use super::read::{answer, params_of};

/// What is looked at unless `from` says, in milliseconds.
const SPAN_MS: i64 = 3_600_000;
/// Steps of an answer, at most, unless `step` says.
const STEPS: i64 = 60;
/// The most that may be asked for.
const STEPS_MAX: i64 = 10_000;
/// Steps that people can read, in seconds.
const NICE_S: [i64; 17] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400];

/// The shortest of the steps that people can read with which a span has at most [`STEPS`].
fn nice_step_ms(span_ms: i64) -> i64 {
    let fits = |step_s: &&i64| span_ms / (**step_s * 1000) <= STEPS;
    match NICE_S.iter().find(fits) {
        Some(step_s) => step_s * 1000,
        // Whole days.
        None => (span_ms / STEPS / 86_400_000 + 1) * 86_400_000,
    }
}

/// `GET /api/v1/logs/histogram?from=&until=&step=&level=&source=&…`
pub(super) async fn histogram(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let params = params_of(&request)?;
    parameters::refuse_unknown(&params, &["step"])?;
    let filter = parameters::filter(&params)?;
    // The present millisecond is part of it.
    let until = filter.until.unwrap_or_else(|| app.clock.now().plus_millis(1));
    let from = filter.from.unwrap_or_else(|| until.plus_millis(-SPAN_MS));
    if until <= from {
        return Err(ApiError::parameter("until", "is not after from"));
    }
    let span_ms = until.since(from);
    let step_ms = parameters::step_ms(&params)?.unwrap_or_else(|| nice_step_ms(span_ms));
    if span_ms / step_ms >= STEPS_MAX {
        let said = format!("makes more than {STEPS_MAX} steps; make it longer");
        return Err(ApiError::parameter("step", said));
    }
    let timeout = timeout(&app, &params)?;
    let body = search(&app, timeout, move |logs, stop| {
        let buckets = logs.histogram(&filter, from, until, step_ms, stop)?;
        Ok(shown(&buckets, step_ms))
    })
    .await?;
    Ok(answer(body))
}

/// `{"status":"success","data":[{"from":"…","debug":0,…}],"step":60}`
fn shown(buckets: &[LogBucket], step_ms: i64) -> String {
    let mut out = String::from("{\"status\":\"success\",\"data\":[");
    for (place, bucket) in buckets.iter().enumerate() {
        let between = if place == 0 { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(out, "{between}{{\"from\":\"{}\"", bucket.from);
        for (level, count) in LogLevel::ALL.into_iter().zip(bucket.counts) {
            let _ = write!(out, ",\"{level}\":{count}");
        }
        out.push('}');
    }
    let _ = write!(out, "],\"step\":{}}}", crate::api::json::seconds(step_ms));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_such_as_people_can_read_and_not_too_many() {
        for (span_s, step_s) in
            [(1, 1), (60, 1), (3_600, 60), (86_400, 1_800), (14 * 86_400, 21_600)]
        {
            assert_eq!(nice_step_ms(span_s * 1000), step_s * 1000, "{span_s}");
        }
        let year = 400 * 86_400_000;
        assert!(year / nice_step_ms(year) <= STEPS);
        assert_eq!(nice_step_ms(year) % 86_400_000, 0);
    }
}
