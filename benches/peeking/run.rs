//! One experiment from its first unit to its last, looked at all the while.

use crate::families::{Family, Metric, Random};
use vedette::stats::counts::{CONCENTRATION_CONVERSIONS, binomial_ln_e};
use vedette::stats::gate::{ArmShape, Events, Evidence, Readiness, readiness, skewness};
use vedette::stats::sequential::{
    ConfidenceSequence, EpochDifference, OneSidedSequence, SAMPLES_TUNED_DEFAULT, combine,
};
use vedette::stats::sketch::{QuantileSketch, quantile_estimate};
use vedette::stats::srm::{EpochCounts, sample_ratio};

pub(crate) const ALPHA: f64 = 0.05;
const Z: f64 = 1.959_963_984_540_054;

/// What one run saw.
#[derive(Default, Clone)]
pub(crate) struct Outcome {
    /// Units at the first significant look of the sequence.
    pub(crate) decided_at: Option<u32>,
    /// Whether it decided for the variant, of those that decided.
    pub(crate) upwards: bool,
    /// Whether any look of the plain test was significant.
    pub(crate) naive: bool,
    /// Whether the plain test was significant at the end, and only then looked at.
    pub(crate) fixed: bool,
    /// Whether the one-sided sequence said "above 0", or "below 0", at any look.
    pub(crate) guardrail: (bool, bool),
    /// Whether the exact test of counts found the conversions divided unlike the traffic.
    pub(crate) counts: bool,
    /// Whether the sample-ratio alarm was on at any look.
    pub(crate) sample_ratio: bool,
    /// Looks at which the gate was open, and all looks.
    pub(crate) ready: (u32, u32),
}

/// Moments of one arm in one epoch (Welford; Pébay for the third).
#[derive(Default, Clone)]
struct Arm {
    n: u64,
    mean: f64,
    m2: f64,
    m3: f64,
    positive: u64,
    sketch: QuantileSketch,
}

impl Arm {
    fn add(&mut self, x: f64, metric: Metric) {
        if matches!(metric, Metric::Quantile(_)) {
            self.n += 1;
            self.sketch.add(x).expect("families draw values from 0 to 2^60");
            return;
        }
        let before = self.n as f64;
        self.n += 1;
        let n = self.n as f64;
        let step = x - self.mean;
        let share = step / n;
        let term = step * share * before;
        self.m3 += term * share * (n - 2.0) - 3.0 * share * self.m2;
        self.m2 += term;
        self.mean += share;
        self.positive += u64::from(x > 0.0);
    }

    /// Estimate and sampling variance.
    fn estimate(&self, metric: Metric) -> Option<(f64, f64)> {
        if let Metric::Quantile(p) = metric {
            return quantile_estimate(&self.sketch, p).map(|found| (found.value, found.variance));
        }
        let n = self.n as f64;
        (self.n >= 2).then(|| (self.mean, self.m2 / (n - 1.0) / n))
    }

    fn shape(&self) -> ArmShape {
        let n = (self.n as f64).max(2.0);
        ArmShape { n: self.n, variance: self.m2 / (n - 1.0), third: self.m3 / n }
    }
}

/// Runs one experiment in which every unit of the variant gets `effect` on top (for conversions:
/// on top of the probability).
pub(crate) fn run(family: &Family, effect: f64, seed: u64) -> Outcome {
    let mut random = Random::new(seed);
    let sequence = ConfidenceSequence::tuned(ALPHA, SAMPLES_TUNED_DEFAULT).expect("a level");
    let guard = OneSidedSequence::tuned(ALPHA, SAMPLES_TUNED_DEFAULT).expect("a level");
    let whole: u32 = family.phases.iter().map(|phase| phase.units).sum();
    let mut epochs: Vec<[Arm; 2]> = Vec::new();
    let mut outcome = Outcome::default();
    let mut units = 0;
    for phase in family.phases {
        epochs.push(Default::default());
        for _ in 0..phase.units {
            let variant = random.chance(phase.share);
            let mut x = (family.draw)(&mut random, variant, f64::from(units) / f64::from(whole));
            if variant && effect != 0.0 {
                match family.metric {
                    Metric::Conversion => x = x.max(f64::from(u8::from(random.chance(effect)))),
                    _ => x += effect,
                }
            }
            let epoch = epochs.last_mut().expect("an epoch was just begun");
            epoch[usize::from(variant)].add(x, family.metric);
            units += 1;
            if units % family.every == 0 {
                look(family, &epochs, &sequence, &guard, units, &mut outcome);
            }
        }
    }
    if let Some((_, z)) = test(family, &epochs) {
        outcome.fixed = z.abs() > Z;
    }
    outcome
}

