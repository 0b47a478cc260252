//! Reads sealed values out of a file that redb cannot open.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::seal::{SEAL_BYTES, unseal};
use super::{Progress, SEAL_MAGIC, StoreError, Table};

/// What was found in a damaged file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SalvageReport {
    /// Values found intact, old versions included.
    pub intact: u64,
    /// Places that look like a value and fail their check.
    pub damaged: u64,
}

/// An intact value that was found. A file keeps old versions of values until their pages are
/// reused: the greatest stamp of a key is the newest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salvaged {
    /// The transaction that wrote it.
    pub stamp: u64,
    /// What was put in.
    pub payload: Vec<u8>,
}

/// A window of the file that is searched at once. Must be larger than any value.
const WINDOW_BYTES: usize = 16 << 20;
/// The largest value that is looked for.
const VALUE_BYTES_MAX: usize = 8 << 20;

/// Searches the file at `path` for intact values and gives each to `found` (which keeps the
/// newest, see [`newest`]).
pub fn salvage(
    path: &Path,
    progress: &Progress<'_>,
    found: &mut dyn FnMut(Table, &[u8], Salvaged),
) -> Result<SalvageReport, StoreError> {
    let fail = |e: &std::io::Error| StoreError::file(path, e);
    let file = File::open(path).map_err(|e| fail(&e))?;
    let len = file.metadata().map_err(|e| fail(&e))?.len();
    let finder = memchr::memmem::Finder::new(&SEAL_MAGIC);
    let mut report = SalvageReport::default();
    let mut window = vec![0; WINDOW_BYTES];
    let mut start = 0u64;
    while start < len {
        let wanted = usize::try_from(len - start).unwrap_or(WINDOW_BYTES).min(WINDOW_BYTES);
        file.read_exact_at(&mut window[..wanted], start).map_err(|e| fail(&e))?;
        let bytes = &window[..wanted];
        let last = start + wanted as u64 == len;
        // Values that begin near the end of the window are left to the next one.
        let searched = if last { wanted } else { wanted - VALUE_BYTES_MAX };
        let mut at = 0;
        while let Some(hit) = finder.find(&bytes[at..]).map(|hit| at + hit) {
            if hit >= searched {
                break;
            }
            match unseal(&bytes[hit..]) {
                Ok(sealed) => {
                    report.intact += 1;
                    let value = Salvaged { stamp: sealed.stamp, payload: sealed.payload.to_vec() };
                    found(sealed.table, sealed.key, value);
                    at = hit + SEAL_BYTES + sealed.key.len() + sealed.payload.len();
                }
                Err(_) => {
                    report.damaged += 1;
                    at = hit + 1;
                }
            }
        }
        start += searched as u64;
        progress((start as f64 / len as f64).min(1.0));
    }
    Ok(report)
}

/// Keeps `value` if it is the newest of its key.
pub fn newest(kept: &mut BTreeMap<Vec<u8>, Salvaged>, key: &[u8], value: Salvaged) {
    match kept.get(key) {
        Some(known) if known.stamp >= value.stamp => {}
        _ => {
            kept.insert(key.to_vec(), value);
        }
    }
}
