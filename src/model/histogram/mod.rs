//! Native histograms: counts in buckets whose bounds follow from a resolution, or are given.
//!
//! Source: `model/histogram/float_histogram.go` of Prometheus and its specification of native
//! histograms. Counts are f64 here whether they came as whole numbers or not: whole numbers up
//! to 2^53 are exact.

mod bounds;
mod buckets;
mod reset;
mod sum;
mod text;
mod trim;
mod validate;
mod zero;

pub use bounds::{
    EXPONENTIAL_SCHEMA_MAX, EXPONENTIAL_SCHEMA_MIN, bucket_index, is_exponential_schema,
};
pub use buckets::BoundedBucket;
pub use sum::{IncompatibleSchemas, SumNotes};
pub use trim::Trim;
pub use validate::{HistogramError, Side};

/// The `schema` of histograms whose bucket bounds are given one by one ("NHCB").
pub const CUSTOM_BUCKETS_SCHEMA: i32 = -53;

/// What is known about resets between a histogram and the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResetHint {
    /// Nothing: compare them.
    #[default]
    Unknown,
    /// There was a reset before this one.
    Reset,
    /// There was none.
    NotReset,
    /// It is a gauge: it may go down without a reset.
    Gauge,
}

/// A run of neighbouring buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BucketSpan {
    /// The gap to the run before; of the first run the index of its first bucket.
    pub offset: i32,
    /// How many buckets.
    pub length: u32,
}

/// Buckets of one sign: runs of indexes, and a count for each index in them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buckets {
    /// The runs, by rising index.
    pub spans: Vec<BucketSpan>,
    /// Observations per bucket (not cumulative); as many as the spans' lengths together.
    pub counts: Vec<f64>,
}

/// A native histogram: the observations of one series at one time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// What is known about resets.
    pub reset_hint: ResetHint,
    /// −4 to 8: a bucket's upper bound is 2^(2^−schema) times the one before it; or
    /// [`CUSTOM_BUCKETS_SCHEMA`].
    pub schema: i32,
    /// Observations of at most this magnitude are in the zero bucket.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations.
    pub count: f64,
    /// The sum of all observations.
    pub sum: f64,
    /// Buckets above zero; with custom bounds all buckets.
    pub positive: Buckets,
    /// Buckets below zero, by rising magnitude.
    pub negative: Buckets,
    /// With custom bounds the upper bounds, strictly rising, without +Inf; otherwise empty.
    pub custom_bounds: Vec<f64>,
}

impl Histogram {
    /// Whether its bucket bounds are given one by one.
    pub fn has_custom_bounds(&self) -> bool {
        self.schema == CUSTOM_BUCKETS_SCHEMA
    }
}
