//! Unpacks compressed bodies without ever producing more than the caller allows.

use std::io::Read;

/// The setting that caps an inflated body, named in errors.
const LIMIT: &str = "limits.inflated_bytes_max";

/// RFC 9659 caps the zstd window at 8 MiB for use as an HTTP content coding.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// One snappy element of at most three bytes (a tag and a 16-bit offset) yields at most 64 bytes,
/// so no honest block grows by more than this factor.
const SNAPPY_GROWTH_MAX: usize = 22;

/// How a body is packed: the `Content-Encoding` values that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 1950 (what HTTP calls deflate is the zlib format).
    Deflate,
    /// RFC 8878.
    Zstd,
    /// The snappy *block* format, as remote write uses it.
    Snappy,
}

impl Encoding {
    /// The encoding that a `Content-Encoding` header names. `None` for an unknown name.
    pub fn from_header(value: &str) -> Option<Self> {
        let value = value.trim();
        let names = [
            ("", Encoding::Identity),
            ("identity", Encoding::Identity),
            ("gzip", Encoding::Gzip),
            ("x-gzip", Encoding::Gzip),
            ("deflate", Encoding::Deflate),
            ("zstd", Encoding::Zstd),
            ("snappy", Encoding::Snappy),
        ];
        names.iter().find(|(name, _)| value.eq_ignore_ascii_case(name)).map(|(_, found)| *found)
    }

    /// The name in a `Content-Encoding` header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Encoding::Identity => "identity",
            Encoding::Gzip => "gzip",
            Encoding::Deflate => "deflate",
            Encoding::Zstd => "zstd",
            Encoding::Snappy => "snappy",
        }
    }
}

/// Why a body could not be unpacked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// The body would be larger than allowed.
    #[error("the body inflates to more than {max} bytes; send smaller batches or raise {LIMIT}")]
    TooLarge {
        /// The cap in bytes.
        max: usize,
    },
    /// The body is not what its encoding says.
    #[error("the body is not valid {}: {reason}", encoding.as_str())]
    Malformed {
        /// The encoding that was announced.
        encoding: Encoding,
        /// What the decompressor says.
        reason: String,
    },
}

/// Unpacks `packed` into `out`, which is overwritten and keeps its capacity. At most `max` bytes
/// are produced; on an error the content of `out` means nothing.
pub fn inflate_into(
    encoding: Encoding,
    packed: &[u8],
    max: usize,
    out: &mut Vec<u8>,
) -> Result<(), InflateError> {
    match encoding {
        Encoding::Snappy => snappy_into(packed, max, out),
        Encoding::Identity => {
            if packed.len() > max {
                return Err(InflateError::TooLarge { max });
            }
            out.clear();
            out.extend_from_slice(packed);
            Ok(())
        }
        Encoding::Gzip => {
            read_capped(encoding, flate2::read::MultiGzDecoder::new(packed), max, out)
        }
        Encoding::Deflate => {
            read_capped(encoding, flate2::read::ZlibDecoder::new(packed), max, out)
        }
        Encoding::Zstd => {
            let malformed = |error: std::io::Error| InflateError::Malformed {
                encoding,
                reason: error.to_string(),
            };
            let mut decoder =
                zstd::stream::read::Decoder::with_buffer(packed).map_err(malformed)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(malformed)?;
            read_capped(encoding, decoder, max, out)
        }
    }
}

/// Unpacks a snappy block into `out`, which is overwritten and keeps its capacity. The length
/// that the block declares is checked before anything is allocated: against `max`, and against
/// what a block of this size can hold at all.
pub fn snappy_into(packed: &[u8], max: usize, out: &mut Vec<u8>) -> Result<(), InflateError> {
    let malformed = |reason: String| InflateError::Malformed { encoding: Encoding::Snappy, reason };
    let declared = snap::raw::decompress_len(packed).map_err(|e| malformed(e.to_string()))?;
    if declared > max {
        return Err(InflateError::TooLarge { max });
    }
    if declared > packed.len().saturating_mul(SNAPPY_GROWTH_MAX) {
        return Err(malformed(format!(
            "{} bytes cannot hold the {declared} bytes that the header declares",
            packed.len()
        )));
    }
    out.resize(declared, 0);
    let written = snap::raw::Decoder::new()
        .decompress(packed, out)
        .map_err(|error| malformed(error.to_string()))?;
    out.truncate(written);
    Ok(())
}

