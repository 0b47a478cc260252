//! One variant against the control in one metric.

use super::answer::{Bayes, Comparison, Fixed, Power, Readiness, Relative, Simultaneous, number};
use super::arms::{Arm, MetricArms, Pair};
use super::combined::Combined;
use super::power::Question;
use super::progress::ComparisonProgress;
use super::words::show;
use crate::model::{AnalysisMethod, Better, Estimator, MetricDefinition, Name};
use crate::stats::bayes::{Conversions, conversions, difference};
use crate::stats::gate::{
    ArmShape, EVENTS_MIN, Events, Evidence, SKEWNESS_MAX, UNITS_MIN, readiness, skewness,
};
use crate::stats::sequential::{CombinedDifference, ConfidenceSequence};
use crate::stats::sketch::TAIL_UNITS_MIN;

/// What all comparisons of an experiment have in common.
pub(in crate::experiments) struct Setting<'a> {
    pub(super) method: AnalysisMethod,
    pub(in crate::experiments) alpha: f64,
    /// What the sequence is tuned for.
    pub(in crate::experiments) samples: f64,
    pub(super) sequence: ConfidenceSequence,
    pub(super) cuped: bool,
    pub(super) control: usize,
    pub(super) control_name: &'a Name,
    pub(super) srm_alarm: bool,
    pub(super) days: Option<f64>,
}

/// A comparison without its tests: what guardrails ask for.
pub(super) struct Seen {
    pub(super) readiness: Readiness,
    pub(super) reason: String,
    pub(super) total: Option<CombinedDifference>,
}

/// How a variant differs from the control, and whether that may be answered.
pub(super) fn seen(
    setting: &Setting<'_>,
    metric: &MetricDefinition,
    arms: &MetricArms<'_>,
    (place, name): (usize, &Name),
) -> Seen {
    let pairs = arms.pairs(setting.control, place, setting.cuped);
    let combined = Combined::new(metric.estimator, &pairs);
    let units = units(setting, arms, place);
    let (readiness, reason) = gate(setting, metric, &pairs, combined.as_ref(), units, name);
    Seen { readiness, reason, total: combined.map(|combined| combined.total) }
}

/// Units with a value, of the control and of a variant.
fn units(setting: &Setting<'_>, arms: &MetricArms<'_>, place: usize) -> [u64; 2] {
    [setting.control, place].map(|variant| arms.whole(variant).map_or(0, Arm::n))
}

