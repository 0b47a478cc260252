//! The router over a real database, without a network.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::sync::mpsc;
use tower::ServiceExt as _;

use crate::clock::ManualClock;
use crate::collect::targets::Targets;
use crate::config::{Limits, Settings};
use crate::engine::checker::{Checker, CheckerParts};
use crate::engine::configurations::Configurations;
use crate::engine::experiments::ledger::Ledger;
use crate::engine::experiments::runtime::{Experiments, Parts};
use crate::engine::feed::Feed;
use crate::engine::logs::{LogRetention, Logs};
use crate::engine::outbox::Outbox;
use crate::engine::outcomes::OutcomeSeries;
use crate::engine::overview::{Overview, OverviewParts};
use crate::engine::ruler::Ruler;
use crate::engine::watch::{Catalog, ExternalAlerts, Muting, Silences, Watch};
use crate::engine::{Pipeline, Policy};
use crate::experiments::Board;
use crate::model::{Labels, Timestamp};
use crate::store::{DiskMedium, Store, StoreOptions};
use crate::telemetry::Telemetry;
use crate::tsdb::{Retention, Tsdb, TsdbOptions};

use crate::api::live::Live;
use crate::api::state::{App, Engine};
use crate::api::{Pace, router};

/// The time of all tests: 2026-01-01T00:00:00Z.
pub(in crate::api) const NOW_S: i64 = 1_767_225_600;

pub(in crate::api) struct Served {
    pub(in crate::api) app: Arc<App>,
    pub(in crate::api) router: Router,
    pub(in crate::api) _directory: tempfile::TempDir,
    /// Tasks of the overview end with it.
    pub(in crate::api) _settings: Option<tokio::sync::watch::Sender<Arc<Settings>>>,
}

pub(in crate::api) fn serve(settings: Settings) -> Served {
    serve_paced(settings, Pace::default())
}

