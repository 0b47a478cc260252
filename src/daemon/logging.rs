//! Log lines on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt, reload};

use crate::config::{Log, LogFormat};

/// Changes what is logged while the daemon runs.
pub(super) struct LogLevel(reload::Handle<EnvFilter, Registry>);

impl LogLevel {
    /// Puts another level in force.
    pub(super) fn set(&self, filter: EnvFilter) {
        // Fails only when the subscriber is gone, and with it the wish to log.
        let _ = self.0.reload(filter);
    }
}

/// Reads `log.level`.
pub(super) fn read_level(log: &Log) -> Result<EnvFilter, String> {
    EnvFilter::try_new(&log.level)
        .map_err(|error| format!("`log.level`: {error}; use error, warn, info, debug or trace"))
}

/// Begins to log.
pub(super) fn start(log: &Log) -> Result<LogLevel, String> {
    let (filter, handle) = reload::Layer::new(read_level(log)?);
    let lines = match log.format {
        LogFormat::Json => {
            fmt::layer().json().flatten_event(true).with_writer(std::io::stderr).boxed()
        }
        // The journal has its own times.
        LogFormat::Text if under_systemd() => fmt::layer()
            .without_time()
            .with_ansi(false)
            .with_target(false)
            .with_writer(std::io::stderr)
            .boxed(),
        LogFormat::Text => fmt::layer()
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .with_writer(std::io::stderr)
            .boxed(),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init()
        .map_err(|error| format!("cannot log: {error}"))?;
    Ok(LogLevel(handle))
}

/// Whether standard error goes to the journal (systemd.exec(5), `$JOURNAL_STREAM`).
pub(super) fn under_systemd() -> bool {
    std::env::var_os("JOURNAL_STREAM").is_some()
}