/// A metric's comparison, before it is corrected for the others.
pub(super) fn compare(
    setting: &Setting<'_>,
    metric: &MetricDefinition,
    arms: &MetricArms<'_>,
    (place, name): (usize, &Name),
    family: usize,
    before: ComparisonProgress,
) -> Comparison {
    let pairs = arms.pairs(setting.control, place, setting.cuped);
    let combined = Combined::new(metric.estimator, &pairs);
    let units = units(setting, arms, place);
    let gate = gate(setting, metric, &pairs, combined.as_ref(), units, name);
    let mut comparison = Comparison {
        variant: name.clone(),
        n: units,
        diff: None,
        se: None,
        p_value: None,
        p_adjusted: None,
        ci_low: None,
        ci_high: None,
        simultaneous: None,
        log_e: None,
        max_log_e: (before.max_ln_e > 0.0).then_some(before.max_ln_e),
        significant: false,
        ever_significant_at: before.ever_significant_at,
        readiness: gate.0,
        readiness_reason: gate.1,
        variance_reduction: None,
        relative: Relative::default(),
        fixed: Fixed::default(),
        bayes: Bayes::default(),
        power: Power { mde: metric.minimum_detectable_effect, ..Power::default() },
    };
    let Some(combined) = combined else { return comparison };
    let total = combined.total;
    comparison.n = combined.n();
    comparison.diff = number(total.diff);
    comparison.se = number(total.se);
    comparison.variance_reduction = variance_reduction(&pairs);
    comparison.fixed = combined.fixed(setting.alpha);
    if total.se > 0.0 {
        comparison.bayes = bayes(metric, &combined);
    }
    if !matches!(comparison.readiness, Readiness::Ready | Readiness::Srm) {
        return comparison;
    }
    let alone = setting.alpha / family.max(1) as f64;
    let interval = |alpha: f64| match setting.method {
        AnalysisMethod::Sequential => {
            setting.sequence.at(alpha)?.interval(total.diff, total.se, total.clock)
        }
        AnalysisMethod::Fixed => {
            let fixed = combined.fixed(alpha);
            fixed.ci_low.zip(fixed.ci_high)
        }
    };
    if let Some((low, high)) = interval(setting.alpha) {
        (comparison.ci_low, comparison.ci_high) = (Some(low), Some(high));
    }
    comparison.simultaneous =
        interval(alone).map(|(ci_low, ci_high)| Simultaneous { alpha: alone, ci_low, ci_high });
    comparison.log_e = setting.sequence.ln_e(total.diff, total.se, total.clock);
    if comparison.readiness == Readiness::Ready {
        comparison.max_log_e = comparison.log_e.map(|ln_e| ln_e.max(before.max_ln_e));
    }
    comparison.p_value = match setting.method {
        AnalysisMethod::Sequential => setting.sequence.p_value(total.diff, total.se, total.clock),
        AnalysisMethod::Fixed => comparison.fixed.p_value,
    };
    let critical = combined.critical(setting.method, setting.sequence, setting.alpha, 1.0);
    comparison.relative = combined.relative(critical);
    let question = Question {
        method: setting.method,
        sequence: setting.sequence,
        alpha: alone,
        effect: metric.minimum_detectable_effect,
        days: setting.days,
    };
    comparison.power = question.answer(&combined);
    comparison
}

/// How much of the variance the covariate took away, over epochs.
fn variance_reduction(pairs: &[Pair]) -> Option<f64> {
    let sum = |of: fn(&Pair) -> f64| pairs.iter().map(of).sum::<f64>();
    let plain = sum(|pair| pair.plain[0].variance + pair.plain[1].variance);
    let adjusted = sum(|pair| pair.control.variance + pair.variant.variance);
    let changed = pairs.iter().any(|pair| pair.plain != [pair.control, pair.variant]);
    if changed { number(1.0 - adjusted / plain) } else { None }
}

/// Whether the comparison may be answered, and if not, why not and what to do about it.
fn gate(
    setting: &Setting<'_>,
    metric: &MetricDefinition,
    pairs: &[Pair],
    combined: Option<&Combined>,
    units: [u64; 2],
    name: &Name,
) -> (Readiness, String) {
    let control = setting.control_name;
    let names = [control, name];
    if let Some(empty) = units.iter().position(|n| *n == 0) {
        let reason = format!("{} has no result of {:?} yet", names[empty], metric.name);
        return (Readiness::NoData, reason);
    }
    let Some(combined) = combined else {
        let reason = match metric.estimator {
            Estimator::Quantile => format!(
                "a quantile takes {TAIL_UNITS_MIN} units on its thinner side, in {control} and in \
                 {name} and within one epoch; there are {} and {} in all; take a quantile nearer to \
                 the middle, or wait",
                units[0], units[1]
            ),
            Estimator::Mean | Estimator::Proportion | Estimator::Ratio => format!(
                "{control} and {name} have not two units each within one epoch; a ratio takes \
                 denominators above 0 besides"
            ),
        };
        return (Readiness::WarmingUp, reason);
    };
    let evidence = Evidence {
        units: combined.n(),
        events: events(pairs),
        skewness: skewness_of(metric.estimator, pairs),
        se: Some(combined.total.se),
    };
    let gate = readiness(&evidence);
    let reason = match gate {
        crate::stats::gate::Readiness::Ready if setting.srm_alarm => {
            return (
                Readiness::Srm,
                "the variants did not get their shares of the units (see srm); whatever skewed \
                 that may have made this difference too"
                    .to_owned(),
            );
        }
        crate::stats::gate::Readiness::Ready => String::new(),
        crate::stats::gate::Readiness::NoData => format!("{name} has no units yet"),
        crate::stats::gate::Readiness::WarmingUp => warming_up(&evidence, names),
        crate::stats::gate::Readiness::TooSkewed => format!(
            "values are so skewed, and the arms so unequal, that the interval would not hold yet \
             (skewness of the difference {}, must be below {SKEWNESS_MAX}); bound outliers with \
             cap_high, take a quantile instead, make the shares more equal, or wait",
            evidence.skewness.and_then(number).map_or("beyond numbers".to_owned(), show)
        ),
        crate::stats::gate::Readiness::ZeroVariance => {
            "all values are the same: nothing varies, so nothing can be tested; look whether the \
             right thing is measured"
                .to_owned()
        }
    };
    (gate.into(), reason)
}

