//! Whether every variant got its share of the units.

use super::answer::{SampleRatioAnswer, number};
use super::progress::Progress;
use crate::experiments::accumulate::Sums;
use crate::model::{ExperimentDefinition, ExperimentKind, ExperimentState};
use crate::stats::sequential::p_value;
use crate::stats::srm::{ALARM_BELOW, EpochCounts, sample_ratio};

/// Units by variant within one epoch.
pub(super) fn units_of_epoch(sums: &Sums, epoch: usize, variants: usize) -> Vec<u64> {
    let Ok(epoch) = u16::try_from(epoch) else { return vec![0; variants] };
    let mut units = vec![0; variants];
    for ((_, variant), count) in sums.units.range((epoch, 0)..=(epoch, u16::MAX)) {
        if let Some(place) = units.get_mut(usize::from(*variant)) {
            *place = *count;
        }
    }
    units
}

/// The sample ratio over all epochs; `None` where nothing is shared out: of a blue-green
/// experiment, or while one variant has all units.
///
/// The alarm looks at the largest evidence so far, so it stays on: whatever skewed the sample
/// skewed what was summed, and that stays too.
pub fn sample_ratio_of(
    definition: &ExperimentDefinition,
    state: &ExperimentState,
    sums: &Sums,
    progress: &Progress,
) -> Option<SampleRatioAnswer> {
    if definition.kind == ExperimentKind::BlueGreen {
        return None;
    }
    let variants = definition.variants.len();
    let units: Vec<Vec<u64>> =
        (0..state.epochs.len()).map(|epoch| units_of_epoch(sums, epoch, variants)).collect();
    let counts: Vec<EpochCounts<'_>> = state
        .epochs
        .iter()
        .zip(&units)
        .map(|(epoch, observed)| EpochCounts { observed, weights: &epoch.weights })
        .collect();
    let ratio = sample_ratio(&counts)?;
    let max_log_e = ratio.ln_e.max(progress.srm_max_ln_e).max(0.0);
    let p_sequential = p_value(max_log_e);
    Some(SampleRatioAnswer {
        chi2: number(ratio.chi2)?,
        df: ratio.df,
        p_value: ratio.p_value.and_then(number),
        max_log_e: number(max_log_e)?,
        p_sequential,
        alarm: p_sequential < ALARM_BELOW,
        observed: ratio.observed,
        expected: ratio
            .expected
            .into_iter()
            .map(|expected| number(expected).unwrap_or(0.0))
            .collect(),
    })
}
