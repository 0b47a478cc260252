//! Histograms as they arrive: each directly behind its sample in [`super::open_chunk`]'s bytes,
//! encoded against the histogram that its series had before.
//!
//! ```text
//! flags    bit 0: the layout is that of the histogram before   bit 1: all counts are whole numbers
//!          bits 2–3: reset hint
//! layout   unless it is the same: schema zig-zag | zero threshold, 8 bytes | spans above zero
//!          | spans below | bounds: count, 8 bytes each
//! spans    count, (offset zig-zag, length)…
//! whole    zero count, counts above, counts below: zig-zag differences to the histogram before (of
//!          another layout: to 0) | count: zig-zag difference to the sum of those
//! other    zero count, counts above, counts below, count: XOR with the histogram before (of
//!          another layout: with 0)
//! sum      XOR with the histogram before
//! XOR      0: the same; else the code of a shape of `open_chunk`, and the bytes
//! ```

use super::open_chunk::{push_xor, take_xor, whole};
use super::varint;
use crate::model::{BucketSpan, Buckets, Histogram, ResetHint};

const SAME_LAYOUT: u8 = 1;
const WHOLE: u8 = 2;
const HINT_SHIFT: u8 = 2;

/// Adds a histogram to `out`. `before` is the one that the series had before it in the same
/// journal generation.
pub(super) fn push(before: Option<&Histogram>, histogram: &Histogram, out: &mut Vec<u8>) {
    let same = before.filter(|before| same_layout(before, histogram));
    let is_whole = all_whole(histogram) && same.is_none_or(all_whole);
    let mut flags = hint_code(histogram.reset_hint) << HINT_SHIFT;
    flags |= if same.is_some() { SAME_LAYOUT } else { 0 };
    flags |= if is_whole { WHOLE } else { 0 };
    out.push(flags);
    if same.is_none() {
        push_layout(histogram, out);
    }
    let reference = same.into_iter().flat_map(counts).chain(std::iter::repeat(0.0));
    if is_whole {
        let mut sum = 0i64;
        for (now, before) in counts(histogram).zip(reference) {
            // Both were found to be whole above.
            let (now, before) = (now as i64, before as i64);
            varint::put_signed(out, now.wrapping_sub(before));
            sum = sum.wrapping_add(now);
        }
        varint::put_signed(out, (histogram.count as i64).wrapping_sub(sum));
    } else {
        for (now, before) in counts(histogram).zip(reference) {
            push_xor(now.to_bits() ^ before.to_bits(), out);
        }
        let before = same.map_or(0.0, |before| before.count);
        push_xor(histogram.count.to_bits() ^ before.to_bits(), out);
    }
    let before = before.map_or(0.0, |before| before.sum);
    push_xor(histogram.sum.to_bits() ^ before.to_bits(), out);
}

/// Takes a histogram from the front of `rest`. `None` where the bytes are not what [`push`]
/// writes after `before`.
pub(super) fn take(before: Option<&Histogram>, rest: &mut &[u8]) -> Option<Histogram> {
    let flags = *varint::take_bytes(rest, 1)?.first()?;
    let same = match flags & SAME_LAYOUT {
        0 => None,
        _ => Some(before?),
    };
    let mut out = match same {
        Some(before) => before.clone(),
        None => take_layout(rest)?,
    };
    out.reset_hint = hint_of(flags >> HINT_SHIFT)?;
    let is_whole = flags & WHOLE != 0;
    let mut sum = 0i64;
    let mut next = |value: &mut f64| {
        if is_whole {
            let now = (*value as i64).wrapping_add(varint::take_signed(rest)?);
            sum = sum.wrapping_add(now);
            *value = now as f64;
        } else {
            *value = f64::from_bits(value.to_bits() ^ take_xor(rest)?);
        }
        Some(())
    };
    next(&mut out.zero_count)?;
    out.positive.counts.iter_mut().try_for_each(&mut next)?;
    out.negative.counts.iter_mut().try_for_each(&mut next)?;
    if is_whole {
        out.count = sum.wrapping_add(varint::take_signed(rest)?) as f64;
    } else {
        out.count = f64::from_bits(out.count.to_bits() ^ take_xor(rest)?);
    }
    let before = before.map_or(0.0, |before| before.sum);
    out.sum = f64::from_bits(before.to_bits() ^ take_xor(rest)?);
    Some(out)
}

/// All counts of buckets, the zero bucket's first.
fn counts(histogram: &Histogram) -> impl Iterator<Item = f64> {
    let buckets = histogram.positive.counts.iter().chain(&histogram.negative.counts);
    std::iter::once(histogram.zero_count).chain(buckets.copied())
}

fn all_whole(histogram: &Histogram) -> bool {
    counts(histogram).chain([histogram.count]).all(|count| whole(count.to_bits()).is_some())
}

/// Whether two histograms have the same buckets, told bit for bit.
pub(super) fn same_layout(a: &Histogram, b: &Histogram) -> bool {
    a.schema == b.schema
        && a.zero_threshold.to_bits() == b.zero_threshold.to_bits()
        && a.positive.spans == b.positive.spans
        && a.negative.spans == b.negative.spans
        && same_bounds(&a.custom_bounds, &b.custom_bounds)
}

/// Whether bounds are equal bit for bit.
pub(super) fn same_bounds(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}

