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
    MetricRole,
};
use crate::stats::gate::{EVENTS_MIN, SKEWNESS_MAX, UNITS_MIN};
use crate::stats::{Adjustment, adjust};

/// An effect: its names and a coefficient for every variant.
struct Contrast {
    effect: String,
    levels: Vec<String>,
    against: Vec<String>,
    coefficients: Vec<f64>,
}

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
        .map(|contrast| answer(setting, metric, arms, contrast))
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

fn contrasts(definition: &ExperimentDefinition) -> Vec<Contrast> {
    let mut found = Vec::new();
    for (place, factor) in definition.factors.iter().enumerate() {
        found.extend(pairs(factor).map(|pair| contrast(definition, &[pair])));
        for other in definition.factors.iter().skip(place + 1) {
            for pair in pairs(factor) {
                found.extend(pairs(other).map(|with| contrast(definition, &[pair, with])));
            }
        }
    }
    found
}

/// A factor's levels against its first.
fn pairs(factor: &Factor) -> impl Iterator<Item = (&Factor, [&str; 2])> {
    let first = factor.levels.first().map_or("", |level| level.as_str());
    factor.levels.iter().skip(1).map(move |level| (factor, [level.as_str(), first]))
}

fn contrast(definition: &ExperimentDefinition, of: &[(&Factor, [&str; 2])]) -> Contrast {
    let mut coefficients: Vec<f64> = definition
        .variants
        .iter()
        .map(|variant| {
            of.iter().fold(1.0, |sign, (factor, [level, first])| {
                match variant.levels.get(factor.name.as_str()) {
                    Some(has) if has == level => sign,
                    Some(has) if has == first => -sign,
                    Some(_) | None => 0.0,
                }
            })
        })
        .collect();
    // Each corner (level or first, by factor) is the mean over the other factors' combinations.
    let used = coefficients.iter().filter(|c| **c != 0.0).count();
    let corner = used as f64 / f64::from(1u32 << of.len().min(31));
    for coefficient in &mut coefficients {
        *coefficient /= corner;
    }
    let names: Vec<&str> = of.iter().map(|(factor, _)| factor.name.as_str()).collect();
    Contrast {
        effect: names.join(" × "),
        levels: of.iter().map(|(_, [level, _])| (*level).to_owned()).collect(),
        against: of.iter().map(|(_, [_, first])| (*first).to_owned()).collect(),
        coefficients,
    }
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
    contrast: Contrast,
) -> EffectAnswer {
    let mut sum = Sum::default();
    let mut any = false;
    for epoch in &arms.epochs {
        any |= add(&mut sum, epoch, &contrast.coefficients).is_some();
    }
    let mut answer = EffectAnswer {
        metric: metric.name.clone(),
        effect: contrast.effect,
        levels: contrast.levels,
        against: contrast.against,
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
    let skewness = sum.third / sum.variance.powf(1.5);
    if few {
        Readiness::WarmingUp
    } else if se == 0.0 {
        Readiness::ZeroVariance
    } else if metric.estimator != Estimator::Quantile && !(skewness.abs() < SKEWNESS_MAX) {
        Readiness::TooSkewed
    } else if setting.srm_alarm {
        Readiness::Srm
    } else {
        Readiness::Ready
    }
}
