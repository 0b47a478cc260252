//! What people do to incidents, and why it may be refused.

use uuid::Uuid;

use super::WatchError;

/// Why an act had no effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// It does not exist.
    #[error("there is no {noun} {id}")]
    Absent {
        /// `incident`, `delivery`, `channel`.
        noun: &'static str,
        /// What was asked for.
        id: String,
    },
    /// It does not fit how things are; says how they are, since when and by whom.
    #[error("{0}")]
    Conflict(String),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// It could not be committed.
    #[error(transparent)]
    Watch(#[from] WatchError),
}

impl ActError {
    /// There is no delivery of this id.
    pub(super) fn no_delivery(id: Uuid) -> Self {
        ActError::Absent { noun: "delivery", id: id.to_string() }
    }
}