pub(super) const fn hint_code(hint: ResetHint) -> u8 {
    match hint {
        ResetHint::Unknown => 0,
        ResetHint::Reset => 1,
        ResetHint::NotReset => 2,
        ResetHint::Gauge => 3,
    }
}

pub(super) const fn hint_of(code: u8) -> Option<ResetHint> {
    Some(match code {
        0 => ResetHint::Unknown,
        1 => ResetHint::Reset,
        2 => ResetHint::NotReset,
        3 => ResetHint::Gauge,
        _ => return None,
    })
}

fn push_layout(histogram: &Histogram, out: &mut Vec<u8>) {
    varint::put_signed(out, i64::from(histogram.schema));
    out.extend_from_slice(&histogram.zero_threshold.to_le_bytes());
    push_spans(&histogram.positive.spans, out);
    push_spans(&histogram.negative.spans, out);
    push_bounds(&histogram.custom_bounds, out);
}

/// The layout with counts of zero.
fn take_layout(rest: &mut &[u8]) -> Option<Histogram> {
    let schema = i32::try_from(varint::take_signed(rest)?).ok()?;
    let zero_threshold = take_f64(rest)?;
    let (positive, negative) = (take_spans(rest)?, take_spans(rest)?);
    let custom_bounds = take_bounds(rest)?;
    let total = spanned(&positive).checked_add(spanned(&negative))?;
    // Every count takes at least a byte, so a false length cannot make us allocate.
    if total > rest.len() as u64 {
        return None;
    }
    let buckets = |spans: Vec<BucketSpan>| {
        let counts = vec![0.0; spanned(&spans) as usize];
        Buckets { spans, counts }
    };
    let (positive, negative) = (buckets(positive), buckets(negative));
    Some(Histogram {
        schema,
        zero_threshold,
        positive,
        negative,
        custom_bounds,
        ..Histogram::default()
    })
}

/// How many buckets spans have.
pub(super) fn spanned(spans: &[BucketSpan]) -> u64 {
    spans.iter().map(|span| u64::from(span.length)).sum()
}

pub(super) fn push_spans(spans: &[BucketSpan], out: &mut Vec<u8>) {
    varint::put(out, spans.len() as u64);
    for span in spans {
        varint::put_signed(out, i64::from(span.offset));
        varint::put(out, u64::from(span.length));
    }
}

pub(super) fn take_spans(rest: &mut &[u8]) -> Option<Vec<BucketSpan>> {
    let count = usize::try_from(varint::take(rest)?).ok()?;
    if count > rest.len() {
        return None;
    }
    let mut spans = Vec::with_capacity(count);
    for _ in 0..count {
        let offset = i32::try_from(varint::take_signed(rest)?).ok()?;
        spans.push(BucketSpan { offset, length: u32::try_from(varint::take(rest)?).ok()? });
    }
    Some(spans)
}

pub(super) fn push_bounds(bounds: &[f64], out: &mut Vec<u8>) {
    varint::put(out, bounds.len() as u64);
    bounds.iter().for_each(|bound| out.extend_from_slice(&bound.to_le_bytes()));
}

pub(super) fn take_bounds(rest: &mut &[u8]) -> Option<Vec<f64>> {
    let count = usize::try_from(varint::take(rest)?).ok()?;
    if count > rest.len() / 8 {
        return None;
    }
    (0..count).map(|_| take_f64(rest)).collect()
}

pub(super) fn take_f64(rest: &mut &[u8]) -> Option<f64> {
    let bytes = varint::take_bytes(rest, 8)?;
    bytes.try_into().ok().map(f64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::super::sample_histograms::{histograms, same};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_valid_sequence_comes_back_exactly(sequence in histograms(0..20)) {
            let mut bytes = Vec::new();
            let mut before = None;
            for histogram in &sequence {
                push(before, histogram, &mut bytes);
                before = Some(histogram);
            }
            let mut rest = bytes.as_slice();
            let mut before = None;
            for histogram in &sequence {
                let back = take(before.as_ref(), &mut rest).expect("decodes");
                prop_assert!(same(&back, histogram), "{back:?}\n{histogram:?}");
                before = Some(back);
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn arbitrary_bytes_never_panic(before in histograms(0..2), bytes: Vec<u8>) {
            let _ = take(before.first(), &mut bytes.as_slice());
        }

        #[test]
        fn damaged_bytes_never_panic(
            sequence in histograms(1..4),
            at: prop::sample::Index,
            byte: u8,
        ) {
            let mut bytes = Vec::new();
            push(None, &sequence[0], &mut bytes);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = take(None, &mut bytes.as_slice());
        }
    }

    #[test]
    fn a_growing_histogram_takes_a_byte_a_bucket_and_its_sum() {
        let mut histogram = Histogram {
            positive: Buckets {
                spans: vec![BucketSpan { offset: 3, length: 20 }],
                counts: vec![1e6; 20],
            },
            count: 20e6,
            sum: 1234.5,
            ..Histogram::default()
        };
        let before = histogram.clone();
        histogram.positive.counts.iter_mut().for_each(|count| *count += 7.0);
        histogram.count += 140.0;
        histogram.sum = 1240.5;
        let mut bytes = Vec::new();
        push(Some(&before), &histogram, &mut bytes);
        // Flags, the zero bucket, twenty buckets, the count, and at most 9 bytes of sum.
        assert!(bytes.len() <= 1 + 1 + 20 + 1 + 9, "{}", bytes.len());
    }
}
