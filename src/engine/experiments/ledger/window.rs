//! Whose results an experiment takes, by how it stands.

use crate::model::{ExperimentDefinition, ExperimentState, ExperimentStatus, Timestamp};

/// Whose results are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Window {
    /// Everybody's: who is not known yet is enrolled.
    Everybody,
    /// Of units that were enrolled before.
    Enrolled,
}

/// Whose results are taken now.
///
/// # Errors
///
/// Nobody's; says why.
pub(super) fn window(
    definition: &ExperimentDefinition,
    state: &ExperimentState,
    now: Timestamp,
) -> Result<Window, String> {
    let name = &definition.name;
    match state.status {
        ExperimentStatus::Draft => Err(format!("{name} has not started")),
        ExperimentStatus::Running => Ok(Window::Everybody),
        ExperimentStatus::Paused => Ok(Window::Enrolled),
        ExperimentStatus::Cancelled => Err(format!("{name} was cancelled")),
        ExperimentStatus::Completed => {
            let late_ms = definition.analysis.late_results.millis();
            let ended = state.ended_at.unwrap_or(now);
            let until = ended.plus_millis(late_ms);
            if now <= until {
                return Ok(Window::Enrolled);
            }
            Err(format!("{name} ended at {ended} and took late results until {until}"))
        }
    }
}

/// The epoch of a time, by its place: the last that had begun, the first for times before.
pub(super) fn epoch_at(state: &ExperimentState, at: Timestamp) -> u16 {
    let begun = state.epochs.iter().rposition(|epoch| epoch.from <= at).unwrap_or(0);
    u16::try_from(begun).unwrap_or(u16::MAX)
}
