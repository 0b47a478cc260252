//! The histograms of a finished chunk, bucket by bucket: a column over time is a counter like any
//! other, and packs as well.
//!
//! A run is a row of histograms of one schema and the same custom bounds. Its columns are those
//! of all buckets that any of its layouts has, by rising index; a histogram without a bucket
//! repeats there what the one before had, which costs next to nothing, and its layout says that
//! the value does not count.
//!
//! ```text
//! runs, to the end, each:
//!   histograms | schema zig-zag | bounds: count, 8 bytes each
//!   layouts: count, each: zero threshold 8 bytes | spans above zero | spans below
//!   which layout: (layout, repeats)…   reset hints: (hint, repeats)…
//!   flags, bit 0: the counts' column has what the counts exceed those of the buckets by
//!   columns: sums, zero counts, counts, buckets above, buckets below:
//!     modes of all, 1 byte each | bytes of all, varints | the columns
//! ```
//! Modes 0 to 4 are those of `packed_values`; 5 is a whole number that repeats, a zig-zag varint;
//! 6 are whole numbers, their differences zig-zag.

use std::sync::Arc;

use super::open_chunk::whole;
use super::open_histogram::{
    hint_code, hint_of, push_bounds, push_spans, same_bounds, spanned, take_bounds, take_f64,
    take_spans,
};
use super::packed_values::{self, ValueEncoder};
use super::varint;
use crate::model::{BucketSpan, Buckets, Histogram};

/// The most values (histograms × columns) in a run: 8 MiB once they are unpacked.
const VALUES_MAX: u64 = 1 << 20;
const EXCESS: u8 = 1;
const REPEATED_WHOLE: u8 = 5;
const WHOLE_DIFFERENCES: u8 = 6;
/// Columns that every run has: sums, zero counts and counts.
const SCALARS: usize = 3;

/// The place of a bucket: below zero or not, and its index. Wide, so that no sum of offsets
/// overflows.
type Place = (bool, i64);

/// What a histogram's counts stand for.
#[derive(Clone, Debug)]
struct Layout {
    zero_threshold: f64,
    positive: Vec<BucketSpan>,
    negative: Vec<BucketSpan>,
    places: Vec<Place>,
}

impl Layout {
    fn of(histogram: &Histogram) -> Self {
        Layout::new(
            histogram.zero_threshold,
            histogram.positive.spans.clone(),
            histogram.negative.spans.clone(),
        )
    }

    fn new(zero_threshold: f64, positive: Vec<BucketSpan>, negative: Vec<BucketSpan>) -> Self {
        let mut places = Vec::new();
        for (is_below, spans) in [(false, &positive), (true, &negative)] {
            let mut index = 0i64;
            for span in spans {
                index += i64::from(span.offset);
                places.extend((0..i64::from(span.length)).map(|at| (is_below, index + at)));
                index += i64::from(span.length);
            }
        }
        Layout { zero_threshold, positive, negative, places }
    }

    fn is_of(&self, histogram: &Histogram) -> bool {
        self.zero_threshold.to_bits() == histogram.zero_threshold.to_bits()
            && self.positive == histogram.positive.spans
            && self.negative == histogram.negative.spans
    }
}

/// Histograms that are packed together.
#[derive(Debug, Default)]
struct Run<'h> {
    histograms: Vec<&'h Histogram>,
    /// The layout of each.
    chosen: Vec<usize>,
    layouts: Vec<Layout>,
    /// All places of the layouts, sorted.
    places: Vec<Place>,
}

impl<'h> Run<'h> {
    /// Takes a histogram in, or says that it needs a run of its own.
    fn push(&mut self, histogram: &'h Histogram) -> bool {
        let is_like = |first: &&Histogram| {
            first.schema == histogram.schema
                && same_bounds(&first.custom_bounds, &histogram.custom_bounds)
        };
        if !self.histograms.first().is_none_or(is_like) {
            return false;
        }
        // The layout before is nearly always the layout now.
        let last = self.chosen.last().copied().filter(|last| self.layouts[*last].is_of(histogram));
        let known = last.or_else(|| self.layouts.iter().position(|one| one.is_of(histogram)));
        let chosen = match known {
            Some(known) if self.has_room(self.places.len(), usize::MAX) => known,
            Some(_) => return false,
            None => {
                let layout = Layout::of(histogram);
                let mut places = self.places.clone();
                places.extend_from_slice(&layout.places);
                places.sort_unstable();
                places.dedup();
                if !self.has_room(places.len(), layout.places.len()) {
                    return false;
                }
                self.places = places;
                self.layouts.push(layout);
                self.layouts.len() - 1
            }
        };
        self.chosen.push(chosen);
        self.histograms.push(histogram);
        true
    }

