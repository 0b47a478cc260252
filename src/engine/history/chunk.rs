//! Packed results of one check: columns, compressed together.
//!
//! ```text
//! version 1 | length unpacked | zstd:
//!   count | first time | differences of the distances between times
//!   runs of statuses | runs of present phases
//!   per phase: the middle code | differences from it, low bytes, then the rest of large ones
//!   changes of the details: how many results further, JSON
//! ```

use crate::model::{CheckResult, Name, Phases, Timestamp};
use crate::tsdb::varint::{put, put_signed, take, take_signed, unzigzag, zigzag};

use super::result_row::{
    apply_details, details, phase_codes, phases_of, presence, put_bytes, status_code, status_of,
    take_byte, take_bytes,
};

const VERSION: u8 = 1;

/// Results of one chunk.
pub(super) const RESULTS_MAX: usize = 512;

/// Bytes of details in one chunk: past this it is full.
pub(super) const DETAILS_MAX: usize = 64 << 10;

/// The most that a chunk can hold unpacked: bounds what a damaged length makes us allocate. One
/// chunk takes all results of the same millisecond, so it may hold more than its share.
const UNPACKED_MAX: usize = 16 << 20;

/// The places of the phases, in the order of their columns.
const PHASES: [usize; 5] = [0, 1, 2, 3, 4];

const ZSTD_LEVEL: i32 = 3;

fn put_runs(out: &mut Vec<u8>, codes: impl Iterator<Item = u8>) {
    let mut runs: Vec<(u8, u64)> = Vec::new();
    for code in codes {
        match runs.last_mut() {
            Some((last, count)) if *last == code => *count += 1,
            _ => runs.push((code, 1)),
        }
    }
    put(out, runs.len() as u64);
    for (code, count) in runs {
        out.push(code);
        put(out, count);
    }
}

fn take_runs(rest: &mut &[u8], count: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for _ in 0..take(rest)? {
        let code = take_byte(rest)?;
        let length = usize::try_from(take(rest)?).ok()?;
        if length > count - out.len() {
            return None;
        }
        out.resize(out.len() + length, code);
    }
    (out.len() == count).then_some(out)
}

/// Small differences from the middle take one byte: 255 says that a larger one follows apart, so
/// that the bytes stay a column that compresses.
fn put_column(out: &mut Vec<u8>, codes: &[u64]) {
    let mut sorted = codes.to_vec();
    sorted.sort_unstable();
    let middle = sorted.get(sorted.len() / 2).copied().unwrap_or(0);
    put(out, middle);
    let mut large = Vec::new();
    for code in codes {
        let difference = zigzag(code.wrapping_sub(middle) as i64);
        match u8::try_from(difference) {
            Ok(byte) if byte < u8::MAX => out.push(byte),
            _ => {
                out.push(u8::MAX);
                put(&mut large, difference);
            }
        }
    }
    out.extend_from_slice(&large);
}

fn take_column(rest: &mut &[u8], count: usize) -> Option<Vec<u64>> {
    let middle = take(rest)?;
    let (bytes, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    let mut codes = Vec::with_capacity(count);
    for byte in bytes {
        let difference = if *byte == u8::MAX { take(rest)? } else { u64::from(*byte) };
        codes.push(middle.wrapping_add(unzigzag(difference) as u64));
    }
    Some(codes)
}

/// Packs results, in order of time, not empty. Which check they are of is said by the key.
pub(super) fn encode(results: &[CheckResult]) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    put(&mut plain, results.len() as u64);
    let (mut last, mut distance) = (0, 0);
    for (at, result) in results.iter().enumerate() {
        let now = result.at.millis();
        let next = now.wrapping_sub(last);
        // The first is a time, the second a distance, all others a change of that.
        put_signed(&mut plain, next.wrapping_sub(distance));
        (last, distance) = (now, if at == 0 { 0 } else { next });
    }
    put_runs(&mut plain, results.iter().map(|result| status_code(result.status)));
    let codes: Vec<[Option<u64>; 5]> =
        results.iter().map(|result| phase_codes(&result.phases)).collect();
    put_runs(&mut plain, codes.iter().map(presence));
    for phase in PHASES {
        let column: Vec<u64> = codes.iter().filter_map(|codes| codes[phase]).collect();
        put_column(&mut plain, &column);
    }
    let mut changes = Vec::new();
    let (mut known, mut since, mut count) = (Vec::new(), 0u64, 0u64);
    for result in results {
        let details = details(result);
        if details != known {
            put(&mut changes, since);
            put_bytes(&mut changes, &details);
            (known, since, count) = (details, 0, count + 1);
        }
        since += 1;
    }
    put(&mut plain, count);
    plain.extend_from_slice(&changes);
    let mut out = vec![VERSION];
    put(&mut out, plain.len() as u64);
    out.extend_from_slice(&zstd::bulk::compress(&plain, ZSTD_LEVEL)?);
    Ok(out)
}

/// The results of a chunk; none where it is damaged.
pub(super) fn decode(check: &Name, payload: &[u8]) -> Option<Vec<CheckResult>> {
    let mut packed = payload;
    if take_byte(&mut packed)? != VERSION {
        return None;
    }
    let length = usize::try_from(take(&mut packed)?).ok().filter(|n| *n <= UNPACKED_MAX)?;
    let plain = zstd::bulk::decompress(packed, length).ok()?;
    let mut rest = plain.as_slice();
    let count = usize::try_from(take(&mut rest)?).ok().filter(|n| *n <= plain.len())?;
    let mut times = Vec::with_capacity(count);
    let (mut last, mut distance) = (0i64, 0i64);
    for at in 0..count {
        let next = take_signed(&mut rest)?.wrapping_add(distance);
        last = last.wrapping_add(next);
        distance = if at == 0 { 0 } else { next };
        times.push(last);
    }
    let statuses = take_runs(&mut rest, count)?;
    let present = take_runs(&mut rest, count)?;
    let mut codes = vec![[None; 5]; count];
    for phase in PHASES {
        let has = |at: &usize| present[*at] >> phase & 1 == 1;
        let places: Vec<usize> = (0..count).filter(has).collect();
        let column = take_column(&mut rest, places.len())?;
        for (at, code) in places.into_iter().zip(column) {
            codes[at][phase] = Some(code);
        }
    }
    let mut results = Vec::with_capacity(count);
    for at in 0..count {
        results.push(CheckResult {
            check: check.clone(),
            at: Timestamp::from_millis(times[at]),
            status: status_of(statuses[at])?,
            phases: if present[at] == 0 { Phases::default() } else { phases_of(codes[at]) },
            failed_condition: None,
            error: None,
            metadata: serde_json::Map::new(),
        });
    }
    let mut changes = Vec::new();
    let mut from = 0usize;
    for _ in 0..take(&mut rest)? {
        from = from.checked_add(usize::try_from(take(&mut rest)?).ok()?)?;
        changes.push((from, take_bytes(&mut rest)?));
    }
    for (place, (from, json)) in changes.iter().enumerate() {
        let until = changes.get(place + 1).map_or(count, |(next, _)| *next);
        for result in results.get_mut(*from..until)? {
            apply_details(result, json)?;
        }
    }
    rest.is_empty().then_some(results)
}