fn warming_up(evidence: &Evidence, names: [&Name; 2]) -> String {
    for (name, n) in names.iter().zip(evidence.units) {
        if n < UNITS_MIN {
            return format!("{name} has {n} of the {UNITS_MIN} units that it takes; wait");
        }
    }
    for (name, events) in names
        .iter()
        .zip(evidence.events.unwrap_or([Events { successes: EVENTS_MIN, failures: EVENTS_MIN }; 2]))
    {
        if events.successes < EVENTS_MIN {
            let seen = events.successes;
            return format!(
                "{name} has {seen} of the {EVENTS_MIN} ones (successes) that it takes; wait"
            );
        }
        if events.failures < EVENTS_MIN {
            let seen = events.failures;
            return format!(
                "{name} has {seen} of the {EVENTS_MIN} zeros (failures) that it takes; wait"
            );
        }
    }
    "the standard error cannot be computed yet; wait".to_owned()
}

fn events(pairs: &[Pair]) -> Option<[Events; 2]> {
    let mut sums = [[0u64; 2]; 2];
    for pair in pairs {
        for (sum, events) in sums.iter_mut().flatten().zip(pair.events?.iter().flatten()) {
            *sum = sum.saturating_add(*events);
        }
    }
    Some(sums.map(|[successes, failures]| Events { successes, failures }))
}

fn skewness_of(estimator: Estimator, pairs: &[Pair]) -> Option<f64> {
    if estimator == Estimator::Quantile {
        // Ranks are not moved by how far away the largest values are.
        return None;
    }
    // A third moment beyond the doubles is no number, and does not pass the gate.
    let shape = |arm: &crate::stats::Estimate| ArmShape {
        n: arm.n,
        variance: arm.unit_variance,
        third: arm.third.unwrap_or(f64::NAN),
    };
    if pairs.iter().any(|pair| pair.control.third.is_none() || pair.variant.third.is_none()) {
        return Some(f64::NAN);
    }
    let shapes: Vec<_> =
        pairs.iter().map(|pair| [shape(&pair.control), shape(&pair.variant)]).collect();
    skewness(&shapes)
}

/// Advice from a flat prior: of shares within one epoch exact, else by the normal approximation.
fn bayes(metric: &MetricDefinition, combined: &Combined) -> Bayes {
    let exact = combined.single().and_then(|pair| {
        let [control, variant] =
            pair.events?.map(|[successes, failures]| Conversions { successes, failures });
        conversions(control, variant)
    });
    let CombinedDifference { diff, se, .. } = combined.total;
    let Some(belief) = exact.or_else(|| difference(diff, se * se, None)) else {
        return Bayes::default();
    };
    match metric.better {
        Better::Higher => Bayes {
            chance_to_win: number(belief.chance_above),
            expected_loss: number(belief.loss_of_treatment),
        },
        Better::Lower => Bayes {
            chance_to_win: number(1.0 - belief.chance_above),
            expected_loss: number(belief.loss_of_control),
        },
    }
}
