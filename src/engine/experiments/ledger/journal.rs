//! What one commit did, as facts that can be replayed: each says what was before and what is
//! after, so that a replay asks nobody, not even the blocks, which may be newer already.
//!
//! ```text
//! version u8 = 1 | fact …
//! ```
//! A commit that is larger than [`PART_BYTES_MAX`] takes several parts, all in its transaction.

use crate::features::Tallies;
use crate::model::{MetricDefinition, UnitValue};
use crate::tsdb::varint;

use super::unit::{Unit, decode_value, encode_value, take_byte, take_u64};

const VERSION: u8 = 1;
/// Where a part ends; the last fact may go a little beyond.
const PART_BYTES_MAX: usize = 1 << 20;

/// Results of units that have no name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Nameless {
    pub(super) epoch: u16,
    pub(super) variant: u16,
    pub(super) metric: u16,
    pub(super) value: UnitValue,
    pub(super) count: u64,
}

/// What a commit did.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fact {
    /// When it was, in milliseconds since 1970.
    At(i64),
    /// What an experiment measures from here on.
    Metrics(u32, Vec<MetricDefinition>),
    /// A unit changed; none is one that is not known (any more).
    Unit { experiment: u32, hash: u64, before: Option<Unit>, after: Option<Unit> },
    /// Results of units without a name.
    Nameless(u32, Nameless),
    /// So many results were taken.
    Results(u32, u64),
    /// Ids that were seen.
    Ids(Vec<u64>),
    /// What outcomes add up to.
    Tallies(Tallies),
    /// All of an experiment is gone.
    Dropped(u32),
}

const AT: u8 = 1;
const METRICS: u8 = 2;
const UNIT: u8 = 3;
const NAMELESS: u8 = 4;
const RESULTS: u8 = 5;
const IDS: u8 = 6;
const TALLIES: u8 = 7;
const DROPPED: u8 = 8;

/// Packs the facts of a commit into parts.
///
/// # Errors
///
/// When something cannot be written as JSON.
pub(super) fn encode(facts: &[Fact]) -> Result<Vec<Vec<u8>>, String> {
    let mut parts = Vec::new();
    let mut out = vec![VERSION];
    for fact in facts {
        put(fact, &mut out)?;
        if out.len() >= PART_BYTES_MAX {
            parts.push(std::mem::replace(&mut out, vec![VERSION]));
        }
    }
    if out.len() > 1 {
        parts.push(out);
    }
    Ok(parts)
}

fn put(fact: &Fact, out: &mut Vec<u8>) -> Result<(), String> {
    match fact {
        Fact::At(at) => {
            out.push(AT);
            varint::put_signed(out, *at);
        }
        Fact::Metrics(experiment, metrics) => {
            out.push(METRICS);
            varint::put(out, u64::from(*experiment));
            put_json(metrics, out)?;
        }
        Fact::Unit { experiment, hash, before, after } => {
            out.push(UNIT);
            varint::put(out, u64::from(*experiment));
            out.extend_from_slice(&hash.to_le_bytes());
            out.push(u8::from(before.is_some()) | u8::from(after.is_some()) << 1);
            for unit in [before, after].into_iter().flatten() {
                unit.encode(out);
            }
        }
        Fact::Nameless(experiment, nameless) => {
            out.push(NAMELESS);
            varint::put(out, u64::from(*experiment));
            for place in [nameless.epoch, nameless.variant, nameless.metric] {
                varint::put(out, u64::from(place));
            }
            varint::put(out, nameless.count);
            encode_value(&nameless.value, out);
        }
        Fact::Results(experiment, count) => {
            out.push(RESULTS);
            varint::put(out, u64::from(*experiment));
            varint::put(out, *count);
        }
        Fact::Ids(ids) => {
            out.push(IDS);
            varint::put(out, ids.len() as u64);
            out.extend(ids.iter().flat_map(|id| id.to_le_bytes()));
        }
        Fact::Tallies(tallies) => {
            out.push(TALLIES);
            put_json(tallies, out)?;
        }
        Fact::Dropped(experiment) => {
            out.push(DROPPED);
            varint::put(out, u64::from(*experiment));
        }
    }
    Ok(())
}

fn put_json<T: serde::Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), String> {
    let json = serde_json::to_vec(value).map_err(|error| error.to_string())?;
    varint::put(out, json.len() as u64);
    out.extend_from_slice(&json);
    Ok(())
}

fn take_json<T: serde::de::DeserializeOwned>(rest: &mut &[u8]) -> Option<T> {
    let len = usize::try_from(varint::take(rest)?).ok()?;
    serde_json::from_slice(varint::take_bytes(rest, len)?).ok()
}

/// Unpacks a part; `None` where it is not one.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<Fact>> {
    let mut rest = bytes;
    if take_byte(&mut rest)? != VERSION {
        return None;
    }
    let mut facts = Vec::new();
    while !rest.is_empty() {
        facts.push(take(&mut rest)?);
    }
    Some(facts)
}

fn take(rest: &mut &[u8]) -> Option<Fact> {
    let tag = take_byte(rest)?;
    if tag == AT {
        return varint::take_signed(rest).map(Fact::At);
    }
    if tag == IDS {
        let count = usize::try_from(varint::take(rest)?).ok()?;
        let bytes = varint::take_bytes(rest, count.checked_mul(8)?)?;
        let (ids, _) = bytes.as_chunks::<8>();
        return Some(Fact::Ids(ids.iter().map(|id| u64::from_le_bytes(*id)).collect()));
    }
    if tag == TALLIES {
        return take_json(rest).map(Fact::Tallies);
    }
    let experiment = u32::try_from(varint::take(rest)?).ok()?;
    match tag {
        METRICS => take_json(rest).map(|metrics| Fact::Metrics(experiment, metrics)),
        UNIT => {
            let hash = take_u64(rest)?;
            let has = take_byte(rest)?;
            let before = if has & 1 != 0 { Some(Unit::decode(rest)?) } else { None };
            let after = if has & 2 != 0 { Some(Unit::decode(rest)?) } else { None };
            Some(Fact::Unit { experiment, hash, before, after })
        }
        NAMELESS => {
            let mut place = || varint::take(rest).and_then(|n| u16::try_from(n).ok());
            let (epoch, variant, metric) = (place()?, place()?, place()?);
            let count = varint::take(rest)?;
            let value = decode_value(rest)?;
            let nameless = Nameless { epoch, variant, metric, value, count };
            Some(Fact::Nameless(experiment, nameless))
        }
        RESULTS => Some(Fact::Results(experiment, varint::take(rest)?)),
        DROPPED => Some(Fact::Dropped(experiment)),
        _ => None,
    }
}
