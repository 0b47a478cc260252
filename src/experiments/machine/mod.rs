//! The life of an experiment: draft → running ⇄ paused → completed or cancelled.
//!
//! Every function takes how an experiment stands and gives how it stands afterwards, with what
//! the audit says of it; nothing here knows the time but by its argument. Start reading at
//! [`act`].

mod change;
mod guard;
mod schedule;
#[cfg(test)]
mod tests;

pub use change::{change, may_change};
pub use guard::{Breach, breach, firing};
pub use schedule::{next_due, tick};

use serde_json::{Value, json};

use super::shares;
use crate::model::{
    AuditEntry, AuditKind, ExperimentDefinition, ExperimentKind, ExperimentState, ExperimentStatus,
    Timestamp,
};

/// Epochs of one experiment: each has sums of its own.
pub const EPOCHS_MAX: usize = 1_000;

/// Whoever acts where no person does.
pub const OURSELVES: &str = "vedette";

/// What somebody does to an experiment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Starts it.
    Start,
    /// Enrols nobody new.
    Pause,
    /// Goes on after a pause.
    Resume,
    /// Ends it; everybody gets this variant from now on, or what they had without it.
    Complete {
        /// The variant's name.
        ship: Option<String>,
    },
    /// Ends it, and nothing follows.
    Cancel,
    /// Takes a canary to its next step, or to a certain one.
    Step {
        /// The step's place.
        to: Option<usize>,
    },
    /// Switches all traffic of a blue-green experiment, to the other variant or a certain one.
    Switch {
        /// The variant's name.
        to: Option<String>,
    },
    /// Ends it and sends everybody back to the control.
    Rollback,
    /// Notes that a unit's data is deleted. Possible at any time; nothing else changes.
    Forget {
        /// The unit's hash, as the log of exposures shows it.
        unit: String,
    },
}

impl Act {
    /// Its word in paths and errors.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Act::Start => "start",
            Act::Pause => "pause",
            Act::Resume => "resume",
            Act::Complete { .. } => "complete",
            Act::Cancel => "cancel",
            Act::Step { .. } => "step",
            Act::Switch { .. } => "switch",
            Act::Rollback => "rollback",
            Act::Forget { .. } => "forget",
        }
    }
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It does not fit how the experiment stands: says how that is, and what is possible.
    #[error("{0}")]
    Conflict(String),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Invalid(String),
}

/// How an experiment stands after something happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The state; its version counts the entries.
    pub state: ExperimentState,
    /// What the audit says, oldest first. The last one's number is the state's version.
    pub entries: Vec<AuditEntry>,
}

/// A state that is being changed.
struct Draft<'d> {
    definition: &'d ExperimentDefinition,
    state: ExperimentState,
    entries: Vec<AuditEntry>,
    by: &'d str,
    now: Timestamp,
}

impl<'d> Draft<'d> {
    fn new(
        definition: &'d ExperimentDefinition,
        state: &ExperimentState,
        by: &'d str,
        now: Timestamp,
    ) -> Self {
        Draft { definition, state: state.clone(), entries: Vec::new(), by, now }
    }

    fn say(&mut self, kind: AuditKind, note: impl Into<String>, details: Value) {
        let (at, by) = (self.now, self.by.to_owned());
        self.entries.push(AuditEntry { at, kind, by, note: note.into(), details });
        self.state.version += 1;
        self.state.changed_at = Some(self.now);
    }

    fn go(&mut self, status: ExperimentStatus, kind: AuditKind, note: &str, details: Value) {
        self.state.status = status;
        if status.is_over() {
            self.state.ended_at = Some(self.now);
        }
        self.say(kind, note, details);
    }

    /// Opens an epoch if the traffic is to be shared out in another way than now.
    fn share_out(&mut self) {
        let due = shares(self.definition, &self.state);
        if self.state.epochs.last().is_some_and(|epoch| due.fit(epoch)) {
            return;
        }
        let details = json!({
            "epoch": self.state.epochs.len(),
            "weights": due.weights,
            "traffic_allocation": due.traffic_allocation,
        });
        self.state.epochs.push(due.epoch(self.now));
        self.say(AuditKind::Epoch, "", details);
    }

