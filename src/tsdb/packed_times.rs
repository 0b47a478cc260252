//! A finished column of times: the change of step from sample to sample, as zig-zag varints.
//! The first time stands in the block's directory.

use super::varint;

/// Encodes rising `times` (at least one).
pub(super) fn encode(times: &[i64], out: &mut Vec<u8>) {
    let mut step = 0;
    for pair in times.windows(2) {
        let next = pair[1].wrapping_sub(pair[0]);
        varint::put_signed(out, next.wrapping_sub(step));
        step = next;
    }
}

/// Decodes `count` times that begin with `first` and must use up `bytes`.
pub(super) fn decode(bytes: &[u8], first: i64, count: usize, out: &mut Vec<i64>) -> Option<()> {
    // Each further time takes at least a byte, so a false count cannot make us allocate.
    if count == 0 || count - 1 > bytes.len() {
        return None;
    }
    out.reserve(count);
    let mut rest = bytes;
    let (mut at, mut step) = (first, 0i64);
    out.push(at);
    for _ in 1..count {
        step = step.wrapping_add(varint::take_signed(&mut rest)?);
        at = at.wrapping_add(step);
        out.push(at);
    }
    rest.is_empty().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn times_come_back(times in prop::collection::btree_set(any::<i64>(), 1..100)) {
            let times: Vec<i64> = times.into_iter().collect();
            let mut bytes = Vec::new();
            encode(&times, &mut bytes);
            let mut back = Vec::new();
            prop_assert_eq!(decode(&bytes, times[0], times.len(), &mut back), Some(()));
            prop_assert_eq!(back, times);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>, first: i64, count in 0usize..1000) {
            decode(&bytes, first, count, &mut Vec::new());
        }
    }

    #[test]
    fn a_false_count_is_refused() {
        let mut bytes = Vec::new();
        encode(&[1, 2, 3], &mut bytes);
        for count in [0, 1, 2, 4, usize::MAX] {
            assert_eq!(decode(&bytes, 1, count, &mut Vec::new()), None, "count {count}");
        }
    }
}
