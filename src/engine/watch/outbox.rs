//! The outbox as those see it who send: what waits, and what became of it.

use uuid::Uuid;

use crate::model::Timestamp;

/// What became of a delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Which.
    pub id: Uuid,
    /// What.
    pub result: Sent,
}

/// The end of one attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Sent {
    /// The other side has taken it.
    Delivered,
    /// It failed, and is tried again.
    Retry {
        /// Not before.
        at: Timestamp,
        /// Why it failed, for people; without secrets.
        error: String,
    },
    /// It is given up.
    Dead {
        /// Why, for people; without secrets.
        error: String,
    },
    /// A later delivery of the same group tells this and more: it is left out.
    Superseded,
}
