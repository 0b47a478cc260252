//! Every encoding keeps to its cap.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vedette::decode::Encoding;
use vedette::decode::inflate::inflate_into;

const MAX: usize = 1 << 20;

fuzz_target!(|body: &[u8]| {
    let mut out = Vec::new();
    for encoding in ["snappy", "gzip", "deflate", "zstd", "identity"] {
        let Some(encoding) = Encoding::from_header(encoding) else { continue };
        if inflate_into(encoding, body, MAX, &mut out).is_ok() {
            assert!(out.len() <= MAX);
        }
    }
});
