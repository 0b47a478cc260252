//! What is kept of one unit: the arm that it is in, since when, and what its results come to.

use crate::experiments::{Exposure, Sums};
use crate::model::{MetricDefinition, Timestamp, UnitValue};
use crate::tsdb::varint;

/// A unit of an experiment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unit {
    /// The variant that it was first seen in, by its place.
    pub(super) variant: u16,
    /// The epoch in which it was first seen, by its place.
    pub(super) epoch: u16,
    /// When it was first seen.
    pub(super) at: Timestamp,
    /// Whether it was seen in another variant later: it is in no sum then.
    pub(super) excluded: bool,
    /// What its results come to, by the metric's place, which rises.
    pub(super) values: Vec<(u16, UnitValue)>,
}

impl Unit {
    /// One that was just seen for the first time.
    pub(super) fn new(exposure: Exposure) -> Unit {
        let Exposure { variant, epoch, at, excluded } = exposure;
        Unit { variant, epoch, at, excluded, values: Vec::new() }
    }

    /// Its first exposure.
    pub(super) fn exposure(&self) -> Exposure {
        Exposure { variant: self.variant, epoch: self.epoch, at: self.at, excluded: self.excluded }
    }

    /// What its results of a metric come to.
    pub(super) fn value(&self, metric: u16) -> Option<&UnitValue> {
        let place = self.values.binary_search_by_key(&metric, |(place, _)| *place).ok()?;
        self.values.get(place).map(|(_, value)| value)
    }

    /// Sets what its results of a metric come to.
    pub(super) fn set(&mut self, metric: u16, value: UnitValue) {
        match self.values.binary_search_by_key(&metric, |(place, _)| *place) {
            Ok(place) => self.values[place].1 = value,
            Err(place) => self.values.insert(place, (metric, value)),
        }
    }

    /// It was seen in another variant: what it did says nothing about either.
    pub(super) fn exclude(&mut self) {
        self.excluded = true;
        self.values.clear();
    }

    /// Whether the same cells have it: then only values that differ need to be changed.
    fn counts_like(&self, other: &Unit) -> bool {
        let key = |unit: &Unit| (unit.variant, unit.epoch, unit.excluded);
        key(self) == key(other)
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        varint::put(out, u64::from(self.variant) << 1 | u64::from(self.excluded));
        varint::put(out, u64::from(self.epoch));
        varint::put_signed(out, self.at.millis());
        varint::put(out, self.values.len() as u64);
        for (metric, value) in &self.values {
            varint::put(out, u64::from(*metric));
            encode_value(value, out);
        }
    }

    pub(super) fn decode(rest: &mut &[u8]) -> Option<Unit> {
        let variant = varint::take(rest)?;
        let epoch = u16::try_from(varint::take(rest)?).ok()?;
        let at = Timestamp::from_millis(varint::take_signed(rest)?);
        let count = usize::try_from(varint::take(rest)?).ok()?;
        // A value takes more than a byte: a lying count allocates nothing.
        if count > rest.len() {
            return None;
        }
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            let metric = u16::try_from(varint::take(rest)?).ok()?;
            values.push((metric, decode_value(rest)?));
        }
        let variant_place = u16::try_from(variant >> 1).ok()?;
        Some(Unit { variant: variant_place, epoch, at, excluded: variant & 1 == 1, values })
    }
}

const HAS_DENOMINATOR: u8 = 1;
const HAS_COVARIATE: u8 = 2;

pub(super) fn encode_value(value: &UnitValue, out: &mut Vec<u8>) {
    let has_denominator = value.denominator.to_bits() != 1f64.to_bits();
    let mut flags = 0;
    if has_denominator {
        flags |= HAS_DENOMINATOR;
    }
    if value.covariate.is_some() {
        flags |= HAS_COVARIATE;
    }
    out.push(flags);
    out.extend_from_slice(&value.value.to_le_bytes());
    if has_denominator {
        out.extend_from_slice(&value.denominator.to_le_bytes());
    }
    if let Some(covariate) = value.covariate {
        out.extend_from_slice(&covariate.to_le_bytes());
    }
}

pub(super) fn decode_value(rest: &mut &[u8]) -> Option<UnitValue> {
    let flags = take_byte(rest)?;
    if flags & !(HAS_DENOMINATOR | HAS_COVARIATE) != 0 {
        return None;
    }
    let value = take_f64(rest)?;
    let denominator = if flags & HAS_DENOMINATOR != 0 { take_f64(rest)? } else { 1.0 };
    let covariate = if flags & HAS_COVARIATE != 0 { Some(take_f64(rest)?) } else { None };
    Some(UnitValue { value, denominator, covariate })
}

