//! Heartbeats: what they tell, and what is made of their silence.

use std::sync::Arc;

use crate::checks::{Beat, Expectation, Heartbeat};
use crate::model::{CheckKind, CheckResult, CheckStatus, Name, Phases, Timestamp};

use super::super::metrics::Measured;
use super::{Judging, Known};

/// What comes in at the address of a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ping {
    /// A sign of life.
    Beat(Beat),
    /// Nothing but a text to be kept.
    Log,
}

/// When silence means something.
pub(in crate::engine::checker) fn wakes_at(known: &Known) -> Option<Timestamp> {
    let expectation = Expectation::of(&known.definition).ok()?;
    known.state.heartbeat.as_ref()?.wakes_at(&expectation)
}

/// Begins to wait for the first sign of one that is new.
pub(super) fn begin(known: &mut Known, at: Timestamp) {
    if known.definition.kind == CheckKind::Heartbeat && known.state.heartbeat.is_none() {
        known.state.heartbeat = Some(Heartbeat::new(at));
    }
}

impl Judging<'_> {
    /// A heartbeat told something.
    pub(super) fn pinged(
        &mut self,
        name: &Name,
        mut known: Known,
        ping: Ping,
        at: Timestamp,
        excerpt: &str,
    ) {
        let Some(heartbeat) = known.state.heartbeat.take() else { return };
        known.excerpt = excerpt.to_owned();
        let Ping::Beat(beat) = ping else {
            known.state.heartbeat = Some(heartbeat);
            self.put(name, known);
            return;
        };
        let (after, transition) = heartbeat.beat(beat, at);
        let took_ms = after.last_duration_ms.unwrap_or(0);
        let paused = after.status == CheckStatus::Paused;
        known.state.heartbeat = Some(after);
        self.decision.transitions.extend(transition.map(|change| (name.clone(), change)));
        let (error, code) = match beat {
            Beat::Start => {
                self.put(name, known);
                return;
            }
            _ if paused => {
                self.put(name, known);
                return;
            }
            Beat::Success => (None, None),
            Beat::Fail => (Some("it told that it failed".to_owned()), None),
            Beat::Exit(0) => (None, Some(0)),
            Beat::Exit(code) => (Some(format!("it ended with exit code {code}")), Some(code)),
        };
        known.state.unknown = None;
        let mut result = told(name, at, took_ms, error);
        if let Some(code) = code {
            result.metadata.insert("exit_code".to_owned(), code.into());
        }
        let mut measured = Measured::new(result, None);
        measured.code = code.map(i64::from);
        self.heard(name, known, measured);
    }

    /// A heartbeat told nothing by its deadline. Without a change, the timetable is told of the
    /// deadline again: a ping that was committed meanwhile has moved it.
    pub(super) fn missed(&mut self, name: &Name, mut known: Known, at: Timestamp) {
        let (Some(heartbeat), Ok(expectation)) =
            (known.state.heartbeat.take(), Expectation::of(&known.definition))
        else {
            return;
        };
        let running = heartbeat.running_since;
        let last = heartbeat.last_beat;
        let (after, transition) = heartbeat.tick(&expectation, at);
        known.state.heartbeat = Some(after);
        let Some(transition) = transition else {
            self.put(name, known);
            return;
        };
        self.decision.transitions.push((name.clone(), transition));
        if transition.to != CheckStatus::Unhealthy {
            known.state.unknown = Some("a ping may have come while vedette did not run".to_owned());
            self.put(name, known);
            return;
        }
        known.state.unknown = None;
        let by = transition.at;
        let error = match (running, last) {
            (Some(began), _) => format!("it began at {began} and did not end by {by}"),
            (None, Some(last)) => format!("no ping since {last}; one was to come by {by}"),
            (None, None) => format!("no ping came by {by}"),
        };
        let mut result = told(name, by, 0, Some(error));
        result.metadata.insert("missed".to_owned(), true.into());
        self.heard(name, known, Measured::new(result, None));
    }

    fn heard(&mut self, name: &Name, mut known: Known, measured: Measured) {
        self.note(&measured.result);
        known.last = Some(Arc::new(measured));
        self.settle_now(name, known);
    }
}

fn told(name: &Name, at: Timestamp, took_ms: i64, error: Option<String>) -> CheckResult {
    let status = if error.is_some() { CheckStatus::Unhealthy } else { CheckStatus::Healthy };
    let total_us = took_ms.max(0).unsigned_abs().saturating_mul(1000);
    CheckResult {
        check: name.clone(),
        at,
        status,
        phases: Phases { total_us, ..Phases::default() },
        failed_condition: None,
        error,
        metadata: serde_json::Map::new(),
    }
}
