//! From the settings to a running daemon, and back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::api::{self, App, Engine, Gate, ListenOptions, ReloadRequest, load_tls, router, tokens};
use crate::clock::{Clock, SystemClock};
use crate::collect::host::{HostCollector, HostRoots};
use crate::collect::own::OwnCollector;
use crate::collect::scrape::Plan;
use crate::collect::targets::Targets;
use crate::config::{Inputs, Settings};
use crate::engine::Pipeline;
use crate::engine::checker::{Checker, CheckerParts, default_checks, examine_file};
use crate::engine::feed::{Fact, Feed, Subject, Topic};
use crate::engine::logs::Logs;
use crate::engine::outbox::{Outbox, check_channels};
use crate::engine::overview::{Overview, OverviewParts};
use crate::engine::ruler::{Ruler, read_rule_files};
use crate::engine::scrub::Scrubbing;
use crate::engine::watch::{Catalog, Watch};
use crate::model::Origin;
use crate::rules::compile;
use crate::telemetry::{Telemetry, Way};

use super::informed::{Informed, count};
use super::log_sources::LogSources;
use super::logging::LogLevel;
use super::loops::{Changes, CollectorLoop, store_scrapes, upkeep};
use super::muted::Muted;
use super::open::open_engine;
use super::reload::{Reloaded, reload};
use super::signals::{Asked, Signals};
use super::trials::{Trials, check_experiments};
use super::{DaemonError, banner, logs, systemd};

/// Reloads that wait at once.
const RELOADS_MAX: usize = 8;
/// Scrapes that wait to be written; each target waits for its own.
const SCRAPES_MAX: usize = 64;
/// How long the end waits for queued writes, and then for upkeep.
const DRAIN: Duration = Duration::from_secs(2);

/// What runs once the database is open.
struct Running {
    pipeline: Pipeline,
    targets: Arc<Targets>,
    ruler: Arc<Ruler>,
    checker: Arc<Checker>,
    catalog: Arc<Catalog>,
    outbox: Arc<Outbox>,
    trials: Trials,
    logs: Logs,
    log_sources: LogSources,
    watch: Watch,
    feed: Feed,
    changes: watch::Sender<Arc<Settings>>,
    stop_upkeep: Arc<AtomicBool>,
    upkeep: JoinHandle<()>,
}

/// Serves until a signal ends it.
pub(super) async fn serve(
    inputs: Inputs,
    settings: Settings,
    log_level: Arc<LogLevel>,
    ready: std::sync::mpsc::Sender<SocketAddr>,
) -> Result<(), DaemonError> {
    let mut signals = Signals::listen().map_err(DaemonError::Start)?;
    let tls = load_tls(&settings.tls).map_err(DaemonError::Start)?;
    let (listener, address) = listen(settings.server.listen).await?;
    let (reloads, mut asked_reloads) = mpsc::channel::<ReloadRequest>(RELOADS_MAX);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let telemetry = Arc::new(Telemetry::new());
    let app = App::new(settings.clone(), address, Arc::clone(&clock), telemetry, reloads);
    app.tls.store(tls);
    if let Some(directory) = inputs.flags.ui_dir.clone() {
        app.serve_page_from(directory).map_err(DaemonError::Start)?;
    }

    // Listening begins before the database is open: whoever asks how far it is gets an answer.
    let (stop_serving, stopped) = watch::channel(false);
    let options = ListenOptions {
        connections_max: settings.limits.connections_max,
        header_timeout: settings.server.header_timeout.duration(),
        shutdown_timeout: settings.server.shutdown_timeout.duration(),
    };
    let mut serving = tokio::spawn(api::serve(
        listener,
        router(Arc::clone(&app)),
        Arc::clone(&app.tls),
        options,
        stopped,
    ));
    let watchdog = tokio::spawn(systemd::watchdog());

    let opened = tokio::select! {
        opened = open(&app, &clock) => opened?,
        () = until_stop(&mut signals) => {
            tracing::info!("stopped while opening the database; nothing is lost");
            return Ok(());
        }
    };
    let running = begin(&app, opened, &clock).await?;
    banner::show(&settings, address);
    tracing::info!(%address, "ready");
    // Whoever wanted to know may have gone.
    let _ = ready.send(address);
    let status = format!("ready at {address}");
    systemd::ready(&status);

    loop {
        tokio::select! {
            asked = signals.next() => match asked {
                Asked::Stop => break,
                Asked::Reload => {
                    // The outcome is in the log; a signal has nobody to answer to.
                    let _ = take_up(&inputs, &app, &running, &log_level, &status).await;
                }
            },
            Some(answer) = asked_reloads.recv() => {
                let outcome = take_up(&inputs, &app, &running, &log_level, &status).await;
                // Whoever asked may be gone.
                let _ = answer.send(outcome);
            }
            ended = &mut serving => {
                return Err(DaemonError::Start(format!("the HTTP server ended by itself: {ended:?}")));
            }
        }
    }
    systemd::stopping();
    let began = Instant::now();
    app.stopping();
    let _ = stop_serving.send(true);
    let cut_off = serving.await.unwrap_or(0);
    if cut_off > 0 {
        tracing::warn!(connections = cut_off, "connections were cut off at the end");
    }
    // WebSockets are no requests any more: they are waited for by themselves.
    let left = app.live_ended(DRAIN).await;
    if left > 0 {
        tracing::warn!(clients = left, "clients of the live feed were cut off at the end");
    }
    end(running).await;
    watchdog.abort();
    tracing::info!(took.seconds = began.elapsed().as_secs_f64(), "stopped");
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), DaemonError> {
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok::<_, std::io::Error>((listener, address))
    };
    bound.await.map_err(|error| {
        let mend = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "; stop the process that holds it, or choose another with --listen or server.listen"
            }
            _ => "; choose another with --listen or server.listen",
        };
        DaemonError::Start(format!("cannot listen on {address}: {error}{mend}"))
    })
}

