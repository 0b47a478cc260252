//! Numbers of the form integer × 2^exponent, and their quotients rounded once.

use std::ops::{Add, Mul, Sub};

use num_bigint::{BigInt, BigUint, Sign};
use num_traits::{Signed, ToPrimitive, Zero};

use super::ExactSum;

/// Bits of a double's mantissa, the hidden one included.
const MANTISSA_BITS: i64 = 53;
/// Exponent of the last bit of the smallest doubles.
const EXPONENT_MIN: i64 = -1074;

/// An exact number: `mantissa` × 2^`exponent`. Sums, differences and products of such numbers are
/// such numbers; only at the end is there a division, or a rounding to a double.
#[derive(Clone, Debug)]
pub struct Dyadic {
    mantissa: BigInt,
    exponent: i64,
}

impl Dyadic {
    /// Exactly `value`; `None` for what is not finite.
    #[must_use]
    pub fn from_f64(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        let bits = value.to_bits();
        let biased = ((bits >> 52) & 0x7ff) as i64;
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, exponent) =
            if biased == 0 { (fraction, -1074) } else { (fraction | (1 << 52), biased - 1075) };
        let mantissa = BigInt::from(mantissa);
        let mantissa = if value.is_sign_negative() { -mantissa } else { mantissa };
        Some(Self { mantissa, exponent })
    }

    /// Whether the number is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.mantissa.is_zero()
    }

    /// Whether the number is above zero.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        self.mantissa.is_positive()
    }

    /// The nearest double, ties to even; `None` beyond the doubles.
    #[must_use]
    pub fn to_f64(&self) -> Option<f64> {
        self.quotient(&Self::from(1u64))
    }

    /// This number divided by `divisor`, as the nearest double, ties to even. `None` when the
    /// divisor is zero or the quotient beyond the doubles.
    #[must_use]
    pub fn quotient(&self, divisor: &Self) -> Option<f64> {
        if divisor.is_zero() {
            return None;
        }
        if self.is_zero() {
            return Some(0.0);
        }
        let negative = self.mantissa.is_negative() != divisor.mantissa.is_negative();
        let (top, bottom) = (self.mantissa.magnitude(), divisor.mantissa.magnitude());
        // As many bits that the quotient has at least two more than a mantissa.
        let shift = MANTISSA_BITS + 2 - (top.bits() as i64 - bottom.bits() as i64);
        let (quotient, rest) = if shift >= 0 {
            let top = top << shift as u64;
            (&top / bottom, !(&top % bottom).is_zero())
        } else {
            let bottom = bottom << shift.unsigned_abs();
            (top / &bottom, !(top % &bottom).is_zero())
        };
        let magnitude = round(&quotient, rest, self.exponent - divisor.exponent - shift)?;
        Some(if negative { -magnitude } else { magnitude })
    }

    /// Both mantissas over the lower of the two exponents.
    fn aligned(&self, other: &Self) -> (BigInt, BigInt, i64) {
        let exponent = self.exponent.min(other.exponent);
        let bring = |one: &Self| &one.mantissa << (one.exponent - exponent) as u64;
        (bring(self), bring(other), exponent)
    }
}

/// `quotient` × 2^`exponent` and a little more if `rest`, rounded to the nearest double.
fn round(quotient: &BigUint, rest: bool, exponent: i64) -> Option<f64> {
    let bits = quotient.bits() as i64;
    // Doubles near zero have their last bit at a fixed place.
    let last = (exponent + bits - MANTISSA_BITS).max(EXPONENT_MIN);
    let drop = last - exponent;
    // The quotient has at least two bits more than a mantissa, so some are always dropped.
    let drop = drop.max(1) as u64;
    let mut kept = (quotient >> drop).to_u64()?;
    let half = quotient.bit(drop - 1);
    let below = rest || quotient.trailing_zeros().is_some_and(|zeros| zeros < drop - 1);
    if half && (below || kept & 1 == 1) {
        kept += 1;
    }
    scale(kept, exponent + drop as i64)
}

