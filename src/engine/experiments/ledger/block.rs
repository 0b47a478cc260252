//! A block of units: sorted by hash, in columns of fixed widths, so that one unit is found by
//! bisection, without unpacking the others.
//!
//! ```text
//! version u8 = 1 | until u64 | stamp u64 | units u16 | classes u16 | bytes per class 1|2 | bytes per time 0..8 | base time i64
//! | class: variant u16, epoch u16, excluded u8 …
//! | hash u64 … | class index … | time − base … | columns u16
//! | column: metric u16, flags u8, present bits, values[, denominators][, covariate bits, covariates] …
//! ```
//! `until` is where the next block begins (0 where there is none) and `stamp` rises with every flush:
//! where a salvage brings replaced blocks back, they say which holds what is now. Numbers are
//! little-endian; values, denominators and covariates as `numbers.rs` packs them, of
//! those units only that have one.

use crate::experiments::Exposure;
use crate::model::{Timestamp, UnitValue};
use crate::tsdb::varint;

use super::numbers::{self, Numbers};
use super::unit::{Unit, take_byte, take_u64};

const VERSION: u8 = 1;
/// The most units in a block, whatever their size.
pub(super) const UNITS_MAX: usize = 2048;

/// A unit with the hash of its name.
pub(super) type Row = (u64, Unit);

const HAS_DENOMINATORS: u8 = 1;
const HAS_COVARIATES: u8 = 2;

/// What a block stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    /// Where the next block begins; `None` where there is none.
    pub(super) until: Option<u64>,
    /// Of the flush that wrote it; later ones have larger ones.
    pub(super) stamp: u64,
}

/// Packs rows, whose hashes rise; at most [`UNITS_MAX`].
pub(super) fn encode(rows: &[Row], span: Span) -> Vec<u8> {
    let mut classes: Vec<(u16, u16, bool)> =
        rows.iter().map(|(_, unit)| (unit.variant, unit.epoch, unit.excluded)).collect();
    classes.sort_unstable();
    classes.dedup();
    let base = rows.iter().map(|(_, unit)| unit.at.millis()).min().unwrap_or(0);
    let since = |unit: &Unit| unit.at.millis().wrapping_sub(base) as u64;
    let longest = rows.iter().map(|(_, unit)| since(unit)).max().unwrap_or(0);
    let time_bytes = (71 - (longest | 1).leading_zeros() as usize) / 8;
    let time_bytes = if longest == 0 { 0 } else { time_bytes };
    let class_bytes = if classes.len() <= 256 { 1 } else { 2 };

    let mut out = Vec::with_capacity(32 + rows.len() * 40);
    out.push(VERSION);
    out.extend_from_slice(&span.until.unwrap_or(0).to_le_bytes());
    out.extend_from_slice(&span.stamp.to_le_bytes());
    out.extend_from_slice(&(rows.len() as u16).to_le_bytes());
    out.extend_from_slice(&(classes.len() as u16).to_le_bytes());
    out.extend_from_slice(&[class_bytes, time_bytes as u8]);
    out.extend_from_slice(&base.to_le_bytes());
    for (variant, epoch, excluded) in &classes {
        out.extend_from_slice(&variant.to_le_bytes());
        out.extend_from_slice(&epoch.to_le_bytes());
        out.push(u8::from(*excluded));
    }
    for (hash, _) in rows {
        out.extend_from_slice(&hash.to_le_bytes());
    }
    for (_, unit) in rows {
        let class = (unit.variant, unit.epoch, unit.excluded);
        let index = classes.binary_search(&class).unwrap_or(0) as u16;
        out.extend_from_slice(&index.to_le_bytes()[..usize::from(class_bytes)]);
    }
    for (_, unit) in rows {
        out.extend_from_slice(&since(unit).to_le_bytes()[..time_bytes]);
    }
    let mut metrics: Vec<u16> =
        rows.iter().flat_map(|(_, unit)| unit.values.iter().map(|(metric, _)| *metric)).collect();
    metrics.sort_unstable();
    metrics.dedup();
    out.extend_from_slice(&(metrics.len() as u16).to_le_bytes());
    for metric in metrics {
        encode_column(metric, rows, &mut out);
    }
    out
}

fn encode_column(metric: u16, rows: &[Row], out: &mut Vec<u8>) {
    let found: Vec<Option<&UnitValue>> = rows.iter().map(|(_, unit)| unit.value(metric)).collect();
    let values: Vec<&UnitValue> = found.iter().copied().flatten().collect();
    let has_denominators = values.iter().any(|value| value.denominator.to_bits() != 1f64.to_bits());
    let has_covariates = values.iter().any(|value| value.covariate.is_some());
    let mut flags = 0;
    if has_denominators {
        flags |= HAS_DENOMINATORS;
    }
    if has_covariates {
        flags |= HAS_COVARIATES;
    }
    out.extend_from_slice(&metric.to_le_bytes());
    out.push(flags);
    put_bits(found.iter().map(Option::is_some), out);
    let column: Vec<f64> = values.iter().map(|value| value.value).collect();
    numbers::encode(&column, out);
    if has_denominators {
        let column: Vec<f64> = values.iter().map(|value| value.denominator).collect();
        numbers::encode(&column, out);
    }
    if has_covariates {
        put_bits(values.iter().map(|value| value.covariate.is_some()), out);
        let column: Vec<f64> = values.iter().filter_map(|value| value.covariate).collect();
        numbers::encode(&column, out);
    }
}