    /// Whether one more histogram of `own` buckets fits, with so many places in all. Layouts that
    /// have little in common do not belong together.
    fn has_room(&self, places: usize, own: usize) -> bool {
        let values = (self.histograms.len() as u64 + 1) * (places + SCALARS) as u64;
        self.histograms.is_empty()
            || (values <= VALUES_MAX && places <= own.saturating_mul(2).saturating_add(16))
    }

    fn encode(&self, encoder: &mut ValueEncoder, out: &mut Vec<u8>) {
        let Some(first) = self.histograms.first() else { return };
        varint::put(out, self.histograms.len() as u64);
        varint::put_signed(out, i64::from(first.schema));
        push_bounds(&first.custom_bounds, out);
        varint::put(out, self.layouts.len() as u64);
        for layout in &self.layouts {
            out.extend_from_slice(&layout.zero_threshold.to_le_bytes());
            push_spans(&layout.positive, out);
            push_spans(&layout.negative, out);
        }
        push_repeats(self.chosen.iter().map(|chosen| *chosen as u64), out);
        let hints = self.histograms.iter().map(|h| u64::from(hint_code(h.reset_hint)));
        push_repeats(hints, out);
        let excess: Option<Vec<f64>> = self.histograms.iter().map(|h| excess(h)).collect();
        out.push(if excess.is_some() { EXCESS } else { 0 });
        let counts = excess.unwrap_or_else(|| self.histograms.iter().map(|h| h.count).collect());
        let mut columns = vec![
            self.histograms.iter().map(|h| h.sum).collect(),
            self.histograms.iter().map(|h| h.zero_count).collect(),
            counts,
        ];
        columns.extend(self.bucket_columns());
        let (mut modes, mut lengths, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
        for column in &columns {
            let start = bytes.len();
            modes.push(encode_column(encoder, column, &mut bytes));
            varint::put(&mut lengths, (bytes.len() - start) as u64);
        }
        for part in [modes, lengths, bytes] {
            out.extend_from_slice(&part);
        }
    }

    fn bucket_columns(&self) -> Vec<Vec<f64>> {
        let mut columns: Vec<Vec<f64>> = vec![Vec::new(); self.places.len()];
        let columns_of: Vec<Vec<usize>> =
            self.layouts.iter().map(|layout| columns_of(&self.places, layout)).collect();
        for (row, (histogram, chosen)) in self.histograms.iter().zip(&self.chosen).enumerate() {
            let counts = histogram.positive.counts.iter().chain(&histogram.negative.counts);
            for (column, count) in columns_of[*chosen].iter().zip(counts) {
                let column = &mut columns[*column];
                // What stands where there is no such bucket: the value before, or the first.
                let filler = column.last().copied().unwrap_or(*count);
                column.resize(row, filler);
                column.push(*count);
            }
        }
        for column in &mut columns {
            let filler = column.last().copied().unwrap_or(0.0);
            column.resize(self.histograms.len(), filler);
        }
        columns
    }
}

/// The column of each place of a layout.
fn columns_of(places: &[Place], layout: &Layout) -> Vec<usize> {
    // `places` has them all, so each is found.
    layout.places.iter().filter_map(|place| places.binary_search(place).ok()).collect()
}

/// By how much the count exceeds the buckets', if all of them are whole and exact.
fn excess(histogram: &Histogram) -> Option<f64> {
    let buckets = histogram.positive.counts.iter().chain(&histogram.negative.counts);
    let mut rest = whole(histogram.count.to_bits())?;
    for count in buckets.chain([&histogram.zero_count]) {
        rest = rest.checked_sub(whole(count.to_bits())?)?;
    }
    let excess = rest as f64;
    (whole(excess.to_bits()) == Some(rest)).then_some(excess)
}

fn encode_column(encoder: &mut ValueEncoder, values: &[f64], out: &mut Vec<u8>) -> u8 {
    let first = values[0].to_bits();
    if values.iter().all(|value| value.to_bits() == first) {
        if let Some(n) = whole(first) {
            varint::put_signed(out, n);
            return REPEATED_WHOLE;
        }
    } else if values.iter().all(|value| whole(value.to_bits()).is_some()) {
        let mut before = 0;
        for value in values {
            // Found to be whole just now.
            let n = *value as i64;
            varint::put_signed(out, n - before);
            before = n;
        }
        return WHOLE_DIFFERENCES;
    }
    encoder.encode(values, out)
}

fn decode_column(mode: u8, mut bytes: &[u8], count: usize) -> Option<Vec<f64>> {
    let mut out = Vec::new();
    match mode {
        REPEATED_WHOLE => {
            let n = varint::take_signed(&mut bytes)?;
            out.resize(count, n as f64);
            bytes.is_empty().then_some(())?;
        }
        WHOLE_DIFFERENCES => {
            (count <= bytes.len()).then_some(())?;
            let mut n = 0i64;
            for _ in 0..count {
                n = n.wrapping_add(varint::take_signed(&mut bytes)?);
                out.push(n as f64);
            }
            bytes.is_empty().then_some(())?;
        }
        _ => packed_values::decode(mode, bytes, count, &mut out)?,
    }
    Some(out)
}

fn push_repeats(values: impl Iterator<Item = u64>, out: &mut Vec<u8>) {
    let mut run: Option<(u64, u64)> = None;
    for value in values {
        run = match run {
            Some((same, repeats)) if same == value => Some((same, repeats + 1)),
            other => {
                put_run(other, out);
                Some((value, 1))
            }
        };
    }
    put_run(run, out);
}

fn put_run(run: Option<(u64, u64)>, out: &mut Vec<u8>) {
    if let Some((value, repeats)) = run {
        varint::put(out, value);
        varint::put(out, repeats);
    }
}

fn take_repeats(rest: &mut &[u8], count: usize) -> Option<Vec<u64>> {
    let mut out = Vec::new();
    while out.len() < count {
        let value = varint::take(rest)?;
        let repeats = usize::try_from(varint::take(rest)?).ok()?;
        (1..=count - out.len()).contains(&repeats).then_some(())?;
        out.resize(out.len() + repeats, value);
    }
    Some(out)
}

/// Encodes histograms in the order of their samples to the end of `out`.
pub(super) fn encode(encoder: &mut ValueEncoder, histograms: &[Arc<Histogram>], out: &mut Vec<u8>) {
    let mut run = Run::default();
    for histogram in histograms {
        if !run.push(histogram) {
            run.encode(encoder, out);
            run = Run::default();
            run.push(histogram);
        }
    }
    run.encode(encoder, out);
}

/// Decodes `count` histograms, which must use up `bytes`, to the end of `out`.
pub(super) fn decode(bytes: &[u8], count: usize, out: &mut Vec<Arc<Histogram>>) -> Option<()> {
    let mut rest = bytes;
    let end = out.len().checked_add(count)?;
    while out.len() < end {
        decode_run(&mut rest, end - out.len(), out)?;
    }
    rest.is_empty().then_some(())
}

fn decode_run(rest: &mut &[u8], most: usize, out: &mut Vec<Arc<Histogram>>) -> Option<()> {
    let count = usize::try_from(varint::take(rest)?).ok()?;
    (1..=most).contains(&count).then_some(())?;
    let schema = i32::try_from(varint::take_signed(rest)?).ok()?;
    let custom_bounds = take_bounds(rest)?;
    let layouts = take_layouts(rest, count)?;
    let chosen = take_repeats(rest, count)?;
    let hints = take_repeats(rest, count)?;
    let flags = *varint::take_bytes(rest, 1)?.first()?;

    let mut places: Vec<Place> = layouts.iter().flat_map(|one| &one.places).copied().collect();
    places.sort_unstable();
    places.dedup();
    let width = places.len() + SCALARS;
    // A single histogram may be as wide as it likes: its bytes bound it.
    (count == 1 || (count * width) as u64 <= VALUES_MAX).then_some(())?;
    let modes = varint::take_bytes(rest, width)?;
    let lengths: Vec<usize> =
        (0..width).map(|_| usize::try_from(varint::take(rest)?).ok()).collect::<Option<_>>()?;
    let mut columns = Vec::with_capacity(width);
    for (mode, length) in modes.iter().zip(lengths) {
        columns.push(decode_column(*mode, varint::take_bytes(rest, length)?, count)?);
    }
    let columns_of: Vec<Vec<usize>> =
        layouts.iter().map(|layout| columns_of(&places, layout)).collect();

    for row in 0..count {
        let chosen = usize::try_from(chosen[row]).ok()?;
        let layout = layouts.get(chosen)?;
        let counts = columns_of[chosen].iter().map(|column| columns[SCALARS + column][row]);
        let mut positive: Vec<f64> = Vec::with_capacity(layout.places.len());
        positive.extend(counts);
        let negative = positive.split_off(spanned(&layout.positive) as usize);
        let mut histogram = Histogram {
            reset_hint: hint_of(u8::try_from(hints[row]).ok()?)?,
            schema,
            zero_threshold: layout.zero_threshold,
            zero_count: columns[1][row],
            count: columns[2][row],
            sum: columns[0][row],
            positive: Buckets { spans: layout.positive.clone(), counts: positive },
            negative: Buckets { spans: layout.negative.clone(), counts: negative },
            custom_bounds: custom_bounds.clone(),
        };
        if flags & EXCESS != 0 {
            let total = |counts: &[f64]| {
                counts.iter().fold(0i64, |sum, count| sum.wrapping_add(*count as i64))
            };
            let buckets = total(&histogram.positive.counts)
                .wrapping_add(total(&histogram.negative.counts))
                .wrapping_add(histogram.zero_count as i64);
            histogram.count = buckets.wrapping_add(histogram.count as i64) as f64;
        }
        out.push(Arc::new(histogram));
    }
    Some(())
}

fn take_layouts(rest: &mut &[u8], count: usize) -> Option<Vec<Layout>> {
    let number = usize::try_from(varint::take(rest)?).ok()?;
    (1..=count).contains(&number).then_some(())?;
    let mut total = 0u64;
    let mut layouts = Vec::new();
    for _ in 0..number {
        let zero_threshold = take_f64(rest)?;
        let (positive, negative) = (take_spans(rest)?, take_spans(rest)?);
        // No run has more values than this, and no layout more buckets than the run has columns.
        total = total.checked_add(spanned(&positive))?.checked_add(spanned(&negative))?;
        (total <= VALUES_MAX).then_some(())?;
        layouts.push(Layout::new(zero_threshold, positive, negative));
    }
    Some(layouts)
}

#[cfg(test)]
mod tests {
    use super::super::sample_histograms::{histograms, same};
    use super::*;
    use proptest::prelude::*;

