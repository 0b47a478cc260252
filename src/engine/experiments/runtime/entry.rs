//! One experiment as the task has it.

use std::sync::Arc;

use super::Known;
use super::stored::{Read, Remembered, Stored};
use super::timeline::Timeline;
use crate::experiments::machine::Breach;
use crate::experiments::{InForce, Progress, Sums};
use crate::model::Origin;

/// One experiment: how it is in the file, and what is worked out from that.
pub(super) struct Entry {
    pub(super) stored: Stored,
    pub(super) in_force: Arc<InForce>,
    /// Whether it is defined: a settings file may have lost it for a time.
    pub(super) defined: bool,
    pub(super) progress: Arc<Progress>,
    pub(super) timeline: Timeline,
    /// The sums that were judged last.
    pub(super) judged: Option<Arc<Sums>>,
    /// The breaches of metric guardrails as they were judged last.
    pub(super) breaches: Vec<Breach>,
    /// Why a metric guardrail keeps a canary from its next step.
    pub(super) doubt: Option<String>,
    /// Why the definition that people gave last is not in force.
    pub(super) not_in_force: Option<String>,
}

impl Entry {
    /// Puts it in force.
    pub(super) fn new(stored: Stored) -> Result<Entry, String> {
        let in_force = InForce::new(&stored.definition, stored.state.clone())?;
        Ok(Entry {
            stored,
            in_force: Arc::new(in_force),
            defined: true,
            progress: Arc::default(),
            timeline: Timeline::new(Vec::new(), 0),
            judged: None,
            breaches: Vec::new(),
            doubt: None,
            not_in_force: None,
        })
    }

    /// All that the file says.
    pub(super) fn restore(stored: Stored, read: &mut Read) -> Result<Entry, String> {
        let number = stored.state.number;
        let mut entry = Entry::new(stored)?;
        let remembered = read.remembered.remove(&number).unwrap_or_default();
        let points = read.points.remove(&number).unwrap_or_default();
        entry.timeline = Timeline::new(points, remembered.spacing_ms);
        entry.progress = Arc::new(remembered.progress);
        Ok(entry)
    }

    pub(super) fn remembered(&self) -> Remembered {
        Remembered {
            progress: Progress::clone(&self.progress),
            spacing_ms: self.timeline.spacing_ms(),
        }
    }

    pub(super) fn known(&self) -> Known {
        Known {
            progress: Arc::clone(&self.progress),
            not_in_force: self.not_in_force.clone(),
            doubt: self.doubt.clone(),
        }
    }

    /// Whether a definition is of another experiment that has the same name.
    pub(super) fn is_another(&self, origin: Origin, created_at: crate::model::Timestamp) -> bool {
        // What comes from the file is made anew with every start.
        origin == Origin::Api
            && self.stored.origin == Origin::Api
            && created_at != self.stored.created_at
    }
}
