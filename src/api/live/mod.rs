//! The live feed over HTTP: `/api/v1/live` (WebSocket), `/api/v1/live/events` (server-sent events)
//! and `/api/v1/live/poll`.
//!
//! Owns: who follows, which topics and lines each one wants, how fast events are handed on, and
//! when a client is let go. Never: the order of events or what they say (`engine/feed`). Start
//! reading at `follow.rs`: the three ways differ only in how frames travel.

mod follow;
mod poll;
mod socket;
mod stream;
mod subscription;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::sync::watch;

use crate::engine::feed::Feed;

use super::state::App;
use super::{ApiError, ErrorKind};

/// Into how many parts the clients of a round are divided.
const TURNS: u32 = 8;
/// So many clients are waited for twice as long as a few: each round writes to each of them, and
/// others want the machine too.
const MANY: usize = 500;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/v1/live", get(socket::live))
        .route("/api/v1/live/events", get(stream::events))
        .route("/api/v1/live/poll", get(poll::poll))
}

/// How fast clients are served, and how long they are waited for.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// After a first event, how long others are waited for, up to twice that where there are many
    /// clients: all of them then take what came, at once. Bounds how often each is written to.
    pub linger: Duration,
    /// How often clients hear that we are there, and whether they may still follow is looked at.
    pub heartbeat: Duration,
    /// How long a client that takes nothing is waited for.
    pub patience: Duration,
    /// How long one that is let go has to hear why.
    pub farewell: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            linger: Duration::from_millis(50),
            heartbeat: Duration::from_secs(20),
            patience: Duration::from_secs(10),
            farewell: Duration::from_secs(20),
        }
    }
}

/// All that follow.
pub(super) struct Live {
    pace: Pace,
    clients: Arc<AtomicUsize>,
    turns: AtomicU32,
    stop: watch::Sender<bool>,
    rounds: OnceLock<watch::Receiver<u64>>,
}

impl Live {
    pub(super) fn new(pace: Pace) -> Live {
        let stop = watch::Sender::new(false);
        let (clients, turns) = (Arc::default(), AtomicU32::new(0));
        Live { pace, clients, turns, stop, rounds: OnceLock::new() }
    }

    /// Tells all that follow that the end has begun.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until all are gone, but no longer than this. Gives how many are not.
    pub(super) async fn ended(&self, patience: Duration) -> usize {
        let began = tokio::time::Instant::now();
        loop {
            let left = self.clients.load(Ordering::Acquire);
            if left == 0 || began.elapsed() >= patience {
                return left;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// In which part of a round the next client looks for more: clients are spread over some time,
    /// so that a thousand of them do not keep requests waiting.
    fn turn(&self) -> u32 {
        self.turns.fetch_add(1, Ordering::Relaxed) % TURNS
    }

    /// How long after the beginning of a round that part begins.
    fn turn_after(&self, turn: u32) -> Duration {
        linger(&self.pace, &self.clients) * turn / TURNS
    }

    /// When followers look for more: some time after something happened, all at once.
    fn rounds(&self, feed: &Feed) -> watch::Receiver<u64> {
        let begin = || {
            let (mut changed, pace) = (feed.changed(), self.pace);
            let clients = Arc::clone(&self.clients);
            let (round, rounds) = watch::channel(*changed.borrow_and_update());
            // Ends with the feed.
            tokio::spawn(async move {
                while changed.changed().await.is_ok() {
                    tokio::time::sleep(linger(&pace, &clients)).await;
                    round.send_replace(*changed.borrow_and_update());
                }
            });
            rounds
        };
        let mut rounds = self.rounds.get_or_init(begin).clone();
        rounds.mark_unchanged();
        rounds
    }
}

fn linger(pace: &Pace, clients: &AtomicUsize) -> Duration {
    let clients = clients.load(Ordering::Relaxed).min(MANY);
    pace.linger.mul_f64(1.0 + clients as f64 / MANY as f64)
}

/// The place of one client among those that may follow at once.
struct Place {
    app: Arc<App>,
}

impl Place {
    fn take(app: &Arc<App>) -> Result<Place, ApiError> {
        let max = app.settings.load().limits.live_clients_max;
        let clients = &app.live.clients;
        let taken = clients.fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| {
            (count < max).then_some(count + 1)
        });
        if taken.is_err() {
            app.telemetry.live.dropped.add(["refused"], 1);
            return Err(ApiError::new(
                ErrorKind::TooMany,
                format!("{max} clients follow the live feed, and no more may; the limit is limits.live_clients_max"),
            )
            .retry_after(10));
        }
        app.telemetry.live.clients.add(1);
        Ok(Place { app: Arc::clone(app) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.app.live.clients.fetch_sub(1, Ordering::AcqRel);
        self.app.telemetry.live.clients.add(-1);
    }
}
