//! What every handler may reach.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::clock::Clock;
use crate::collect::targets::Targets;
use crate::config::Settings;
use crate::engine::Pipeline;
use crate::engine::checker::Checker;
use crate::engine::configurations::Configurations;
use crate::engine::experiments::ledger::Ledger;
use crate::engine::experiments::runtime::Experiments;
use crate::engine::feed::Feed;
use crate::engine::logs::Logs;
use crate::engine::outbox::Outbox;
use crate::engine::outcomes::OutcomeSeries;
use crate::engine::overview::Overview;
use crate::engine::ruler::Ruler;
use crate::engine::watch::{Catalog, ExternalAlerts, Muting, Watch};
use crate::experiments::Board;
use crate::model::Timestamp;
use crate::telemetry::Telemetry;
use crate::tsdb::Tsdb;

use super::auth::Gate;
use super::listen::CurrentTls;
use super::live::{Live, Pace};
use super::page::Page;
use super::session::SignIns;
use super::tokens;
use super::{ApiError, ErrorKind};

/// The parts that exist once the database is open.
#[derive(Clone)]
pub struct Engine {
    /// Reads.
    pub tsdb: Arc<Tsdb>,
    /// Writes.
    pub pipeline: Pipeline,
    /// What is scraped, and how it fares.
    pub targets: Arc<Targets>,
    /// What is recorded and alerted on, and how it fares.
    pub ruler: Arc<Ruler>,
    /// What runs checks, and knows how they are.
    pub checker: Arc<Checker>,
    /// What decides on alerts, and commits.
    pub watch: Watch,
    /// What people defined for it.
    pub catalog: Arc<Catalog>,
    /// What carries notifications to channels.
    pub outbox: Arc<Outbox>,
    /// Who is not told: silences, maintenance, inhibition.
    pub muting: Arc<Muting>,
    /// What becomes of experiments, and who gets what.
    pub experiments: Arc<Experiments>,
    /// Alerts that others send.
    pub external: Arc<ExternalAlerts>,
    /// All experiments, as they are in force.
    pub board: Arc<Board>,
    /// What takes results, exposures and outcomes.
    pub ledger: Ledger,
    /// What writes outcomes as series.
    pub outcomes: OutcomeSeries,
    /// Configurations of features.
    pub configurations: Arc<Configurations>,
    /// Log lines.
    pub logs: Logs,
    /// What is told to all who follow along.
    pub feed: Feed,
    /// How everything is, at a glance.
    pub overview: Overview,
}

/// Exports of log lines at once: each holds a thread.
const EXPORTS_MAX: usize = 4;

/// How far the daemon has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The database is being opened or replayed.
    Recovering,
    /// Everything works.
    Ready,
    /// The end has begun.
    Stopping,
}

/// A request to read the settings again; the answer says why they were not taken up.
pub type ReloadRequest = oneshot::Sender<Result<(), String>>;

/// What the last reload came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastReload {
    pub(super) succeeded: bool,
    pub(super) at: Timestamp,
}

/// The state that all handlers share. Made before the database is open, so that the listener can
/// answer while that takes its time.
pub struct App {
    /// The settings in force.
    pub settings: ArcSwap<Settings>,
    /// The certificate in use.
    pub tls: CurrentTls,
    /// What is counted.
    pub telemetry: Arc<Telemetry>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where the daemon listens.
    pub address: SocketAddr,
    pub(super) started_at: Timestamp,
    gate: ArcSwap<Gate>,
    engine: OnceLock<Engine>,
    phase: AtomicU8,
    recovered_permille: AtomicU32,
    queries: Arc<ArcSwap<Semaphore>>,
    exports: Arc<Semaphore>,
    reloads: mpsc::Sender<ReloadRequest>,
    last_reload: Mutex<LastReload>,
    pub(super) backup: BackupState,
    pub(super) live: Live,
    pub(super) page: Page,
    pub(super) sign_ins: SignIns,
}

/// One backup at a time, and how far it is.
#[derive(Debug, Default)]
pub(super) struct BackupState {
    pub(super) running: AtomicBool,
    pub(super) permille: AtomicU32,
}

impl App {
    /// A state without a database. `reloads` takes requests to read the settings again.
    pub fn new(
        settings: Settings,
        address: SocketAddr,
        clock: Arc<dyn Clock>,
        telemetry: Arc<Telemetry>,
        reloads: mpsc::Sender<ReloadRequest>,
    ) -> Arc<App> {
        let now = clock.now();
        Arc::new(App {
            gate: ArcSwap::from_pointee(Gate::new(&settings.auth, &[], address.ip().is_loopback())),
            queries: Arc::new(ArcSwap::from_pointee(Semaphore::new(settings.query.concurrency))),
            exports: Arc::new(Semaphore::new(EXPORTS_MAX)),
            settings: ArcSwap::from_pointee(settings),
            tls: Arc::new(ArcSwapOption::empty()),
            telemetry,
            clock,
            address,
            started_at: now,
            engine: OnceLock::new(),
            phase: AtomicU8::new(0),
            recovered_permille: AtomicU32::new(0),
            reloads,
            last_reload: Mutex::new(LastReload { succeeded: true, at: now }),
            backup: BackupState::default(),
            live: Live::new(Pace::default()),
            page: Page::default(),
            sign_ins: SignIns::default(),
        })
    }

