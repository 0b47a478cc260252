//! The router over a real database, without a network.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::clock::ManualClock;
use crate::config::{AuthMode, FileToken, Role, Settings, TokenHash};
use crate::promql::{Answer, Options, QueryError, Source};
use crate::store::{DiskMedium, Store, StoreOptions};
use crate::telemetry::Telemetry;
use crate::tsdb::{Tsdb, TsdbOptions};

mod backtest;
mod definitions;
mod histograms;
mod incidents;
mod logs;
mod overview;
mod places;
mod remote_write;
mod served;
mod session;
mod silences;
mod stats;

pub(super) use served::{NOW_S, Served, ask, get, send, serve, serve_paced};

use super::params::Params;
use super::query::{Asked, run};
use super::state::App;
use super::{ErrorKind, router};

#[tokio::test]
async fn an_instant_query_answers_by_get_and_by_form() {
    let served = serve(Settings::default());
    let (status, by_get) = get(&served, "/api/v1/query?query=sum(up)&time=1767225600").await;
    assert_eq!(status, 200);
    assert_eq!(by_get["data"]["resultType"], "vector");
    assert_eq!(by_get["data"]["result"][0]["value"], serde_json::json!([NOW_S, "1"]));
    let form = Request::post("/api/v1/query")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from("query=sum%28up%29"))
        .expect("a request");
    assert_eq!(ask(&served, form).await, (StatusCode::OK, by_get));
}

#[tokio::test]
async fn a_range_query_answers_a_matrix() {
    let served = serve(Settings::default());
    let path = format!("/api/v1/query_range?query=load&start={}&end={NOW_S}&step=1m", NOW_S - 120);
    let (status, answer) = get(&served, &path).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(
        answer["data"]["result"][0]["values"],
        serde_json::json!([[NOW_S - 120, "0.25"], [NOW_S - 60, "0.25"], [NOW_S, "0.25"]])
    );
}

#[tokio::test]
async fn bad_queries_are_refused_in_prometheus_words() {
    let served = serve(Settings::default());
    for (path, message) in [
        ("/api/v1/query?query=up%7B", "invalid parameter \"query\": 1:4: parse error: "),
        (
            "/api/v1/query?query=up&time=x",
            "invalid parameter \"time\": cannot parse \"x\" to a valid timestamp",
        ),
        (
            "/api/v1/query_range?query=up&start=2&end=1&step=1",
            "invalid parameter \"end\": end timestamp must not be before start time",
        ),
        (
            "/api/v1/query_range?query=up&start=1&end=2&step=0",
            "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer",
        ),
        (
            "/api/v1/query_range?query=up&start=0&end=11001&step=1",
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ),
        ("/api/v1/series", "no match[] parameter provided"),
        ("/api/v1/series?match[]=%7Ba%3D%22%22%7D", "invalid parameter \"match[]\": "),
    ] {
        let (status, answer) = get(&served, path).await;
        assert_eq!(status, 400, "{path}");
        assert_eq!(answer["errorType"], "bad_data");
        let error = answer["error"].as_str().expect("a text");
        assert!(error.starts_with(message), "{path}: {error}");
    }
}

/// Prometheus takes its global evaluation interval (`NoStepSubqueryIntervalFn`).
#[tokio::test]
async fn a_subquery_without_a_step_takes_the_evaluation_interval_of_rules() {
    let mut settings = Settings::default();
    for (seconds, steps) in [(60, "60"), (1800, "2")] {
        settings.rules.evaluation_interval = crate::config::Period::from_secs(seconds);
        let served = serve(settings.clone());
        let path = "/api/v1/query?query=count_over_time(vector(1)%5B1h:%5D)&time=7200";
        let (_, answer) = get(&served, path).await;
        assert_eq!(answer["data"]["result"][0]["value"][1], steps, "{seconds} s: {answer}");
    }
}

#[tokio::test]
async fn series_labels_and_values_are_listed() {
    let served = serve(Settings::default());
    let (_, names) = get(&served, "/api/v1/labels").await;
    assert_eq!(names["data"], serde_json::json!(["__name__", "job"]));
    let (_, values) = get(&served, "/api/v1/label/job/values?match[]=up").await;
    assert_eq!(values["data"], serde_json::json!(["db", "node"]));
    let (_, none) = get(&served, "/api/v1/label/job/values?end=1000").await;
    assert_eq!(none["data"], serde_json::json!([]));
    let (_, series) = get(&served, "/api/v1/series?match[]=load").await;
    assert_eq!(series["data"], serde_json::json!([{"__name__": "load", "job": "node"}]));
    let (_, cut) = get(&served, "/api/v1/label/job/values?limit=1").await;
    assert_eq!(cut["warnings"], serde_json::json!(["results truncated due to limit"]));
}

