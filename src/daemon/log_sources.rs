//! Where log lines come from besides HTTP: starts and ends the sources as the settings say, writes
//! what they give, and saves where they have got to.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::collect::logs::{Outlet, Place, Sink, Taken, journald, syslog, tail};
use crate::config::{Journald, LogFile, Settings, Syslog};
use crate::engine::logs::{Logs, LogsError};
use crate::model::LogLine;
use crate::store::{DocumentKind, Store, StoreError, Table, Write, decode_document, document_key};
use crate::telemetry::Telemetry;

use super::loops::Changes;

/// Batches that wait to be written; each source waits for its own.
const TAKEN_MAX: usize = 64;
/// How long the end waits for the sources, and a reload for those that are no more.
const DRAIN: Duration = Duration::from_secs(2);
/// How long to wait before lines are written again that could not be: at first, and at most.
const RETRY_MIN: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// One source, with its settings: another setting makes it another one.
#[derive(Clone, Debug, PartialEq)]
enum Source {
    Syslog(Syslog),
    Journald(Journald),
    File(LogFile),
}

impl Source {
    fn all_of(settings: &Settings) -> Vec<Source> {
        let logs = &settings.logs;
        let mut sources = Vec::new();
        if !logs.syslog.udp.is_empty() || !logs.syslog.tcp.is_empty() {
            sources.push(Source::Syslog(logs.syslog.clone()));
        }
        if logs.journald.enabled {
            sources.push(Source::Journald(logs.journald.clone()));
        }
        sources.extend(logs.files.iter().cloned().map(Source::File));
        sources
    }

    /// The key under which its place is saved, if it has one.
    fn place(&self) -> Option<String> {
        match self {
            Source::Syslog(_) => None,
            Source::Journald(_) => Some(journald::SOURCE.to_owned()),
            Source::File(file) => Some(tail::source_of(&file.path)),
        }
    }

    fn way(&self) -> &'static str {
        match self {
            Source::Syslog(_) => "syslog",
            Source::Journald(_) => "journald",
            Source::File(_) => "file",
        }
    }
}

/// A source that runs.
struct Running {
    source: Source,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    /// Lets it hand over what it has, and ends it.
    async fn end(self) {
        self.stop.send_replace(true);
        let abort = self.task.abort_handle();
        if tokio::time::timeout(DRAIN, self.task).await.is_err() {
            tracing::warn!(source = self.source.way(), "a source of log lines did not end in time");
            abort.abort();
        }
    }
}

/// All sources.
pub(super) struct LogSources {
    stop: watch::Sender<bool>,
    supervising: JoinHandle<()>,
    writing: JoinHandle<()>,
}

/// What the sources share.
struct Supervisor {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    telemetry: Arc<Telemetry>,
    changes: Changes,
    sink: Sink,
    running: Vec<Running>,
}

impl LogSources {
    /// Starts what the settings name, and follows their changes.
    pub(super) fn start(
        logs: Logs,
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
        telemetry: Arc<Telemetry>,
        changes: Changes,
    ) -> LogSources {
        let (sink, taken) = mpsc::channel(TAKEN_MAX);
        let writer = Writer { logs, telemetry: Arc::clone(&telemetry) };
        let stop = watch::Sender::new(false);
        let writing = tokio::spawn(writer.run(taken));
        let supervisor = Supervisor { store, clock, telemetry, changes, sink, running: Vec::new() };
        let supervising = tokio::spawn(supervisor.run(stop.subscribe()));
        LogSources { stop, supervising, writing }
    }

    /// Ends all sources. What they had received is durable then, if the database took it in time.
    pub(super) async fn stop(self) {
        self.stop.send_replace(true);
        let abort = self.writing.abort_handle();
        if tokio::time::timeout(2 * DRAIN, self.supervising).await.is_err()
            || tokio::time::timeout(DRAIN, self.writing).await.is_err()
        {
            tracing::warn!("sources of log lines did not end in time");
            abort.abort();
        }
    }
}

