//! Log lines that vedette goes and gets, or that come by other ways than HTTP: syslog, the
//! journal, files.
//!
//! Owns: listening for syslog ([`syslog`]), following the journal ([`journald`]) and files
//! ([`tail`]), and where each of them had got to ([`Place`]). Never: storing. Lines go to a
//! [`Sink`], and a source goes on only when it hears that they are durable: when the database
//! cannot keep up, sources wait. Start reading at [`Outlet`].

mod framing;
pub mod journald;
mod saved_files;
pub mod syslog;
pub mod tail;

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::config::Settings;
use crate::decode::logs::{Draft, LogBounds};
use crate::model::LogLine;
use crate::telemetry::Telemetry;

/// Where a source has got to: saved with the lines before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which source; the key under which it is saved.
    pub source: String,
    /// The place, in the source's own words.
    pub at: String,
}

/// Lines on their way.
#[derive(Debug)]
pub struct Taken {
    /// The lines, in their order.
    pub lines: Vec<LogLine>,
    /// What to save in one transaction with them.
    pub place: Option<Place>,
    /// Told when that is done; dropped when it will not be, as the daemon stops.
    pub done: oneshot::Sender<()>,
}

/// What takes lines.
pub type Sink = mpsc::Sender<Taken>;

/// Word to end: when its sender is gone, or has said so.
pub type Stop = watch::Receiver<bool>;

/// The daemon stops, and takes no more lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

/// What every source needs to hand lines over.
#[derive(Clone)]
pub struct Outlet {
    /// Takes the lines.
    pub sink: Sink,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub telemetry: Arc<Telemetry>,
    /// The settings in force: how old a line may be.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// The name of the way in what is counted.
    pub way: &'static str,
}

impl Outlet {
    /// The times that lines may have now.
    pub fn bounds(&self) -> LogBounds {
        let settings = self.settings.borrow();
        LogBounds::new(
            self.clock.now(),
            settings.logs.retention.millis(),
            settings.limits.future_seconds_max,
        )
    }

    /// The line that a draft makes; one that is older than lines are kept is counted and left out.
    pub fn line(&self, draft: Draft, bounds: &LogBounds) -> Option<LogLine> {
        let line = draft.fit(bounds);
        if line.is_none() {
            self.telemetry.log_lines_refused.add([self.way], 1);
        }
        line
    }

    /// Hands lines over and waits until they and the place are durable.
    ///
    /// # Errors
    ///
    /// [`Closed`]: then the lines may be lost, and the place was not saved.
    pub async fn hand_over(&self, lines: Vec<LogLine>, place: Option<Place>) -> Result<(), Closed> {
        let (done, durable) = oneshot::channel();
        self.sink.send(Taken { lines, place, done }).await.map_err(|_| Closed)?;
        durable.await.map_err(|_| Closed)
    }
}

/// Waits for the word to end.
async fn told_to_stop(stop: &mut Stop) {
    // An error means that whoever could say so is gone.
    let _ = stop.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod testing;