#[tokio::test]
async fn a_query_that_may_take_no_time_times_out() {
    let served = serve(Settings::default());
    let (status, answer) = get(&served, "/api/v1/query?query=sum(up)&timeout=0").await;
    assert_eq!((status.as_u16(), &answer["errorType"]), (503, &Value::from("timeout")));
}

#[tokio::test]
async fn a_daemon_that_recovers_is_healthy_but_not_ready() {
    let (reloads, _) = mpsc::channel(1);
    let clock = Arc::new(ManualClock::default());
    let address = "127.0.0.1:1".parse().expect("an address");
    let app = App::new(Settings::default(), address, clock, Arc::new(Telemetry::new()), reloads);
    app.recovering(0.43);
    let served = Served {
        router: router(Arc::clone(&app)),
        app,
        _directory: tempfile::tempdir().expect("a directory"),
        _settings: None,
    };
    assert_eq!(get(&served, "/-/healthy").await.0, 200);
    let (status, answer) = get(&served, "/-/ready").await;
    assert_eq!(status, 503);
    assert_eq!(answer["error"], "recovering the database: 43 %");
    assert_eq!(get(&served, "/api/v1/query?query=up").await.0, 503);
}

#[tokio::test]
async fn the_first_token_closes_the_open_door_at_once() {
    let served = serve(Settings::default());
    let body = r#"{"name":"grafana","role":"viewer"}"#;
    let (status, made) = send(&served, Method::POST, "/api/v1/admin/tokens", body).await;
    assert_eq!(status, 200, "{made}");
    assert_eq!(get(&served, "/api/v1/labels").await.0, 401);
    let token = made["data"]["token"].as_str().expect("a token");
    let with_token = |path: &str| {
        Request::get(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Body::empty())
            .expect("a request")
    };
    assert_eq!(ask(&served, with_token("/api/v1/labels")).await.0, 200);
    assert_eq!(ask(&served, with_token("/api/v1/admin/tokens")).await.0, 403);
}

#[tokio::test]
async fn requests_for_other_names_are_turned_away_while_only_loopback_protects() {
    let served = serve(Settings::default());
    let rebound = |host: &str| {
        Request::get("/api/v1/labels")
            .header(header::HOST, host)
            .body(Body::empty())
            .expect("a request")
    };
    assert_eq!(ask(&served, rebound("evil.example:9077")).await.0, 403);
    assert_eq!(ask(&served, rebound("127.0.0.1:9077")).await.0, 200);
    let mut settings = Settings::default();
    settings.auth.mode = AuthMode::Token;
    settings.auth.tokens.push(FileToken {
        name: "a".to_owned(),
        role: Role::Viewer,
        hash: TokenHash::of("t"),
    });
    served.app.take_up(settings).expect("taken up");
    let mut request = rebound("evil.example:9077");
    request.headers_mut().insert(header::AUTHORIZATION, "Bearer t".parse().expect("a value"));
    assert_eq!(ask(&served, request).await.0, 200);
}

#[tokio::test]
async fn unknown_paths_and_methods_say_so_in_the_envelope() {
    let served = serve(Settings::default());
    let (status, answer) = get(&served, "/api/v1/nothing").await;
    assert_eq!((status.as_u16(), &answer["errorType"]), (404, &Value::from("not_found")));
    let (status, answer) = send(&served, Method::DELETE, "/api/v1/query", "").await;
    assert_eq!((status.as_u16(), &answer["status"]), (405, &Value::from("error")));
}

#[tokio::test]
async fn a_backup_is_a_database_of_its_own() {
    let served = serve(Settings::default());
    let directory = tempfile::tempdir().expect("a directory");
    let target = directory.path().join("copy.redb");
    let body = serde_json::json!({"path": target}).to_string();
    let (status, answer) = send(&served, Method::POST, "/api/v1/admin/backup", &body).await;
    assert_eq!(status, 200, "{answer}");
    let medium = DiskMedium::open(&target).expect("opens");
    let store = Store::open(Arc::new(medium), StoreOptions::default(), &|_| {}).expect("opens");
    let (tsdb, _) = Tsdb::open(Arc::new(store), TsdbOptions::default(), &|_| {}).expect("opens");
    assert_eq!(tsdb.series_count(), 3);
    let (status, again) = send(&served, Method::POST, "/api/v1/admin/backup", &body).await;
    assert_eq!(status, 422, "{again}");
}

#[tokio::test]
async fn json_samples_are_readable_as_soon_as_they_are_acknowledged() {
    let served = serve(Settings::default());
    let body = r#"{"samples":[{"name":"queue_depth","value":42,"labels":{"job":"orders"},"type":"gauge","at":"2026-01-01T00:00:00Z"}]}"#;
    let (status, answer) = send(&served, Method::POST, "/api/v1/samples", body).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["data"]["written"], 1);
    let (_, read) = get(&served, "/api/v1/query?query=queue_depth").await;
    assert_eq!(read["data"]["result"][0]["value"][1], "42");
    let (_, metadata) = get(&served, "/api/v1/metadata?metric=queue_depth").await;
    assert_eq!(metadata["data"]["queue_depth"][0]["type"], "gauge");
}

