//! Points of the chart: how an estimate and its interval went over time.

use serde::{Deserialize, Serialize};

use super::answer::Analysis;
use crate::model::Timestamp;

/// One comparison at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EstimatePoint {
    /// When.
    pub at: Timestamp,
    /// The metric.
    pub metric: String,
    /// The variant.
    pub variant: String,
    /// Units of the control and of the variant.
    pub n: [u64; 2],
    /// The difference.
    pub diff: Option<f64>,
    /// Lower end of its interval; `None` before the gate opens.
    pub ci_low: Option<f64>,
    /// Its upper end.
    pub ci_high: Option<f64>,
    /// The p-value at this look.
    pub p_value: Option<f64>,
    /// The relative difference.
    pub lift: Option<f64>,
    /// Whether it was significant.
    pub significant: bool,
}

/// The points of an analysis: one for each comparison that has an estimate.
pub fn points(analysis: &Analysis) -> Vec<EstimatePoint> {
    let of_metric = |metric: &super::answer::MetricAnswer| -> Vec<EstimatePoint> {
        let seen = metric.comparisons.iter().filter(|comparison| comparison.diff.is_some());
        seen.map(|comparison| EstimatePoint {
            at: analysis.at,
            metric: metric.name.clone(),
            variant: comparison.variant.as_str().to_owned(),
            n: comparison.n,
            diff: comparison.diff,
            ci_low: comparison.ci_low,
            ci_high: comparison.ci_high,
            p_value: comparison.p_value,
            lift: comparison.relative.lift,
            significant: comparison.significant,
        })
        .collect()
    };
    analysis.metrics.iter().flat_map(of_metric).collect()
}
