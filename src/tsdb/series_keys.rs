//! From the bytes of a label set on the wire to its series, without decoding them: looking a
//! label set up costs more than everything else that happens to a sample.

use hashbrown::HashTable;
use roaring::RoaringBitmap;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// Stands for a label set in one wire form: 96 bits of a hash that is seeded afresh at every
/// start. At a million series two sets collide with a probability below 10⁻¹⁷.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesKey {
    high: u64,
    low: u32,
}

/// Hashes label sets to keys.
#[derive(Clone, Copy, Debug)]
pub struct SeriesHasher {
    seed: u64,
}

impl SeriesHasher {
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed)?;
        Ok(SeriesHasher { seed: u64::from_le_bytes(seed) })
    }

    /// The key of a label set from its bytes. `form` tells wire forms apart, so that equal bytes
    /// of two forms cannot be mistaken for each other.
    #[inline]
    pub fn key(self, form: u8, bytes: &[u8]) -> SeriesKey {
        let hash = xxh3_128_with_seed(bytes, self.seed ^ u64::from(form));
        SeriesKey { high: (hash >> 64) as u64, low: hash as u32 }
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    high: u64,
    low: u32,
    id: u32,
}

/// The keys that were seen.
#[derive(Debug, Default)]
pub(super) struct SeriesKeys {
    entries: HashTable<Entry>,
}

impl SeriesKeys {
    /// The series of a key.
    #[inline]
    pub(super) fn get(&self, key: SeriesKey) -> Option<u32> {
        let same = |entry: &Entry| entry.high == key.high && entry.low == key.low;
        self.entries.find(key.high, same).map(|entry| entry.id)
    }

    /// Remembers the series of a key.
    pub(super) fn insert(&mut self, key: SeriesKey, id: u32) {
        if self.get(key).is_none() {
            let entry = Entry { high: key.high, low: key.low, id };
            self.entries.insert_unique(key.high, entry, |entry| entry.high);
        }
    }

    /// Forgets series.
    pub(super) fn remove(&mut self, gone: &RoaringBitmap) {
        self.entries.retain(|entry| !gone.contains(entry.id));
    }

    /// How many keys are remembered.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Forgets everything; the next writes look their series up again.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }
}
