//! Samples as they arrive: one after another, any order of time, each encoded against the one
//! before it. The same bytes go into the journal and into the head.
//!
//! ```text
//! control byte: value code << 2 | time code
//! time code    0: the step since the last sample repeats   1: change of step, one signed byte
//!              2: change of step, zig-zag varint
//! value code   0: the last value again                     1: whole number, difference in one signed byte
//!              2: whole number, difference as zig-zag varint
//!              3 + i: the i-th (width, shift) of `XOR_SHAPES`: that many bytes of the XOR
//! ```
//! Behind a sample whose value is the mark of a histogram stands the histogram, in the form of
//! [`super::open_histogram`].

use std::sync::Arc;

use super::{open_histogram, varint};
use crate::model::{HISTOGRAM_NAN, Histogram};
use crate::promql::Samples;

/// What the next sample is encoded against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    at: i64,
    step: i64,
    bits: u64,
}

const TIME_SAME: u8 = 0;
const TIME_BYTE: u8 = 1;
const TIME_VARINT: u8 = 2;
const VALUE_SAME: u8 = 0;
const VALUE_BYTE: u8 = 1;
const VALUE_VARINT: u8 = 2;
const VALUE_XOR: u8 = 3;

/// Whole numbers up to here are exact as f64, and so are their differences as i64.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// The value as a whole number, if it is one that comes back bit for bit (−0.0 does not).
#[inline]
pub(super) fn whole(bits: u64) -> Option<i64> {
    let value = f64::from_bits(bits);
    if value.abs() > WHOLE_MAX {
        return None;
    }
    let n = value as i64;
    ((n as f64).to_bits() == bits).then_some(n)
}

/// The value code for `width` bytes (1 to 8) that stand `shift` bytes from the right.
#[inline]
const fn xor_code(width: u32, shift: u32) -> u8 {
    // Widths descend: 8 has one place, 7 two, … 1 eight: 36 in all, which fits six bits.
    let wider = 8 - width;
    VALUE_XOR + (wider * (wider + 1) / 2 + shift) as u8
}

/// Width and shift of each value code from [`VALUE_XOR`] on.
const XOR_SHAPES: [(u8, u8); 36] = {
    let mut shapes = [(0, 0); 36];
    let mut width = 8;
    let mut at = 0;
    while width > 0 {
        let mut shift = 0;
        while shift <= 8 - width {
            shapes[at] = (width, shift);
            at += 1;
            shift += 1;
        }
        width -= 1;
    }
    shapes
};

/// Adds a sample to `out` and moves `tail` on.
#[inline]
pub(super) fn push(tail: &mut Tail, at: i64, bits: u64, out: &mut Vec<u8>) {
    let step = at.wrapping_sub(tail.at);
    let change = step.wrapping_sub(tail.step);
    let control_at = out.len();
    out.push(0);
    let time_code = if change == 0 {
        TIME_SAME
    } else if let Ok(byte) = i8::try_from(change) {
        out.push(byte as u8);
        TIME_BYTE
    } else {
        varint::put_signed(out, change);
        TIME_VARINT
    };
    let value_code = push_value(tail.bits, bits, out);
    out[control_at] = value_code << 2 | time_code;
    *tail = Tail { at, step, bits };
}

#[inline]
fn push_value(last: u64, bits: u64, out: &mut Vec<u8>) -> u8 {
    if bits == last {
        return VALUE_SAME;
    }
    if let (Some(now), Some(before)) = (whole(bits), whole(last)) {
        let difference = now - before;
        if let Ok(byte) = i8::try_from(difference) {
            out.push(byte as u8);
            return VALUE_BYTE;
        }
        varint::put_signed(out, difference);
        return VALUE_VARINT;
    }
    push_xor_bytes(bits ^ last, out)
}

/// Adds the bytes of an XOR that is not 0 and gives the code of their shape.
#[inline]
fn push_xor_bytes(xor: u64, out: &mut Vec<u8>) -> u8 {
    let shift = xor.trailing_zeros() / 8;
    let width = 8 - shift - xor.leading_zeros() / 8;
    out.extend_from_slice(&(xor >> (8 * shift)).to_le_bytes()[..width as usize]);
    xor_code(width, shift)
}

/// Takes the bytes of an XOR of a shape.
#[inline]
fn take_xor_bytes(code: u8, rest: &mut &[u8]) -> Option<u64> {
    let (width, shift) = *XOR_SHAPES.get(usize::from(code.checked_sub(VALUE_XOR)?))?;
    let mut bytes = [0; 8];
    bytes[..usize::from(width)].copy_from_slice(varint::take_bytes(rest, usize::from(width))?);
    Some(u64::from_le_bytes(bytes) << (8 * shift))
}

