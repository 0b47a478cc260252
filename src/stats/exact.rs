//! A sum of floating-point numbers that loses nothing.
//!
//! A double is an integer times a power of two, and so is every sum, square, cube and product of
//! doubles. The sum is kept as such a number, as wide as it must be: adding in any order, taking
//! out again and merging give the same bits. That is what makes state survive replays unchanged,
//! and what lets a variance be computed at any offset.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The largest magnitude of a value that sums take: 1e100. Its cube is still far from the end
/// of the doubles, and a sum of cubes from very small to very large values has a known width.
pub const VALUE_MAX: f64 = 1e100;

/// Bits of a limb.
const LIMB_BITS: i32 = 64;
/// Lowest place of a limb: the smallest double cubed is 2^−3222, in limb −51.
const PLACE_MIN: i16 = -64;
/// One past the highest place of a limb: 1e300 × 2^128 is below 2^1125, in limb 17.
const PLACE_MAX: i16 = 32;

/// Whether sums take `value`: finite and at most [`VALUE_MAX`] in magnitude. Callers refuse what
/// is not, with an error that says so; a sum leaves it out.
#[must_use]
pub fn summable(value: f64) -> bool {
    value.abs() <= VALUE_MAX
}

/// An exact sum: `limbs` as one two's complement integer, least significant limb first, times
/// 2^(64 · `place`).
///
/// Always in canonical form, so that equal sums are equal and serialise alike: the lowest limb
/// is not zero, the highest is not a mere repetition of the sign, and zero has no limbs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ExactSum {
    place: i16,
    limbs: Vec<u64>,
}

/// Why text or bytes are no sum.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExactSumError {
    /// Not of the form `place:limb.limb…`.
    #[error("not an exact sum: {0:?}; expected a place, a colon and hexadecimal limbs")]
    Malformed(String),
    /// Wider than any sum of values can be.
    #[error("an exact sum of {limbs} limbs at {place} is wider than sums of values can be")]
    TooWide {
        /// Place of the lowest limb.
        place: i16,
        /// How many limbs.
        limbs: usize,
    },
    /// Not in canonical form, so not written by this program.
    #[error("an exact sum that is not in canonical form")]
    NotCanonical,
}

/// A double taken apart: ± mantissa × 2^exponent, the mantissa odd or zero.
#[derive(Clone, Copy)]
struct Parts {
    negative: bool,
    mantissa: u64,
    exponent: i32,
}

impl Parts {
    fn of(value: f64) -> Self {
        let bits = value.to_bits();
        let biased = ((bits >> 52) & 0x7ff) as i32;
        let fraction = bits & ((1 << 52) - 1);
        // Subnormal numbers have no hidden bit and the exponent of the smallest normal ones.
        let (mantissa, exponent) =
            if biased == 0 { (fraction, -1074) } else { (fraction | (1 << 52), biased - 1075) };
        let zeros = if mantissa == 0 { 0 } else { mantissa.trailing_zeros() };
        Self {
            negative: value.is_sign_negative(),
            mantissa: mantissa >> zeros,
            exponent: exponent + zeros as i32,
        }
    }
}

/// `wide` × `factor`, as little-endian limbs.
fn widen(wide: [u64; 3], factor: u64) -> [u64; 4] {
    let mut out = [0; 4];
    let mut carry = 0u128;
    for (place, limb) in wide.iter().enumerate() {
        carry += u128::from(*limb) * u128::from(factor);
        out[place] = carry as u64;
        carry >>= LIMB_BITS;
    }
    out[3] = carry as u64;
    out
}

/// The product of three mantissas.
fn product(a: u64, b: u64, c: u64) -> [u64; 3] {
    let ab = u128::from(a) * u128::from(b);
    let low = u128::from(ab as u64) * u128::from(c);
    let high = (ab >> LIMB_BITS) * u128::from(c) + (low >> LIMB_BITS);
    [low as u64, high as u64, (high >> LIMB_BITS) as u64]
}

impl ExactSum {
    /// Zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `value`. What is not [`summable`] is left out; answers whether it was added.
    pub fn add(&mut self, value: f64) -> bool {
        self.add_product([value, 1.0, 1.0], 1, false)
    }

    /// Takes `value` out again.
    pub fn sub(&mut self, value: f64) -> bool {
        self.add_product([value, 1.0, 1.0], 1, true)
    }

    /// Adds `value` × `count`, exactly.
    pub fn add_times(&mut self, value: f64, count: u64) -> bool {
        self.add_product([value, 1.0, 1.0], count, false)
    }

    /// Adds (or takes out) the exact product of three factors and `count`. Left out whole when a
    /// factor is not [`summable`].
    pub(super) fn add_product(&mut self, factors: [f64; 3], count: u64, take_out: bool) -> bool {
        if !factors.iter().all(|factor| summable(*factor)) {
            return false;
        }
        let [a, b, c] = factors.map(Parts::of);
        let magnitude = widen(product(a.mantissa, b.mantissa, c.mantissa), count);
        let negative = a.negative ^ b.negative ^ c.negative ^ take_out;
        self.add_magnitude(negative, &magnitude, a.exponent + b.exponent + c.exponent);
        true
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.add_limbs(other.place, &other.limbs, other.is_negative());
    }

    /// Takes all of `other` out.
    pub fn subtract(&mut self, other: &Self) {
        self.merge(&other.negated());
    }

    /// The same number with the other sign.
    #[must_use]
    pub fn negated(&self) -> Self {
        let mut limbs: Vec<u64> = self.limbs.iter().map(|limb| !limb).collect();
        // One limb more, as the least number of a width has no positive twin of that width.
        limbs.push(if self.is_negative() { 0 } else { u64::MAX });
        let mut carry = true;
        for limb in &mut limbs {
            (*limb, carry) = limb.overflowing_add(u64::from(carry));
        }
        let mut out = Self { place: self.place, limbs };
        out.trim();
        out
    }