/// `mantissa` × 2^`exponent`, which is a double or beyond them.
fn scale(mantissa: u64, exponent: i64) -> Option<f64> {
    if mantissa == 0 {
        return Some(0.0);
    }
    let width = 64 - i64::from(mantissa.leading_zeros());
    if exponent + width > 1024 {
        return None;
    }
    // Two steps, each exact: a power of two below the doubles' range would vanish.
    let first = exponent.max(-1000);
    let rest = (exponent - first) as i32;
    let value = mantissa as f64 * power_of_two(first as i32);
    Some(if rest == 0 { value } else { value * power_of_two(rest) })
}

/// 2^`exponent`, for exponents of normal doubles.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

impl From<&ExactSum> for Dyadic {
    fn from(sum: &ExactSum) -> Self {
        let (place, limbs) = sum.parts();
        let bytes: Vec<u8> = limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect();
        Self {
            mantissa: BigInt::from_signed_bytes_le(&bytes),
            exponent: i64::from(place) * i64::from(u64::BITS),
        }
    }
}

impl From<u64> for Dyadic {
    fn from(count: u64) -> Self {
        let sign = if count == 0 { Sign::NoSign } else { Sign::Plus };
        Self { mantissa: BigInt::from_biguint(sign, BigUint::from(count)), exponent: 0 }
    }
}

impl Add for &Dyadic {
    type Output = Dyadic;

    fn add(self, other: Self) -> Dyadic {
        let (a, b, exponent) = self.aligned(other);
        Dyadic { mantissa: a + b, exponent }
    }
}

impl Sub for &Dyadic {
    type Output = Dyadic;

    fn sub(self, other: Self) -> Dyadic {
        let (a, b, exponent) = self.aligned(other);
        Dyadic { mantissa: a - b, exponent }
    }
}

impl Mul for &Dyadic {
    type Output = Dyadic;

    fn mul(self, other: Self) -> Dyadic {
        Dyadic {
            mantissa: &self.mantissa * &other.mantissa,
            exponent: self.exponent + other.exponent,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(value: f64) -> Dyadic {
        Dyadic::from_f64(value).expect("finite")
    }

    fn finite() -> impl Strategy<Value = f64> {
        any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |value| value.is_finite())
    }

    proptest! {
        /// The processor rounds one operation on doubles correctly; so must we.
        #[test]
        fn one_operation_rounds_as_the_processor_does(a in finite(), b in finite()) {
            let same = |ours: Option<f64>, theirs: f64| {
                if theirs.is_finite() {
                    ours == Some(theirs)
                } else {
                    ours.is_none()
                }
            };
            prop_assert!(same((&of(a) + &of(b)).to_f64(), a + b));
            prop_assert!(same((&of(a) - &of(b)).to_f64(), a - b));
            prop_assert!(same((&of(a) * &of(b)).to_f64(), a * b));
            if b != 0.0 {
                prop_assert!(same(of(a).quotient(&of(b)), a / b));
            }
        }
    }

    #[test]
    fn the_smallest_and_the_largest_doubles_come_back() {
        let edges = [5e-324, 1e-320, f64::MIN_POSITIVE, f64::MAX, f64::MIN, 0.0, 1.0, -3.5e-310];
        for value in edges {
            assert_eq!(of(value).to_f64(), Some(value));
        }
        // Half of the smallest double is a tie, and goes to even, which is zero.
        assert_eq!((&of(5e-324) * &of(0.5)).to_f64(), Some(0.0));
        assert_eq!((&of(5e-324) * &of(0.75)).to_f64(), Some(5e-324));
        assert_eq!((&of(f64::MAX) + &of(f64::MAX)).to_f64(), None);
        assert_eq!(of(1.0).quotient(&of(0.0)), None);
    }
}
