//! `ExportMetricsServiceRequest` and what is in it, as far as it is of use
//! (`opentelemetry/proto/metrics/v1/metrics.proto`, `common/v1/common.proto`). Field names are
//! those of the `.proto` files; the serde attributes read the JSON form.

use serde::Deserialize;

use super::json::{
    hex, integers, nullable, number, numbers, optional_number, optional_whole, temporality, whole,
};
use super::value::AnyValue;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Request {
    #[serde(deserialize_with = "nullable")]
    pub(super) resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ResourceMetrics {
    #[serde(deserialize_with = "nullable")]
    pub(super) resource: Resource,
    #[serde(deserialize_with = "nullable")]
    pub(super) scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Resource {
    #[serde(deserialize_with = "nullable")]
    pub(super) attributes: Vec<KeyValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ScopeMetrics {
    #[serde(deserialize_with = "nullable")]
    pub(super) scope: Scope,
    #[serde(deserialize_with = "nullable")]
    pub(super) metrics: Vec<Metric>,
    #[serde(deserialize_with = "nullable")]
    pub(super) schema_url: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Scope {
    #[serde(deserialize_with = "nullable")]
    pub(super) name: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) version: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) attributes: Vec<KeyValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct KeyValue {
    #[serde(deserialize_with = "nullable")]
    pub(super) key: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) value: AnyValue,
}

/// At most one of the five kinds of data is there.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Metric {
    #[serde(deserialize_with = "nullable")]
    pub(super) name: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) description: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) unit: String,
    pub(super) gauge: Option<Gauge>,
    pub(super) sum: Option<Sum>,
    pub(super) histogram: Option<Histogram>,
    pub(super) exponential_histogram: Option<ExponentialHistogram>,
    pub(super) summary: Option<Summary>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Gauge {
    #[serde(deserialize_with = "nullable")]
    pub(super) data_points: Vec<NumberPoint>,
}

/// What a point's counts count (`AggregationTemporality`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Temporality {
    #[default]
    Unspecified,
    /// Since the last point.
    Delta,
    /// Since the start.
    Cumulative,
}

impl Temporality {
    pub(super) fn from_number(number: u64) -> Self {
        match number {
            1 => Temporality::Delta,
            2 => Temporality::Cumulative,
            _ => Temporality::Unspecified,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Sum {
    #[serde(deserialize_with = "nullable")]
    pub(super) data_points: Vec<NumberPoint>,
    #[serde(deserialize_with = "temporality")]
    pub(super) aggregation_temporality: Temporality,
    #[serde(deserialize_with = "nullable")]
    pub(super) is_monotonic: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Histogram {
    #[serde(deserialize_with = "nullable")]
    pub(super) data_points: Vec<HistogramPoint>,
    #[serde(deserialize_with = "temporality")]
    pub(super) aggregation_temporality: Temporality,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ExponentialHistogram {
    #[serde(deserialize_with = "nullable")]
    pub(super) data_points: Vec<ExponentialPoint>,
    #[serde(deserialize_with = "temporality")]
    pub(super) aggregation_temporality: Temporality,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Summary {
    #[serde(deserialize_with = "nullable")]
    pub(super) data_points: Vec<SummaryPoint>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct NumberPoint {
    #[serde(deserialize_with = "nullable")]
    pub(super) attributes: Vec<KeyValue>,
    #[serde(deserialize_with = "whole")]
    pub(super) time_unix_nano: u64,
    #[serde(deserialize_with = "optional_number")]
    pub(super) as_double: Option<f64>,
    #[serde(deserialize_with = "optional_whole")]
    pub(super) as_int: Option<i64>,
    #[serde(deserialize_with = "nullable")]
    pub(super) exemplars: Vec<Exemplar>,
    #[serde(deserialize_with = "whole")]
    pub(super) flags: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct HistogramPoint {
    #[serde(deserialize_with = "nullable")]
    pub(super) attributes: Vec<KeyValue>,
    #[serde(deserialize_with = "whole")]
    pub(super) time_unix_nano: u64,
    #[serde(deserialize_with = "whole")]
    pub(super) count: u64,
    #[serde(deserialize_with = "optional_number")]
    pub(super) sum: Option<f64>,
    #[serde(deserialize_with = "integers")]
    pub(super) bucket_counts: Vec<u64>,
    #[serde(deserialize_with = "numbers")]
    pub(super) explicit_bounds: Vec<f64>,
    #[serde(deserialize_with = "nullable")]
    pub(super) exemplars: Vec<Exemplar>,
    #[serde(deserialize_with = "whole")]
    pub(super) flags: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ExponentialPoint {
    #[serde(deserialize_with = "nullable")]
    pub(super) attributes: Vec<KeyValue>,
    #[serde(deserialize_with = "whole")]
    pub(super) time_unix_nano: u64,
    #[serde(deserialize_with = "whole")]
    pub(super) count: u64,
    #[serde(deserialize_with = "optional_number")]
    pub(super) sum: Option<f64>,
    #[serde(deserialize_with = "whole")]
    pub(super) scale: i32,
    #[serde(deserialize_with = "whole")]
    pub(super) zero_count: u64,
    #[serde(deserialize_with = "nullable")]
    pub(super) positive: DenseBuckets,
    #[serde(deserialize_with = "nullable")]
    pub(super) negative: DenseBuckets,
    #[serde(deserialize_with = "whole")]
    pub(super) flags: u32,
    #[serde(deserialize_with = "nullable")]
    pub(super) exemplars: Vec<Exemplar>,
    #[serde(deserialize_with = "number")]
    pub(super) zero_threshold: f64,
}

/// Counts of neighbouring exponential buckets, the first one at index `offset`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct DenseBuckets {
    #[serde(deserialize_with = "whole")]
    pub(super) offset: i32,
    #[serde(deserialize_with = "integers")]
    pub(super) bucket_counts: Vec<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SummaryPoint {
    #[serde(deserialize_with = "nullable")]
    pub(super) attributes: Vec<KeyValue>,
    #[serde(deserialize_with = "whole")]
    pub(super) time_unix_nano: u64,
    #[serde(deserialize_with = "whole")]
    pub(super) count: u64,
    #[serde(deserialize_with = "number")]
    pub(super) sum: f64,
    #[serde(deserialize_with = "nullable")]
    pub(super) quantile_values: Vec<QuantileValue>,
    #[serde(deserialize_with = "whole")]
    pub(super) flags: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct QuantileValue {
    #[serde(deserialize_with = "number")]
    pub(super) quantile: f64,
    #[serde(deserialize_with = "number")]
    pub(super) value: f64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Exemplar {
    #[serde(deserialize_with = "nullable")]
    pub(super) filtered_attributes: Vec<KeyValue>,
    #[serde(deserialize_with = "whole")]
    pub(super) time_unix_nano: u64,
    #[serde(deserialize_with = "optional_number")]
    pub(super) as_double: Option<f64>,
    #[serde(deserialize_with = "optional_whole")]
    pub(super) as_int: Option<i64>,
    /// Lower-case hexadecimal.
    #[serde(deserialize_with = "hex")]
    pub(super) span_id: String,
    /// Lower-case hexadecimal.
    #[serde(deserialize_with = "hex")]
    pub(super) trace_id: String,
}

/// The flag of a point that says "no recorded value": the series has ended.
pub(super) const NO_RECORDED_VALUE: u32 = 1;
