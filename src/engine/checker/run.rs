//! One run of a check: attempts, and what they say.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::model::{CheckDefinition, CheckStatus, Observation};
use crate::probes::{Probe, prepare};

use super::metrics::Measured;
use super::verdict::result_of;
use crate::checks::Judge;

/// Between attempts of one run.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// Attempts in one run, whatever the definition says.
pub(super) const RETRIES_MAX: u32 = 10;
/// Bytes of an answer that go along with an alert.
pub(super) const EXCERPT_BYTES_MAX: usize = 1024;

/// A check that is ready to be asked.
pub(super) struct Question {
    definition: Arc<CheckDefinition>,
    probe: Box<dyn Probe>,
    judge: Judge,
    timeout: Duration,
}

/// What a run came to.
pub(super) struct Answer {
    pub(super) measured: Arc<Measured>,
    pub(super) excerpt: String,
}

impl Question {
    /// Reads a definition.
    ///
    /// # Errors
    ///
    /// Which field is wrong, and the mend.
    pub(super) fn new(
        definition: Arc<CheckDefinition>,
        default_timeout: Duration,
    ) -> Result<Self, String> {
        let probe = prepare(&definition)?;
        let judge = Judge::prepare(&definition).map_err(|error| error.to_string())?;
        let timeout = definition.timeout.map_or(default_timeout, |timeout| timeout.duration());
        Ok(Question { definition, probe, judge, timeout })
    }

    /// Asks, again if it fails and the definition wants that, and judges.
    pub(super) async fn ask(&self, clock: &dyn Clock) -> Answer {
        let began = clock.now();
        let mut attempt = 0;
        loop {
            let seen = self.probe.ask(self.timeout).await;
            let mut result = result_of(&self.definition, &self.judge, &seen, began);
            attempt += 1;
            let is_final = result.status != CheckStatus::Unhealthy
                || attempt > self.definition.retries.min(RETRIES_MAX);
            if is_final {
                if attempt > 1 {
                    result.metadata.insert("attempts".to_owned(), attempt.into());
                }
                let excerpt = excerpt(&seen);
                let measured = Arc::new(Measured::new(result, Some(&seen)));
                return Answer { measured, excerpt };
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }
}

fn excerpt(seen: &Observation) -> String {
    excerpt_of(&seen.body)
}

/// The beginning of an answer as text, cut between characters.
pub(super) fn excerpt_of(body: &[u8]) -> String {
    let cut = &body[..body.len().min(EXCERPT_BYTES_MAX)];
    let mut text = String::from_utf8_lossy(cut).into_owned();
    // The replacement sign of a character that the cut halved is no part of the answer.
    if body.len() > EXCERPT_BYTES_MAX && text.ends_with('\u{fffd}') {
        text.pop();
    }
    text.retain(|c| c == '\n' || c == '\t' || !c.is_control());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_cut_between_characters_and_has_no_control_characters() {
        let long = "ä".repeat(600);
        let text = excerpt_of(&long.as_bytes()[1..]);
        assert!(text.len() <= EXCERPT_BYTES_MAX + 3 && text.ends_with('ä'), "{}", text.len());
        assert_eq!(excerpt_of(b"a\x1b[31mb\nc\0"), "a[31mb\nc");
    }
}
