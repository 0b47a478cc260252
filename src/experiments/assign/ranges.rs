//! Which part of the line from 0 to 1 belongs to which variant.
//!
//! Source: `getBucketRanges`, `chooseVariation` and `inNamespace` in
//! `packages/sdk-js/src/util.ts` of growthbook/growthbook.

use super::hash::place;

/// A part of the line: the beginning belongs to it, the end does not.
pub type Range = (f64, f64);

/// How far from 1 the sum of weights may be before they are not believed.
const SUM_TOLERANCE: f64 = 0.01;

/// The parts of `count` variants. Each has its place by the weights before it, and as much of it
/// as `coverage` (0 to 1) says, so that more coverage moves nobody. Weights that do not fit the
/// count, or do not sum to 1, are taken for equal ones.
pub fn bucket_ranges(count: usize, coverage: f64, weights: Option<&[f64]>) -> Vec<Range> {
    let coverage = if coverage.is_finite() { coverage.clamp(0.0, 1.0) } else { 0.0 };
    let equal = vec![1.0 / count.max(1) as f64; count];
    let sums = |weights: &&[f64]| {
        let sum: f64 = weights.iter().sum();
        weights.len() == count && (sum - 1.0).abs() <= SUM_TOLERANCE
    };
    let weights = weights.filter(sums).unwrap_or(&equal);
    let mut from = 0.0;
    let range = |weight: &f64| {
        let start = from;
        from += weight;
        (start, start + coverage * weight)
    };
    weights.iter().map(range).collect()
}

/// The variant whose part a place is in.
pub fn choose(place: f64, ranges: &[Range]) -> Option<usize> {
    ranges.iter().position(|(from, to)| (*from..*to).contains(&place))
}

/// Whether a unit is in a part of a namespace.
pub fn in_namespace(unit: &str, name: &str, from: f64, to: f64) -> bool {
    // GrowthBook's namespaces are hashed by version 1 of the hash.
    place(&format!("__{name}"), unit, 1).is_some_and(|place| (from..to).contains(&place))
}
