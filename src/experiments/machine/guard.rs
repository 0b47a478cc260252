//! What a breached guardrail does: it may stop, and never promote.

use serde_json::json;

use super::{Draft, OURSELVES, Step, go_live, roll_back};
use crate::model::{
    AuditKind, ExperimentDefinition, ExperimentKind, ExperimentState, ExperimentStatus,
    GuardrailAction, GuardrailState, Timestamp,
};

/// A guardrail that is breached at present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// `metric latency_ms` or `rule variant-errors`.
    pub guardrail: String,
    /// The variant that breaches it, where one does.
    pub variant: Option<String>,
    /// What is seen, in words.
    pub reason: String,
    /// Which firing of the rule it is.
    pub alert: Option<String>,
    /// What is to be done.
    pub action: GuardrailAction,
}

impl Breach {
    fn is(&self, known: &GuardrailState) -> bool {
        known.guardrail == self.guardrail && known.variant == self.variant
    }
}

/// The breaches whose incidents are open.
pub fn firing(state: &ExperimentState) -> impl Iterator<Item = &GuardrailState> {
    state.breaches.iter().filter(|breach| !breach.accepted)
}

/// Takes up what is breached at present: all of it, so that what a person has accepted is known
/// anew once it has passed. `None` when nothing changes.
pub fn breach(
    definition: &ExperimentDefinition,
    state: &ExperimentState,
    present: &[Breach],
    now: Timestamp,
) -> Option<Step> {
    if !state.status.is_active() {
        return None;
    }
    let mut draft = Draft::new(definition, state, OURSELVES, now);
    let is_new = |breach: &&Breach| {
        let known = state.breaches.iter().find(|known| breach.is(known));
        // Of a metric there is one firing only: it is accepted until it passes.
        known.is_none_or(|known| known.accepted && known.alert != breach.alert)
    };
    let new: Vec<&Breach> = present.iter().filter(is_new).collect();
    let passed =
        |known: &GuardrailState| known.accepted && !present.iter().any(|breach| breach.is(known));
    let replaced = |known: &GuardrailState| new.iter().any(|breach| breach.is(known));
    draft.state.breaches.retain(|known| !passed(known) && !replaced(known));
    for breach in &new {
        let details = json!({
            "guardrail": breach.guardrail, "variant": breach.variant, "action": breach.action,
        });
        draft.say(AuditKind::Breached, breach.reason.as_str(), details);
        draft.state.breaches.push(GuardrailState {
            guardrail: breach.guardrail.clone(),
            variant: breach.variant.clone(),
            at: now,
            reason: breach.reason.clone(),
            alert: breach.alert.clone(),
            accepted: false,
        });
    }
    let worst = new.iter().max_by_key(|breach| breach.action == GuardrailAction::Rollback);
    if let Some(worst) = worst {
        stop(&mut draft, worst);
    }
    (draft.state != *state).then(|| draft.finish())
}

fn stop(draft: &mut Draft<'_>, breach: &Breach) {
    let why = format!("guardrail {}: {}", breach.guardrail, breach.reason);
    match breach.action {
        GuardrailAction::Rollback => roll_back(draft, &why),
        GuardrailAction::Pause => {
            let control = draft.definition.control();
            // Nobody new to enrol would leave all traffic where it does harm.
            if draft.definition.kind == ExperimentKind::BlueGreen
                && let Some(control) = control.filter(|_| draft.state.live != control)
            {
                go_live(draft, control, &why);
            }
            if draft.state.status == ExperimentStatus::Running {
                let paused = ExperimentStatus::Paused;
                draft.go(paused, AuditKind::Paused, &why, serde_json::Value::Null);
            }
        }
    }
}
