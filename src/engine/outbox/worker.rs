//! One channel's worker: picks what is due, sends it, writes down what became of it.
//!
//! Only one attempt is under way at a time, so that a channel hears things in order. While it
//! fails, everything waits behind the next attempt (its circuit is open), and what waits is
//! joined per group when its turn comes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::bucket::Bucket;
use super::{Report, Tools};
use crate::engine::watch::{Outcome, Sent};
use crate::model::{
    ChannelDefinition, ChannelKind, Delivery, Labels, Notification, NotificationReason, Timestamp,
};
use crate::notify::Outgoing;
use crate::notify::coalesce::{Joined, coalesce};
use crate::notify::retry::{self, Failure, Next, RETRY_AFTER_MAX_MS};
use crate::senders::{Prepared, Taken, kind_word};

/// The longest sleep: wall clocks jump, and what is due by them is looked at again.
const SLEEP_MAX: Duration = Duration::from_secs(60);
/// How often alerts are posted again to another Alertmanager, which holds each for five minutes
/// ([`crate::notify::render::alertmanager::POSTED_HOLDS_MS`]). Prometheus does so every minute
/// (`--rules.alert.resend-delay`).
const RENEW_EVERY: Duration = Duration::from_secs(60);
/// How long to wait before an outcome is written down again that could not be.
const SETTLE_AGAIN_MAX: Duration = Duration::from_secs(30);

struct Worker {
    tools: Arc<Tools>,
    channel: ChannelDefinition,
    prepared: Result<Prepared, String>,
    bucket: Bucket,
    began: Instant,
    /// Failed attempts since the last that succeeded.
    failures: u32,
    /// Until when the channel is left alone.
    open_until: Option<Instant>,
    renew_at: Instant,
}

/// What comes next.
enum Step {
    Send(Box<Joined>, Timestamp, u32),
    Wait(Duration),
}

/// Works until the channel is gone, when nobody holds the waker any more, or the daemon stops.
pub(super) async fn run(
    tools: Arc<Tools>,
    channel: ChannelDefinition,
    mut woken: watch::Receiver<()>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut changed = tools.ledger.changed();
    let mut worker = Worker::new(tools, channel);
    while !*stopped.borrow() {
        changed.borrow_and_update();
        if woken.has_changed().is_err() {
            return;
        }
        woken.borrow_and_update();
        worker.take_up();
        let pending = worker.mine();
        match worker.next(&pending) {
            Step::Send(joined, created_at, attempts) => {
                tokio::select! {
                    () = worker.attempt(*joined, created_at, attempts) => {}
                    _ = stopped.changed() => return,
                }
            }
            Step::Wait(pause) => {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    going = changed.changed() => if going.is_err() { return },
                    going = woken.changed() => if going.is_err() { return },
                    _ = stopped.changed() => return,
                }
                worker.renew().await;
            }
        }
    }
}

impl Worker {
    fn new(tools: Arc<Tools>, channel: ChannelDefinition) -> Self {
        let now = Instant::now();
        let prepared = prepare(&tools, &channel);
        let pace = prepared.as_ref().map(|p| p.pace).unwrap_or_default();
        Worker {
            tools,
            channel,
            prepared,
            bucket: Bucket::new(pace, 0),
            began: now,
            failures: 0,
            open_until: None,
            renew_at: now,
        }
    }