fn put_bits(bits: impl Iterator<Item = bool>, out: &mut Vec<u8>) {
    let (mut byte, mut filled) = (0, 0);
    for bit in bits {
        byte |= u8::from(bit) << filled;
        filled += 1;
        if filled == 8 {
            out.push(byte);
            (byte, filled) = (0, 0);
        }
    }
    if filled > 0 {
        out.push(byte);
    }
}

/// Bits that say who has something.
#[derive(Clone, Copy)]
struct Bits<'a>(&'a [u8]);

impl<'a> Bits<'a> {
    fn take(rest: &mut &'a [u8], count: usize) -> Option<Bits<'a>> {
        varint::take_bytes(rest, count.div_ceil(8)).map(Bits)
    }

    fn get(&self, place: usize) -> bool {
        self.0.get(place / 8).is_some_and(|byte| byte >> (place % 8) & 1 == 1)
    }

    /// How many are set before a place.
    fn rank(&self, place: usize) -> usize {
        let whole: u32 = self.0.iter().take(place / 8).map(|byte| byte.count_ones()).sum();
        let rest = self
            .0
            .get(place / 8)
            .map_or(0, |byte| (byte & ((1u16 << (place % 8)) - 1) as u8).count_ones());
        (whole + rest) as usize
    }

    fn count(&self) -> usize {
        self.0.iter().map(|byte| byte.count_ones() as usize).sum()
    }
}

struct Column<'a> {
    metric: u16,
    present: Bits<'a>,
    values: Numbers<'a>,
    denominators: Option<Numbers<'a>>,
    covariates: Option<(Bits<'a>, Numbers<'a>)>,
}

impl<'a> Column<'a> {
    fn take(rest: &mut &'a [u8], units: usize) -> Option<Column<'a>> {
        let metric = take_u16(rest)?;
        let flags = take_byte(rest)?;
        let present = Bits::take(rest, units)?;
        let count = present.count();
        let values = Numbers::take(rest, count)?;
        let denominators = match flags & HAS_DENOMINATORS {
            0 => None,
            _ => Some(Numbers::take(rest, count)?),
        };
        let covariates = match flags & HAS_COVARIATES {
            0 => None,
            _ => {
                let bits = Bits::take(rest, count)?;
                Some((bits, Numbers::take(rest, bits.count())?))
            }
        };
        Some(Column { metric, present, values, denominators, covariates })
    }

    fn value(&self, place: usize) -> Option<UnitValue> {
        if !self.present.get(place) {
            return None;
        }
        let rank = self.present.rank(place);
        let covariate = match &self.covariates {
            Some((bits, numbers)) if bits.get(rank) => numbers.get(bits.rank(rank)),
            _ => None,
        };
        let denominator = match &self.denominators {
            Some(numbers) => numbers.get(rank)?,
            None => 1.0,
        };
        Some(UnitValue { value: self.values.get(rank)?, denominator, covariate })
    }
}

fn take_u16(rest: &mut &[u8]) -> Option<u16> {
    let (head, tail) = rest.split_first_chunk::<2>()?;
    *rest = tail;
    Some(u16::from_le_bytes(*head))
}

/// A block, looked into.
pub(super) struct Block<'a> {
    /// What it stands for.
    pub(super) span: Span,
    base: i64,
    classes: &'a [u8],
    hashes: &'a [[u8; 8]],
    class_bytes: usize,
    class_index: &'a [u8],
    time_bytes: usize,
    times: &'a [u8],
    columns: Vec<Column<'a>>,
}

const CLASS_BYTES: usize = 5;

impl<'a> Block<'a> {
    /// Opens a packed block; `None` where it is not one.
    pub(super) fn open(bytes: &'a [u8]) -> Option<Block<'a>> {
        let mut rest = bytes;
        if take_byte(&mut rest)? != VERSION {
            return None;
        }
        let until = Some(take_u64(&mut rest)?).filter(|until| *until > 0);
        let span = Span { until, stamp: take_u64(&mut rest)? };
        let units = usize::from(take_u16(&mut rest)?);
        let classes = usize::from(take_u16(&mut rest)?);
        let class_bytes = usize::from(take_byte(&mut rest)?);
        let time_bytes = usize::from(take_byte(&mut rest)?);
        if !(1..=2).contains(&class_bytes) || time_bytes > 8 {
            return None;
        }
        let base = i64::from_le_bytes(*rest.first_chunk()?);
        rest = &rest[8..];
        let classes = varint::take_bytes(&mut rest, classes * CLASS_BYTES)?;
        let (hashes, _) = varint::take_bytes(&mut rest, units * 8)?.as_chunks::<8>();
        let class_index = varint::take_bytes(&mut rest, units * class_bytes)?;
        let times = varint::take_bytes(&mut rest, units * time_bytes)?;
        let count = usize::from(take_u16(&mut rest)?);
        let mut columns = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            columns.push(Column::take(&mut rest, units)?);
        }
        let block = Block {
            span,
            base,
            classes,
            hashes,
            class_bytes,
            class_index,
            time_bytes,
            times,
            columns,
        };
        rest.is_empty().then_some(block)
    }