/// Adds an XOR with its code in front: [`VALUE_SAME`], or that of its shape.
pub(super) fn push_xor(xor: u64, out: &mut Vec<u8>) {
    let code_at = out.len();
    out.push(VALUE_SAME);
    if xor != 0 {
        out[code_at] = push_xor_bytes(xor, out);
    }
}

/// Takes what [`push_xor`] wrote.
pub(super) fn take_xor(rest: &mut &[u8]) -> Option<u64> {
    match varint::take_bytes(rest, 1)? {
        [VALUE_SAME] => Some(0),
        [code] => take_xor_bytes(*code, rest),
        _ => None,
    }
}

/// Takes the next sample from the front of `rest` and moves `tail` on. `None` where the bytes
/// are not what [`push`] writes.
#[inline]
pub(super) fn take(tail: &mut Tail, rest: &mut &[u8]) -> Option<(i64, u64)> {
    let [control] = *varint::take_bytes(rest, 1)? else { return None };
    let change = match control & 3 {
        TIME_SAME => 0,
        TIME_BYTE => i64::from(varint::take_bytes(rest, 1)?[0] as i8),
        TIME_VARINT => varint::take_signed(rest)?,
        _ => return None,
    };
    let bits = match control >> 2 {
        VALUE_SAME => tail.bits,
        code @ (VALUE_BYTE | VALUE_VARINT) => {
            let difference = if code == VALUE_BYTE {
                i64::from(varint::take_bytes(rest, 1)?[0] as i8)
            } else {
                varint::take_signed(rest)?
            };
            (whole(tail.bits)?.wrapping_add(difference) as f64).to_bits()
        }
        code => tail.bits ^ take_xor_bytes(code, rest)?,
    };
    let step = tail.step.wrapping_add(change);
    let at = tail.at.wrapping_add(step);
    *tail = Tail { at, step, bits };
    Some((at, bits))
}

/// Decodes a whole chunk to the end of `out`, in order of arrival.
pub(super) fn decode(bytes: &[u8], out: &mut Samples) -> Option<Tail> {
    let mut tail = Tail::default();
    let mut rest = bytes;
    let mut histogram: Option<Arc<Histogram>> = None;
    while !rest.is_empty() {
        let (at, bits) = take(&mut tail, &mut rest)?;
        if bits == HISTOGRAM_NAN {
            let next = Arc::new(open_histogram::take(histogram.as_deref(), &mut rest)?);
            out.push_histogram(at, Arc::clone(&next));
            histogram = Some(next);
        } else {
            out.push(at, f64::from_bits(bits));
        }
    }
    Some(tail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::STALE_NAN;
    use proptest::prelude::*;

    fn round_trip(samples: &[(i64, u64)]) -> Vec<u8> {
        let mut tail = Tail::default();
        let mut out = Vec::new();
        for (at, bits) in samples {
            push(&mut tail, *at, *bits, &mut out);
        }
        let mut columns = Samples::default();
        assert_eq!(decode(&out, &mut columns), Some(tail));
        let back: Vec<(i64, u64)> =
            columns.times.into_iter().zip(columns.values.into_iter().map(f64::to_bits)).collect();
        assert_eq!(back, samples);
        out
    }

    fn value_bits() -> impl Strategy<Value = u64> {
        prop_oneof![
            // The mark of a histogram never comes as a number.
            any::<u64>().prop_map(|bits| if bits == HISTOGRAM_NAN { 0 } else { bits }),
            Just(STALE_NAN),
            Just((-0.0f64).to_bits()),
            (-1_000_000i64..1_000_000).prop_map(|n| (n as f64).to_bits()),
            (-1_000_000i64..1_000_000).prop_map(|n| (n as f64 / 100.0).to_bits()),
            Just(f64::INFINITY.to_bits()),
            Just(9_007_199_254_740_992f64.to_bits()),
            Just((-9_007_199_254_740_992f64).to_bits()),
        ]
    }

    proptest! {
        #[test]
        fn any_samples_come_back_bit_for_bit(
            samples in prop::collection::vec((prop_oneof![any::<i64>(), 0i64..100_000], value_bits()), 0..50)
        ) {
            round_trip(&samples);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            decode(&bytes, &mut Samples::default());
        }
    }

    #[test]
    fn a_regular_counter_takes_two_bytes_a_sample() {
        let samples: Vec<(i64, u64)> =
            (0..100).map(|i| (i * 15_000, ((i * 100) as f64).to_bits())).collect();
        // The first two samples establish start and step.
        let ahead = round_trip(&samples[..2]).len();
        assert_eq!(round_trip(&samples).len() - ahead, 98 * 2);
    }
}
