//! Numbers that look random and are the same for the same seed.

/// A generator: SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number
/// generators"), whose whole state is one number.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// A generator of its own for each purpose, so that one more draw here moves nothing there.
    pub(super) fn new(seed: u64, purpose: &str) -> Self {
        let mixed = purpose.bytes().fold(seed ^ 0x6c61_726b_7370_7572, |sum, byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Dice(mixed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0, to 1 which is not among them.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Between two numbers.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Whether something happens that does so with this probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of several.
    pub(super) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let place = (self.unit() * all.len() as f64) as usize;
        &all[place.min(all.len() - 1)]
    }

    /// A whole number from 0 to below `limit`.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        (self.unit() * limit as f64) as u64
    }

    /// A number around 0 with a standard deviation of 1: the sum of twelve draws less 6
    /// (Irwin–Hall), which is near enough to a normal one.
    pub(super) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// Around a median, skewed to the right as latencies are.
    pub(super) fn skewed(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }

    /// A whole number with this mean: the fraction is there as often as it says.
    pub(super) fn about(&mut self, mean: f64) -> u64 {
        let noisy = (mean + mean.sqrt() * self.normal()).max(0.0);
        noisy as u64 + u64::from(self.chance(noisy.fract()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_and_each_purpose_its_own() {
        let draw = |seed, purpose: &str| {
            let mut dice = Dice::new(seed, purpose);
            (0..8).map(|_| dice.below(1_000_000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, "logs"), draw(7, "logs"));
        assert_ne!(draw(7, "logs"), draw(8, "logs"));
        assert_ne!(draw(7, "logs"), draw(7, "series"));
    }

    #[test]
    fn means_are_what_they_are_asked_to_be() {
        let mut dice = Dice::new(1, "means");
        let mean = |draw: &mut dyn FnMut() -> f64| (0..20_000).map(|_| draw()).sum::<f64>() / 2e4;
        let unit = mean(&mut || dice.unit());
        assert!((unit - 0.5).abs() < 0.01, "{unit}");
        let mut dice = Dice::new(2, "means");
        let about = mean(&mut || dice.about(30.0) as f64);
        assert!((about - 30.0).abs() < 0.5, "{about}");
    }
}