/// Opens the database on a thread of its own and says how far it is.
async fn open(app: &Arc<App>, clock: &Arc<dyn Clock>) -> Result<Pipeline, DaemonError> {
    let (app, clock) = (Arc::clone(app), Arc::clone(clock));
    let opening = tokio::task::spawn_blocking(move || {
        let said = std::cell::Cell::new(Instant::now());
        let progress = |share: f64| {
            app.recovering(share);
            if said.get().elapsed() >= Duration::from_secs(1) {
                said.set(Instant::now());
                let status = format!("recovering the database: {}", app.recovered());
                tracing::info!("{status}");
                systemd::recovering(&status);
            }
        };
        let settings = app.settings.load_full();
        open_engine(&settings, clock, Arc::clone(&app.telemetry), &progress)
    });
    opening
        .await
        .map_err(|_| "opening the database panicked; see above".to_owned())
        .and_then(|opened| opened)
        .map_err(DaemonError::Start)
}

async fn until_stop(signals: &mut Signals) {
    while signals.next().await != Asked::Stop {
        tracing::warn!("not reloading while the database is being opened");
    }
}

/// What must be done before others may reach the daemon.
pub(super) fn needs_token(address: SocketAddr) -> String {
    format!(
        "refusing to listen on {address} without any token, as that would be open to others: \
         run `vedette token create --role admin --name NAME` first, or listen on 127.0.0.1, or \
         set auth.mode = \"none\" to let everybody do everything"
    )
}

/// What is wrong with the rules of the settings file beyond their form.
pub(super) fn check_rules(settings: &Settings) -> Result<(), String> {
    for (place, rule) in settings.rule.iter().enumerate() {
        compile(rule, Origin::File)
            .map_err(|error| format!("rule[{place}] ({}): {error}", rule.name))?;
    }
    Ok(())
}

