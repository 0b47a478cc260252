//! One attempt: what it has seen so far, and the deadline that ends it.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use super::Probe;
use crate::model::{Observation, Phases};

/// What a probe does, written straight down: it fills `attempt.seen` as it goes, so that what was
/// seen before a failure or the deadline is kept.
pub(super) trait Question: Send + Sync {
    /// Asks. The error says what failed, where, and what that may mean. Nothing here needs a
    /// timeout of its own; everything must stop when the future is dropped.
    fn put<'a>(&'a self, attempt: &'a mut Attempt) -> BoxFuture<'a, Result<(), String>>;
}

/// One attempt under way.
#[derive(Debug)]
pub(super) struct Attempt {
    /// What was seen so far.
    pub(super) seen: Observation,
    /// What is being waited for, to be named if the time runs out: `connecting to a:1`.
    pub(super) waiting_for: String,
    /// When all must be over.
    pub(super) deadline: Instant,
    /// The total to report, in microseconds, for kinds whose answer is a time: of `icmp` the round
    /// trip, of `model` the answer's. Otherwise it is the time that the attempt took.
    pub(super) total_us: Option<u64>,
}

impl Attempt {
    /// Says what is waited for from here on.
    pub(super) fn wait_for(&mut self, what: impl Into<String>) {
        self.waiting_for = what.into();
    }

    /// The phases, to be filled in.
    pub(super) fn phases(&mut self) -> &mut Phases {
        &mut self.seen.phases
    }

    /// Shows something with the result.
    pub(super) fn note(&mut self, key: &str, value: impl Into<serde_json::Value>) {
        self.seen.metadata.insert(key.to_owned(), value.into());
    }
}

/// Microseconds since `start`.
pub(super) fn micros(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Adds to a phase that may take place several times, as with redirects.
pub(super) fn add(phase: &mut Option<u64>, micros: u64) {
    *phase = Some(phase.unwrap_or(0).saturating_add(micros));
}

impl<Q: Question> Probe for Q {
    fn ask(&self, timeout: Duration) -> BoxFuture<'_, Observation> {
        Box::pin(async move {
            let start = Instant::now();
            let mut attempt = Attempt {
                seen: Observation::default(),
                waiting_for: String::new(),
                total_us: None,
                // A timeout beyond what a clock can say is none that anybody waits for.
                deadline: start
                    .checked_add(timeout)
                    .unwrap_or_else(|| start + Duration::from_secs(365 * 24 * 3600)),
            };
            let outcome = tokio::time::timeout(timeout, self.put(&mut attempt)).await;
            let error = match outcome {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error),
                Err(_) => Some(late(&attempt.waiting_for, timeout)),
            };
            let mut seen = attempt.seen;
            seen.phases.total_us = attempt.total_us.unwrap_or_else(|| micros(start));
            seen.error = error;
            seen
        })
    }
}

fn late(waiting_for: &str, timeout: Duration) -> String {
    let seconds = timeout.as_secs_f64();
    if waiting_for.is_empty() {
        format!("timed out after {seconds} s")
    } else {
        format!("timed out after {seconds} s while {waiting_for}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Endless;

    impl Question for Endless {
        fn put<'a>(&'a self, attempt: &'a mut Attempt) -> BoxFuture<'a, Result<(), String>> {
            Box::pin(async move {
                attempt.seen.connected = true;
                attempt.wait_for("reading from a:1");
                std::future::pending().await
            })
        }
    }

    #[tokio::test]
    async fn what_was_seen_before_the_deadline_is_kept() {
        let seen = Endless.ask(Duration::from_millis(5)).await;
        assert!(seen.connected);
        assert_eq!(seen.error.as_deref(), Some("timed out after 0.005 s while reading from a:1"));
        assert!(seen.phases.total_us >= 5000, "{}", seen.phases.total_us);
    }
}