/// The same, with clients of the live feed served at another pace.
pub(in crate::api) fn serve_paced(settings: Settings, pace: Pace) -> Served {
    let directory = tempfile::tempdir().expect("a directory");
    let medium = DiskMedium::open(&directory.path().join("x.redb")).expect("opens");
    let store = Store::open(Arc::new(medium), StoreOptions::default(), &|_| {}).expect("opens");
    let (tsdb, _) = Tsdb::open(Arc::new(store), TsdbOptions::default(), &|_| {}).expect("opens");
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(NOW_S * 1000)));
    let (reloads, _) = mpsc::channel(1);
    let address = "127.0.0.1:9077".parse().expect("an address");
    let mut app = App::new(settings, address, clock, Arc::new(Telemetry::new()), reloads);
    Arc::get_mut(&mut app).expect("nobody else has it yet").live = Live::new(pace);
    let mut builder = tsdb.batch();
    for (name, job, value) in [("up", "node", 1.0), ("up", "db", 0.0), ("load", "node", 0.25)] {
        let labels = Labels::from_pairs([("__name__", name), ("job", job)]).expect("valid");
        for minute in 0..10 {
            let at = Timestamp::from_millis((NOW_S - minute * 60) * 1000);
            builder.push_labels(&labels, at, value);
        }
    }
    let batch = builder.finish();
    tsdb.write(&[batch]).expect("written");
    let tsdb = Arc::new(tsdb);
    let pipeline = Pipeline::new(
        Arc::clone(&tsdb),
        Arc::clone(&app.clock),
        Arc::clone(&app.telemetry),
        Policy {
            limits: Limits::default(),
            retention: Retention::default(),
            free_bytes_min: Some(0),
        },
    )
    .expect("started");
    let (sink, _) = mpsc::channel(1);
    let targets = Targets::new(sink, Arc::clone(&app.clock), Arc::clone(&app.telemetry));
    let (_, changed) = tokio::sync::watch::channel(app.settings.load_full());
    let clock = Arc::clone(&app.clock);
    let catalog = Arc::new(Catalog::open(tsdb.store()).expect("readable"));
    let feed = Feed::new(Arc::clone(&app.clock));
    let watch = Watch::start(Arc::clone(&tsdb), Arc::clone(&app.clock), feed.clone());
    let watch = watch.expect("starts");
    let (places, definitions) = (app.query_places(), Arc::clone(&catalog));
    let ruler =
        Ruler::new(pipeline.clone(), clock, changed.clone(), places, watch.clone(), definitions);
    let ruler = Arc::new(ruler);
    let (clock, counts) = (Arc::clone(&app.clock), Arc::clone(&app.telemetry));
    let outbox = Arc::new(Outbox::start(&watch, &catalog, changed, clock, counts, || Ok(())));
    let parts = CheckerParts {
        pipeline: pipeline.clone(),
        watch: watch.clone(),
        catalog: Arc::clone(&catalog),
        clock: Arc::clone(&app.clock),
        telemetry: Arc::clone(&app.telemetry),
    };
    let settings = tokio::sync::watch::Sender::new(app.settings.load_full());
    let checker = Arc::new(Checker::start(parts, settings.subscribe()).expect("starts"));
    let silences = Arc::new(Silences::open(tsdb.store()).expect("readable"));
    let muting = Arc::new(Muting::new(silences, Arc::clone(&catalog)));
    let external = ExternalAlerts::open(tsdb.store(), app.clock.now()).expect("readable");
    let (external, targets) = (Arc::new(external), Arc::new(targets));
    let board: Arc<Board> = Arc::default();
    let ledger = Ledger::start(Arc::clone(&tsdb), Arc::clone(&board), Arc::clone(&app.clock));
    let ledger = ledger.expect("starts");
    let configurations = Configurations::open(Arc::clone(tsdb.store())).expect("readable");
    let outcomes = {
        let ledger = ledger.clone();
        let tallies = Arc::new(move || ledger.tallies());
        OutcomeSeries::start(pipeline.clone(), Arc::clone(&app.clock), tallies)
    };
    let parts = Parts {
        store: Arc::clone(tsdb.store()),
        watch: watch.clone(),
        catalog: Arc::clone(&catalog),
        ledger: ledger.clone(),
        board: Arc::clone(&board),
        clock: Arc::clone(&app.clock),
    };
    let logs = Logs::start(
        pipeline.clone(),
        Arc::clone(&app.clock),
        feed.clone(),
        LogRetention::default(),
    );
    let experiments = Arc::new(Experiments::start(parts).expect("starts"));
    let kept = tokio::sync::watch::Sender::new(app.settings.load_full());
    // Without its tasks: they would take places that tests count on.
    let overview = Overview::new(OverviewParts {
        tsdb: Arc::clone(&tsdb),
        watch: watch.clone(),
        catalog: Arc::clone(&catalog),
        checker: Arc::clone(&checker),
        muting: Arc::clone(&muting),
        experiments: Arc::clone(&experiments),
        outcomes: outcomes.clone(),
        feed: feed.clone(),
        clock: Arc::clone(&app.clock),
        settings: kept.subscribe(),
        places: app.query_places(),
    });
    let logs = logs.expect("starts");
    watch.call_witness(Arc::new(logs.clone()));
    let engine = Engine {
        overview,
        logs,
        feed,
        experiments,
        board,
        ledger,
        outcomes,
        configurations: Arc::new(configurations),
        checker,
        tsdb,
        pipeline,
        targets,
        ruler,
        watch,
        catalog,
        muting,
        external,
        outbox,
    };
    app.ready(engine).expect("ready");
    Served { router: router(Arc::clone(&app)), app, _directory: directory, _settings: Some(kept) }
}

pub(in crate::api) async fn ask(served: &Served, request: Request<Body>) -> (StatusCode, Value) {
    let response = served.router.clone().oneshot(request).await.expect("infallible");
    let status = response.status();
    let body = response.into_body().collect().await.expect("whole").to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

pub(in crate::api) async fn get(served: &Served, path: &str) -> (StatusCode, Value) {
    ask(served, Request::get(path).body(Body::empty()).expect("a request")).await
}

pub(in crate::api) async fn send(
    served: &Served,
    method: Method,
    path: &str,
    body: &str,
) -> (StatusCode, Value) {
    let request = Request::builder().method(method).uri(path);
    ask(served, request.body(Body::from(body.to_owned())).expect("a request")).await
}
