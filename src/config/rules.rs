//! `[rules]`: what is recorded from other series.

use serde::{Deserialize, Serialize};

use super::Period;

/// Which rule files there are, and how often their groups are evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Rule files, in Prometheus's format. May name many at once (`*`, `?`, `[a-z]`); relative to
    /// the directory of the settings file.
    pub files: Vec<String>,
    /// How often groups are evaluated that do not say how often.
    pub evaluation_interval: Period,
    /// How far back rules look whose groups do not say how far: for data that arrives late.
    pub query_offset: Period,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            files: Vec::new(),
            evaluation_interval: Period::from_secs(60),
            query_offset: Period::from_millis(0),
        }
    }
}
