//! A Bloom filter (Bloom, CACM 1970) over the traces of a block: whether a trace may be in it,
//! without reading its lines. Ten bits and seven probes a trace are wrong once in 120 times.
//!
//! ```text
//! probes u8 | bits …
//! ```
//! The probes are two hashes combined (Kirsch and Mitzenmacher, 2006).

use xxhash_rust::xxh3::xxh3_128;

use super::columns::Dictionary;

const BITS_PER_TRACE: usize = 10;
const PROBES: u8 = 7;

fn places(trace: &str, probes: u8, bits: u64) -> impl Iterator<Item = u64> {
    let hash = xxh3_128(trace.as_bytes());
    let (one, two) = (hash as u64, (hash >> 64) as u64 | 1);
    (0..u64::from(probes)).map(move |n| one.wrapping_add(n.wrapping_mul(two)) % bits)
}

/// The filter of all traces that lines are part of; none where there are none.
pub(super) fn encode(traces: &Dictionary) -> Option<Vec<u8>> {
    let named = || traces.names.iter().filter(|name| !name.is_empty());
    let count = named().count();
    if count == 0 {
        return None;
    }
    let mut out = vec![0; 1 + (count * BITS_PER_TRACE).div_ceil(8)];
    out[0] = PROBES;
    let bits = (out.len() as u64 - 1) * 8;
    for name in named() {
        for place in places(name, PROBES, bits) {
            out[1 + (place / 8) as usize] |= 1 << (place % 8);
        }
    }
    Some(out)
}

/// Whether the trace may be in the block. A damaged filter says that it may.
pub(super) fn may_have(filter: &[u8], trace: &str) -> bool {
    let Some((probes, bits)) = filter.split_first().filter(|(_, bits)| !bits.is_empty()) else {
        return true;
    };
    places(trace, *probes, bits.len() as u64 * 8)
        .all(|place| bits[(place / 8) as usize] & 1 << (place % 8) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::Columns;
    use crate::model::LogLine;

    #[test]
    fn every_trace_is_found_and_few_others_are() {
        let mut columns = Columns::default();
        for n in 0..1000 {
            let line = LogLine { trace_id: format!("trace-{n}"), ..LogLine::default() };
            columns.push(n, &line);
        }
        let filter = encode(&columns.subjects.traces).expect("has traces");
        assert!((0..1000).all(|n| may_have(&filter, &format!("trace-{n}"))));
        // (1 - e^(-7/10))^7 = 0.8 %: of 10,000 others about 82.
        let wrong = (0..10_000).filter(|n| may_have(&filter, &format!("other-{n}"))).count();
        assert!(wrong < 200, "{wrong}");
        assert_eq!(encode(&Dictionary::default()), None);
    }
}
