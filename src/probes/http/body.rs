//! The body of an answer, as much of it as is kept.

use std::io::Read;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::probes::wire::causes;

/// So many bytes of a body are read, and as many are kept of it unpacked.
pub(in crate::probes) const BODY_BYTES_MAX: usize = 1 << 20;

/// What was read of a body.
pub(super) struct Body {
    /// Unpacked.
    pub(super) bytes: Vec<u8>,
    /// As it came.
    pub(super) received: usize,
    /// Whether there is more than is kept.
    pub(super) cut: bool,
}

/// Reads to the end or the bound.
pub(super) async fn read(mut incoming: Incoming, encoding: Option<&str>) -> Result<Body, String> {
    let mut bytes = Vec::new();
    let mut cut = false;
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| causes(&error))?;
        let Some(data) = frame.data_ref() else { continue };
        let room = BODY_BYTES_MAX - bytes.len();
        bytes.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            cut = true;
            break;
        }
    }
    let received = bytes.len();
    let unpacked = match encoding.map(str::to_ascii_lowercase).as_deref() {
        Some("gzip" | "x-gzip") => Some(unpack(flate2::read::MultiGzDecoder::new(&*bytes), cut)),
        // `deflate` is zlib's form (RFC 9110, section 8.4.1.2).
        Some("deflate") => Some(unpack(flate2::read::ZlibDecoder::new(&*bytes), cut)),
        Some("zstd") => match zstd::stream::read::Decoder::new(&*bytes) {
            Ok(decoder) => Some(unpack(decoder, cut)),
            Err(error) => Some(Err(error.to_string())),
        },
        _ => None,
    };
    match unpacked {
        None => Ok(Body { bytes, received, cut }),
        Some(Ok((bytes, more))) => Ok(Body { bytes, received, cut: cut || more }),
        Some(Err(error)) => {
            Err(format!("it says that it is {}, and is not: {error}", encoding.unwrap_or_default()))
        }
    }
}

/// Unpacks up to the bound; whether there is more. Of a body that was cut, the end is missing.
fn unpack(mut from: impl Read, cut: bool) -> Result<(Vec<u8>, bool), String> {
    let mut bytes = Vec::new();
    let mut piece = vec![0; 16 << 10];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok((bytes, false)),
            Ok(count) => {
                let room = BODY_BYTES_MAX - bytes.len();
                bytes.extend_from_slice(&piece[..count.min(room)]);
                if count > room {
                    return Ok((bytes, true));
                }
            }
            Err(_) if cut => return Ok((bytes, true)),
            Err(error) => return Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_bomb_is_unpacked_up_to_the_bound() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(&vec![b'a'; 3 * BODY_BYTES_MAX]).expect("packs");
        let packed = packed.finish().expect("packs");
        assert!(packed.len() < BODY_BYTES_MAX / 100);
        let decoder = || flate2::read::MultiGzDecoder::new(&*packed);
        let (bytes, more) = unpack(decoder(), false).expect("good");
        assert_eq!((bytes.len(), more), (BODY_BYTES_MAX, true));
        let half = flate2::read::MultiGzDecoder::new(&packed[..200]);
        assert!(unpack(half, false).is_err());
    }
}
