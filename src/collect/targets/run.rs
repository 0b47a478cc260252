//! The task of one target: waits, asks, hands over.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::{Batch, Context, Health, TargetStatus, lock};
use crate::collect::scrape::{Answer, Client, ScrapeState, Target};
use crate::model::{Exemplar, Labels, Metadata, Row, Timestamp};

/// How a target's task is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Not at all.
    No,
    /// As it is: the target goes on under other settings, or the daemon stops.
    Keep,
    /// With staleness markers: the target is gone.
    End,
}

/// A scrape that begins this little after it was due gets the time at which it was due, up to a
/// hundredth of the interval: even distances take less room (`ScrapeTimestampTolerance`).
const TOLERANCE_MS_MAX: i64 = 20;

/// An answer above this is read on a thread that may block, so that others are not held up.
const READ_HERE_BYTES_MAX: usize = 128 << 10;
/// A buffer above this is not kept until the next scrape.
const KEPT_BYTES_MAX: usize = 64 << 10;

pub(super) struct TargetTask {
    pub(super) target: Target,
    pub(super) client: Result<Client, String>,
    pub(super) state: ScrapeState,
    pub(super) context: Arc<Context>,
    pub(super) status: Arc<Mutex<TargetStatus>>,
    pub(super) stopped: watch::Receiver<Stop>,
}

impl TargetTask {
    pub(super) async fn run(mut self) -> ScrapeState {
        let mut stopped = self.stopped.clone();
        let mut answer = Answer::default();
        loop {
            let now = self.context.clock.now();
            let due = next_due(now, self.target.interval.millis(), self.target.offset_ms());
            let wait = Duration::from_millis(due.since(now).unsigned_abs());
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                how = told(&mut stopped) => return self.leave(how).await,
            }
            let now = self.context.clock.now();
            let tolerance = (self.target.interval.millis() / 100).min(TOLERANCE_MS_MAX);
            let began = if (0..=tolerance).contains(&now.since(due)) { due } else { now };
            let started = Instant::now();
            let fetched = match &self.client {
                Ok(client) => tokio::select! {
                    fetched = client.scrape(&self.target, &mut answer) => fetched,
                    how = told(&mut stopped) => return self.leave(how).await,
                },
                Err(error) => Err(error.clone()),
            };
            let took = started.elapsed();
            let outcome;
            (self.state, answer, outcome) = read(self.state, answer, fetched, began, took).await;
            self.context
                .telemetry
                .scrapes
                .add([if outcome.error.is_none() { "success" } else { "failure" }], 1);
            let handed = tokio::select! {
                handed = hand_over(&self.context, outcome.rows, outcome.exemplars, outcome.metadata) => handed,
                how = told(&mut stopped) => return self.leave(how).await,
            };
            let error = outcome.error.or(handed.err());
            let mut status = lock(&self.status);
            status.health = if error.is_none() { Health::Up } else { Health::Down };
            status.last_error = error.unwrap_or_default();
            status.last_scrape = Some(began);
            status.last_duration = took;
        }
    }

    async fn leave(mut self, how: Stop) -> ScrapeState {
        if how == Stop::End {
            let rows = self.state.end(self.context.clock.now());
            // An error is the store's and told there: the target is no longer in the list.
            let _ = hand_over(&self.context, rows, Vec::new(), Vec::new()).await;
        }
        self.state
    }
}

/// The first time after `now` that is `offset_ms` behind the beginning of an interval.
fn next_due(now: Timestamp, interval_ms: i64, offset_ms: i64) -> Timestamp {
    let into = (now.millis() - offset_ms).rem_euclid(interval_ms);
    now.plus_millis(interval_ms - into)
}

/// Waits until the task is to stop.
async fn told(stopped: &mut watch::Receiver<Stop>) -> Stop {
    match stopped.wait_for(|how| *how != Stop::No).await {
        Ok(how) => *how,
        // The group's task is gone, and with it everyone who could say anything else.
        Err(_) => Stop::Keep,
    }
}

async fn read(
    mut state: ScrapeState,
    mut answer: Answer,
    fetched: Result<(), String>,
    began: Timestamp,
    took: Duration,
) -> (ScrapeState, Answer, crate::collect::scrape::Outcome) {
    let large = answer.body.len() > READ_HERE_BYTES_MAX;
    let work = move || {
        let given = fetched.map(|()| (&answer.body[..], answer.content_type.as_deref()));
        let outcome = state.apply(given, began, took);
        if answer.body.capacity() > KEPT_BYTES_MAX {
            answer.body = Vec::new();
        }
        (state, answer, outcome)
    };
    if !large {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            // A panic in there is a panic here, as it would be without the thread.
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going down, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Gives rows to the store and waits until it says that they are safe.
pub(super) async fn hand_over(
    context: &Context,
    rows: Vec<Row>,
    exemplars: Vec<(Labels, Exemplar)>,
    metadata: Vec<(String, Metadata)>,
) -> Result<(), String> {
    if rows.is_empty() && metadata.is_empty() {
        return Ok(());
    }
    let (done, answered) = oneshot::channel();
    let gone = || "not stored: the store has stopped".to_owned();
    context.sink.send(Batch { rows, exemplars, metadata, done }).await.map_err(|_| gone())?;
    answered.await.map_err(|_| gone())?.map_err(|error| format!("not stored: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_due_at_its_offset_in_every_interval() {
        let due = |now, offset| next_due(Timestamp::from_millis(now), 15_000, offset).millis();
        assert_eq!(due(0, 4_000), 4_000);
        assert_eq!(due(3_999, 4_000), 4_000);
        assert_eq!(due(4_000, 4_000), 19_000);
        assert_eq!(due(100_000, 4_000), 109_000);
        assert_eq!(due(-1, 0), 0);
    }
}
