//! Every bound that protects the daemon from its input, in one place.

use serde::{Deserialize, Serialize};

/// Bounds on what comes in and on what a query may cost. Sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The largest request body as it arrives.
    #[serde(with = "super::units::bytes")]
    pub body_bytes_max: usize,
    /// The largest request body once inflated.
    #[serde(with = "super::units::bytes")]
    pub inflated_bytes_max: usize,
    /// Labels in one series, the name included.
    pub labels_max: usize,
    /// The longest label name.
    pub label_name_bytes_max: usize,
    /// The longest label value.
    pub label_value_bytes_max: usize,
    /// Buckets of one native histogram; also its runs of buckets, and its bounds.
    pub histogram_buckets_max: usize,
    /// Series that may be known at once; further new ones are refused.
    pub series_max: usize,
    /// Samples that may wait for the writer; beyond that writers are told to retry. A native
    /// histogram counts for as many numbers as take the same memory.
    pub queued_samples_max: usize,
    /// Metric families whose type and help are remembered.
    pub metadata_max: usize,
    /// Exemplars that are kept; the oldest go first, and none outlives `retention.raw`.
    pub exemplars_max: usize,
    /// HTTP connections at once.
    pub connections_max: usize,
    /// Clients that may follow the live feed at once.
    pub live_clients_max: usize,
    /// Samples ahead of the clock by more than this many seconds are refused.
    pub future_seconds_max: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            body_bytes_max: 32 << 20,
            inflated_bytes_max: 128 << 20,
            labels_max: 64,
            label_name_bytes_max: 1024,
            label_value_bytes_max: 8192,
            histogram_buckets_max: 2048,
            series_max: 5_000_000,
            queued_samples_max: 2_000_000,
            metadata_max: 20_000,
            exemplars_max: 100_000,
            connections_max: 1024,
            live_clients_max: 2048,
            future_seconds_max: 600,
        }
    }
}
