//! A finished column of values. Most measurements are decimals with few digits: as scaled whole
//! numbers their differences are small, and zstd over many chunks does the rest. What is not
//! decimal is kept as the XOR with its predecessor, byte planes apart.
//!
//! ```text
//! mode 0        one value, repeated: its 8 bytes
//! mode 1, 2, 3  decimals, differences of order 0, 1, 2:
//!               exponent u8 | divisor varint | exceptions: count varint, (position varint, 8 bytes)… | zig-zag varints
//! mode 4        XOR with the predecessor, most significant bytes of all first
//! ```
//! An exception is a value that is no decimal (a staleness marker, an infinity); in the decimals
//! its place repeats the value before it.

use super::varint;

const CONSTANT: u8 = 0;
const XOR_PLANES: u8 = 4;

/// Powers of ten that are exact as f64 (up to 10^22 they are; 15 digits suffice here).
const POWERS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// Whole numbers up to here are exact as f64.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Room for one encoding, reused from chunk to chunk.
#[derive(Debug, Default)]
pub(super) struct ValueEncoder {
    wholes: Vec<i64>,
    exceptions: Vec<usize>,
}

/// The whole number `n` with `n / 10^exponent` equal to `value` bit for bit, if there is one.
#[inline]
fn scaled(value: f64, exponent: usize) -> Option<i64> {
    let product = value * POWERS[exponent];
    if product.abs() > WHOLE_MAX {
        return None;
    }
    // Rounds to the nearest in two additions, where the processor has no instruction for it;
    // beyond 2^51 the sum would lose digits. Whether the number is right is seen below.
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    let rounded =
        if product.abs() < SHIFT / 3.0 { (product + SHIFT) - SHIFT } else { product.round() };
    let n = rounded as i64;
    let back = if exponent == 0 { n as f64 } else { n as f64 / POWERS[exponent] };
    (back.to_bits() == value.to_bits()).then_some(n)
}

impl ValueEncoder {
    /// Encodes `values` (at least one) into `out` and gives the mode.
    pub(super) fn encode(&mut self, values: &[f64], out: &mut Vec<u8>) -> u8 {
        let first = values[0].to_bits();
        if values.iter().all(|value| value.to_bits() == first) {
            out.extend_from_slice(&first.to_le_bytes());
            return CONSTANT;
        }
        match self.find_decimals(values) {
            Some(exponent) => self.encode_decimals(values, exponent, out),
            None => encode_planes(values, out),
        }
    }

    /// Fills `wholes` and `exceptions` for the least exponent that serves all values but a few.
    fn find_decimals(&mut self, values: &[f64]) -> Option<usize> {
        let exceptions_max = values.len() / 16 + 1;
        let mut exponent = 0;
        let mut exceptions = 0;
        for value in values {
            if scaled(*value, exponent).is_some() {
                continue;
            }
            match (exponent + 1..POWERS.len()).find(|e| scaled(*value, *e).is_some()) {
                Some(higher) => exponent = higher,
                None => {
                    exceptions += 1;
                    if exceptions > exceptions_max {
                        return None;
                    }
                }
            }
        }
        self.wholes.clear();
        self.exceptions.clear();
        let mut last = 0;
        for (place, value) in values.iter().enumerate() {
            match scaled(*value, exponent) {
                Some(n) => last = n,
                None => self.exceptions.push(place),
            }
            self.wholes.push(last);
        }
        // A value that was a decimal at a lower exponent may be too large at this one.
        (self.exceptions.len() <= exceptions_max).then_some(exponent)
    }

    fn encode_decimals(&mut self, values: &[f64], exponent: usize, out: &mut Vec<u8>) -> u8 {
        let order = cheapest_order(&self.wholes);
        difference(&mut self.wholes, order);
        let start = usize::from(order);
        let divisor = self.wholes[start.min(self.wholes.len())..]
            .iter()
            .fold(0, |divisor, n| gcd(divisor, n.unsigned_abs()))
            .max(1);
        out.push(exponent as u8);
        varint::put(out, divisor);
        varint::put(out, self.exceptions.len() as u64);
        for place in &self.exceptions {
            varint::put(out, *place as u64);
            out.extend_from_slice(&values[*place].to_bits().to_le_bytes());
        }
        for (place, n) in self.wholes.iter().enumerate() {
            // The divisor is at most 2^54, so the division is exact and cannot overflow.
            let n = if place < start { *n } else { n / divisor as i64 };
            varint::put_signed(out, n);
        }
        1 + order
    }
}

/// Replaces numbers by their differences, `order` times. The head of each round stays.
fn difference(numbers: &mut [i64], order: u8) {
    for round in 0..usize::from(order) {
        for place in (round + 1..numbers.len()).rev() {
            numbers[place] -= numbers[place - 1];
        }
    }
}