    /// A person has decided: what was breached stops nothing any more.
    fn accept(&mut self) {
        for breach in &mut self.state.breaches {
            breach.accepted = true;
        }
    }

    fn finish(self) -> Step {
        Step { state: self.state, entries: self.entries }
    }
}

/// A new experiment: a draft with this number.
pub fn create(definition: &ExperimentDefinition, number: u32, by: &str, now: Timestamp) -> Step {
    let state = ExperimentState { number, ..ExperimentState::default() };
    let mut draft = Draft::new(definition, &state, by, now);
    draft.say(AuditKind::Created, "", Value::Null);
    draft.finish()
}

/// The acts that are possible now.
pub fn possible(definition: &ExperimentDefinition, state: &ExperimentState) -> Vec<&'static str> {
    let mut all = match state.status {
        ExperimentStatus::Draft => return vec!["start", "cancel"],
        ExperimentStatus::Running => vec!["pause", "complete", "cancel", "rollback"],
        ExperimentStatus::Paused => vec!["resume", "complete", "cancel", "rollback"],
        ExperimentStatus::Completed | ExperimentStatus::Cancelled => return Vec::new(),
    };
    let running = state.status == ExperimentStatus::Running;
    if definition.kind == ExperimentKind::Canary && running && definition.steps.len() > 1 {
        all.push("step");
    }
    if definition.kind == ExperimentKind::BlueGreen {
        all.push("switch");
    }
    all
}

/// Does what a person asks for. The definition has its variants already.
///
/// # Errors
///
/// [`Refused`]: it is not possible as the experiment stands, or names what does not exist.
pub fn act(
    definition: &ExperimentDefinition,
    state: &ExperimentState,
    act: &Act,
    by: &str,
    note: &str,
    now: Timestamp,
) -> Result<Step, Refused> {
    let possible = possible(definition, state);
    let always = matches!(act, Act::Forget { .. });
    if !always && !possible.contains(&act.as_str()) {
        return Err(Refused::Conflict(not_now(definition, state, act, &possible)));
    }
    let mut draft = Draft::new(definition, state, by, now);
    match act {
        Act::Start => start(&mut draft, note)?,
        Act::Pause => {
            draft.go(ExperimentStatus::Paused, AuditKind::Paused, note, Value::Null);
        }
        Act::Resume => {
            draft.accept();
            // The time at a step is a time in which units were enrolled.
            draft.state.step_at = draft.state.step_at.map(|_| now);
            draft.state.held_at = None;
            draft.go(ExperimentStatus::Running, AuditKind::Resumed, note, Value::Null);
        }
        Act::Complete { ship } => {
            let shipped = ship.as_deref().map(|name| variant(definition, name)).transpose()?;
            draft.accept();
            draft.state.shipped = shipped;
            let details = json!({ "shipped": ship });
            draft.go(ExperimentStatus::Completed, AuditKind::Completed, note, details);
        }
        Act::Cancel => {
            draft.accept();
            draft.go(ExperimentStatus::Cancelled, AuditKind::Cancelled, note, Value::Null);
        }
        Act::Rollback => {
            draft.accept();
            roll_back(&mut draft, note);
        }
        Act::Step { to } => step(&mut draft, *to, note)?,
        Act::Switch { to } => switch(&mut draft, to.as_deref(), note)?,
        Act::Forget { unit } => {
            draft.say(AuditKind::Deleted, note, json!({ "unit_hash": unit }));
            // How it stands is as old as before.
            draft.state.changed_at = state.changed_at;
        }
    }
    Ok(draft.finish())
}

fn not_now(
    definition: &ExperimentDefinition,
    state: &ExperimentState,
    act: &Act,
    possible: &[&str],
) -> String {
    let kind = definition.kind;
    let word = act.as_str();
    match act {
        Act::Step { .. } if kind != ExperimentKind::Canary => {
            return format!("{} is no canary: it has no steps", definition.name);
        }
        Act::Switch { .. } if kind != ExperimentKind::BlueGreen => {
            return format!("{} is not blue_green: there is nothing to switch", definition.name);
        }
        _ => {}
    }
    let since = state.changed_at.map_or(String::new(), |at| format!(" since {at}"));
    let then = match possible {
        [] => "it is over; make another experiment".to_owned(),
        all => format!("possible now: {}", all.join(", ")),
    };
    let status = state.status.as_str();
    format!("cannot {word} {}: it is {status}{since}; {then}", definition.name)
}

