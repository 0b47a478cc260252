//! What one evaluation of a recording rule writes (`rules/recording.go`).

use std::collections::BTreeSet;

use crate::model::{Labels, LabelsBuilder, METRIC_NAME, Reading, Row, Timestamp};
use crate::promql::{Value, VectorSample};

use super::file::Rule;

/// Why an evaluation gave nothing. The wordings are Prometheus's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// A text or a range.
    #[error("rule result is not a vector or scalar")]
    NotAVector,
    /// Setting the rule's labels made two series one.
    #[error("vector contains metrics with the same labelset after applying {0} labels")]
    Duplicate(&'static str),
    /// Too many series.
    #[error("exceeded limit of {limit} with {count} {what}")]
    Limit {
        /// The group's limit.
        limit: usize,
        /// How many there were.
        count: usize,
        /// `series` or `alerts`.
        what: &'static str,
    },
    /// Labels that are no valid set.
    #[error("{0}")]
    Labels(String),
    /// The query failed, or its result could not be written.
    #[error("{0}")]
    Failed(String),
}

/// A query's result as the series that a rule works on; a number counts as one without labels.
pub fn vector_of(value: Value) -> Result<Vec<VectorSample>, RuleError> {
    match value {
        Value::Vector(samples) => Ok(samples),
        Value::Scalar(sample) => {
            Ok(vec![VectorSample { labels: Labels::empty(), sample, histogram: None }])
        }
        _ => Err(RuleError::NotAVector),
    }
}

/// A sample's value.
pub(super) fn reading(sample: &VectorSample) -> Reading {
    match &sample.histogram {
        Some(histogram) => Reading::Histogram(histogram.clone()),
        None => Reading::Float(sample.sample.value),
    }
}

/// Makes of a query's result what a recording rule writes: the rule's name and labels on each
/// series, at the time for which the query was asked.
pub fn record(
    rule: &Rule,
    result: Value,
    at: Timestamp,
    limit: usize,
) -> Result<Vec<Row>, RuleError> {
    let samples = vector_of(result)?;
    let mut seen = BTreeSet::new();
    let mut rows = Vec::with_capacity(samples.len());
    for sample in samples {
        let mut labels = LabelsBuilder::new(&sample.labels);
        labels.set(METRIC_NAME, &rule.name);
        for (name, value) in &rule.labels {
            labels.set(name, value);
        }
        let labels = labels.build().map_err(|error| RuleError::Labels(error.to_string()))?;
        if !seen.insert(labels.clone()) {
            return Err(RuleError::Duplicate("rule"));
        }
        rows.push(Row { labels, at, value: reading(&sample) });
    }
    if limit > 0 && rows.len() > limit {
        return Err(RuleError::Limit { limit, count: rows.len(), what: "series" });
    }
    Ok(rows)
}