    /// Goes by how the channel is defined now: what was decided after a change must not be sent the
    /// way that was before it. A changed definition is tried at once: somebody mended it.
    fn take_up(&mut self) {
        let newest = self.tools.channels.find(&self.channel.name);
        let Some(channel) = newest.filter(|newest| *newest != self.channel) else { return };
        self.channel = channel;
        self.prepared = prepare(&self.tools, &self.channel);
        let pace = self.prepared.as_ref().map(|p| p.pace).unwrap_or_default();
        if pace != self.bucket.pace() {
            self.bucket = Bucket::new(pace, self.elapsed_ms());
        }
        self.failures = 0;
        self.open_until = None;
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn mine(&self) -> Vec<Arc<Delivery>> {
        let mut pending = self.tools.ledger.pending();
        pending.retain(|delivery| delivery.channel == self.channel.name);
        pending
    }

    fn is_alertmanager(&self) -> bool {
        self.channel.kind == ChannelKind::Alertmanager
    }

    fn next(&mut self, pending: &[Arc<Delivery>]) -> Step {
        let idle = if self.is_alertmanager() {
            self.renew_at.saturating_duration_since(Instant::now()).min(SLEEP_MAX)
        } else {
            SLEEP_MAX
        };
        let now = self.tools.clock.now();
        let attempts_of = |joined: &Joined| {
            let newest = pending.iter().find(|d| d.id == joined.delivery);
            newest.map(|d| (d.attempts, d.next_attempt_at, d.created_at))
        };
        let deliveries: Vec<&Delivery> = pending.iter().map(|d| &**d).collect();
        let waiting: Vec<(Joined, u32, Timestamp, Timestamp)> = coalesce(&deliveries)
            .into_iter()
            .filter_map(|joined| {
                let (attempts, due_at, created_at) = attempts_of(&joined)?;
                Some((joined, attempts, due_at, created_at))
            })
            .collect();
        // A test is somebody's own attempt: it does not wait for the circuit.
        let circuit = self.open_until.map(|until| until.saturating_duration_since(Instant::now()));
        let circuit = circuit.unwrap_or(Duration::ZERO);
        let mut soonest = idle;
        let mut chosen: Option<(Joined, u32, Timestamp)> = None;
        for (joined, attempts, due_at, created_at) in waiting {
            let wait = if joined.outgoing.is_test() { Duration::ZERO } else { circuit };
            let wait = wait.max(until(due_at, now));
            if !wait.is_zero() {
                soonest = soonest.min(wait);
                continue;
            }
            // What failed least comes first: one that is never taken does not stop the others.
            let rank = |joined: &Joined, attempts: u32| (!joined.outgoing.is_test(), attempts);
            let better = chosen.as_ref().is_none_or(|(best, best_attempts, _)| {
                rank(&joined, attempts) < rank(best, *best_attempts)
            });
            if better {
                chosen = Some((joined, attempts, created_at));
            }
        }
        let Some((joined, attempts, created_at)) = chosen else { return Step::Wait(soonest) };
        match self.bucket.take(self.elapsed_ms()) {
            Ok(()) => Step::Send(Box::new(joined), created_at, attempts),
            Err(wait_ms) => Step::Wait(Duration::from_millis(wait_ms).min(idle)),
        }
    }

    /// One attempt with all that follows from it.
    async fn attempt(&mut self, joined: Joined, created_at: Timestamp, attempts: u32) {
        let began = Instant::now();
        let outcome = self.send(&joined.outgoing).await;
        let kind = kind_word(self.channel.kind);
        let telemetry = Arc::clone(&self.tools.telemetry);
        telemetry.sending.duration.observe(began.elapsed());
        telemetry
            .sending
            .attempts
            .add([kind, if outcome.is_ok() { "success" } else { "failure" }], 1);
        let attempts = attempts.saturating_add(1);
        let now = self.tools.clock.now();
        let ttl_ms = self.tools.settings.borrow().notify.ttl.millis();
        let seed = joined.delivery.as_u128() as u64;
        let mut next = retry::after_attempt(
            outcome.as_ref().map(drop),
            attempts,
            created_at,
            now,
            ttl_ms,
            seed,
        );
        if let (Next::Again { reason, .. }, true) = (&next, joined.outgoing.is_test()) {
            // Whoever pressed the button has the answer, and presses it again.
            next = Next::Dead { reason: reason.clone() };
        }
        self.note_circuit(&outcome, joined.outgoing.is_test());
        let channel = self.channel.name.as_str();
        let (result, word) = match &next {
            Next::Delivered => (Sent::Delivered, "delivered"),
            Next::Again { at, reason } => {
                tracing::warn!(channel, attempts, %reason, "a notification was not taken; it is tried again");
                (Sent::Retry { at: *at, error: reason.clone() }, "retried")
            }
            Next::Dead { reason } => {
                tracing::error!(channel, attempts, %reason, "a notification is given up; it can be sent again");
                (Sent::Dead { error: reason.clone() }, "dead")
            }
        };
        telemetry.sending.outcomes.add([kind, word], 1);
        let mut outcomes = vec![Outcome { id: joined.delivery, result }];
        if !matches!(next, Next::Again { .. }) {
            // After the one that stands for them: only then are their alerts told.
            let superseded = |id: &uuid::Uuid| Outcome { id: *id, result: Sent::Superseded };
            outcomes.extend(joined.supersedes.iter().map(superseded));
            let count = joined.supersedes.len() as u64;
            telemetry.sending.outcomes.add([kind, "superseded"], count);
        }
        self.settle(outcomes).await;
        let outcome = outcome.map(|Taken(said)| said);
        // Usually nobody waits for it.
        let _ = self.tools.reports.send(Report { delivery: joined.delivery, outcome });
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<Taken, Failure> {
        let prepared = match &self.prepared {
            Ok(prepared) => prepared,
            // Somebody may mend it: waiting costs nothing.
            Err(error) => return Err(Failure::transient(error.clone())),
        };
        // Closed only with the process.
        let _place = self.tools.places.acquire().await;
        let sending = prepared.sender.send(outgoing, self.tools.clock.now());
        tokio::time::timeout(prepared.timeout, sending).await.unwrap_or_else(|_| {
            let seconds = prepared.timeout.as_secs_f64();
            Err(Failure::transient(format!("no answer within {seconds} s (settings.timeout)")))
        })
    }

    fn note_circuit(&mut self, outcome: &Result<Taken, Failure>, test: bool) {
        match outcome {
            Ok(_) => {
                self.failures = 0;
                self.open_until = None;
            }
            // One that is refused for what it says tells nothing about the others.
            Err(failure) if !failure.transient || test => {}
            Err(failure) => {
                self.failures = self.failures.saturating_add(1);
                let name = self.channel.name.as_str().as_bytes();
                let seed = xxhash_rust::xxh3::xxh3_64(name);
                let wait_ms = retry::backoff_ms(self.failures, seed, failure.retry_after_ms);
                let wait = Duration::from_millis(wait_ms.max(0).unsigned_abs());
                self.open_until = Some(Instant::now() + wait);
            }
        }
    }

    /// Writes outcomes down, again and again if need be: what was sent must not be sent anew
    /// because the disk is full.
    async fn settle(&self, outcomes: Vec<Outcome>) {
        let mut pause = Duration::from_secs(1);
        loop {
            match self.tools.ledger.settle(outcomes.clone()).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(%error, channel = %self.channel.name,
                        "what became of a notification cannot be written down yet");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(SETTLE_AGAIN_MAX);
                }
            }
        }
    }