/// Reads to the end, but one byte more than `max` is too much.
fn read_capped(
    encoding: Encoding,
    reader: impl Read,
    max: usize,
    out: &mut Vec<u8>,
) -> Result<(), InflateError> {
    out.clear();
    let mut capped = reader.take((max as u64).saturating_add(1));
    capped
        .read_to_end(out)
        .map_err(|error| InflateError::Malformed { encoding, reason: error.to_string() })?;
    if out.len() > max {
        return Err(InflateError::TooLarge { max });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    const ALL: [Encoding; 5] =
        [Encoding::Identity, Encoding::Gzip, Encoding::Deflate, Encoding::Zstd, Encoding::Snappy];

    fn pack(encoding: Encoding, plain: &[u8]) -> Vec<u8> {
        let level = flate2::Compression::fast();
        match encoding {
            Encoding::Identity => plain.to_vec(),
            Encoding::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                encoder.write_all(plain).expect("to memory");
                encoder.finish().expect("to memory")
            }
            Encoding::Deflate => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(plain).expect("to memory");
                encoder.finish().expect("to memory")
            }
            Encoding::Zstd => zstd::encode_all(plain, 1).expect("to memory"),
            Encoding::Snappy => snap::raw::Encoder::new().compress_vec(plain).expect("fits"),
        }
    }

    #[test]
    fn every_encoding_gives_back_what_was_packed() {
        let plain: Vec<u8> = (0..100_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        let mut out = b"left over from before".to_vec();
        for encoding in ALL {
            inflate_into(encoding, &pack(encoding, &plain), plain.len(), &mut out)
                .unwrap_or_else(|error| panic!("{encoding:?}: {error}"));
            assert!(out == plain, "{encoding:?} changed the bytes");
            assert_eq!(Encoding::from_header(encoding.as_str()), Some(encoding));
        }
        assert_eq!(Encoding::from_header("br"), None);
    }

    #[test]
    fn one_byte_over_the_cap_is_refused_and_the_limit_named() {
        let plain = vec![7_u8; 5000];
        let mut out = Vec::new();
        for encoding in ALL {
            let error = inflate_into(encoding, &pack(encoding, &plain), 4999, &mut out)
                .expect_err("one too many");
            assert_eq!(error, InflateError::TooLarge { max: 4999 }, "{encoding:?}");
            assert!(error.to_string().contains("limits.inflated_bytes_max"), "{error}");
        }
    }

    #[test]
    fn a_snappy_header_that_promises_the_impossible_allocates_nothing() {
        // The varint 100,000,000 and nothing behind it.
        let bomb = [0x80, 0xC2, 0xD7, 0x2F];
        let mut out = Vec::new();
        let error = snappy_into(&bomb, usize::MAX, &mut out).expect_err("impossible");
        assert!(matches!(error, InflateError::Malformed { .. }), "{error}");
        assert_eq!(out.capacity(), 0);
    }

    #[test]
    fn the_densest_snappy_block_is_still_accepted() {
        let plain = vec![0_u8; 1 << 20];
        let mut out = Vec::new();
        snappy_into(&pack(Encoding::Snappy, &plain), 1 << 20, &mut out).expect("honest");
        assert_eq!(out.len(), 1 << 20);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_exceed_the_cap(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            max in 0_usize..2000,
        ) {
            for encoding in ALL {
                let mut out = Vec::new();
                if inflate_into(encoding, &bytes, max, &mut out).is_ok() {
                    prop_assert!(out.len() <= max);
                }
            }
        }
    }
}
