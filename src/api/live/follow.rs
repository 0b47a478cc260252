//! One follower: how far it is, what it is handed next, and when it is let go.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::api::auth::Gate;
use crate::api::params::Params;
use crate::api::state::App;
use crate::api::{ApiError, ErrorKind};
use crate::engine::feed::{Feed, Read, Topic};

use super::Place;
use super::subscription::Subscription;

/// Why a client is let go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    /// We are stopping.
    Stopping,
    /// It took nothing for too long.
    Stalled,
    /// It takes less than there is, and what it has not seen is not kept any longer.
    TooSlow,
    /// Its token does not hold any more.
    Unauthorized,
    /// It spoke what is not understood.
    Misspoken(String),
}

impl Farewell {
    /// The close code of a WebSocket (RFC 6455 §7.4.1, and 1013 of IANA's registry).
    pub(super) fn code(&self) -> u16 {
        match self {
            Farewell::Stopping => 1001,
            Farewell::Stalled | Farewell::TooSlow => 1013,
            Farewell::Unauthorized => 1008,
            Farewell::Misspoken(_) => 1007,
        }
    }

    /// In words; fits into a close frame.
    pub(super) fn reason(&self) -> &str {
        match self {
            Farewell::Stopping => "stopping; come again",
            Farewell::Stalled => "too slow: took nothing for too long; come again with ?since=",
            Farewell::TooSlow => "too slow: fell out of what is kept; come again and ask anew",
            Farewell::Unauthorized => "the token is not valid any more",
            Farewell::Misspoken(reason) => reason,
        }
    }

    /// Under which name it is counted; an end of ours is none of theirs.
    pub(super) fn counted(&self) -> Option<&'static str> {
        match self {
            Farewell::Stopping => None,
            Farewell::Stalled => Some("stalled"),
            Farewell::TooSlow => Some("too_slow"),
            Farewell::Unauthorized => Some("unauthorized"),
            Farewell::Misspoken(_) => Some("misspoken"),
        }
    }
}

/// What a client is sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Frame {
    /// The id from which the client goes on once it has seen this.
    pub(super) id: u64,
    /// JSON.
    pub(super) text: Bytes,
}

impl Frame {
    /// A frame of ours about the feed itself, with more members behind a comma.
    pub(super) fn of_kind(id: u64, kind: &str, more: &str) -> Frame {
        let text = format!("{{\"id\":{id},\"type\":\"{kind}\"{more}}}");
        Frame { id, text: Bytes::from(text) }
    }
}

/// With what a client was let in: whether that still holds is looked at again and again.
struct Pass {
    method: Method,
    path: String,
    headers: HeaderMap,
    gate: Arc<Gate>,
}

impl Pass {
    /// Whether it still holds. As long as nothing about tokens changed, it does.
    fn holds(&mut self, app: &App) -> bool {
        let gate = app.gate();
        if Arc::ptr_eq(&gate, &self.gate) {
            return true;
        }
        let admitted = gate.admit(&self.method, &self.path, &self.headers);
        self.gate = gate;
        admitted.is_ok()
    }
}

/// A client that follows.
pub(super) struct Follower {
    app: Arc<App>,
    feed: Feed,
    rounds: watch::Receiver<u64>,
    stop: watch::Receiver<bool>,
    pass: Pass,
    pub(super) subscription: Subscription,
    /// All up to here was handed on.
    at: u64,
    /// There may be more than was handed on, whatever happens next.
    is_behind: bool,
    /// Whether it has followed since its last change of topics: before that, what it wants may be
    /// gone without any fault of its own.
    is_under_way: bool,
    heartbeat_at: Instant,
    /// In which part of a round it looks for more.
    turn: u32,
    _place: Place,
}

impl Follower {
    /// A follower as a request asks for it. `after`: the last id that it has seen, if not by
    /// `?since=`.
    pub(super) fn new(
        app: &Arc<App>,
        request: &Request,
        after: Option<u64>,
    ) -> Result<(Follower, Params), ApiError> {
        let params = Params::read(request.uri(), request.headers(), &Bytes::new())?;
        let subscription = Subscription::of_params(&params)?;
        let feed = app.engine()?.feed.clone();
        let since = match params.get("since") {
            Some(text) => Some(text.parse().map_err(|_| {
                ApiError::parameter("since", format!("{text:?} is not the id of an event"))
            })?),
            None => None,
        };
        let place = Place::take(app)?;
        let pass = Pass {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            headers: request.headers().clone(),
            gate: app.gate(),
        };
        let rounds = app.live.rounds(&feed);
        let follower = Follower {
            at: after.or(since).unwrap_or_else(|| feed.last_id()),
            rounds,
            stop: app.live.stop.subscribe(),
            pass,
            subscription,
            feed,
            is_behind: true,
            is_under_way: false,
            heartbeat_at: Instant::now() + app.live.pace.heartbeat,
            turn: app.live.turn(),
            app: Arc::clone(app),
            _place: place,
        };
        Ok((follower, params))
    }