    /// How many units it has.
    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// The place of a unit.
    pub(super) fn find(&self, hash: u64) -> Option<usize> {
        self.hashes.binary_search_by_key(&hash, |bytes| u64::from_le_bytes(*bytes)).ok()
    }

    /// The hash of the unit at a place.
    pub(super) fn hash(&self, place: usize) -> Option<u64> {
        self.hashes.get(place).map(|bytes| u64::from_le_bytes(*bytes))
    }

    /// The first exposure of the unit at a place.
    pub(super) fn exposure(&self, place: usize) -> Option<Exposure> {
        let number = |bytes: &[u8], width: usize| -> Option<u64> {
            let mut wide = [0; 8];
            wide[..width].copy_from_slice(bytes.get(place * width..(place + 1) * width)?);
            Some(u64::from_le_bytes(wide))
        };
        let class = number(self.class_index, self.class_bytes)? as usize;
        let mut class = self.classes.get(class * CLASS_BYTES..)?;
        let variant = take_u16(&mut class)?;
        let epoch = take_u16(&mut class)?;
        let excluded = take_byte(&mut class)? == 1;
        let since = number(self.times, self.time_bytes)?;
        let at = Timestamp::from_millis(self.base.wrapping_add(since as i64));
        Some(Exposure { variant, epoch, at, excluded })
    }

    /// The unit at a place.
    pub(super) fn unit(&self, place: usize) -> Option<Unit> {
        let mut unit = Unit::new(self.exposure(place)?);
        for column in &self.columns {
            if let Some(value) = column.value(place) {
                unit.values.push((column.metric, value));
            }
        }
        Some(unit)
    }

    /// All units, by hash; `None` where they do not decode, or do not rise.
    pub(super) fn rows(&self) -> Option<Vec<Row>> {
        let rows: Option<Vec<Row>> =
            (0..self.len()).map(|place| Some((self.hash(place)?, self.unit(place)?))).collect();
        rows.filter(|rows| rows.windows(2).all(|pair| pair[0].0 < pair[1].0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = UnitValue> {
        (
            prop_oneof![Just(1.0), -1e9f64..1e9, (0u8..9).prop_map(f64::from)],
            prop_oneof![Just(1.0), 0.0f64..100.0],
            prop_oneof![Just(None), (-5.0f64..5.0).prop_map(Some)],
        )
            .prop_map(|(value, denominator, covariate)| UnitValue {
                value,
                denominator,
                covariate,
            })
    }

    fn unit() -> impl Strategy<Value = Unit> {
        let values = prop::collection::btree_map(0u16..5, value(), 0..5);
        let at = prop_oneof![Just(0i64), 1_700_000_000_000i64..1_800_000_000_000, any::<i64>()];
        (0u16..4, 0u16..400, at, any::<bool>(), values).prop_map(
            |(variant, epoch, at, excluded, values)| Unit {
                variant,
                epoch,
                at: Timestamp::from_millis(at),
                excluded,
                values: values.into_iter().collect(),
            },
        )
    }

    proptest! {
        #[test]
        fn units_come_back(units in prop::collection::btree_map(any::<u64>(), unit(), 0..300)) {
            let rows: Vec<Row> = units.into_iter().collect();
            let span = Span { until: rows.first().map(|(hash, _)| hash | 1), stamp: 9 };
            let bytes = encode(&rows, span);
            let block = Block::open(&bytes).expect("opens");
            prop_assert_eq!(block.span, span);
            prop_assert_eq!(block.rows().expect("decodes"), rows.clone());
            for (place, (hash, unit)) in rows.iter().enumerate() {
                prop_assert_eq!(block.find(*hash), Some(place));
                prop_assert_eq!(block.exposure(place), Some(unit.exposure()));
            }
            // What is cut short is found, and nothing panics.
            for cut in [1, 7, bytes.len() / 2] {
                if cut < bytes.len() {
                    prop_assert!(Block::open(&bytes[..bytes.len() - cut]).is_none());
                }
            }
        }

        #[test]
        fn a_unit_in_the_journal_comes_back(unit in unit()) {
            let mut bytes = Vec::new();
            unit.encode(&mut bytes);
            let mut rest = bytes.as_slice();
            prop_assert_eq!(Unit::decode(&mut rest), Some(unit));
            prop_assert!(rest.is_empty());
        }
    }
}
