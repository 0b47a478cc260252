//! Nagios's flapping (`base/flapping.c`, `DEFAULT_LOW_SERVICE_FLAP_THRESHOLD` and its fellow).

use crate::model::CheckStatus;

/// Results that are looked at.
pub const FLAPPING_RESULTS: usize = 21;

const BEGINS_PERMILLE: u32 = 300;
const ENDS_BELOW_PERMILLE: u32 = 200;

/// The weights of the oldest and the newest change.
const WEIGHTS: (f64, f64) = (0.75, 1.25);

pub(super) fn push(levels: &mut String, result: CheckStatus) {
    levels.push(match result {
        CheckStatus::Degraded => 'd',
        CheckStatus::Unhealthy => 'u',
        CheckStatus::Healthy | CheckStatus::Unknown | CheckStatus::Paused => 'h',
    });
    while levels.chars().count() > FLAPPING_RESULTS {
        levels.remove(0);
    }
}

/// Whether it flaps now, and the weighted share of changes in per mille. Results that are not
/// there yet count as no change.
pub(super) fn assess(levels: &str, flaps: bool) -> (bool, u32) {
    let changes = FLAPPING_RESULTS - 1;
    let missing = FLAPPING_RESULTS - levels.len().min(FLAPPING_RESULTS);
    let (low, high) = WEIGHTS;
    let weight = |at: usize| low + (high - low) * at as f64 / (changes - 1) as f64;
    let sum: f64 = levels
        .as_bytes()
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| pair[0] != pair[1])
        .map(|(at, _)| weight(missing + at))
        .sum();
    let permille = (sum * 1000.0 / changes as f64).round() as u32;
    let flapping =
        if flaps { permille >= ENDS_BELOW_PERMILLE } else { permille >= BEGINS_PERMILLE };
    (flapping, permille)
}
