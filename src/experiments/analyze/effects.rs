//! Of multivariate experiments: what each factor does by itself, and which factors change each
//! other's effect.
//!
//! Every effect is a contrast, a sum of the variants' estimates with coefficients: of a factor's
//! level against the first, the mean over the other factors' combinations, each with the same
//! weight whatever its traffic; of two factors the difference of differences. Epochs are joined
//! as in comparisons, each by its information `1/Σ(c²/n)`.

use super::answer::{EffectAnswer, Readiness, number};
use super::arms::{Arm, MetricArms};
use super::compare::Setting;
use crate::model::{
    Correction, Estimator, ExperimentDefinition, ExperimentKind, Factor, MetricDefinition,
    MetricRole, VariantDefinition,
};
use crate::stats::contrast::{self, Contrast, Effect};
use crate::stats::gate::{EVENTS_MIN, SKEWNESS_MAX, UNITS_MIN};
use crate::stats::{Adjustment, adjust};

/// The effects of all factors and of all pairs of them in one metric.
pub(super) fn effects(
    setting: &Setting<'_>,
    definition: &ExperimentDefinition,
    metric: &MetricDefinition,
    arms: &MetricArms<'_>,
) -> Vec<EffectAnswer> {
    if definition.kind != ExperimentKind::Multivariate || metric.role == MetricRole::Guardrail {
        return Vec::new();
    }
    let mut answers: Vec<EffectAnswer> = contrasts(definition)
        .into_iter()
        .map(|contrast| {
            let names = named(definition, contrast.effect);
            answer(setting, metric, arms, names, &contrast.weights)
        })
        .collect();
    // What cannot be answered yet counts as 1: the family is as large as it was planned.
    let raw: Vec<_> = answers.iter().map(|answer| Some(answer.p_value.unwrap_or(1.0))).collect();
    let by = match (definition.analysis.correction, metric.role) {
        (Correction::None, _) => Adjustment::None,
        (Correction::Holm, MetricRole::Primary) => Adjustment::Holm,
        (Correction::Holm | Correction::BenjaminiHochberg, _) => Adjustment::BenjaminiHochberg,
    };
    for (answer, p) in answers.iter_mut().zip(adjust(&raw, by)) {
        if answer.p_value.is_some() {
            answer.p_adjusted = p;
            answer.significant =
                answer.readiness == Readiness::Ready && p.is_some_and(|p| p < setting.alpha);
        }
    }
    answers
}

/// All effects, each with a weight for every variant.
fn contrasts(definition: &ExperimentDefinition) -> Vec<Contrast> {
    let counts: Vec<usize> = definition.factors.iter().map(|factor| factor.levels.len()).collect();
    // The combination that a variant is: levels counted with the last factor fastest.
    let cell = |variant: &VariantDefinition| {
        definition.factors.iter().try_fold(0usize, |cell, factor| {
            let level = variant.levels.get(factor.name.as_str())?;
            let place = factor.levels.iter().position(|name| name.as_str() == level)?;
            Some(cell * factor.levels.len() + place)
        })
    };
    let cells: Vec<Option<usize>> = definition.variants.iter().map(cell).collect();
    let mut contrasts = contrast::contrasts(&counts).unwrap_or_default();
    for contrast in &mut contrasts {
        let of = |cell: &Option<usize>| cell.and_then(|cell| contrast.weights.get(cell)).copied();
        contrast.weights = cells.iter().map(|cell| of(cell).unwrap_or(0.0)).collect();
    }
    contrasts
}

/// The effect's name, its levels, and those that they are held against.
fn named(definition: &ExperimentDefinition, effect: Effect) -> (String, Vec<String>, Vec<String>) {
    let of: Vec<(usize, usize)> = match effect {
        Effect::Main { factor, level } => vec![(factor, level)],
        Effect::Interaction { factors, levels } => factors.into_iter().zip(levels).collect(),
    };
    let factors: Vec<(&Factor, usize)> = of
        .into_iter()
        .filter_map(|(factor, level)| Some((definition.factors.get(factor)?, level)))
        .collect();
    let level = |factor: &Factor, at: usize| {
        factor.levels.get(at).map_or(String::new(), |level| level.as_str().to_owned())
    };
    let names: Vec<&str> = factors.iter().map(|(factor, _)| factor.name.as_str()).collect();
    (
        names.join(" × "),
        factors.iter().map(|(factor, at)| level(factor, *at)).collect(),
        factors.iter().map(|(factor, _)| level(factor, 0)).collect(),
    )
}

