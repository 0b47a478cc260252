//! A column of numbers, packed as narrowly as gives back every bit, each in the same width, so
//! that one can be read without the others.
//!
//! ```text
//! 0 | f64        all the same          1 | u8 …     whole, 0 to 255
//! 2 | i32 …      whole                 3 | f32 …    those that lose nothing
//! 4 | f64 …      all others            5 | i16 …    whole
//! ```

use crate::tsdb::varint;

use super::unit::take_byte;

const SAME: u8 = 0;
const U8: u8 = 1;
const I32: u8 = 2;
const F32: u8 = 3;
const F64: u8 = 4;
const I16: u8 = 5;

/// Adds a column. How many numbers there are is not kept.
pub(super) fn encode(numbers: &[f64], out: &mut Vec<u8>) {
    let Some(first) = numbers.first() else { return };
    if numbers.iter().all(|number| number.to_bits() == first.to_bits()) {
        out.push(SAME);
        out.extend_from_slice(&first.to_le_bytes());
        return;
    }
    // Casts saturate and cut; what does not come back with the same bits is no whole number.
    let fits = |cast: fn(f64) -> f64| numbers.iter().all(|n| cast(*n).to_bits() == n.to_bits());
    if fits(|n| f64::from(n as u8)) {
        out.push(U8);
        out.extend(numbers.iter().map(|n| *n as u8));
    } else if fits(|n| f64::from(n as i16)) {
        out.push(I16);
        out.extend(numbers.iter().flat_map(|n| (*n as i16).to_le_bytes()));
    } else if fits(|n| f64::from(n as i32)) {
        out.push(I32);
        out.extend(numbers.iter().flat_map(|n| (*n as i32).to_le_bytes()));
    } else if fits(|n| f64::from(n as f32)) {
        out.push(F32);
        out.extend(numbers.iter().flat_map(|n| (*n as f32).to_le_bytes()));
    } else {
        out.push(F64);
        out.extend(numbers.iter().flat_map(|n| n.to_le_bytes()));
    }
}

/// A packed column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers<'a> {
    form: u8,
    bytes: &'a [u8],
}

impl<'a> Numbers<'a> {
    /// Takes a column of `count` numbers from the front.
    pub(super) fn take(rest: &mut &'a [u8], count: usize) -> Option<Numbers<'a>> {
        if count == 0 {
            return Some(Numbers { form: U8, bytes: &[] });
        }
        let form = take_byte(rest)?;
        let len = match form {
            SAME => 8,
            U8 => count,
            I16 => count.checked_mul(2)?,
            I32 | F32 => count.checked_mul(4)?,
            F64 => count.checked_mul(8)?,
            _ => return None,
        };
        Some(Numbers { form, bytes: varint::take_bytes(rest, len)? })
    }

    /// The number at a place.
    pub(super) fn get(&self, place: usize) -> Option<f64> {
        match self.form {
            SAME => Some(f64::from_le_bytes(*self.bytes.first_chunk()?)),
            U8 => self.bytes.get(place).map(|byte| f64::from(*byte)),
            I16 => Some(f64::from(i16::from_le_bytes(self.at(place)?))),
            I32 => Some(f64::from(i32::from_le_bytes(self.at(place)?))),
            F32 => Some(f64::from(f32::from_le_bytes(self.at(place)?))),
            F64 => Some(f64::from_le_bytes(self.at(place)?)),
            _ => None,
        }
    }

    fn at<const N: usize>(&self, place: usize) -> Option<[u8; N]> {
        self.bytes.get(place * N..)?.first_chunk().copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packed(numbers: &[f64]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(numbers, &mut out);
        out
    }

    #[test]
    fn whole_and_short_numbers_take_less_room() {
        assert_eq!(packed(&[7.5, 7.5, 7.5]).len(), 9);
        assert_eq!(packed(&[0.0, 1.0, 255.0]).len(), 4);
        assert_eq!(packed(&[-1.0, 300.0]).len(), 5);
        assert_eq!(packed(&[-1.0, 70_000.0]).len(), 9);
        assert_eq!(packed(&[0.5, 70_000.25]).len(), 9);
        assert_eq!(packed(&[0.1, 2.0]).len(), 17);
        // Minus zero is no whole number: it would come back without its sign.
        assert_eq!(packed(&[-0.0, 1.0])[0], F32);
    }

    proptest! {
        #[test]
        fn every_bit_comes_back(
            numbers in prop::collection::vec(
                prop_oneof![
                    any::<f64>(),
                    any::<f32>().prop_map(f64::from),
                    any::<i16>().prop_map(f64::from),
                    any::<u8>().prop_map(f64::from),
                    Just(-0.0), Just(1.0),
                ],
                1..40,
            ),
        ) {
            let bytes = packed(&numbers);
            let mut rest = bytes.as_slice();
            let column = Numbers::take(&mut rest, numbers.len()).expect("decodes");
            prop_assert!(rest.is_empty());
            for (place, number) in numbers.iter().enumerate() {
                let found = column.get(place).map(f64::to_bits);
                prop_assert_eq!(found, Some(number.to_bits()));
            }
        }
    }
}
