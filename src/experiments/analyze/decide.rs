//! The winner, what to do, and why: in words that can be read without the numbers.

use super::answer::{Analysis, Comparison, Decision, MetricAnswer, Readiness};
use super::is_randomised;
use super::words::{show, signed};
use crate::experiments::guard::{GuardrailVerdict, Verdict};
use crate::model::{
    AnalysisMethod, Better, ExperimentDefinition, ExperimentState, ExperimentStatus, MetricRole,
    Name, Timestamp,
};

/// Reasons of one kind; the rest is in the tables.
const REASONS_MAX: usize = 8;

/// How a variant does in the primary metrics.
struct Standing<'a> {
    variant: &'a Name,
    /// Primary metrics that are better, or worse, for certain.
    better: Vec<(&'a MetricAnswer, &'a Comparison)>,
    worse: Vec<(&'a MetricAnswer, &'a Comparison)>,
    /// The worst of its guardrails.
    guardrail: Option<&'a GuardrailVerdict>,
    /// Every primary metric's interval lies within ± its smallest effect worth finding.
    settled: bool,
}

/// Fills in winner, decision and reasons.
pub(super) fn decide(
    analysis: &mut Analysis,
    definition: &ExperimentDefinition,
    state: &ExperimentState,
    now: Timestamp,
) {
    let (winner, decision, reasons) = decision(analysis, definition, state, now);
    (analysis.winner, analysis.decision, analysis.reasons) = (winner, decision, reasons);
}

fn decision(
    analysis: &Analysis,
    definition: &ExperimentDefinition,
    state: &ExperimentState,
    now: Timestamp,
) -> (Option<Name>, Decision, Vec<String>) {
    let mut reasons = Vec::new();
    if state.status == ExperimentStatus::Draft {
        return (None, Decision::Continue, vec!["it has not started".to_owned()]);
    }
    let Some(control) = definition.control().and_then(|place| definition.variants.get(place))
    else {
        let reason = "there is no control, so there is nothing to compare with".to_owned();
        return (None, Decision::Inconclusive, vec![reason]);
    };
    let over = matches!(state.status, ExperimentStatus::Completed | ExperimentStatus::Cancelled);
    let ended = over || definition.end_at.is_some_and(|end| end <= now);
    // What is left to do without a winner: wait, as long as anything more will come.
    let rest = if ended { Decision::Inconclusive } else { Decision::Continue };
    let alarm = analysis.srm.as_ref().filter(|srm| srm.alarm);
    if let Some(srm) = alarm {
        reasons.push(format!(
            "the variants do not get their shares of the units ({:?} instead of {:?}, p = {}): \
             something other than chance decides who is counted, so no winner is named; look for \
             lost events, redirects, bots and caches, mend it and start again",
            srm.observed,
            srm.expected.iter().map(|n| n.round()).collect::<Vec<_>>(),
            show(srm.p_sequential),
        ));
    }
    let now_breached = analysis.guardrails.iter().filter(|g| g.verdict == Verdict::Breached);
    for guardrail in now_breached {
        reasons
            .push(format!("guardrail {} is breached: {}", guardrail.guardrail, guardrail.reason));
    }
    for breach in state.breaches.iter().filter(|breach| !breach.accepted) {
        reasons.push(format!("guardrail {} was breached: {}", breach.guardrail, breach.reason));
    }
    if state.rolled_back {
        reasons.push("everybody was sent back to the control".to_owned());
    }
    let others = definition.variants.iter().filter(|variant| !variant.is_control);
    let standings: Vec<Standing<'_>> =
        others.map(|variant| standing(analysis, &variant.name)).collect();
    // Rules that guard are known by the state alone.
    let breached = |of: &Standing<'_>| {
        of.guardrail.is_some_and(|guardrail| guardrail.verdict == Verdict::Breached)
            || state.breaches.iter().any(|breach| {
                breach.variant.as_deref().is_none_or(|name| name == of.variant.as_str())
            })
    };
    let stopped = state.rolled_back || (!standings.is_empty() && standings.iter().all(breached));
    if stopped {
        return (None, Decision::Rollback, reasons);
    }
    if !is_randomised(definition.kind) {
        reasons.push(
            "all traffic is on one variant at a time, so this compares before with after: what \
             else changed meanwhile is in the difference, and no winner is named"
                .to_owned(),
        );
        return (None, rest, reasons);
    }
    if alarm.is_some() {
        return (None, Decision::Inconclusive, reasons);
    }
    if analysis.method == AnalysisMethod::Fixed && !ended {
        reasons.push(
            "the analysis is for a fixed horizon and right once, at the end; it was looked at \
             before, so no winner is named"
                .to_owned(),
        );
        return (None, Decision::Continue, reasons);
    }
    describe(&standings, &mut reasons);
    secondaries(analysis, &mut reasons);
    if let Some(best) = best(&standings, breached) {
        let winner = Some(best.variant.clone());
        let doubt = best.guardrail.filter(|guardrail| guardrail.verdict == Verdict::Doubt);
        if let Some(guardrail) = doubt {
            reasons.push(format!(
                "{} is not shipped while guardrail {} is in doubt: {}",
                best.variant, guardrail.guardrail, guardrail.reason
            ));
            return (winner, rest, reasons);
        }
        return (winner, Decision::Ship, reasons);
    }
    let lost = |of: &Standing<'_>| !of.worse.is_empty() && of.better.is_empty();
    if !standings.is_empty() && standings.iter().all(lost) {
        reasons.push(format!("{} is better than every other variant", control.name));
        return (Some(control.name.clone()), Decision::Rollback, reasons);
    }
    let settled = |of: &Standing<'_>| of.settled && of.better.is_empty();
    if !standings.is_empty() && standings.iter().all(settled) {
        reasons.push(
            "every difference is smaller than the smallest effect worth finding: nothing more is \
             to be expected"
                .to_owned(),
        );
        return (None, Decision::Inconclusive, reasons);
    }
    waiting(analysis, ended, &mut reasons);
    (None, rest, reasons)
}