    /// Serves the dashboard from a directory instead of from the binary, for its development. Fails
    /// where there is none in it.
    pub fn serve_page_from(&self, directory: PathBuf) -> Result<(), String> {
        self.page.serve_from(directory)
    }

    /// Notes how far the recovery has come, from 0 to 1.
    pub fn recovering(&self, share: f64) {
        self.recovered_permille.store((share.clamp(0.0, 1.0) * 1000.0) as u32, Ordering::Relaxed);
    }

    /// Hands the open database over; from now on the daemon is ready.
    pub fn ready(&self, engine: Engine) -> Result<(), String> {
        if self.engine.set(engine).is_err() {
            return Err("the database was handed over twice".to_owned());
        }
        self.read_tokens()?;
        self.phase.store(1, Ordering::Release);
        Ok(())
    }

    /// Notes that the end has begun: no new requests are taken up, and who follows the live feed
    /// is told.
    pub fn stopping(&self) {
        self.phase.store(2, Ordering::Release);
        self.live.stop();
    }

    /// Waits until nobody follows the live feed any more, but no longer than this. Gives how many
    /// still do.
    pub async fn live_ended(&self, patience: Duration) -> usize {
        self.live.ended(patience).await
    }

    /// How far the daemon has come.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Recovering,
            1 => Phase::Ready,
            _ => Phase::Stopping,
        }
    }

    /// Puts other settings in force. What needs a restart stays as it is.
    pub fn take_up(&self, settings: Settings) -> Result<(), String> {
        if settings.query.concurrency != self.settings.load().query.concurrency {
            self.queries.store(Arc::new(Semaphore::new(settings.query.concurrency)));
        }
        self.settings.store(Arc::new(settings));
        self.read_tokens()
    }

    /// Notes what a reload came to.
    pub fn note_reload(&self, succeeded: bool) {
        self.telemetry.config_reloads.add([if succeeded { "success" } else { "failure" }], 1);
        let mut last = self.last_reload.lock().unwrap_or_else(PoisonError::into_inner);
        last.succeeded = succeeded;
        if succeeded {
            last.at = self.clock.now();
        }
    }

    /// Reads the tokens again: after a reload, and after one was made or revoked.
    pub fn read_tokens(&self) -> Result<(), String> {
        let stored = match self.engine.get() {
            Some(engine) => tokens::list(engine.tsdb.store()).map_err(|error| error.to_string())?,
            None => Vec::new(),
        };
        let settings = self.settings.load();
        let gate = Gate::new(&settings.auth, &stored, self.address.ip().is_loopback());
        self.gate.store(Arc::new(gate));
        Ok(())
    }

    /// Who may do what, now.
    pub fn gate(&self) -> Arc<Gate> {
        self.gate.load_full()
    }

    /// The open database, or why there is none.
    pub(super) fn engine(&self) -> Result<&Engine, ApiError> {
        match (self.engine.get(), self.phase()) {
            (Some(engine), Phase::Ready) => Ok(engine),
            (_, Phase::Stopping) => {
                Err(ApiError::new(ErrorKind::Unavailable, "stopping; try again after the restart")
                    .retry_after(5))
            }
            _ => {
                let message = format!("recovering the database: {}", self.recovered());
                Err(ApiError::new(ErrorKind::Unavailable, message).retry_after(1))
            }
        }
    }

    /// How far the recovery has come, for people.
    pub fn recovered(&self) -> String {
        format!("{} %", self.recovered_permille.load(Ordering::Relaxed) / 10)
    }

    /// The places for queries, for whoever else asks some. Replaced when their number changes.
    pub fn query_places(&self) -> Arc<ArcSwap<Semaphore>> {
        Arc::clone(&self.queries)
    }

    /// The places for exports of log lines: they may take as long as their clients do.
    pub(super) fn exports(&self) -> Arc<Semaphore> {
        Arc::clone(&self.exports)
    }

    pub(super) fn queries(&self) -> Arc<Semaphore> {
        self.queries.load_full()
    }

    pub(super) fn last_reload(&self) -> LastReload {
        *self.last_reload.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for the settings to be read again and waits for the outcome.
    pub(super) async fn reload(&self) -> Result<(), String> {
        let (answer, answered) = oneshot::channel();
        let gone = || "the daemon is stopping".to_owned();
        self.reloads.send(answer).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}