#[tokio::test]
async fn a_batch_with_bad_samples_keeps_the_good_ones_and_names_the_bad() {
    let served = serve(Settings::default());
    let body = r#"{"samples":[{"name":"good","value":1},{"name":"bad","value":1,"at":"1999-01-01T00:00:00Z"}]}"#;
    let (status, answer) = send(&served, Method::POST, "/api/v1/samples", body).await;
    assert_eq!(status, 400);
    let error = answer["error"].as_str().expect("a text");
    assert!(error.contains("1 samples written") && error.contains("bad"), "{error}");
    let (_, read) = get(&served, "/api/v1/query?query=good").await;
    assert_eq!(read["data"]["result"][0]["value"][1], "1");
}

#[tokio::test]
async fn an_exposition_is_imported_with_its_metadata() {
    let served = serve(Settings::default());
    let body = "# HELP jobs_total Jobs done.\n# TYPE jobs_total counter\njobs_total{a=\"1\"} 3\n";
    let (status, answer) = send(&served, Method::POST, "/api/v1/import/prometheus", body).await;
    assert_eq!((status.as_u16(), &answer["data"]["written"]), (200, &Value::from(1)));
    let (_, read) = get(&served, "/api/v1/query?query=jobs_total").await;
    assert_eq!(read["data"]["result"][0]["metric"]["a"], "1");
    let (_, metadata) = get(&served, "/api/v1/metadata?metric=jobs_total").await;
    assert_eq!(metadata["data"]["jobs_total"][0]["help"], "Jobs done.");
    let (status, _) = send(&served, Method::POST, "/api/v1/import/prometheus", "a{\n").await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_413() {
    let mut settings = Settings::default();
    settings.limits.body_bytes_max = 16;
    let served = serve(settings);
    let body = "{\"name\":\"a_metric\",\"value\":1}";
    let (status, answer) = send(&served, Method::POST, "/api/v1/samples", body).await;
    assert_eq!(status, 413);
    assert!(answer["error"].as_str().expect("a text").contains("limits.body_bytes_max"));
}

#[tokio::test]
async fn a_compaction_moves_memory_into_blocks_and_loses_nothing() {
    let served = serve(Settings::default());
    let (status, answer) = send(&served, Method::POST, "/api/v1/admin/compact", "").await;
    // Three series of ten samples, as `serve` wrote them.
    assert_eq!((status.as_u16(), &answer["data"]["flushed_samples"]), (200, &Value::from(30)));
    let (_, read) = get(&served, "/api/v1/query?query=count_over_time(load[1h])").await;
    assert_eq!(read["data"]["result"][0]["value"][1], "10");
}

fn asked(served: &Served, timeout: Duration) -> Asked {
    let mut asked = Asked::read(&served.app, &Params::default()).expect("readable");
    asked.timeout = timeout;
    asked
}

/// Evaluates until it is told to stop, says that it began, and says why it ended.
fn endless(
    began: std::sync::mpsc::Sender<()>,
    ended: std::sync::mpsc::Sender<QueryError>,
) -> impl FnOnce(&dyn Source, &Options) -> Result<Answer, QueryError> + Send + 'static {
    move |_, options| {
        began.send(()).expect("somebody listens");
        loop {
            if let Err(why) = options.stop.check() {
                // The test may have ended.
                let _ = ended.send(why.clone());
                return Err(why);
            }
            std::thread::yield_now();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_stops_when_its_time_is_up_and_when_its_client_leaves() {
    let served = serve(Settings::default());
    let (began, begun) = std::sync::mpsc::channel();
    let (ended, why) = std::sync::mpsc::channel();
    let short = asked(&served, Duration::from_millis(50));
    let outcome =
        run(&served.app, &short, String::new(), endless(began.clone(), ended.clone())).await;
    assert_eq!(outcome.expect_err("stopped").kind, ErrorKind::Timeout);
    assert_eq!(why.recv().expect("ended"), QueryError::Timeout);
    begun.recv().expect("begun");

    let app = Arc::clone(&served.app);
    let long = asked(&served, Duration::from_secs(600));
    let client =
        tokio::spawn(async move { run(&app, &long, String::new(), endless(began, ended)).await });
    tokio::task::spawn_blocking(move || begun.recv()).await.expect("waits").expect("begun");
    client.abort();
    let why = tokio::task::spawn_blocking(move || why.recv()).await.expect("waits");
    assert_eq!(why.expect("ended"), QueryError::Cancelled);
}
