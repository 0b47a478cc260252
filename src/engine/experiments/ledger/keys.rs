//! Keys of the table `Units`, and the hash that stands for a unit.
//!
//! ```text
//! 0                                  → the secret that units are hashed with
//! 1 | experiment u32 | from hash u64 → a block of units with hashes from there on
//! 2 | experiment u32                 → sums, as JSON
//! 3 | part u32                       → tallies, as JSON
//! 4 | row u64                        → ids that were seen
//! 5                                  → where the last flush ended
//! 6                                  → a salvage was here, and blocks may be there twice
//! ```

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::store::{Key, KeyReader};

/// What a key begins with: never changed, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Area {
    Secret = 0,
    Blocks = 1,
    Sums = 2,
    Tallies = 3,
    Ids = 4,
    Mark = 5,
    Salvaged = 6,
}

impl Area {
    const ALL: [Area; 7] = [
        Area::Secret,
        Area::Blocks,
        Area::Sums,
        Area::Tallies,
        Area::Ids,
        Area::Mark,
        Area::Salvaged,
    ];

    pub(super) fn of(key: &[u8]) -> Option<Area> {
        Area::ALL.into_iter().find(|area| key.first() == Some(&(*area as u8)))
    }

    /// The keys of an area: from the first, until before the second.
    pub(super) fn range(self) -> (Vec<u8>, Vec<u8>) {
        (vec![self as u8], vec![self as u8 + 1])
    }
}

fn bytes(key: &Key) -> Vec<u8> {
    key.as_bytes().to_vec()
}

pub(super) fn secret() -> Vec<u8> {
    vec![Area::Secret as u8]
}

pub(super) fn mark() -> Vec<u8> {
    vec![Area::Mark as u8]
}

/// Set by a salvage.
pub(super) fn salvaged() -> Vec<u8> {
    crate::tsdb::SALVAGED_UNITS_KEY.to_vec()
}

pub(super) fn block(experiment: u32, from: u64) -> Vec<u8> {
    bytes(&Key::new().u8(Area::Blocks as u8).u32(experiment).u64(from))
}

/// A key after all blocks of an experiment.
pub(super) fn after_blocks(experiment: u32) -> Vec<u8> {
    let mut key = block(experiment, u64::MAX);
    key.push(0);
    key
}

pub(super) fn block_of(key: &[u8]) -> Option<(u32, u64)> {
    let mut reader = KeyReader::new(key);
    if reader.u8()? != Area::Blocks as u8 {
        return None;
    }
    Some((reader.u32()?, reader.u64()?))
}

pub(super) fn sums(experiment: u32) -> Vec<u8> {
    bytes(&Key::new().u8(Area::Sums as u8).u32(experiment))
}

pub(super) fn sums_of(key: &[u8]) -> Option<u32> {
    let mut reader = KeyReader::new(key);
    (reader.u8()? == Area::Sums as u8).then(|| reader.u32()).flatten()
}

pub(super) fn tallies(part: u32) -> Vec<u8> {
    bytes(&Key::new().u8(Area::Tallies as u8).u32(part))
}

pub(super) fn ids(row: u64) -> Vec<u8> {
    bytes(&Key::new().u8(Area::Ids as u8).u64(row))
}

pub(super) fn ids_of(key: &[u8]) -> Option<u64> {
    let mut reader = KeyReader::new(key);
    (reader.u8()? == Area::Ids as u8).then(|| reader.u64()).flatten()
}

/// A key of the table `Ledger`.
pub(super) fn journal(sequence: u64) -> Vec<u8> {
    bytes(&Key::new().u64(sequence))
}

pub(super) fn sequence_of(key: &[u8]) -> Option<u64> {
    KeyReader::new(key).u64()
}

/// What an id is of: the same text means different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Scope {
    /// A unit of an experiment.
    Unit = 1,
    /// A result's id, within its experiment.
    Result = 2,
    /// An outcome's id.
    Outcome = 3,
    /// The key of a request with results.
    ResultsRequest = 4,
    /// The key of a request with outcomes.
    OutcomesRequest = 5,
}

/// Hashes units and ids with the database's own secret (HMAC-SHA-256, RFC 2104, its first 64
/// bits), so that the file has none of them in clear and nobody can look for one without the
/// file. Two of a million units have the same with a chance of 3 in 10⁸.
#[derive(Clone)]
pub(super) struct Hasher(Hmac<Sha256>);

/// Bytes of the secret.
pub(super) const SECRET_BYTES: usize = 32;

impl Hasher {
    /// Goes by a secret.
    pub(super) fn new(secret: &[u8; SECRET_BYTES]) -> Option<Hasher> {
        Hmac::new_from_slice(secret).ok().map(Hasher)
    }

    /// The hash of a text; `experiment` is 0 where it is of none.
    pub(super) fn hash(&self, scope: Scope, experiment: u32, text: &str) -> u64 {
        let mut mac = self.0.clone();
        mac.update(&[scope as u8]);
        mac.update(&experiment.to_be_bytes());
        mac.update(text.as_bytes());
        let digest = mac.finalize().into_bytes();
        digest.first_chunk::<8>().map_or(0, |head| u64::from_be_bytes(*head))
    }
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hasher")
    }
}