/// Hands the engine to the handlers and starts the loops.
async fn begin(
    app: &Arc<App>,
    pipeline: Pipeline,
    clock: &Arc<dyn Clock>,
) -> Result<Running, DaemonError> {
    let settings = app.settings.load_full();
    let plan = Plan::new(&settings.scrape, &settings.limits)
        .map_err(|error| DaemonError::Start(error.to_string()))?;
    let rules = read_rule_files(&settings.rules.files).map_err(DaemonError::Start)?;
    check_rules(&settings).map_err(DaemonError::Start)?;
    check_experiments(&settings).map_err(DaemonError::Start)?;
    // Before anything runs: what would be refused anyway must neither ask nor tell anybody.
    let tokens = tokens::list(pipeline.tsdb().store())
        .map_err(|error| DaemonError::Start(format!("cannot read tokens: {error}")))?;
    let loopback = app.address.ip().is_loopback();
    if Gate::new(&settings.auth, &tokens, loopback).refuses_to_listen() {
        return Err(DaemonError::Start(needs_token(app.address)));
    }
    let feed = Feed::new(Arc::clone(clock));
    let (changes, changed) = watch::channel(Arc::clone(&settings));
    let (sink, scraped) = mpsc::channel(SCRAPES_MAX);
    let targets = Targets::new(sink, Arc::clone(clock), Arc::clone(&app.telemetry));
    let targets = Arc::new(targets);
    let catalog = Catalog::open(pipeline.tsdb().store())
        .map_err(|error| DaemonError::Start(format!("cannot read definitions: {error}")))?;
    let catalog = Arc::new(catalog);
    examine_file(&settings).map_err(DaemonError::Start)?;
    let built_in = default_checks(&settings, app.address);
    catalog.take_up(&settings, built_in, clock.now()).await;
    let watch = Watch::start(Arc::clone(pipeline.tsdb()), Arc::clone(clock), feed.clone())
        .map_err(DaemonError::Start)?;
    check_channels(&settings).map_err(DaemonError::Start)?;
    let ruler = Arc::new(Ruler::new(
        pipeline.clone(),
        Arc::clone(clock),
        changed.clone(),
        app.query_places(),
        watch.clone(),
        Arc::clone(&catalog),
    ));
    let muted = Muted::open(&pipeline, &catalog, &settings, clock.now())?;
    muted.keep_tidy(&watch, clock, &changed);
    let informed = Informed {
        watch: watch.clone(),
        catalog: Arc::clone(&catalog),
        suppressions: Arc::clone(&muted.muting) as _,
        address: app.address,
    };
    // Incidents that waited while we were down are told only once it is known to whom.
    informed.inform(&settings).await.map_err(|error| DaemonError::Start(error.to_string()))?;
    tokio::spawn(informed.keep_informed(changed.clone()));
    let parts = CheckerParts {
        pipeline: pipeline.clone(),
        watch: watch.clone(),
        catalog: Arc::clone(&catalog),
        clock: Arc::clone(clock),
        telemetry: Arc::clone(&app.telemetry),
    };
    let checker = Checker::start(parts, changed.clone()).map_err(DaemonError::Start)?;
    let checker = Arc::new(checker);
    let outbox = Outbox::start(
        &watch,
        &catalog,
        changed.clone(),
        Arc::clone(clock),
        Arc::clone(&app.telemetry),
        checker.alive(),
    );
    let outbox = Arc::new(outbox);
    tokio::spawn(count(watch.clone(), Arc::clone(&app.telemetry), changed.clone()));
    let trials = Trials::start(&pipeline, &watch, &catalog, clock)?;
    let logs = logs::start(&pipeline, clock, &feed, &settings)?;
    let overview = Overview::new(OverviewParts {
        tsdb: Arc::clone(pipeline.tsdb()),
        watch: watch.clone(),
        catalog: Arc::clone(&catalog),
        checker: Arc::clone(&checker),
        muting: Arc::clone(&muted.muting),
        experiments: Arc::clone(&trials.experiments),
        outcomes: trials.outcomes.clone(),
        feed: feed.clone(),
        clock: Arc::clone(clock),
        settings: changed.clone(),
        places: app.query_places(),
    });
    overview.start();
    let scrubbing = Scrubbing {
        store: Arc::clone(pipeline.tsdb().store()),
        clock: Arc::clone(clock),
        telemetry: Arc::clone(&app.telemetry),
        settings: changed.clone(),
    };
    tokio::spawn(scrubbing.run());
    watch.call_witness(Arc::new(logs.clone()));
    let engine = Engine {
        overview,
        logs: logs.clone(),
        feed: feed.clone(),
        board: Arc::clone(&trials.board),
        ledger: trials.ledger.clone(),
        experiments: Arc::clone(&trials.experiments),
        outcomes: trials.outcomes.clone(),
        configurations: Arc::clone(&trials.configurations),
        checker: Arc::clone(&checker),
        muting: Arc::clone(&muted.muting),
        external: Arc::clone(&muted.external),
        watch: watch.clone(),
        outbox: Arc::clone(&outbox),
        catalog: Arc::clone(&catalog),
        tsdb: Arc::clone(pipeline.tsdb()),
        pipeline: pipeline.clone(),
        targets: Arc::clone(&targets),
        ruler: Arc::clone(&ruler),
    };
    app.ready(engine).map_err(DaemonError::Start)?;
    tokio::spawn(store_scrapes(pipeline.clone(), scraped));
    targets.reload(plan).await;
    ruler.reload(rules).await;
    tokio::spawn(Arc::clone(&ruler).follow());
    start_collectors(app, &pipeline, clock, &changed);
    let log_sources = LogSources::start(
        logs.clone(),
        Arc::clone(pipeline.tsdb().store()),
        Arc::clone(clock),
        Arc::clone(&app.telemetry),
        changed.clone(),
    );
    let stop_upkeep = Arc::new(AtomicBool::new(false));
    let upkeep = upkeep(pipeline.clone(), Arc::clone(clock), Arc::clone(&stop_upkeep))
        .map_err(|error| DaemonError::Start(format!("cannot start a thread: {error}")))?;
    Ok(Running {
        pipeline,
        targets,
        ruler,
        checker,
        catalog,
        outbox,
        trials,
        logs,
        log_sources,
        watch,
        feed,
        changes,
        stop_upkeep,
        upkeep,
    })
}

