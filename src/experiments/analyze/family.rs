//! Corrections for many comparisons: a family is corrected as a whole.

use super::answer::{MetricAnswer, Readiness};
use crate::model::{AnalysisMethod, Correction, MetricDefinition, MetricRole, Timestamp};
use crate::stats::sequential::p_value;
use crate::stats::{Adjustment, adjust};

/// How many comparisons a metric's family has. Guardrails are a family each: they only stop, and
/// stopping too seldom is what must not happen.
pub(super) fn family_of(
    metrics: &[MetricDefinition],
    role: MetricRole,
    variants: usize,
    correction: Correction,
) -> usize {
    if correction == Correction::None || role == MetricRole::Guardrail {
        return 1;
    }
    let of_role = metrics.iter().filter(|metric| metric.role == role).count();
    of_role * variants.saturating_sub(1)
}

fn adjustment(correction: Correction, role: MetricRole) -> Adjustment {
    match (correction, role) {
        (Correction::None, _) | (_, MetricRole::Guardrail) => Adjustment::None,
        (Correction::Holm, MetricRole::Primary) => Adjustment::Holm,
        (Correction::Holm, MetricRole::Secondary) | (Correction::BenjaminiHochberg, _) => {
            Adjustment::BenjaminiHochberg
        }
    }
}

/// Corrects all comparisons and says which are significant.
///
/// What cannot be answered yet counts as a p-value of 1: the family is as large as it was
/// planned, or the first comparisons to be answered would be corrected too little.
pub(super) fn correct(
    metrics: &mut [MetricAnswer],
    correction: Correction,
    method: AnalysisMethod,
    alpha: f64,
    at: Timestamp,
) {
    for role in [MetricRole::Primary, MetricRole::Secondary, MetricRole::Guardrail] {
        let of_role = |metric: &&mut MetricAnswer| metric.role == role;
        let mut family: Vec<_> = metrics
            .iter_mut()
            .filter(of_role)
            .flat_map(|metric| metric.comparisons.iter_mut())
            .collect();
        let raw: Vec<Option<f64>> = family
            .iter()
            .map(|comparison| {
                let p = match method {
                    // Of the whole run, as significance once reached stays.
                    AnalysisMethod::Sequential => comparison.max_log_e.map(p_value),
                    AnalysisMethod::Fixed => comparison.p_value,
                };
                Some(p.unwrap_or(1.0))
            })
            .collect();
        let adjusted = adjust(&raw, adjustment(correction, role));
        for (comparison, p) in family.iter_mut().zip(adjusted) {
            if comparison.p_value.is_none() {
                continue;
            }
            comparison.p_adjusted = p;
            comparison.significant =
                comparison.readiness == Readiness::Ready && p.is_some_and(|p| p < alpha);
            if comparison.significant && comparison.ever_significant_at.is_none() {
                comparison.ever_significant_at = Some(at);
            }
        }
    }
}
