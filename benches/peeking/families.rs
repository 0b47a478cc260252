//! Where the numbers of a run come from: families of data, and how traffic is divided.

/// Xoshiro256++ (Blackman & Vigna 2018), seeded by SplitMix64: the same runs on every machine.
pub(crate) struct Random {
    state: [u64; 4],
    spare: Option<f64>,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        let mut x = seed;
        let state = [(); 4].map(|()| {
            x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = x;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        });
        Self { state, spare: None }
    }

    /// Uniform in 0 ≤ x < 1.
    pub(crate) fn uniform(&mut self) -> f64 {
        let [a, b, c, d] = &mut self.state;
        let out = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let t = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= t;
        *d = d.rotate_left(45);
        (out >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal, by Marsaglia's polar method.
    pub(crate) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (x, y) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let s = x * x + y * y;
            if s > 0.0 && s < 1.0 {
                let scale = (-2.0 * s.ln() / s).sqrt();
                self.spare = Some(y * scale);
                return x * scale;
            }
        }
    }

    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.uniform() < p
    }
}

/// What is estimated.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Metric {
    Mean,
    Conversion,
    Quantile(f64),
}

/// A stretch of traffic with one allocation: an epoch.
#[derive(Clone, Copy)]
pub(crate) struct Phase {
    pub(crate) units: u32,
    /// The variant's share.
    pub(crate) share: f64,
}

const fn phase(units: u32, share: f64) -> Phase {
    Phase { units, share }
}

/// One kind of experiment.
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) metric: Metric,
    pub(crate) phases: &'static [Phase],
    /// One unit's value: in the variant or not, at which part (0..1) of the run.
    pub(crate) draw: fn(&mut Random, bool, f64) -> f64,
    /// Units between two looks.
    pub(crate) every: u32,
    /// The deviation of one unit, where power is measured as well.
    pub(crate) deviation: Option<f64>,
}

const HALVES: &[Phase] = &[phase(20_000, 0.5)];
const HALVES_LONG: &[Phase] = &[phase(60_000, 0.5)];
const TENTH: &[Phase] = &[phase(40_000, 0.1)];
const HUNDREDTH: &[Phase] = &[phase(100_000, 0.01)];
const TENTH_LONG: &[Phase] = &[phase(100_000, 0.1)];
/// A canary's steps, which is how a change of allocation meets a drifting baseline.
const RAMP: &[Phase] = &[
    phase(4_000, 0.01),
    phase(4_000, 0.05),
    phase(4_000, 0.1),
    phase(6_000, 0.25),
    phase(12_000, 0.5),
];
const RAMP_LONG: &[Phase] = &[
    phase(10_000, 0.01),
    phase(10_000, 0.05),
    phase(10_000, 0.1),
    phase(15_000, 0.25),
    phase(30_000, 0.5),
];
/// Many short epochs: somebody turns the knob all the time.
const RESTLESS: &[Phase] = &[
    phase(300, 0.5),
    phase(300, 0.2),
    phase(300, 0.5),
    phase(300, 0.8),
    phase(300, 0.5),
    phase(300, 0.1),
    phase(300, 0.5),
    phase(300, 0.9),
    phase(300, 0.5),
    phase(300, 0.3),
    phase(300, 0.5),
    phase(300, 0.7),
    phase(10_000, 0.5),
];

fn lognormal(random: &mut Random, sigma: f64) -> f64 {
    (sigma * random.normal()).exp()
}

fn bernoulli(random: &mut Random, p: f64) -> f64 {
    f64::from(u8::from(random.chance(p)))
}

/// Most buy nothing, the rest spend a lognormal amount.
fn revenue(random: &mut Random) -> f64 {
    if random.chance(0.05) { 20.0 * lognormal(random, 1.0) } else { 0.0 }
}

