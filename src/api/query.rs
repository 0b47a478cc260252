//! PromQL over HTTP: `query`, `query_range`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;

use crate::promql::{self, Answer, Options, QueryError, Stop};

use super::answer::{Stats, render, statistics};
use super::params::Params;
use super::request::read_params;
use super::state::App;
use super::{ApiError, ErrorKind};

type Answered = Result<Response<Body>, ApiError>;

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        let kind = match &error {
            // The query was understood and refused before its evaluation.
            QueryError::BadData(reason) => return ApiError::parameter("query", reason),
            QueryError::Execution(_) | QueryError::TooManySamples(_) => ErrorKind::Execution,
            QueryError::Timeout => ErrorKind::Timeout,
            QueryError::Cancelled => ErrorKind::Canceled,
            QueryError::Storage(reason) => return ApiError::internal(reason),
        };
        ApiError::new(kind, error.to_string())
    }
}

/// `/api/v1/query`
pub(super) async fn instant(State(app): State<Arc<App>>, request: Request) -> Answered {
    let params = read_params(&app, request).await?;
    let text = params.get("query").unwrap_or("").to_owned();
    let at = params.time("time")?.unwrap_or_else(|| app.clock.now());
    let expr = parse_query(&text)?;
    let asked = Asked::read(&app, &params)?;
    run(&app, &asked, text, move |reader, options| promql::instant(reader, &expr, at, options))
        .await
}

/// `/api/v1/query_range`
pub(super) async fn range(State(app): State<Arc<App>>, request: Request) -> Answered {
    let params = read_params(&app, request).await?;
    let start = params.required_time("start")?;
    let end = params.required_time("end")?;
    if end < start {
        return Err(ApiError::parameter("end", "end timestamp must not be before start time"));
    }
    let step_ms = super::params::parse_duration(params.get("step").unwrap_or(""))
        .map_err(|error| ApiError::parameter("step", error))?;
    if step_ms <= 0 {
        return Err(ApiError::parameter(
            "step",
            "zero or negative query resolution step widths are not accepted. \
             Try a positive integer",
        ));
    }
    let max_points = app.settings.load().query.max_points as i64;
    if end.since(start) / step_ms > max_points {
        return Err(ApiError::bad_data(format!(
            "exceeded maximum resolution of {} points per timeseries. \
             Try decreasing the query resolution (?step=XX)",
            with_thousands(max_points)
        )));
    }
    let text = params.get("query").unwrap_or("").to_owned();
    let expr = parse_query(&text)?;
    let asked = Asked::read(&app, &params)?;
    run(&app, &asked, text, move |reader, options| {
        promql::range(reader, &expr, start, end, step_ms, options)
    })
    .await
}

/// The query of a request.
pub(super) fn parse_query(text: &str) -> Result<promql::Expr, ApiError> {
    promql::parse(text).map_err(|error| ApiError::parameter("query", error))
}

/// `11,000`, as Prometheus writes it in its message.
fn with_thousands(number: i64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// What a request asks for besides the query itself.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) timeout: Duration,
    lookback_ms: i64,
    default_subquery_step_ms: i64,
    max_samples: u64,
    limit: Option<usize>,
    stats: Stats,
}

impl Asked {
    pub(super) fn read(app: &App, params: &Params) -> Result<Self, ApiError> {
        let settings = app.settings.load();
        let mut timeout = settings.query.timeout.duration();
        if let Some(asked_ms) = params.duration_ms("timeout")? {
            timeout = timeout.min(Duration::from_millis(asked_ms.max(0).unsigned_abs()));
        }
        let lookback_ms = match params.get("lookback_delta") {
            None => settings.query.lookback_delta.millis(),
            Some(text) => {
                let asked = super::params::parse_duration(text).map_err(|error| {
                    ApiError::bad_data(format!("error parsing lookback delta duration: {error}"))
                })?;
                // Prometheus takes its default for anything that is not positive.
                if asked > 0 { asked } else { settings.query.lookback_delta.millis() }
            }
        };
        Ok(Asked {
            timeout,
            lookback_ms,
            // As in Prometheus: rules and requests see the same subqueries.
            default_subquery_step_ms: settings.rules.evaluation_interval.millis(),
            max_samples: settings.query.max_samples as u64,
            limit: params.limit()?,
            stats: match params.get("stats") {
                None => Stats::None,
                Some("all") => Stats::PerStep,
                Some(_) => Stats::Totals,
            },
        })
    }
}

