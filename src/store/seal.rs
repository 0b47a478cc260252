//! The sealed form of a value: redb does not verify checksums when it reads, and salvage must
//! recognise values in a file that redb cannot open.
//!
//! ```text
//! magic 4 | version 1 | table 1 | key length 1 | 0 | stamp u64 | payload length u32 | crc u32 | key | payload
//! ```
//! Numbers are little-endian. The CRC-32 covers everything but itself.

use super::Table;

/// The first bytes of every sealed value.
pub const SEAL_MAGIC: [u8; 4] = [0xED, b'v', b'd', b't'];
/// The length of a seal without its key.
pub const SEAL_BYTES: usize = 24;

const VERSION: u8 = 1;
const CRC_AT: usize = 20;

/// A sealed value, opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sealed<'a> {
    pub(super) table: Table,
    pub(super) stamp: u64,
    pub(super) key: &'a [u8],
    pub(super) payload: &'a [u8],
}

/// The length of the sealed form.
pub(super) fn sealed_len(key: &[u8], payload_len: usize) -> usize {
    SEAL_BYTES + key.len() + payload_len
}

/// Writes the sealed form into `out`, which has exactly [`sealed_len`] bytes. Keys are at most
/// 255 bytes and payloads below 4 GiB; the callers' limits see to that.
pub(super) fn seal_into(out: &mut [u8], table: Table, key: &[u8], stamp: u64, payload: &[u8]) {
    debug_assert!(key.len() <= 255 && u32::try_from(payload.len()).is_ok());
    let (head, body) = out.split_at_mut(SEAL_BYTES);
    head[..4].copy_from_slice(&SEAL_MAGIC);
    head[4..8].copy_from_slice(&[VERSION, table.code(), key.len() as u8, 0]);
    head[8..16].copy_from_slice(&stamp.to_le_bytes());
    head[16..20].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    body[..key.len()].copy_from_slice(key);
    body[key.len()..].copy_from_slice(payload);
    let crc = checksum(&head[..CRC_AT], body);
    head[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
}

/// Opens a sealed value that starts at the beginning of `bytes`; more may follow it.
pub(super) fn unseal(bytes: &[u8]) -> Result<Sealed<'_>, &'static str> {
    let (head, rest) = bytes.split_at_checked(SEAL_BYTES).ok_or("shorter than its seal")?;
    if head[..4] != SEAL_MAGIC {
        return Err("no seal");
    }
    if head[4] != VERSION {
        return Err("a seal of an unknown version");
    }
    let table = Table::from_code(head[5]).ok_or("a seal of an unknown table")?;
    let key_len = usize::from(head[6]);
    let number = |at: usize| {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&head[at..at + 4]);
        u32::from_le_bytes(bytes)
    };
    let body_len = key_len + number(16) as usize;
    let body = rest.get(..body_len).ok_or("cut short")?;
    if checksum(&head[..CRC_AT], body) != number(CRC_AT) {
        return Err("checksum mismatch");
    }
    let stamp = u64::from(number(8)) | u64::from(number(12)) << 32;
    let (key, payload) = body.split_at(key_len);
    Ok(Sealed { table, stamp, key, payload })
}

/// The stamp and the checksum that a seal states, unchecked.
pub(super) fn stamp_and_checksum(bytes: &[u8]) -> Option<(u64, u32)> {
    let stamp = u64::from_le_bytes(bytes.get(8..16)?.try_into().ok()?);
    Some((stamp, u32::from_le_bytes(bytes.get(CRC_AT..SEAL_BYTES)?.try_into().ok()?)))
}

fn checksum(head: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(body);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(payload: &[u8]) -> Vec<u8> {
        let mut out = vec![0; sealed_len(b"key", payload.len())];
        seal_into(&mut out, Table::Blocks, b"key", 0x1_0000_0007, payload);
        out
    }

    #[test]
    fn a_seal_gives_back_what_it_holds() {
        let mut bytes = sealed(b"payload");
        bytes.extend_from_slice(b"what follows");
        let opened = unseal(&bytes).expect("intact");
        assert_eq!((opened.table, opened.stamp), (Table::Blocks, 0x1_0000_0007));
        assert_eq!((opened.key, opened.payload), (&b"key"[..], &b"payload"[..]));
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let bytes = sealed(b"payload");
        for bit in 0..bytes.len() * 8 {
            let mut broken = bytes.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert!(unseal(&broken).is_err(), "bit {bit} went unnoticed");
        }
        assert_eq!(unseal(&bytes[..bytes.len() - 1]), Err("cut short"));
    }
}