pub(super) fn take_byte(rest: &mut &[u8]) -> Option<u8> {
    let (first, tail) = rest.split_first()?;
    *rest = tail;
    Some(*first)
}

pub(super) fn take_f64(rest: &mut &[u8]) -> Option<f64> {
    take_u64(rest).map(f64::from_bits)
}

pub(super) fn take_u64(rest: &mut &[u8]) -> Option<u64> {
    let (head, tail) = rest.split_first_chunk::<8>()?;
    *rest = tail;
    Some(u64::from_le_bytes(*head))
}

/// Makes the sums of an experiment what they are after a unit has changed: exactly, so that what
/// is taken out leaves no trace. `None` is a unit that is not known (any more).
pub(super) fn change(
    sums: &mut Sums,
    metrics: &[MetricDefinition],
    before: Option<&Unit>,
    after: Option<&Unit>,
) {
    if let (Some(before), Some(after)) = (before, after)
        && before.counts_like(after)
    {
        let same = |metric: u16, value: &UnitValue, other: &Unit| {
            other.value(metric).is_some_and(|found| bits(found) == bits(value))
        };
        for (metric, value) in &before.values {
            if !same(*metric, value, after) {
                take_out(sums, before, *metric, value);
            }
        }
        for (metric, value) in &after.values {
            if !same(*metric, value, before) {
                put_in(sums, metrics, after, *metric, value);
            }
        }
        return;
    }
    if let Some(unit) = before {
        for (metric, value) in &unit.values {
            take_out(sums, unit, *metric, value);
        }
        count_unit(sums, unit, false);
    }
    if let Some(unit) = after {
        count_unit(sums, unit, true);
        for (metric, value) in &unit.values {
            put_in(sums, metrics, unit, *metric, value);
        }
    }
}

fn bits(value: &UnitValue) -> (u64, u64, Option<u64>) {
    (value.value.to_bits(), value.denominator.to_bits(), value.covariate.map(f64::to_bits))
}

fn put_in(
    sums: &mut Sums,
    metrics: &[MetricDefinition],
    unit: &Unit,
    metric: u16,
    value: &UnitValue,
) {
    add(sums, metrics, (unit.epoch, unit.variant, metric), value, 1);
}

/// Adds units with this value to a cell.
pub(super) fn add(
    sums: &mut Sums,
    metrics: &[MetricDefinition],
    place: (u16, u16, u16),
    value: &UnitValue,
    count: u64,
) {
    let Some(definition) = metrics.get(usize::from(place.2)) else {
        tracing::error!(metric = place.2, "a value of a metric that nobody defined is left out");
        return;
    };
    if let Err(error) = sums.cell(place, definition).add(value, count) {
        // What is taken was folded and bounded before: a defect, and the same one in a replay.
        tracing::error!(%error, "a value is in no sum");
    }
}

fn take_out(sums: &mut Sums, unit: &Unit, metric: u16, value: &UnitValue) {
    let place = (unit.epoch, unit.variant, metric);
    let Some(cell) = sums.cells.get_mut(&place) else { return };
    if let Err(error) = cell.remove(value, 1) {
        tracing::error!(%error, "a value cannot be taken out of its sum");
    }
    if cell.n() == 0 {
        sums.cells.remove(&place);
    }
}

fn count_unit(sums: &mut Sums, unit: &Unit, more: bool) {
    if unit.excluded {
        step(&mut sums.excluded, unit.variant, 1, more);
    } else {
        step(&mut sums.units, (unit.epoch, unit.variant), 1, more);
    }
}

/// Counts up or down; a count of nothing is not kept, so that equal sums look equal.
pub(super) fn step<K: Ord>(
    counts: &mut std::collections::BTreeMap<K, u64>,
    key: K,
    by: u64,
    more: bool,
) {
    use std::collections::btree_map::Entry;
    match counts.entry(key) {
        Entry::Occupied(mut found) => {
            let left = match more {
                true => found.get().saturating_add(by),
                false => found.get().saturating_sub(by),
            };
            if left == 0 {
                found.remove();
            } else {
                found.insert(left);
            }
        }
        Entry::Vacant(place) => {
            if more {
                place.insert(by);
            }
        }
    }
}
