//! Numbers of varying length: LEB128, signed ones zig-zag.

/// Adds an unsigned number.
#[inline]
pub(crate) fn put(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Adds a signed number.
#[inline]
pub(crate) fn put_signed(out: &mut Vec<u8>, n: i64) {
    put(out, zigzag(n));
}

/// Small numbers of either sign become small unsigned ones.
#[inline]
pub(crate) const fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)) as u64
}

/// Undoes [`zigzag`].
#[inline]
pub(crate) const fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

/// How many bytes [`put`] takes for `n`.
#[inline]
pub(crate) const fn len(n: u64) -> usize {
    (70 - (n | 1).leading_zeros() as usize) / 7
}

/// Takes an unsigned number from the front; `None` where the bytes end or run too long.
#[inline]
pub(crate) fn take(rest: &mut &[u8]) -> Option<u64> {
    let (&first, tail) = rest.split_first()?;
    if first < 0x80 {
        *rest = tail;
        return Some(u64::from(first));
    }
    take_long(rest)
}

fn take_long(rest: &mut &[u8]) -> Option<u64> {
    let mut n = 0;
    for (place, &byte) in rest.iter().take(10).enumerate() {
        n |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            *rest = &rest[place + 1..];
            return (place < 9 || byte <= 1).then_some(n);
        }
    }
    None
}

/// Takes a signed number from the front.
#[inline]
pub(crate) fn take_signed(rest: &mut &[u8]) -> Option<i64> {
    take(rest).map(unzigzag)
}

/// Takes `len` bytes from the front.
#[inline]
pub(crate) fn take_bytes<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(n: u64, s: i64) {
            let mut out = Vec::new();
            put(&mut out, n);
            prop_assert_eq!(out.len(), len(n));
            put_signed(&mut out, s);
            let mut rest = out.as_slice();
            prop_assert_eq!(take(&mut rest), Some(n));
            prop_assert_eq!(take_signed(&mut rest), Some(s));
            prop_assert!(rest.is_empty());
        }
    }

    #[test]
    fn endless_and_oversized_numbers_are_refused() {
        assert_eq!(take(&mut &[0xff; 20][..]), None);
        assert_eq!(take(&mut &[0x80][..]), None);
        assert_eq!(take(&mut &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2][..]), None);
    }
}
