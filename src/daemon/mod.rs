//! The running daemon.
//!
//! Owns: the order in which everything starts and stops, the loops, signals, reloads, systemd,
//! logging. Never: handling a request, or deciding anything about data. Start reading at
//! [`run`].

mod banner;
mod informed;
mod log_sources;
mod logging;
mod logs;
mod loops;
mod muted;
mod open;
mod reload;
mod signals;
mod start;
mod systemd;
mod trials;

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use crate::config::{ConfigError, Inputs};

pub use banner::reachable;
pub use open::{engine_policy, open_store};

/// Why the daemon does not run.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The settings cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The machine does not give what the settings ask for, or the database does not open.
    #[error("{0}")]
    Start(String),
}

/// Threads for work that blocks: queries (bounded by their own gate), collectors, upkeep.
const BLOCKING_THREADS_MAX: usize = 64;
/// Threads for everything else; more would only cost memory on a large machine.
const WORKERS_MAX: usize = 8;

/// Lets us have as many open files as the system allows: many shells and systems give a process
/// 1024 at first, for the sake of programs that wait with `select`. We do not.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let all = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, all) {
        tracing::warn!(%error, open_files = ?limit.current, "the limit of open files stays as it is");
    }
}

/// Runs until a signal ends it. Everything that was acknowledged is durable at any time.
///
/// # Errors
///
/// [`DaemonError`]: it could not begin, or ended by itself.
pub fn run(inputs: Inputs) -> Result<(), DaemonError> {
    // Nobody waits for it to be ready.
    let (ready, _) = mpsc::channel();
    run_and_tell(inputs, ready)
}

/// As [`run`], and says where it listens once it is ready.
///
/// # Errors
///
/// As [`run`]; `ready` then hears nothing.
pub fn run_and_tell(inputs: Inputs, ready: mpsc::Sender<SocketAddr>) -> Result<(), DaemonError> {
    let settings = inputs.load()?;
    let log_level = logging::start(&settings.log).map_err(DaemonError::Start)?;
    raise_open_files();
    let workers = std::thread::available_parallelism().map_or(2, usize::from).min(WORKERS_MAX);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_name("vedette")
        .enable_all()
        .build()
        .map_err(|error| DaemonError::Start(format!("cannot start threads: {error}")))?;
    let outcome = runtime.block_on(start::serve(inputs, settings, Arc::new(log_level), ready));
    // Whatever still runs holds nothing that is not durable.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}
