//! What the keeper is handed.

use crate::engine::feed::Fact;
use crate::model::{Alert, AlertKey, Timestamp};
use crate::store::Write;

/// What a source says of an alert.
#[derive(Clone, Debug, PartialEq)]
pub enum Signal {
    /// It fires. Said at each transition, and again when its texts changed.
    Firing(Box<Alert>),
    /// It ended.
    Ended {
        /// Which.
        key: AlertKey,
        /// When.
        at: Timestamp,
    },
}

/// What one source found, what it wants remembered with it, and what is told of it: one
/// transaction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// State of the source itself: clocks, results.
    pub writes: Vec<Write>,
    /// What the watch is to decide on.
    pub signals: Vec<Signal>,
    /// What the feed tells as soon as all of it is durable, before what is decided because of it.
    pub facts: Vec<Fact>,
}

impl Batch {
    /// Nothing but changes of values.
    pub fn of_writes(writes: Vec<Write>) -> Batch {
        Batch { writes, ..Batch::default() }
    }
}

/// Why nothing took effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// The daemon is stopping.
    #[error("stopping; try again after the restart")]
    Stopping,
    /// The database refused.
    #[error("the database did not take it: {0}; it is tried again")]
    Store(String),
}