fn standing<'a>(analysis: &'a Analysis, variant: &'a Name) -> Standing<'a> {
    let primaries = analysis.metrics.iter().filter(|m| m.role == MetricRole::Primary);
    let compared: Vec<(&MetricAnswer, &Comparison)> = primaries
        .filter_map(|m| Some((m, m.comparisons.iter().find(|c| c.variant == *variant)?)))
        .collect();
    let certain = |good: bool| -> Vec<_> {
        let fits = |(metric, comparison): &&(&MetricAnswer, &Comparison)| {
            comparison.significant
                && comparison.diff.is_some_and(|diff| is_better(metric, diff) == good)
        };
        compared.iter().filter(fits).copied().collect()
    };
    let settled = !compared.is_empty()
        && compared.iter().all(|(_, c)| match (c.power.mde, c.ci_low, c.ci_high) {
            (Some(effect), Some(low), Some(high)) => -effect < low && high < effect,
            _ => false,
        });
    Standing {
        variant,
        better: certain(true),
        worse: certain(false),
        guardrail: analysis
            .guardrails
            .iter()
            .filter(|guardrail| guardrail.variant == *variant)
            .max_by_key(|guardrail| guardrail.verdict),
        settled,
    }
}

fn is_better(metric: &MetricAnswer, diff: f64) -> bool {
    match metric.better {
        Better::Higher => diff > 0.0,
        Better::Lower => diff < 0.0,
    }
}

/// Of the variants that are better in a primary metric and worse in none: the one that is ahead
/// in the first primary metric that it is better in, among those without a breached guardrail.
fn best<'a, 'b>(
    standings: &'b [Standing<'a>],
    breached: impl Fn(&Standing<'_>) -> bool,
) -> Option<&'b Standing<'a>> {
    let good = |of: &&Standing<'_>| !of.better.is_empty() && of.worse.is_empty() && !breached(of);
    let ahead = |of: &&Standing<'_>| {
        let (metric, comparison) = of.better.first()?;
        let diff = comparison.diff?;
        Some(if is_better(metric, diff) { diff.abs() } else { -diff.abs() })
    };
    standings.iter().filter(good).max_by(|a, b| {
        let key = |of: &Standing<'_>| ahead(&of).unwrap_or(f64::MIN);
        key(a).total_cmp(&key(b))
    })
}