pub(crate) const FAMILIES: &[Family] = &[
    Family {
        name: "normal, 50/50",
        metric: Metric::Mean,
        phases: HALVES,
        every: 50,
        deviation: Some(1.0),
        draw: |r, _, _| r.normal(),
    },
    // Variance (e − 1)·e.
    Family {
        name: "lognormal σ = 1 (skewness 6), 50/50",
        metric: Metric::Mean,
        phases: HALVES,
        every: 50,
        deviation: Some(2.161_197),
        draw: |r, _, _| lognormal(r, 1.0),
    },
    Family {
        name: "lognormal σ = 2 (skewness 414), 50/50",
        metric: Metric::Mean,
        phases: HALVES,
        every: 50,
        deviation: None,
        draw: |r, _, _| lognormal(r, 2.0),
    },
    Family {
        name: "Bernoulli 1 %, 50/50",
        metric: Metric::Conversion,
        phases: HALVES_LONG,
        every: 100,
        deviation: Some(0.099_498_7),
        draw: |r, _, _| bernoulli(r, 0.01),
    },
    Family {
        name: "revenue, 5 % buyers, 50/50",
        metric: Metric::Mean,
        phases: HALVES,
        every: 50,
        deviation: None,
        draw: |r, _, _| revenue(r),
    },
    Family {
        name: "normal, 90/10",
        metric: Metric::Mean,
        phases: TENTH,
        every: 100,
        deviation: None,
        draw: |r, _, _| r.normal(),
    },
    Family {
        name: "lognormal σ = 1, 90/10",
        metric: Metric::Mean,
        phases: TENTH,
        every: 100,
        deviation: None,
        draw: |r, _, _| lognormal(r, 1.0),
    },
    Family {
        name: "lognormal σ = 2, 90/10",
        metric: Metric::Mean,
        phases: TENTH,
        every: 100,
        deviation: None,
        draw: |r, _, _| lognormal(r, 2.0),
    },
    Family {
        name: "Bernoulli 1 %, 90/10",
        metric: Metric::Conversion,
        phases: TENTH_LONG,
        every: 200,
        deviation: None,
        draw: |r, _, _| bernoulli(r, 0.01),
    },
    Family {
        name: "normal, 99/1",
        metric: Metric::Mean,
        phases: HUNDREDTH,
        every: 400,
        deviation: None,
        draw: |r, _, _| r.normal(),
    },
    Family {
        name: "Bernoulli 10 %, 99/1",
        metric: Metric::Conversion,
        phases: HUNDREDTH,
        every: 400,
        deviation: None,
        draw: |r, _, _| bernoulli(r, 0.1),
    },
    Family {
        name: "revenue, 90/10",
        metric: Metric::Mean,
        phases: TENTH_LONG,
        every: 200,
        deviation: None,
        draw: |r, _, _| revenue(r),
    },
    Family {
        name: "normal, ramp 1→50 %, drifting baseline",
        metric: Metric::Mean,
        phases: RAMP,
        every: 100,
        deviation: None,
        draw: |r, _, t| r.normal() + 3.0 * t,
    },
    Family {
        name: "Bernoulli 1→3 % drifting, ramp 1→50 %",
        metric: Metric::Conversion,
        phases: RAMP_LONG,
        every: 150,
        deviation: None,
        draw: |r, _, t| bernoulli(r, 0.01 + 0.02 * t),
    },
    Family {
        name: "lognormal σ = 1, ramp, drifting baseline",
        metric: Metric::Mean,
        phases: RAMP,
        every: 100,
        deviation: None,
        draw: |r, _, t| lognormal(r, 1.0) * (1.0 + t),
    },
    Family {
        name: "normal, variant's variance ×9, ramp",
        metric: Metric::Mean,
        phases: RAMP,
        every: 100,
        deviation: None,
        draw: |r, variant, t| r.normal() * if variant { 3.0 } else { 1.0 } + 3.0 * t,
    },
    Family {
        name: "Bernoulli 2 %, 12 short epochs",
        metric: Metric::Conversion,
        phases: RESTLESS,
        every: 50,
        deviation: None,
        draw: |r, _, _| bernoulli(r, 0.02),
    },
    Family {
        name: "median of lognormal σ = 1, 50/50",
        metric: Metric::Quantile(0.5),
        phases: HALVES,
        every: 200,
        deviation: None,
        draw: |r, _, _| 100.0 * lognormal(r, 1.0),
    },
    Family {
        name: "95th percentile of lognormal, 50/50",
        metric: Metric::Quantile(0.95),
        phases: HALVES,
        every: 200,
        deviation: None,
        draw: |r, _, _| 100.0 * lognormal(r, 1.0),
    },
    Family {
        name: "95th percentile of lognormal, 90/10",
        metric: Metric::Quantile(0.95),
        phases: TENTH,
        every: 400,
        deviation: None,
        draw: |r, _, _| 100.0 * lognormal(r, 1.0),
    },
    Family {
        name: "median with a gap at it (5 or 500 ms)",
        metric: Metric::Quantile(0.5),
        phases: HALVES,
        every: 200,
        deviation: None,
        draw: |r, _, _| if r.chance(0.5) { 5.0 + r.uniform() } else { 500.0 + r.uniform() },
    },
    Family {
        name: "median of whole numbers 0–9, 50/50",
        metric: Metric::Quantile(0.5),
        phases: HALVES,
        every: 200,
        deviation: None,
        draw: |r, _, _| (10.0 * r.uniform()).floor(),
    },
];
