//! Records that people define: small, few, versioned, encoded by bincode 1.3.3.
//!
//! ```text
//! kind u8 | version u8 | bincode, fixed-size little-endian integers
//! ```
//! bincode 1.3.3 is complete and unmaintained; it lives only here, so that it can be replaced by
//! a byte-identical successor in one place.

use bincode::Options;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;

/// What kind of record it is. The number is part of the format: never changed, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RecordKind {
    /// An access token.
    Token = 1,
    /// The type, unit and help of a metric family.
    Metadata = 2,
    /// What a segment of blocks covers.
    Segment = 3,
    /// A document of the watch (see `documents.rs`).
    Document = 4,
}

/// The largest record, in bytes.
const RECORD_BYTES_MAX: u64 = 1 << 20;

fn options() -> impl Options {
    bincode::DefaultOptions::new()
        .with_fixint_encoding()
        .with_little_endian()
        .with_limit(RECORD_BYTES_MAX)
        .reject_trailing_bytes()
}

/// Encodes a record of a version of its kind's layout.
pub fn encode_record<T: Serialize>(
    kind: RecordKind,
    version: u8,
    record: &T,
) -> Result<Vec<u8>, StoreError> {
    let mut out = vec![kind as u8, version];
    options()
        .serialize_into(&mut out, record)
        .map_err(|e| StoreError::Encode(format!("a record: {e}")))?;
    Ok(out)
}

/// Decodes a record that must be of this kind and version.
pub fn decode_record<T: DeserializeOwned>(
    kind: RecordKind,
    version: u8,
    bytes: &[u8],
) -> Result<T, StoreError> {
    let damaged = |reason: String| StoreError::Damaged { table: "records", reason };
    match bytes {
        [k, v, body @ ..] if (*k, *v) == (kind as u8, version) => {
            options().deserialize(body).map_err(|e| damaged(format!("{kind:?}: {e}")))
        }
        [k, v, ..] => {
            Err(damaged(format!("expected {kind:?} version {version}, found kind {k} version {v}")))
        }
        _ => Err(damaged("shorter than its header".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fixed by hand from bincode's specification: u64 length, bytes, u32 variant index.
    #[test]
    fn the_encoding_is_the_one_that_old_files_have() {
        let bytes = encode_record(RecordKind::Token, 1, &("ab", 7u32)).expect("encodes");
        assert_eq!(bytes, [1, 1, 2, 0, 0, 0, 0, 0, 0, 0, b'a', b'b', 7, 0, 0, 0]);
        let back: (String, u32) = decode_record(RecordKind::Token, 1, &bytes).expect("decodes");
        assert_eq!(back, ("ab".to_owned(), 7));
    }

    #[test]
    fn a_declared_length_beyond_the_data_is_an_error_and_allocates_nothing() {
        let bytes = [1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert!(decode_record::<String>(RecordKind::Token, 1, &bytes).is_err());
        assert!(decode_record::<String>(RecordKind::Token, 2, &bytes).is_err());
        assert!(decode_record::<String>(RecordKind::Token, 1, &[]).is_err());
    }
}