/// The combined difference and what the plain test makes of it.
fn test(
    family: &Family,
    epochs: &[[Arm; 2]],
) -> Option<(vedette::stats::sequential::CombinedDifference, f64)> {
    let differences: Vec<EpochDifference> = epochs
        .iter()
        .filter_map(|[control, variant]| {
            let (c, t) = (control.estimate(family.metric)?, variant.estimate(family.metric)?);
            Some(EpochDifference {
                diff: t.0 - c.0,
                variance: t.1 + c.1,
                control: control.n,
                variant: variant.n,
            })
        })
        .collect();
    let joined = combine(&differences)?;
    (joined.se > 0.0).then(|| (joined, joined.diff / joined.se))
}

fn look(
    family: &Family,
    epochs: &[[Arm; 2]],
    sequence: &ConfidenceSequence,
    guard: &OneSidedSequence,
    units: u32,
    outcome: &mut Outcome,
) {
    outcome.ready.1 += 1;
    if !outcome.sample_ratio {
        let observed: Vec<[u64; 2]> = epochs.iter().map(|[c, t]| [c.n, t.n]).collect();
        let weights: Vec<[f64; 2]> =
            family.phases.iter().map(|p| [1.0 - p.share, p.share]).collect();
        let counts: Vec<EpochCounts<'_>> = observed
            .iter()
            .zip(&weights)
            .map(|(observed, weights)| EpochCounts { observed, weights })
            .collect();
        let ratio = sample_ratio(&counts).expect("two arms with weights");
        outcome.sample_ratio = ratio.ln_e > -vedette::stats::srm::ALARM_BELOW.ln();
    }
    if family.metric == Metric::Conversion && !outcome.counts {
        let ln_e: f64 = epochs
            .iter()
            .zip(family.phases)
            .filter_map(|([control, variant], phase)| {
                let events = control.positive + variant.positive;
                binomial_ln_e(variant.positive, events, phase.share, CONCENTRATION_CONVERSIONS)
            })
            .sum();
        outcome.counts = ln_e > -ALPHA.ln();
    }
    let Some((joined, z)) = test(family, epochs) else { return };
    let arm = |arm: usize| {
        let of =
            |count: fn(&Arm) -> u64| epochs.iter().map(|epoch| count(&epoch[arm])).sum::<u64>();
        (of(|arm| arm.n), of(|arm| arm.positive))
    };
    let (control, variant) = (arm(0), arm(1));
    if control.0.min(variant.0) >= 100 && z.abs() > Z {
        outcome.naive = true;
    }
    let events = |(n, successes): (u64, u64)| Events { successes, failures: n - successes };
    let shapes: Vec<[ArmShape; 2]> = epochs.iter().map(|[c, t]| [c.shape(), t.shape()]).collect();
    let evidence = Evidence {
        units: [control.0, variant.0],
        events: (family.metric == Metric::Conversion).then(|| [events(control), events(variant)]),
        skewness: skewness(&shapes),
        se: Some(joined.se),
    };
    if readiness(&evidence) != Readiness::Ready {
        return;
    }
    outcome.ready.0 += 1;
    if let Some(p) = sequence.p_value(joined.diff, joined.se, joined.clock)
        && p < ALPHA
        && outcome.decided_at.is_none()
    {
        outcome.decided_at = Some(units);
        outcome.upwards = joined.diff > 0.0;
    }
    let lower = guard.lower(joined.diff, joined.se, joined.clock);
    let upper = guard.upper(joined.diff, joined.se, joined.clock);
    outcome.guardrail.0 |= lower.is_some_and(|lower| lower > 0.0);
    outcome.guardrail.1 |= upper.is_some_and(|upper| upper < 0.0);
}