fn start_collectors(
    app: &Arc<App>,
    pipeline: &Pipeline,
    clock: &Arc<dyn Clock>,
    changed: &Changes,
) {
    // The machine's name and not our address: series go on when the port changes.
    let uname = rustix::system::uname();
    let instance = uname.nodename().to_string_lossy();
    let host = CollectorLoop {
        way: Way::Host,
        settings: |settings| &settings.collect.host,
        collector: HostCollector::new(HostRoots::default(), &instance),
        collect: HostCollector::collect,
        end: HostCollector::end,
    };
    let own = CollectorLoop {
        way: Way::Own,
        settings: |settings| &settings.collect.own,
        collector: (OwnCollector::new(&instance), Arc::clone(&app.telemetry)),
        collect: |(collector, telemetry), now| collector.collect(telemetry, now),
        end: |(collector, _), now| collector.end(now),
    };
    tokio::spawn(host.run(pipeline.clone(), Arc::clone(clock), changed.clone()));
    tokio::spawn(own.run(pipeline.clone(), Arc::clone(clock), changed.clone()));
}

async fn take_up(
    inputs: &Inputs,
    app: &Arc<App>,
    running: &Running,
    log_level: &Arc<LogLevel>,
    status: &str,
) -> Result<(), String> {
    systemd::reloading();
    let outcome = {
        let (inputs, app, pipeline) = (inputs.clone(), Arc::clone(app), running.pipeline.clone());
        let log_level = Arc::clone(log_level);
        let reloading =
            tokio::task::spawn_blocking(move || reload(&inputs, &app, &pipeline, &log_level));
        reloading.await.unwrap_or_else(|_| Err("reloading panicked; see the log".to_owned()))
    };
    app.note_reload(outcome.is_ok());
    let outcome = match outcome {
        Ok(Reloaded { settings, plan, rules }) => {
            running.targets.reload(plan).await;
            let built_in = default_checks(&settings, app.address);
            running.catalog.take_up(&settings, built_in, app.clock.now()).await;
            running.logs.set_retention(logs::retention(&settings));
            running.changes.send_replace(settings);
            running.ruler.reload(rules).await;
            // Definitions of the file may be others: whoever shows any asks again.
            let data = serde_json::json!({ "at": app.clock.now() });
            let fact = Fact::new(Topic::Config, "config.reloaded", Subject::default(), &data);
            running.feed.publish(fact);
            tracing::info!("the settings were taken up");
            Ok(())
        }
        Err(reason) => {
            tracing::error!(%reason, "the settings were not taken up; nothing has changed");
            Err(reason)
        }
    };
    systemd::ready(status);
    outcome
}

/// Ends the loops and writes what is queued. Whatever does not end in time holds nothing that
/// was acknowledged.
async fn end(running: Running) {
    let Running {
        pipeline,
        targets,
        ruler,
        checker,
        catalog: _,
        outbox,
        trials,
        logs,
        log_sources,
        watch,
        feed: _,
        changes,
        stop_upkeep,
        upkeep,
    } = running;
    stop_upkeep.store(true, Ordering::Release);
    upkeep.thread().unpark();
    // Closed, so that the collectors end.
    drop(changes);
    if tokio::time::timeout(DRAIN, checker.stop()).await.is_err() {
        tracing::warn!("checks did not end in time");
    }
    if tokio::time::timeout(DRAIN, targets.stop()).await.is_err() {
        tracing::warn!("scraping did not end in time");
    }
    if tokio::time::timeout(DRAIN, ruler.stop()).await.is_err() {
        tracing::warn!("evaluating rules did not end in time");
    }
    trials.stop().await;
    outbox.stop().await;
    log_sources.stop().await;
    logs::stop(&logs).await;
    // After all that find something, before the writer.
    if tokio::time::timeout(DRAIN, watch.close()).await.is_err() {
        tracing::warn!("the watch did not end in time; nothing that it acknowledged is lost");
    }
    let draining = tokio::task::spawn_blocking(move || {
        if !pipeline.close(DRAIN) {
            tracing::warn!("the writer did not end in time; nothing that it acknowledged is lost");
        }
        let deadline = Instant::now() + DRAIN;
        while !upkeep.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    let _ = draining.await;
}
