//! What time brings: starts, ends, a canary's steps.

use serde_json::{Value, json};

use super::{Draft, EPOCHS_MAX, OURSELVES, Step, go_to_step, start};
use crate::model::{
    AuditKind, ExperimentDefinition, ExperimentKind, ExperimentState, ExperimentStatus, Timestamp,
};

/// So long after a guardrail has ended an experiment its incident is taken for seen.
const INCIDENT_LASTS_MS: i64 = 24 * 3_600_000;

/// Does what is due. `doubt` says why the guardrails do not let a canary go on, if they do not.
/// `None` when nothing changes.
pub fn tick(
    definition: &ExperimentDefinition,
    state: &ExperimentState,
    doubt: Option<&str>,
    now: Timestamp,
) -> Option<Step> {
    let mut draft = Draft::new(definition, state, OURSELVES, now);
    match state.status {
        ExperimentStatus::Draft => {
            let due = definition.start_at.is_some_and(|at| at <= now);
            let over = definition.end_at.is_some_and(|at| at <= now);
            if due && !over {
                // Refused is only what has ended, and that was asked.
                start(&mut draft, "start_at").ok()?;
            }
        }
        ExperimentStatus::Running | ExperimentStatus::Paused => {
            if definition.end_at.is_some_and(|at| at <= now) {
                let details = json!({ "shipped": Value::Null });
                draft.accept();
                draft.go(ExperimentStatus::Completed, AuditKind::Completed, "end_at", details);
            } else {
                // A changed definition may be in force without its epoch after a crash.
                draft.share_out();
                if state.status == ExperimentStatus::Running {
                    go_on(&mut draft, doubt);
                }
            }
        }
        ExperimentStatus::Completed | ExperimentStatus::Cancelled => {
            let since = state.ended_at.map_or(0, |at| now.millis().saturating_sub(at.millis()));
            if since >= INCIDENT_LASTS_MS {
                draft.accept();
            }
        }
    }
    (draft.state != *state).then(|| draft.finish())
}

/// When a canary's next step is due.
fn step_due(definition: &ExperimentDefinition, state: &ExperimentState) -> Option<Timestamp> {
    if definition.kind != ExperimentKind::Canary || state.step + 1 >= definition.steps.len() {
        return None;
    }
    let hold = definition.steps.get(state.step)?.hold;
    let due = state.step_at?.millis().saturating_add(hold.millis());
    Some(Timestamp::from_millis(due))
}

fn go_on(draft: &mut Draft<'_>, doubt: Option<&str>) {
    let Some(due) = step_due(draft.definition, &draft.state) else { return };
    if due > draft.now || draft.state.epochs.len() >= EPOCHS_MAX {
        return;
    }
    let next = draft.state.step + 1;
    match doubt {
        None => go_to_step(draft, next, "the step before held long enough"),
        Some(_) if draft.state.held_at.is_some() => {}
        Some(doubt) => {
            draft.state.held_at = Some(draft.now);
            let note = format!("step {next} is due and waits: {doubt}");
            draft.say(AuditKind::Held, note, json!({ "step": draft.state.step }));
        }
    }
}

/// When time brings something next, as far as that is known.
pub fn next_due(definition: &ExperimentDefinition, state: &ExperimentState) -> Option<Timestamp> {
    match state.status {
        ExperimentStatus::Draft => definition.start_at,
        ExperimentStatus::Running => {
            let dates = [definition.end_at, step_due(definition, state)];
            dates.into_iter().flatten().min()
        }
        ExperimentStatus::Paused => definition.end_at,
        ExperimentStatus::Completed | ExperimentStatus::Cancelled => None,
    }
}