    /// Posts again what another Alertmanager was told that fires, as it forgets it otherwise.
    async fn renew(&mut self) {
        if !self.is_alertmanager() || Instant::now() < self.renew_at {
            return;
        }
        self.renew_at = Instant::now() + RENEW_EVERY;
        let alerts = self.tools.ledger.told_firing(&self.channel.name);
        if alerts.is_empty() {
            return;
        }
        let now = self.tools.clock.now();
        let outgoing = Outgoing {
            notification: Notification {
                reason: NotificationReason::Repeat,
                group_key: String::new(),
                group_labels: Labels::empty(),
                alerts,
                truncated: 0,
                external_url: String::new(),
            },
            channel: self.channel.name.clone(),
            idempotency_key: String::new(),
            decided_at: now,
            unannounced: std::collections::BTreeSet::new(),
            joined: 0,
        };
        if let Err(failure) = self.send(&outgoing).await {
            // It comes again in a minute, long before the alerts there end.
            tracing::warn!(channel = %self.channel.name, reason = failure.reason,
                "alerts were not renewed");
            self.note_circuit(&Err(failure), false);
        }
    }
}

fn prepare(tools: &Tools, channel: &ChannelDefinition) -> Result<Prepared, String> {
    let prepared = (tools.prepare)(channel, &tools.clients);
    if let Err(error) = &prepared {
        tracing::error!(channel = %channel.name, %error, "a channel cannot be used");
    }
    prepared
}

/// How long until a time of the wall clock. One that is further away than anything we ever wait
/// for was set by a clock that has jumped back since: it is now.
fn until(at: Timestamp, now: Timestamp) -> Duration {
    let wait_ms = at.since(now);
    if wait_ms <= 0 || wait_ms > RETRY_AFTER_MAX_MS {
        return Duration::ZERO;
    }
    Duration::from_millis(wait_ms.unsigned_abs()).min(SLEEP_MAX)
}
