//! What is said of each commit, for those who follow along.

use uuid::Uuid;

use crate::model::{DeliveryState, IncidentId, Name, TimelineKind};

/// Something that changed. Said after it is durable.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// An incident: what its timeline says.
    Incident {
        /// Which.
        id: IncidentId,
        /// Its number.
        number: u64,
        /// What happened.
        kind: TimelineKind,
    },
    /// A delivery was decided, or has come further.
    Delivery {
        /// Which.
        id: Uuid,
        /// Whom.
        channel: Name,
        /// How far.
        state: DeliveryState,
    },
}

/// Commits that a slow follower may lag behind before it misses some.
pub(super) const FEED_MAX: usize = 1024;