    fn round_trip(sequence: &[Histogram]) -> Vec<u8> {
        let shared: Vec<Arc<Histogram>> = sequence.iter().cloned().map(Arc::new).collect();
        let mut bytes = Vec::new();
        encode(&mut ValueEncoder::default(), &shared, &mut bytes);
        let mut back = Vec::new();
        assert_eq!(decode(&bytes, sequence.len(), &mut back), Some(()));
        assert_eq!(back.len(), sequence.len());
        for (back, histogram) in back.iter().zip(sequence) {
            assert!(same(back, histogram), "{back:?}\n{histogram:?}");
        }
        bytes
    }

    proptest! {
        #[test]
        fn any_valid_sequence_comes_back_exactly(sequence in histograms(0..40)) {
            round_trip(&sequence);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>, count in 0usize..500) {
            let _ = decode(&bytes, count, &mut Vec::new());
        }

        #[test]
        fn damaged_bytes_never_panic(
            sequence in histograms(1..8),
            at: prop::sample::Index,
            byte: u8,
        ) {
            let mut bytes = round_trip(&sequence);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = decode(&bytes, sequence.len(), &mut Vec::new());
        }
    }

    fn growing(buckets: u32, count: u32) -> Vec<Histogram> {
        (0..count)
            .map(|at| {
                let counts: Vec<f64> =
                    (0..buckets).map(|i| f64::from(at * (1 + i % 7) + i)).collect();
                Histogram {
                    count: counts.iter().sum(),
                    sum: f64::from(at) * 3.25,
                    schema: 3,
                    positive: Buckets {
                        spans: vec![BucketSpan { offset: -4, length: buckets }],
                        counts,
                    },
                    ..Histogram::default()
                }
            })
            .collect()
    }

    #[test]
    fn a_regular_histogram_takes_about_a_byte_a_bucket() {
        let bytes = round_trip(&growing(30, 100));
        assert!(bytes.len() < 100 * 33 + 300, "{}", bytes.len());
    }

    #[test]
    fn a_bucket_that_comes_later_does_not_begin_a_new_run() {
        let mut sequence = growing(20, 50);
        let wider = growing(21, 100).split_off(50);
        let apart = round_trip(&sequence).len() + round_trip(&wider).len();
        sequence.extend(wider);
        assert!(round_trip(&sequence).len() < apart);
    }

    #[test]
    fn histograms_of_very_many_buckets_come_back() {
        round_trip(&growing(20_000, 60));
        round_trip(&growing(100_000, 1));
    }
}
