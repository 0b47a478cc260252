//! What the daemon measures by itself.

use serde::{Deserialize, Serialize};

use super::Period;

/// `[collect]`: built-in collectors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Collect {
    /// The machine: CPU, memory, disks, network, named as node_exporter names them.
    pub host: Collector,
    /// The daemon itself: `vedette_…` and `process_…`.
    pub own: Collector,
}

/// `[collect.host]` and `[collect.own]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Collector {
    /// Whether it runs.
    pub enabled: bool,
    /// How often; at least 1 s.
    pub interval: Period,
}

impl Default for Collector {
    fn default() -> Self {
        Collector { enabled: true, interval: Period::from_secs(15) }
    }
}