    /// Whether the sum is exactly zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.limbs.is_empty()
    }

    /// Whether the sum is below zero.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.limbs.last().is_some_and(|limb| limb >> 63 == 1)
    }

    /// The nearest double, ties to even. A sum of values or of their products by twos is always
    /// within the doubles; what is beyond them (cubes of enormous values) is given as ±`f64::MAX`,
    /// as nothing here is ever infinite.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        let end = if self.is_negative() { f64::MIN } else { f64::MAX };
        super::Dyadic::from(self).to_f64().unwrap_or(end)
    }

    /// Place of the lowest limb, and the limbs.
    pub(super) fn parts(&self) -> (i16, &[u64]) {
        (self.place, &self.limbs)
    }

    fn add_magnitude(&mut self, negative: bool, magnitude: &[u64; 4], exponent: i32) {
        let place = exponent.div_euclid(LIMB_BITS);
        let shift = exponent.rem_euclid(LIMB_BITS) as u32;
        // Two limbs more: one for the shift, one for the sign.
        let mut limbs = [0u64; 6];
        for (at, limb) in magnitude.iter().enumerate() {
            let wide = u128::from(*limb) << shift;
            limbs[at] |= wide as u64;
            limbs[at + 1] = (wide >> LIMB_BITS) as u64;
        }
        if negative {
            let mut carry = true;
            for limb in &mut limbs {
                (*limb, carry) = (!*limb).overflowing_add(u64::from(carry));
            }
        }
        let zeros = limbs.iter().take_while(|limb| **limb == 0).count();
        if zeros == limbs.len() {
            return;
        }
        let fill = if negative { u64::MAX } else { 0 };
        let mut end = limbs.len();
        while end > zeros + 1 && limbs[end - 1] == fill && limbs[end - 2] >> 63 == fill >> 63 {
            end -= 1;
        }
        // Exponents of products of summable values are within the places; see PLACE_MIN.
        self.add_limbs(place as i16 + zeros as i16, &limbs[zeros..end], negative);
    }

    /// Adds a two's complement number whose lowest limb is at `place`.
    fn add_limbs(&mut self, place: i16, other: &[u64], negative: bool) {
        if other.is_empty() {
            return;
        }
        if self.limbs.is_empty() {
            self.place = place;
        }
        if place < self.place {
            let missing = usize::from(self.place.abs_diff(place));
            self.limbs.splice(0..0, std::iter::repeat_n(0, missing));
            self.place = place;
        }
        let offset = usize::from(place.abs_diff(self.place));
        let fill = if self.is_negative() { u64::MAX } else { 0 };
        let width = self.limbs.len().max(offset + other.len()) + 1;
        self.limbs.resize(width, fill);
        let extension = if negative { u64::MAX } else { 0 };
        let mut carry = false;
        for (at, limb) in self.limbs[offset..].iter_mut().enumerate() {
            let addend = match other.get(at) {
                Some(addend) => *addend,
                // Nothing changes any more: 0 without, or −1 with a carry.
                None if negative == carry => break,
                None => extension,
            };
            let (sum, first) = limb.overflowing_add(addend);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = first || second;
        }
        self.trim();
    }

    /// Back to canonical form.
    fn trim(&mut self) {
        while let [.., below, top] = self.limbs[..] {
            let repeats = (top == 0 && below >> 63 == 0) || (top == u64::MAX && below >> 63 == 1);
            if !repeats {
                break;
            }
            self.limbs.pop();
        }
        let zeros = self.limbs.iter().take_while(|limb| **limb == 0).count();
        if zeros == self.limbs.len() {
            self.limbs.clear();
            self.place = 0;
        } else if zeros > 0 {
            self.limbs.drain(..zeros);
            self.place += zeros as i16;
        }
    }

    /// A sum from its written parts, checked: what was not written by this program is refused.
    fn from_parts(place: i16, limbs: Vec<u64>) -> Result<Self, ExactSumError> {
        let width = (i32::from(PLACE_MAX) - i32::from(place)).max(0) as usize;
        if place < PLACE_MIN || limbs.len() > width {
            return Err(ExactSumError::TooWide { place, limbs: limbs.len() });
        }
        let sum = Self { place, limbs };
        let mut trimmed = sum.clone();
        trimmed.trim();
        if trimmed == sum { Ok(sum) } else { Err(ExactSumError::NotCanonical) }
    }
}

/// `place:limb.limb…`, limbs in hexadecimal, least significant first; zero is `0:`.
impl fmt::Display for ExactSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.place)?;
        for (at, limb) in self.limbs.iter().enumerate() {
            write!(f, "{}{limb:x}", if at == 0 { "" } else { "." })?;
        }
        Ok(())
    }
}

impl std::str::FromStr for ExactSum {
    type Err = ExactSumError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || ExactSumError::Malformed(text.chars().take(40).collect());
        let (place, limbs) = text.split_once(':').ok_or_else(malformed)?;
        let place = place.parse().map_err(|_| malformed())?;
        let limbs = limbs
            .split('.')
            .filter(|limb| !limb.is_empty())
            .map(|limb| u64::from_str_radix(limb, 16).map_err(|_| malformed()))
            .collect::<Result<_, _>>()?;
        Self::from_parts(place, limbs)
    }
}

/// Text where people may read it, a place and limbs elsewhere.
impl Serialize for ExactSum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            (self.place, &self.limbs).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for ExactSum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
        } else {
            let (place, limbs) = <(i16, Vec<u64>)>::deserialize(deserializer)?;
            Self::from_parts(place, limbs).map_err(D::Error::custom)
        }
    }
}

#[cfg(test)]
mod tests;
