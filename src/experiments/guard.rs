//! Metric guardrails: has a variant become worse than it may?
//!
//! One-sided non-inferiority by the confidence sequence: breached once it is certain at α that
//! the variant is worse than the control by more than the margin. That may be looked at after
//! every result. Guardrails are not corrected for one another: they only stop. What is missing
//! breaches nothing, and promotes nothing either: it is a doubt.

use serde::Serialize;

use super::accumulate::Sums;
use super::analyze::{Progress, Readiness, SampleRatioAnswer, Setting, worsening};
use crate::model::{
    ExperimentDefinition, ExperimentKind, ExperimentState, GuardrailAction, MetricDefinition,
    MetricRole, Name,
};
use crate::stats::sequential::OneSidedSequence;

use super::analyze::show;

/// What a guardrail says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing speaks against going on.
    Ok,
    /// Too little is known, or it looks worse than it may and is not certain.
    Doubt,
    /// It is certain to be worse than it may.
    Breached,
}

/// One guardrail and one variant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GuardrailVerdict {
    /// `metric latency_ms`, as in the state's breaches.
    pub guardrail: String,
    /// The metric.
    pub metric: String,
    /// The variant.
    pub variant: Name,
    /// What it says.
    pub verdict: Verdict,
    /// What happens when it is breached.
    pub action: GuardrailAction,
    /// How much worse it may become, in the metric's unit.
    pub margin: f64,
    /// How much worse the variant is; below 0 when it is better.
    pub worse_by: Option<f64>,
    /// It is worse by at least this, for certain at α.
    pub worse_by_at_least: Option<f64>,
    /// What was seen, in words.
    pub reason: String,
}

/// What every metric guardrail says of every variant but the control.
pub fn guard(
    definition: &ExperimentDefinition,
    state: &ExperimentState,
    sums: &Sums,
    progress: &Progress,
) -> Vec<GuardrailVerdict> {
    let Some(setting) = Setting::new(definition, state, sums, progress, None) else {
        return Vec::new();
    };
    let guards = |(_, metric): &(usize, &MetricDefinition)| metric.role == MetricRole::Guardrail;
    let mut verdicts = Vec::new();
    for (place, metric) in definition.metrics.iter().enumerate().filter(guards) {
        let action = definition
            .guardrails
            .iter()
            .find(|guardrail| guardrail.metric.as_deref() == Some(metric.name.as_str()))
            .map_or(GuardrailAction::default(), |guardrail| guardrail.action);
        for seen in worsening(&setting, definition, state, sums, place) {
            verdicts.push(judge(&setting, metric, action, seen));
        }
    }
    verdicts
}

/// How one variant does in a guardrail's metric.
pub(super) struct Worsening {
    pub(super) variant: Name,
    pub(super) readiness: Readiness,
    pub(super) readiness_reason: String,
    /// How much worse, its standard error, and the clock; `None` where it cannot be said.
    pub(super) by: Option<[f64; 3]>,
}

fn judge(
    setting: &Setting<'_>,
    metric: &MetricDefinition,
    action: GuardrailAction,
    seen: Worsening,
) -> GuardrailVerdict {
    let margin = metric.margin.unwrap_or(0.0);
    let name = &seen.variant;
    let mut answer = GuardrailVerdict {
        guardrail: format!("metric {}", metric.name),
        metric: metric.name.clone(),
        variant: name.clone(),
        verdict: Verdict::Doubt,
        action,
        margin,
        worse_by: seen.by.map(|[by, ..]| by),
        worse_by_at_least: None,
        reason: seen.readiness_reason,
    };
    let Some([by, se, clock]) = seen.by else { return answer };
    match seen.readiness {
        Readiness::Ready | Readiness::Srm => {}
        // Nothing varies, so nothing is certain, but what everybody sees may be within the margin.
        Readiness::ZeroVariance if by <= margin => {
            answer.verdict = Verdict::Ok;
            return answer;
        }
        Readiness::WarmingUp
        | Readiness::TooSkewed
        | Readiness::NoData
        | Readiness::ZeroVariance => return answer,
    }
    let sequence = OneSidedSequence::tuned(setting.alpha.min(0.49), setting.samples);
    answer.worse_by_at_least = sequence.and_then(|sequence| sequence.lower(by, se, clock));
    let so_far = format!("{} is worse by {} in {:?}", name, show(by.max(0.0)), metric.name);
    let allowed = format!("{} is allowed", show(margin));
    (answer.verdict, answer.reason) = match answer.worse_by_at_least {
        Some(least) if least > margin => (
            Verdict::Breached,
            format!("{so_far}, for certain by more than {}; {allowed}", show(least)),
        ),
        Some(_) if by <= margin => (
            Verdict::Ok,
            match by > 0.0 {
                true => format!("{so_far}; {allowed}"),
                false => format!("{name} is not worse in {:?}", metric.name),
            },
        ),
        Some(_) | None => (Verdict::Doubt, format!("{so_far}, which is not certain; {allowed}")),
    };
    answer
}

/// Whether a canary may take its next step: it may while no guardrail is in doubt and every
/// variant gets its share. Says what is in the way.
pub fn may_step(
    verdicts: &[GuardrailVerdict],
    ratio: Option<&SampleRatioAnswer>,
) -> Result<(), String> {
    if ratio.is_some_and(|ratio| ratio.alarm) {
        return Err("the variants do not get their shares of the units (sample ratio)".to_owned());
    }
    match verdicts.iter().max_by_key(|verdict| verdict.verdict) {
        Some(worst) if worst.verdict != Verdict::Ok => Err(format!(
            "guardrail {} is {}: {}",
            worst.guardrail,
            if worst.verdict == Verdict::Breached { "breached" } else { "in doubt" },
            worst.reason
        )),
        Some(_) | None => Ok(()),
    }
}

/// Whether this experiment compares variants at the same time. A blue-green one does not: what
/// changed between its times is in the difference too.
pub(super) fn is_randomised(kind: ExperimentKind) -> bool {
    match kind {
        ExperimentKind::AbTest | ExperimentKind::Multivariate | ExperimentKind::Canary => true,
        ExperimentKind::BlueGreen => false,
    }
}

#[cfg(test)]
mod tests;
