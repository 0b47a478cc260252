//! An evaluation of an alerting rule: decide on a copy, commit, and only then adopt and write.

use std::sync::Arc;

use tokio::sync::watch;

use crate::engine::feed::{Fact, Subject, Topic};
use crate::engine::watch::{Batch, Signal};
use crate::model::{RuleMode, Timestamp};
use crate::rules::{AlertRule, AlertState, AlertStates, Changes, Saved, StoredState, Telling};
use crate::store::{DocumentKind, StoreError, Table, Write};

use super::Shared;
use super::asking::{NoResult, ask};
use super::judging::{Answer, Question};
use super::live::{LiveAlerting, LiveGroup};

/// Evaluations further apart than so many intervals were not late: the machine slept or the clock
/// jumped. The same number as in [`crate::rules::evaluate_step`].
const JUMP_INTERVALS: i64 = 5;

/// Evaluates an alerting rule once.
pub(super) async fn evaluate_alerting(
    shared: &Shared,
    live: &LiveGroup,
    place: usize,
    alerting: &LiveAlerting,
    at: Timestamp,
    stopped: &mut watch::Receiver<bool>,
) -> Result<(), NoResult> {
    let asked_at = at.plus_millis(-live.query_offset_ms);
    if alerting.rule.mode == RuleMode::Paused {
        // What it wrote before it was paused ends here.
        return write(shared, live, place, Vec::new(), asked_at).await;
    }
    let question = question(shared, live, alerting, at);
    let waits_to_settle = question.settle_since.is_some();
    let asked = question.clone();
    let answer = ask(shared, stopped, move |reader, options| asked.answer(reader, options));
    let Answer { states, outcome, mut evaluation, settled, waiting_for } = match answer.await {
        Ok(answer) => answer,
        Err(NoResult::Failed(error)) => question.failed(error),
        Err(NoResult::Stopped) => return Err(NoResult::Stopped),
    };

    let saved = alerting.change(|current| Arc::clone(&current.saved));
    let changes = saved.changes(&states, &alerting.rule, at);
    let wrote = !changes.is_empty() || !outcome.tellings.is_empty();
    if wrote {
        let batch = batch_of(&alerting.identity, changes, outcome.tellings)
            .map_err(|error| error.to_string());
        let committed = match batch {
            Ok(mut batch) => {
                let before = alerting.states();
                batch.facts.extend(changed(live, &alerting.rule, &before, &states, at));
                shared.watch.commit(batch).await.map_err(|error| error.to_string())
            }
            Err(error) => Err(error),
        };
        if let Err(error) = committed {
            // The state stays as it was: the next evaluation decides again.
            let error = format!("the decision was not committed: {error}");
            evaluation.error = Some(error.clone());
            alerting.note(evaluation);
            return Err(NoResult::Failed(error));
        }
    }
    let error = evaluation.error.clone();
    alerting.change(|current| {
        if wrote {
            current.saved = Arc::new(Saved::of(&states, &alerting.rule));
        }
        current.states = Arc::new(states);
        current.evaluations.push(evaluation);
        current.waiting_for = waiting_for;
        if waits_to_settle && settled {
            current.settle_since = None;
        }
    });
    write(shared, live, place, outcome.rows, asked_at).await?;
    error.map_or(Ok(()), |error| Err(NoResult::Failed(error)))
}

/// What is asked, and whether it is too early or too soon after a jump of the clock to believe
/// that something is missing.
fn question(shared: &Shared, live: &LiveGroup, alerting: &LiveAlerting, at: Timestamp) -> Question {
    let settings = Arc::clone(&shared.settings.borrow());
    let lookback_ms = settings.query.lookback_delta.millis();
    let hold_ms = lookback_ms.max(live.interval_ms.saturating_mul(2));
    let (states, settle_since) = alerting.change(|current| {
        let last = current.evaluations.iter().next_back().map(|evaluation| evaluation.at);
        let gap_ms = last.map_or(0, |last| at.since(last));
        if gap_ms < 0 || gap_ms > live.interval_ms.saturating_mul(JUMP_INTERVALS) {
            current.settle_since = Some(at);
        }
        let is_over = |since: Timestamp| !(0..hold_ms).contains(&at.since(since));
        if current.settle_since.is_some_and(is_over) {
            current.settle_since = None;
        }
        (Arc::clone(&current.states), current.settle_since)
    });
    Question {
        rule: Arc::clone(&alerting.rule),
        states,
        at,
        query_offset_ms: live.query_offset_ms,
        interval_ms: live.interval_ms,
        settle_since,
        external_url: shared.watch.view().external_url().to_owned(),
    }
}

async fn write(
    shared: &Shared,
    live: &LiveGroup,
    place: usize,
    rows: Vec<crate::model::Row>,
    asked_at: Timestamp,
) -> Result<(), NoResult> {
    let rows = live.change(|state| state.with_markers(place, rows, asked_at));
    shared.write(&rows).await.map_err(NoResult::Failed)?;
    live.change(|state| state.note_written(place, &rows));
    Ok(())
}

/// How many alerts of a rule are pending, and how many fire.
fn tally(states: &AlertStates) -> (usize, usize) {
    let count = |state| states.active().filter(|alert| alert.clocks.state == state).count();
    (count(AlertState::Pending), count(AlertState::Firing))
}

/// What is told where other numbers of a rule's alerts are pending or firing than before.
fn changed(
    live: &LiveGroup,
    rule: &AlertRule,
    before: &AlertStates,
    after: &AlertStates,
    at: Timestamp,
) -> Option<Fact> {
    let (pending, firing) = tally(after);
    if (pending, firing) == tally(before) {
        return None;
    }
    let (kind, state) = match (pending, firing) {
        (0, 0) => ("rule.inactive", AlertState::Inactive),
        (_, 0) => ("rule.pending", AlertState::Pending),
        _ => ("rule.firing", AlertState::Firing),
    };
    let data = serde_json::json!({
        "name": rule.name, "file": live.file, "group": live.group.name, "state": state,
        "mode": rule.mode, "pending": pending, "firing": firing,
        "at": at,
    });
    Some(Fact::new(Topic::Rules, kind, Subject::named(rule.name.as_str()), &data))
}

/// The key of a document of a rule's state: the rule's own, or one of its alerts.
pub(super) fn document_id(identity: &str, alert: Option<&str>) -> String {
    alert.map_or_else(|| identity.to_owned(), |alert| format!("{identity}/{alert}"))
}

/// What the keeper is handed: the state and what follows from it, in one transaction.
pub(super) fn batch_of(
    identity: &str,
    changes: Changes,
    tellings: Vec<Telling>,
) -> Result<Batch, StoreError> {
    let kind = DocumentKind::RuleState;
    let mut writes = Vec::new();
    if let Some(rule) = changes.rule {
        let id = document_id(identity, None);
        writes.push(Write::document(Table::Watch, kind, &id, &StoredState::Rule(rule))?);
    }
    for (alert, stored) in changes.put {
        let id = document_id(identity, Some(&alert));
        writes.push(Write::document(
            Table::Watch,
            kind,
            &id,
            &StoredState::Alert(Box::new(stored)),
        )?);
    }
    for alert in changes.removed {
        let id = document_id(identity, Some(&alert));
        writes.push(Write::no_document(Table::Watch, kind, &id));
    }
    let signals = tellings.into_iter().map(signal).collect();
    Ok(Batch { writes, signals, ..Batch::default() })
}

pub(super) fn signal(telling: Telling) -> Signal {
    match telling {
        Telling::Firing(alert) => Signal::Firing(alert),
        Telling::Ended { key, at } => Signal::Ended { key, at },
    }
}
