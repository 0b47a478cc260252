//! What is remembered between looks: the largest evidence so far.
//!
//! A confidence sequence may be looked at at any time because `1/max E` bounds the error of all
//! looks together (Ville's inequality); so the maximum is kept, and significance once reached
//! stays.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::answer::{Analysis, Readiness};
use crate::model::Timestamp;

/// What is remembered of one experiment. A document of its own, by names, so that a definition's
/// metrics may change their places.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// By metric and variant.
    #[serde(default)]
    pub comparisons: BTreeMap<String, BTreeMap<String, ComparisonProgress>>,
    /// The largest evidence against the sample ratio, as a logarithm; 0 before any.
    #[serde(default)]
    pub srm_max_ln_e: f64,
}

/// What is remembered of one comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ComparisonProgress {
    /// The largest evidence against "no difference", as a logarithm, of looks at which the gate
    /// was open.
    pub max_ln_e: f64,
    /// When the difference was first significant.
    #[serde(default)]
    pub ever_significant_at: Option<Timestamp>,
}

impl Progress {
    /// What is remembered of a comparison.
    pub fn comparison(&self, metric: &str, variant: &str) -> ComparisonProgress {
        let of = self.comparisons.get(metric).and_then(|variants| variants.get(variant));
        of.copied().unwrap_or_default()
    }
}

/// Remembers what an analysis saw. Answers whether anything is different now, so that it is
/// worth being stored.
pub fn advance(progress: &mut Progress, analysis: &Analysis) -> bool {
    let mut changed = false;
    if let Some(srm) = &analysis.srm
        && srm.max_log_e > progress.srm_max_ln_e
    {
        progress.srm_max_ln_e = srm.max_log_e;
        changed = true;
    }
    for metric in &analysis.metrics {
        for comparison in &metric.comparisons {
            if comparison.readiness != Readiness::Ready {
                continue;
            }
            let before = progress.comparison(&metric.name, comparison.variant.as_str());
            let after = ComparisonProgress {
                max_ln_e: comparison.max_log_e.unwrap_or(0.0).max(before.max_ln_e),
                ever_significant_at: before.ever_significant_at.or(comparison.ever_significant_at),
            };
            if after != before {
                changed = true;
                let variants = progress.comparisons.entry(metric.name.clone()).or_default();
                variants.insert(comparison.variant.as_str().to_owned(), after);
            }
        }
    }
    changed
}
