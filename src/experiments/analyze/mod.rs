//! Analysis: what an experiment's results say, computed from stored sums alone.
//!
//! By metric and variant: estimates of each epoch (`arms`), joined over epochs (`combined`),
//! gated and tested (`compare`), corrected for one another (`family`); then the winner and
//! the decision (`decide`). Right however often one looks, with what [`Progress`] remembers.

mod answer;
mod arms;
mod combined;
mod compare;
mod decide;
mod effects;
mod family;
mod power;
mod progress;
mod ratio;
mod timeline;
mod words;

pub use answer::{
    Analysis, Bayes, Comparison, Decision, EffectAnswer, EpochAnswer, Fixed, MetricAnswer, Power,
    Readiness, Relative, SampleRatioAnswer, Simultaneous, VariantAnswer,
};
pub use progress::{ComparisonProgress, Progress, advance};
pub use ratio::sample_ratio_of;
pub use timeline::{EstimatePoint, points};

pub(super) use compare::Setting;
pub(super) use words::show;

use answer::number;
use arms::{Arm, MetricArms};
use compare::compare;

use super::accumulate::Sums;
use super::guard::{Worsening, guard, is_randomised};
use crate::model::{
    Better, Estimator, ExperimentDefinition, ExperimentState, MetricDefinition, Timestamp,
};
use crate::stats::sequential::ConfidenceSequence;
use crate::stats::{normal_critical, t_isf, wilson};

/// Milliseconds of a day.
const DAY_MS: f64 = 86_400_000.0;

/// What an experiment's results say.
///
/// `definition` has its variants (those of factors are made) and `progress` is what
/// [`advance`] remembered of earlier analyses. The same input gives the same answer; `now` is
/// shown, gives durations and decides whether the planned end has passed. Never fails: what
/// cannot be computed is `None`, and a reason says why.
pub fn analyze(
    definition: &ExperimentDefinition,
    state: &ExperimentState,
    sums: &Sums,
    progress: &Progress,
    now: Timestamp,
) -> Analysis {
    let settings = &definition.analysis;
    let until = state.ended_at.unwrap_or(now);
    let days = state.started_at.map(|from| (until.since(from).max(0)) as f64 / DAY_MS);
    let srm = sample_ratio_of(definition, state, sums, progress);
    let mut metrics = Vec::new();
    let mut effects = Vec::new();
    if let Some(setting) = Setting::new(definition, state, sums, progress, days) {
        for (place, metric) in definition.metrics.iter().enumerate() {
            let arms = MetricArms::new(definition, state, sums, place);
            metrics.push(of_metric(&setting, definition, sums, progress, metric, &arms));
            effects.extend(effects::effects(&setting, definition, metric, &arms));
        }
    }
    family::correct(&mut metrics, settings.correction, settings.method, settings.alpha, now);
    let mut analysis = Analysis {
        experiment: definition.name.clone(),
        kind: definition.kind,
        status: state.status,
        at: now,
        started_at: state.started_at,
        duration_days: days,
        total_samples: sums.units.values().fold(0, |sum, n| sum.saturating_add(*n)),
        results: sums.results,
        alpha: settings.alpha,
        confidence_level: 1.0 - settings.alpha,
        method: settings.method,
        correction: settings.correction,
        srm,
        epochs: epochs(definition, state, sums),
        metrics,
        effects,
        guardrails: guard(definition, state, sums, progress),
        winner: None,
        decision: Decision::Continue,
        reasons: Vec::new(),
    };
    decide::decide(&mut analysis, definition, state, now);
    analysis
}

impl<'a> Setting<'a> {
    /// `None` where there is no control or α is none: such a definition is not taken.
    pub(super) fn new(
        definition: &'a ExperimentDefinition,
        state: &ExperimentState,
        sums: &Sums,
        progress: &Progress,
        days: Option<f64>,
    ) -> Option<Self> {
        let control = definition.control()?;
        let settings = &definition.analysis;
        let samples = settings.tuned_for.max(1) as f64;
        let ratio = sample_ratio_of(definition, state, sums, progress);
        Some(Setting {
            method: settings.method,
            alpha: settings.alpha,
            samples,
            sequence: ConfidenceSequence::tuned(settings.alpha, samples)?,
            cuped: settings.cuped,
            control,
            control_name: &definition.variants.get(control)?.name,
            srm_alarm: ratio.is_some_and(|ratio| ratio.alarm),
            days,
        })
    }
}

