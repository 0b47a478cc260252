//! What people have set that decisions depend on. It is handed to the keeper as a whole, at the
//! start, after every reload and whenever channels change.

use std::fmt;
use std::sync::Arc;

use crate::incidents::{NoSuppressions, Suppressions};
use crate::model::{ChannelDefinition, Name, Route};

/// Who knows the channels that there are at a moment.
pub trait Channels: Send + Sync {
    /// All of them.
    fn now(&self) -> Vec<ChannelDefinition>;

    /// One of them.
    fn find(&self, name: &Name) -> Option<ChannelDefinition>;
}

/// Those, and never others.
impl Channels for Vec<ChannelDefinition> {
    fn now(&self) -> Vec<ChannelDefinition> {
        self.clone()
    }

    fn find(&self, name: &Name) -> Option<ChannelDefinition> {
        self.iter().find(|channel| channel.name == *name).cloned()
    }
}

/// What decisions depend on.
#[derive(Clone)]
pub struct Policy {
    /// The tree of routes.
    pub route: Route,
    /// Who is asked for the channels of the moment of a decision: whoever makes one and uses it at
    /// once must not find it missing.
    pub channels: Arc<dyn Channels>,
    /// An alert that fires again so soon (ms) after its end reopens its incident.
    pub reopen_within_ms: i64,
    /// The most incidents that are not resolved.
    pub open_max: usize,
    /// How long (ms) resolved incidents and their deliveries are kept.
    pub retention_ms: i64,
    /// Where people find vedette; in messages.
    pub external_url: String,
    /// What keeps people from being told.
    pub suppressions: Arc<dyn Suppressions>,
}

/// 13 months, as rollups.
const RETENTION_MS: i64 = 396 * 24 * 3_600_000;

impl Default for Policy {
    fn default() -> Self {
        Policy {
            route: Route::default(),
            channels: Arc::new(Vec::new()),
            reopen_within_ms: 15 * 60_000,
            open_max: 10_000,
            retention_ms: RETENTION_MS,
            external_url: String::new(),
            suppressions: Arc::new(NoSuppressions),
        }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("route", &self.route).finish_non_exhaustive()
    }
}

impl Policy {
    /// This with the channels of now, which do not change in the middle of a decision.
    pub(super) fn current(&self) -> Policy {
        Policy { channels: Arc::new(self.channels.now()), ..self.clone() }
    }

    /// A channel by its name.
    pub fn channel(&self, name: &Name) -> Option<ChannelDefinition> {
        self.channels.find(name)
    }
}