impl Supervisor {
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let settings = Arc::clone(&self.changes.borrow_and_update());
            self.take_up(&settings).await;
            tokio::select! {
                changed = self.changes.changed() => if changed.is_err() { break },
                _ = stop.wait_for(|stop| *stop) => break,
            }
        }
        // All at once: each has its time.
        let mut ending = tokio::task::JoinSet::new();
        for running in self.running {
            ending.spawn(running.end());
        }
        while ending.join_next().await.is_some() {}
    }

    /// Ends what is no longer named, and starts what is new.
    async fn take_up(&mut self, settings: &Settings) {
        let wanted = Source::all_of(settings);
        let running = std::mem::take(&mut self.running);
        let (kept, ended): (Vec<_>, Vec<_>) = running
            .into_iter()
            .partition(|one| wanted.contains(&one.source) && !one.task.is_finished());
        self.running = kept;
        for running in ended {
            running.end().await;
        }
        for source in wanted {
            if self.running.iter().any(|one| one.source == source) {
                continue;
            }
            match self.start(source.clone()).await {
                Ok(running) => self.running.push(running),
                Err(error) => {
                    tracing::error!(
                        source = source.way(), %error,
                        "a source of log lines was not started: its place cannot be read"
                    );
                }
            }
        }
    }

    async fn start(&self, source: Source) -> Result<Running, StoreError> {
        let place = match source.place() {
            Some(key) => read_place(Arc::clone(&self.store), key).await?,
            None => None,
        };
        let (stop, stopped) = watch::channel(false);
        let outlet = Outlet {
            sink: self.sink.clone(),
            clock: Arc::clone(&self.clock),
            telemetry: Arc::clone(&self.telemetry),
            settings: self.changes.clone(),
            way: source.way(),
        };
        let task = match source.clone() {
            Source::Syslog(settings) => tokio::spawn(syslog::run(outlet, settings, stopped)),
            Source::Journald(settings) => {
                tokio::spawn(journald::run(outlet, settings, place, stopped))
            }
            Source::File(settings) => tokio::spawn(tail::run(outlet, settings, place, stopped)),
        };
        Ok(Running { source, stop, task })
    }
}

async fn read_place(store: Arc<Store>, key: String) -> Result<Option<String>, StoreError> {
    let reading = tokio::task::spawn_blocking(move || {
        let key = document_key(DocumentKind::LogPlace, &key);
        store.again(|| {
            let snapshot = store.read()?;
            let value = snapshot.get(Table::Watch, key.as_bytes())?;
            value.map(|value| decode_document(value.payload())).transpose()
        })
    });
    reading.await.unwrap_or_else(|_| Err(StoreError::Read("the task panicked".to_owned())))
}

/// Writes what the sources give.
#[derive(Clone)]
struct Writer {
    logs: Logs,
    telemetry: Arc<Telemetry>,
}

impl Writer {
    /// Until the last source is gone. Each batch has a task of its own: what comes together is
    /// committed together, and each source waits for its own.
    async fn run(self, mut taken: mpsc::Receiver<Taken>) {
        let mut writing = tokio::task::JoinSet::new();
        while let Some(Taken { lines, place, done }) = taken.recv().await {
            let writer = self.clone();
            writing.spawn(async move {
                if writer.write(lines, place).await {
                    // A source that was ended meanwhile does not need to hear it.
                    let _ = done.send(());
                }
            });
            while writing.try_join_next().is_some() {}
        }
        while writing.join_next().await.is_some() {}
    }

    /// Writes lines and the place after them, again and again until both are durable. Gives whether
    /// the source may go on.
    async fn write(&self, mut lines: Vec<LogLine>, place: Option<Place>) -> bool {
        let notes = match place.map(|place| place_note(&place)).transpose() {
            Ok(note) => Vec::from_iter(note),
            Err(error) => {
                // The next place makes up for it.
                tracing::error!(%error, "the place of a source of log lines cannot be saved");
                Vec::new()
            }
        };
        let mut pause = RETRY_MIN;
        let mut said = false;
        loop {
            match self.logs.write_noting(lines.clone(), notes.clone()).await {
                Ok(_) => return true,
                Err(LogsError::Stopping) => return false,
                Err(LogsError::Invalid(reason)) => {
                    tracing::error!(%reason, lines = lines.len(), "log lines were refused");
                    self.telemetry.log_lines_refused.add(["source"], lines.len() as u64);
                    lines.clear();
                    continue;
                }
                // Waiting is all that those can do who cannot be told to send again.
                Err(error @ LogsError::Busy { .. }) => {
                    tracing::debug!(%error, "log lines wait");
                }
                Err(error) => {
                    if !said {
                        tracing::warn!(%error, "log lines are not stored; it is tried again");
                    }
                    said = true;
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_MAX);
        }
    }
}

fn place_note(place: &Place) -> Result<Write, StoreError> {
    Write::document(Table::Watch, DocumentKind::LogPlace, &place.source, &place.at)
}