/// Sums over epochs.
#[derive(Default)]
struct Sum {
    /// Σ information, and the difference, variance and third cumulant weighted by it.
    weight: f64,
    diff: f64,
    variance: f64,
    third: f64,
    /// Units, successes and failures on both sides (coefficients above and below 0).
    units: [u64; 2],
    events: Option<[[u64; 2]; 2]>,
}

fn answer(
    setting: &Setting<'_>,
    metric: &MetricDefinition,
    arms: &MetricArms<'_>,
    (effect, levels, against): (String, Vec<String>, Vec<String>),
    coefficients: &[f64],
) -> EffectAnswer {
    let mut sum = Sum::default();
    let mut any = false;
    for epoch in &arms.epochs {
        any |= add(&mut sum, epoch, coefficients).is_some();
    }
    let mut answer = EffectAnswer {
        metric: metric.name.clone(),
        effect,
        levels,
        against,
        diff: None,
        se: None,
        p_value: None,
        p_adjusted: None,
        ci_low: None,
        ci_high: None,
        significant: false,
        readiness: Readiness::NoData,
    };
    if !any {
        return answer;
    }
    let diff = sum.diff / sum.weight;
    let se = sum.variance.sqrt() / sum.weight;
    let clock = 4.0 * sum.weight;
    answer.diff = number(diff);
    answer.se = number(se);
    answer.readiness = gate(setting, metric, &sum, se);
    if !matches!(answer.readiness, Readiness::Ready | Readiness::Srm) {
        return answer;
    }
    if let Some(look) = setting.sequence.look(diff, se, clock) {
        answer.p_value = Some(look.p_value);
        (answer.ci_low, answer.ci_high) = (Some(look.low), Some(look.high));
    }
    answer
}

/// Adds an epoch; `None`, and nothing is added, where one of its variants cannot be estimated.
fn add(sum: &mut Sum, epoch: &[Option<Arm<'_>>], coefficients: &[f64]) -> Option<()> {
    let mut used = Vec::with_capacity(coefficients.len());
    for (place, c) in coefficients.iter().enumerate().filter(|(_, c)| **c != 0.0) {
        let arm = epoch.get(place)?.as_ref()?;
        used.push((*c, arm, arm.estimate?));
    }
    let over_n = |power: i32, of: i32| -> f64 {
        used.iter().map(|(c, _, e)| c.powi(power) / (e.n as f64).powi(of)).sum()
    };
    let weight = 1.0 / over_n(2, 1);
    if !(weight > 0.0 && weight.is_finite()) {
        return None;
    }
    let units: f64 = used.iter().map(|(.., e)| e.n as f64).sum();
    // Pooled, as the gate of comparisons has it: as if all variants were alike.
    let third: f64 =
        used.iter().map(|(.., e)| e.n as f64 / units * e.third.unwrap_or(f64::NAN)).sum();
    sum.weight += weight;
    sum.diff += weight * used.iter().map(|(c, _, e)| c * e.value).sum::<f64>();
    sum.variance += weight * weight * used.iter().map(|(c, _, e)| c * c * e.variance).sum::<f64>();
    sum.third += weight.powi(3) * third * over_n(3, 2);
    for (c, arm, estimate) in &used {
        let side = usize::from(*c < 0.0);
        sum.units[side] = sum.units[side].saturating_add(estimate.n);
        if let Some(events) = arm.events() {
            let all = sum.events.get_or_insert_default();
            for (sum, events) in all[side].iter_mut().zip(events) {
                *sum = sum.saturating_add(events);
            }
        }
    }
    Some(())
}

fn gate(setting: &Setting<'_>, metric: &MetricDefinition, sum: &Sum, se: f64) -> Readiness {
    let few = sum.units.iter().any(|n| *n < UNITS_MIN)
        || sum.events.is_some_and(|sides| sides.iter().flatten().any(|n| *n < EVENTS_MIN));
    // What is not a number does not pass.
    let even = (sum.third / sum.variance.powf(1.5)).abs() < SKEWNESS_MAX;
    if few {
        Readiness::WarmingUp
    } else if se == 0.0 {
        Readiness::ZeroVariance
    } else if metric.estimator != Estimator::Quantile && !even {
        Readiness::TooSkewed
    } else if setting.srm_alarm {
        Readiness::Srm
    } else {
        Readiness::Ready
    }
}