/// Stops an evaluation when the request that asked for it is dropped: its client went away.
struct StopOnDrop(Arc<Stop>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Waits for a place, evaluates on a thread of its own and writes the answer there. `text` is the
/// query, in which warnings have their places.
pub(super) async fn run(
    app: &Arc<App>,
    asked: &Asked,
    text: String,
    evaluate: impl FnOnce(&dyn promql::Source, &Options) -> Result<Answer, QueryError> + Send + 'static,
) -> Answered {
    let outcome = run_bounded(app, asked, text, evaluate).await;
    if let Err(error) = &outcome {
        app.telemetry.query_failures.add([error.kind.as_str()], 1);
    }
    outcome
}

async fn run_bounded(
    app: &Arc<App>,
    asked: &Asked,
    text: String,
    evaluate: impl FnOnce(&dyn promql::Source, &Options) -> Result<Answer, QueryError> + Send + 'static,
) -> Answered {
    let (limit, wanted) = (asked.limit, asked.stats);
    in_a_place(app, asked, move |source, options, queued| {
        let began = Instant::now();
        let answer = evaluate(source, options).map_err(|error| error.located(&text))?;
        let stats = statistics(&answer, wanted, queued, queued + began.elapsed());
        Ok(render(answer, &text, limit, stats))
    })
    .await
}

/// Waits for one of the places for queries and works there, on a thread of its own, over one view
/// of the samples. `work` also hears how long it waited. It is stopped when the time is up or the
/// caller leaves.
pub(super) async fn in_a_place<T: Send + 'static>(
    app: &Arc<App>,
    asked: &Asked,
    work: impl FnOnce(&dyn promql::Source, &Options, Duration) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let tsdb = Arc::clone(&app.engine()?.tsdb);
    let began = Instant::now();
    let deadline = tokio::time::Instant::now() + asked.timeout;
    let place = match tokio::time::timeout_at(deadline, app.queries().acquire_owned()).await {
        // The wait for a place may have used up all of the time.
        Ok(Ok(place)) if tokio::time::Instant::now() < deadline => place,
        _ => {
            return Err(ApiError::new(
                ErrorKind::Timeout,
                "query timed out in query queue; ask less often or raise query.concurrency",
            ));
        }
    };
    let queued = began.elapsed();
    let stop = Arc::new(Stop::default());
    let options = Options {
        lookback_ms: asked.lookback_ms,
        default_subquery_step_ms: asked.default_subquery_step_ms,
        max_samples: asked.max_samples,
        count_samples: asked.stats != Stats::None,
        stop: Arc::clone(&stop),
    };
    let _stop_on_drop = StopOnDrop(Arc::clone(&stop));
    let telemetry = Arc::clone(&app.telemetry);
    telemetry.queries_running.add(1);
    let mut working = tokio::task::spawn_blocking(move || {
        let _place = place;
        let reader = tsdb.reader().map_err(ApiError::internal);
        let outcome = reader.and_then(|reader| work(&reader, &options, queued));
        telemetry.queries_running.add(-1);
        telemetry.query_duration.observe(began.elapsed() - queued);
        outcome
    });
    let finished = tokio::select! {
        finished = &mut working => finished,
        () = tokio::time::sleep_until(deadline) => {
            stop.time_out();
            working.await
        }
    };
    finished.map_err(|_| ApiError::internal("a query panicked"))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_points_is_written_with_thousands() {
        assert_eq!(with_thousands(11_000), "11,000");
        assert_eq!(with_thousands(999), "999");
        assert_eq!(with_thousands(1_234_567), "1,234,567");
    }
}