fn epochs(
    definition: &ExperimentDefinition,
    state: &ExperimentState,
    sums: &Sums,
) -> Vec<EpochAnswer> {
    let answer = |(place, epoch): (usize, &crate::model::Epoch)| {
        let units = ratio::units_of_epoch(sums, place, definition.variants.len());
        EpochAnswer {
            from: epoch.from,
            weights: epoch.weights.clone(),
            n: units.iter().fold(0, |sum, n| sum.saturating_add(*n)),
            units,
        }
    };
    state.epochs.iter().enumerate().map(answer).collect()
}

fn of_metric(
    setting: &Setting<'_>,
    definition: &ExperimentDefinition,
    sums: &Sums,
    progress: &Progress,
    metric: &MetricDefinition,
    arms: &MetricArms<'_>,
) -> MetricAnswer {
    let count = definition.variants.len();
    let correction = definition.analysis.correction;
    let family = family::family_of(&definition.metrics, metric.role, count, correction);
    let mut variants = Vec::with_capacity(count);
    let mut comparisons = Vec::with_capacity(count);
    for (place, variant) in definition.variants.iter().enumerate() {
        let estimate = arms.whole(place).and_then(|arm| arm.estimate);
        let interval = estimate.and_then(|estimate| match metric.estimator {
            Estimator::Proportion => wilson(&estimate, setting.alpha).map(|i| (i.low, i.high)),
            Estimator::Mean | Estimator::Ratio => {
                let df = estimate.n.checked_sub(1).filter(|df| *df > 0)? as f64;
                around(&estimate, t_isf(setting.alpha / 2.0, df)?)
            }
            Estimator::Quantile => around(&estimate, normal_critical(setting.alpha)?),
        });
        let excluded = u16::try_from(place).ok().and_then(|place| sums.excluded.get(&place));
        variants.push(VariantAnswer {
            name: variant.name.clone(),
            is_control: place == setting.control,
            n: arms.whole(place).map_or(0, Arm::n),
            mean: arms.whole(place).and_then(|arm| arm.shown(metric)).and_then(number),
            variance: estimate.and_then(|estimate| number(estimate.unit_variance)),
            ci_low: interval.map(|(low, _)| low),
            ci_high: interval.map(|(_, high)| high),
            excluded_units: excluded.copied().unwrap_or(0),
        });
        if place != setting.control {
            let before = progress.comparison(&metric.name, variant.name.as_str());
            let of = (place, &variant.name);
            comparisons.push(compare(setting, metric, arms, of, family, before));
        }
    }
    MetricAnswer {
        name: metric.name.clone(),
        role: metric.role,
        kind: metric.kind,
        estimator: metric.estimator,
        quantile: metric.quantile,
        better: metric.better,
        target: metric.target,
        variants,
        comparisons,
    }
}

fn around(estimate: &crate::stats::Estimate, critical: f64) -> Option<(f64, f64)> {
    let reach = critical * estimate.standard_error();
    number(estimate.value - reach).zip(number(estimate.value + reach))
}

/// How much worse each variant is than the control in one metric.
pub(super) fn worsening(
    setting: &Setting<'_>,
    definition: &ExperimentDefinition,
    state: &ExperimentState,
    sums: &Sums,
    place: usize,
) -> Vec<Worsening> {
    let Some(metric) = definition.metrics.get(place) else { return Vec::new() };
    let arms = MetricArms::new(definition, state, sums, place);
    let others = definition.variants.iter().enumerate().filter(|(at, _)| *at != setting.control);
    others
        .map(|(at, variant)| {
            let seen = compare::seen(setting, metric, &arms, (at, &variant.name));
            let by = seen.total.map(|total| {
                let worse = match metric.better {
                    Better::Higher => -total.diff,
                    Better::Lower => total.diff,
                };
                [worse, total.se, total.clock]
            });
            Worsening {
                variant: variant.name.clone(),
                readiness: seen.readiness,
                readiness_reason: seen.reason,
                by,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