fn variant(definition: &ExperimentDefinition, name: &str) -> Result<usize, Refused> {
    definition.variant(name).ok_or_else(|| {
        let all: Vec<&str> = definition.variants.iter().map(|v| v.name.as_str()).collect();
        Refused::Invalid(format!("{name:?} is no variant; there are {}", all.join(", ")))
    })
}

fn start(draft: &mut Draft<'_>, note: &str) -> Result<(), Refused> {
    if let Some(end) = draft.definition.end_at.filter(|end| *end <= draft.now) {
        return Err(Refused::Conflict(format!(
            "cannot start {}: its end_at ({end}) is over; move it first",
            draft.definition.name
        )));
    }
    draft.state.started_at = Some(draft.now);
    if draft.definition.kind == ExperimentKind::Canary {
        draft.state.step_at = Some(draft.now);
    }
    if draft.definition.kind == ExperimentKind::BlueGreen {
        draft.state.live = draft.definition.control();
    }
    draft.go(ExperimentStatus::Running, AuditKind::Started, note, Value::Null);
    draft.share_out();
    Ok(())
}

/// Ends the experiment with everybody back at the control.
fn roll_back(draft: &mut Draft<'_>, note: &str) {
    draft.state.rolled_back = true;
    draft.state.shipped = draft.definition.control();
    draft.go(ExperimentStatus::Completed, AuditKind::RolledBack, note, Value::Null);
}

fn has_room(draft: &Draft<'_>) -> Result<(), Refused> {
    if draft.state.epochs.len() < EPOCHS_MAX {
        return Ok(());
    }
    Err(Refused::Conflict(format!(
        "{} has had {EPOCHS_MAX} epochs, and no more are kept; complete it and make another",
        draft.definition.name
    )))
}

fn step(draft: &mut Draft<'_>, to: Option<usize>, note: &str) -> Result<(), Refused> {
    let (at, last) = (draft.state.step, draft.definition.steps.len() - 1);
    let to = to.unwrap_or(at + 1);
    if at == last && to > last {
        let text = format!("{} is at its last step; complete it", draft.definition.name);
        return Err(Refused::Conflict(text));
    }
    if to > last {
        return Err(Refused::Invalid(format!("to: steps are numbered from 0 to {last}")));
    }
    if to == at {
        return Err(Refused::Conflict(format!("{} is at step {at}", draft.definition.name)));
    }
    has_room(draft)?;
    go_to_step(draft, to, note);
    Ok(())
}

fn go_to_step(draft: &mut Draft<'_>, to: usize, note: &str) {
    let from = std::mem::replace(&mut draft.state.step, to);
    draft.state.step_at = Some(draft.now);
    draft.state.held_at = None;
    let traffic = draft.definition.steps.get(to).map(|step| step.traffic);
    let details = json!({ "from": from, "to": to, "traffic": traffic });
    draft.say(AuditKind::Stepped, note, details);
    draft.share_out();
}

fn switch(draft: &mut Draft<'_>, to: Option<&str>, note: &str) -> Result<(), Refused> {
    let live = draft.state.live.or(draft.definition.control()).unwrap_or(0);
    let to = match to {
        Some(name) => variant(draft.definition, name)?,
        None => (live + 1) % draft.definition.variants.len(),
    };
    if to == live {
        let name = &draft.definition.variants[to].name;
        return Err(Refused::Conflict(format!("{name} has all traffic already")));
    }
    has_room(draft)?;
    go_live(draft, to, note);
    Ok(())
}

fn go_live(draft: &mut Draft<'_>, to: usize, note: &str) {
    let name = |at: usize| draft.definition.variants.get(at).map(|variant| &variant.name);
    let from = draft.state.live.or(draft.definition.control()).unwrap_or(0);
    let details = json!({ "from": name(from), "to": name(to) });
    draft.state.live = Some(to);
    draft.say(AuditKind::Switched, note, details);
    draft.share_out();
}
