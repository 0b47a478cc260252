//! What a query may cost.

use serde::{Deserialize, Serialize};

use super::Period;

/// `[query]`: bounds on PromQL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Query {
    /// A query that takes longer is stopped. A request may ask for less with `timeout`.
    pub timeout: Period,
    /// Samples that one query may hold in memory at once.
    pub max_samples: usize,
    /// Points per series that a range query may ask for.
    pub max_points: usize,
    /// How far back an instant selector looks for the latest sample.
    pub lookback_delta: Period,
    /// Queries that run at once; further ones wait their turn, within their timeout.
    pub concurrency: usize,
}

impl Default for Query {
    fn default() -> Self {
        Query {
            timeout: Period::from_secs(120),
            max_samples: 50_000_000,
            max_points: 11_000,
            lookback_delta: Period::from_secs(300),
            concurrency: 8,
        }
    }
}