    pub(super) fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// The id up to which all was handed on.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// What every connection begins with: the id from which it goes on.
    pub(super) fn hello(&self) -> Frame {
        Frame::of_kind(self.at, "hello", "")
    }

    /// Takes up what a client says on a WebSocket, and gives what is answered.
    pub(super) fn take(&mut self, text: &str) -> Frame {
        match self.subscription.change(text) {
            Ok(()) => {
                self.is_under_way = false;
                let topics = serde_json::json!(self.subscription.topics());
                Frame::of_kind(self.at, "subscribed", &format!(",\"topics\":{topics}"))
            }
            Err(error) => {
                let error = serde_json::Value::from(error);
                Frame::of_kind(self.at, "error", &format!(",\"error\":{error}"))
            }
        }
    }

    /// What there is, without waiting.
    pub(super) fn take_waiting(&mut self) -> Result<Vec<Frame>, Farewell> {
        self.is_behind = false;
        let topics = self.subscription.feed_topics();
        let mut read = self.feed.read(self.at, topics);
        let mut has_gap = false;
        if self.is_under_way && matches!(read, Read::Gone { .. }) {
            // A flood of log lines passes faster than anybody reads: that is no reason to let a
            // client go that keeps up with the rest.
            has_gap = topics.contains(Topic::Logs);
            read = self.feed.read(self.at, topics.without(Topic::Logs));
        }
        match read {
            Read::Gone { .. } if self.is_under_way => Err(Farewell::TooSlow),
            Read::Gone { last } => {
                self.at = last;
                self.is_under_way = true;
                Ok(vec![Frame::of_kind(last, "reset", "")])
            }
            Read::Events { events, until, more } => {
                self.is_behind = more;
                self.at = until;
                self.is_under_way = true;
                let frames = self.subscription.frames(&events);
                let gap = has_gap.then(|| Frame::of_kind(until, "log.gap", ""));
                let frames = frames.into_iter().map(|(id, text)| Frame { id, text });
                Ok(frames.chain(gap).collect())
            }
        }
    }

    /// Waits for what is to be sent next. Whoever stops waiting misses nothing.
    pub(super) async fn next(&mut self) -> Result<Vec<Frame>, Farewell> {
        loop {
            if *self.stop.borrow() {
                return Err(Farewell::Stopping);
            }
            if self.is_behind {
                let frames = self.take_waiting()?;
                if !frames.is_empty() {
                    return Ok(frames);
                }
                continue;
            }
            let is_round = tokio::select! {
                changed = self.rounds.changed() => {
                    // The feed is gone only with the engine.
                    if changed.is_err() {
                        return Err(Farewell::Stopping);
                    }
                    true
                }
                stopped = self.stop.changed() => match stopped {
                    Ok(()) => continue,
                    Err(_) => return Err(Farewell::Stopping),
                },
                () = tokio::time::sleep_until(self.heartbeat_at) => false,
            };
            if !self.pass.holds(&self.app) {
                return Err(Farewell::Unauthorized);
            }
            if is_round {
                self.is_behind = true;
                // Not all at once: whoever else has something to do comes in between.
                tokio::time::sleep(self.app.live.turn_after(self.turn)).await;
                continue;
            }
            self.heartbeat_at = Instant::now() + self.app.live.pace.heartbeat;
            return Ok(vec![Frame::of_kind(self.at, "heartbeat", "")]);
        }
    }

    /// Notes that it is let go.
    pub(super) fn note(&self, farewell: &Farewell) {
        if let Some(reason) = farewell.counted() {
            self.app.telemetry.live.dropped.add([reason], 1);
            tracing::debug!(reason, "a client of the live feed is let go");
        }
    }
}

/// The last id that a client saw, as its browser says by itself when it comes back.
pub(super) fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let text = value.to_str().unwrap_or("?").trim();
    if text.is_empty() {
        return Ok(None);
    }
    let invalid = || format!("Last-Event-ID: {text:?} is not the id of an event");
    text.parse().map(Some).map_err(|_| ApiError::new(ErrorKind::BadData, invalid()))
}