/// The order of differences whose varints are the shortest.
fn cheapest_order(numbers: &[i64]) -> u8 {
    let mut bytes = [0usize; 3];
    let (mut last, mut last_step) = (0, 0);
    for n in numbers {
        let step = n - last;
        bytes[0] += varint::len(varint::zigzag(*n));
        bytes[1] += varint::len(varint::zigzag(step));
        bytes[2] += varint::len(varint::zigzag(step - last_step));
        (last, last_step) = (*n, step);
    }
    // On a tie the lower order wins: it decodes faster.
    (0..3u8).min_by_key(|order| bytes[usize::from(*order)]).unwrap_or(0)
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn encode_planes(values: &[f64], out: &mut Vec<u8>) -> u8 {
    let start = out.len();
    let count = values.len();
    out.resize(start + 8 * count, 0);
    let planes = &mut out[start..];
    let mut last = 0;
    for (place, value) in values.iter().enumerate() {
        let bits = value.to_bits();
        for (plane, byte) in (bits ^ last).to_be_bytes().into_iter().enumerate() {
            planes[plane * count + place] = byte;
        }
        last = bits;
    }
    XOR_PLANES
}

/// Decodes `count` values of a mode, which must use up `bytes`, to the end of `out`.
pub(super) fn decode(mode: u8, bytes: &[u8], count: usize, out: &mut Vec<f64>) -> Option<()> {
    match mode {
        CONSTANT => {
            let value = f64::from_le_bytes(bytes.try_into().ok()?);
            out.resize(out.len() + count, value);
            Some(())
        }
        1..=3 => decode_decimals(mode - 1, bytes, count, out),
        XOR_PLANES if bytes.len() == count.checked_mul(8)? => {
            out.reserve(count);
            let mut last = 0;
            for place in 0..count {
                let mut word = [0; 8];
                for (plane, byte) in word.iter_mut().enumerate() {
                    *byte = bytes[plane * count + place];
                }
                last ^= u64::from_be_bytes(word);
                out.push(f64::from_bits(last));
            }
            Some(())
        }
        _ => None,
    }
}

fn decode_decimals(order: u8, bytes: &[u8], count: usize, out: &mut Vec<f64>) -> Option<()> {
    let mut rest = bytes;
    let power = *POWERS.get(usize::from(*varint::take_bytes(&mut rest, 1)?.first()?))?;
    let divisor = varint::take(&mut rest)? as i64;
    let exceptions_count = varint::take(&mut rest)? as usize;
    let exceptions = rest;
    for _ in 0..exceptions_count {
        varint::take(&mut rest)?;
        varint::take_bytes(&mut rest, 8)?;
    }
    // Every value takes at least a byte, so a false count cannot make us allocate.
    if count > rest.len() {
        return None;
    }
    let start = out.len();
    out.reserve(count);
    let mut sums = [0i64; 3];
    for place in 0..count {
        let n = varint::take_signed(&mut rest)?;
        let scaled = if place < usize::from(order) { n } else { n.wrapping_mul(divisor) };
        let whole = match order {
            0 => scaled,
            1 => {
                sums[0] = sums[0].wrapping_add(scaled);
                sums[0]
            }
            // Differences of the first two numbers stand as they are: n0, then n1 − n0.
            _ => {
                if place == 0 {
                    sums[0] = scaled;
                } else {
                    sums[1] = if place == 1 { scaled } else { sums[1].wrapping_add(scaled) };
                    sums[0] = sums[0].wrapping_add(sums[1]);
                }
                sums[0]
            }
        };
        out.push(whole as f64 / power);
    }
    let mut rest_exceptions = exceptions;
    for _ in 0..exceptions_count {
        let place = usize::try_from(varint::take(&mut rest_exceptions)?).ok()?;
        let bits = varint::take_bytes(&mut rest_exceptions, 8)?;
        *out.get_mut(start.checked_add(place)?)? = f64::from_le_bytes(bits.try_into().ok()?);
    }
    rest.is_empty().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::STALE_NAN;
    use proptest::prelude::*;

    fn round_trip(values: &[f64]) -> (u8, usize) {
        let mut bytes = Vec::new();
        let mode = ValueEncoder::default().encode(values, &mut bytes);
        let mut back = Vec::new();
        assert_eq!(decode(mode, &bytes, values.len(), &mut back), Some(()), "mode {mode}");
        let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back), bits(values), "mode {mode}");
        (mode, bytes.len())
    }

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<u64>().prop_map(f64::from_bits),
            Just(f64::from_bits(STALE_NAN)),
            Just(-0.0),
            Just(f64::NEG_INFINITY),
            (-1_000_000i64..1_000_000).prop_map(|n| n as f64),
            (-1_000_000i64..1_000_000).prop_map(|n| n as f64 / 1000.0),
            Just(9_007_199_254_740_992.0),
            Just(-9_007_199_254_740_992.0),
        ]
    }

    proptest! {
        #[test]
        fn any_values_come_back_bit_for_bit(values in prop::collection::vec(value(), 1..100)) {
            round_trip(&values);
        }

        #[test]
        fn mostly_decimal_values_come_back(
            values in prop::collection::vec((-100_000i64..100_000).prop_map(|n| n as f64 / 100.0), 30..100),
            hole in 0usize..30,
        ) {
            let mut values = values;
            values[hole] = f64::from_bits(STALE_NAN);
            prop_assert_ne!(round_trip(&values).0, XOR_PLANES);
        }

        #[test]
        fn arbitrary_bytes_never_panic(mode in 0u8..6, bytes: Vec<u8>, count in 1usize..1000) {
            decode(mode, &bytes, count, &mut Vec::new());
        }
    }

    #[test]
    fn the_mode_fits_the_values() {
        assert_eq!(round_trip(&[f64::from_bits(STALE_NAN); 9]), (CONSTANT, 8));
        let counter: Vec<f64> = (0..100).map(|i| 5e6 + 128.0 * f64::from(i)).collect();
        assert_eq!(round_trip(&counter).0, 3, "a steady counter: second differences");
        let noisy: Vec<f64> = (0..100).map(|i| f64::from(i * i * 37 % 61) / 10.0).collect();
        assert_eq!(round_trip(&noisy).0, 1, "noise: the values themselves");
        let sines: Vec<f64> = (0..100).map(|i| f64::from(i).sin()).collect();
        assert_eq!(round_trip(&sines), (XOR_PLANES, 800));
    }
}