fn describe(standings: &[Standing<'_>], reasons: &mut Vec<String>) {
    let mut better_ones = 0;
    for of in standings {
        for (what, found) in [("better", &of.better), ("worse", &of.worse)] {
            for (metric, comparison) in found.iter().take(REASONS_MAX) {
                reasons.push(sentence(what, metric, comparison));
            }
        }
        if !of.better.is_empty() && !of.worse.is_empty() {
            reasons.push(format!(
                "{} is better in one primary metric and worse in another; whether that is worth it \
                 is for people to say",
                of.variant
            ));
        }
        better_ones += usize::from(!of.better.is_empty() && of.worse.is_empty());
    }
    if better_ones > 1 {
        reasons.push(
            "more than one variant is better than the control; the one that is ahead is named, \
             though the variants were not tested against each other"
                .to_owned(),
        );
    }
}

fn sentence(what: &str, metric: &MetricAnswer, comparison: &Comparison) -> String {
    let mut text = format!(
        "{} is {what} in {:?}: {}",
        comparison.variant,
        metric.name,
        signed(comparison.diff.unwrap_or(0.0))
    );
    if let (Some(low), Some(high)) = (comparison.ci_low, comparison.ci_high) {
        text.push_str(&format!(" (from {} to {}", show(low), show(high)));
        match comparison.p_adjusted {
            Some(p) if p >= 1e-4 => text.push_str(&format!(", adjusted p = {})", show(p))),
            Some(_) => text.push_str(", adjusted p < 0.0001)"),
            None => text.push(')'),
        }
        if low <= 0.0 && high >= 0.0 {
            text.push_str(
                "; that was certain earlier, and today's interval alone does not show it",
            );
        }
    }
    text
}

/// Worse secondary metrics are said; they decide nothing.
fn secondaries(analysis: &Analysis, reasons: &mut Vec<String>) {
    let secondary = analysis.metrics.iter().filter(|m| m.role == MetricRole::Secondary);
    let worse = secondary.flat_map(|m| m.comparisons.iter().map(move |c| (m, c))).filter(
        |(metric, comparison)| {
            comparison.significant && comparison.diff.is_some_and(|d| !is_better(metric, d))
        },
    );
    for (metric, comparison) in worse.take(REASONS_MAX) {
        reasons.push(format!("{}; a secondary metric", sentence("worse", metric, comparison)));
    }
}

/// What is being waited for, or what was missing at the end.
fn waiting(analysis: &Analysis, ended: bool, reasons: &mut Vec<String>) {
    let primaries = analysis.metrics.iter().filter(|m| m.role == MetricRole::Primary);
    let compared = primaries.flat_map(|m| m.comparisons.iter().map(move |c| (m, c)));
    for (metric, comparison) in compared.filter(|(_, c)| !c.significant).take(REASONS_MAX) {
        let (name, variant) = (&metric.name, &comparison.variant);
        if comparison.readiness != Readiness::Ready {
            reasons.push(format!("{name:?}: {}", comparison.readiness_reason));
            continue;
        }
        let mut text = match (comparison.ci_low, comparison.ci_high) {
            (Some(low), Some(high)) => format!(
                "{variant} is not certain to differ in {name:?}: from {} to {}",
                show(low),
                show(high)
            ),
            _ => format!("{variant} is not certain to differ in {name:?}"),
        };
        if let Some(needed) = comparison.power.n_needed
            && !ended
        {
            let units: u64 = comparison.n.iter().fold(0, |sum, n| sum.saturating_add(*n));
            if needed > units {
                text.push_str(&format!("; it takes about {needed} units, there are {units}"));
            }
        }
        reasons.push(text);
    }
    if ended {
        reasons.push("it has ended without a difference that is certain".to_owned());
    }
}
