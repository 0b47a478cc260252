//! The newest samples, in memory. A head lives for one generation: it takes samples while it is
//! the newest, is then frozen, and goes when its samples are in blocks.

use std::sync::{Arc, PoisonError, RwLock};

use super::open_chunk;
use crate::promql::Samples;

/// Samples of one series in the order of their arrival.
#[derive(Debug, Default)]
struct OpenChunk {
    bytes: Vec<u8>,
    samples: u32,
}

#[derive(Debug, Default)]
struct Chunks {
    /// Where the chunk of each series is, by series id.
    slots: Vec<u32>,
    chunks: Vec<OpenChunk>,
    /// The series of each chunk.
    series: Vec<u32>,
    samples: u64,
    from_ms: i64,
    until_ms: i64,
}

const NO_SLOT: u32 = u32::MAX;

/// The samples of one generation.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) generation: u32,
    chunks: RwLock<Chunks>,
}

/// A piece of a group that became durable: the encoded sample of a series.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) series: u32,
    pub(super) at: i64,
    /// Where its bytes end; they begin `len` before.
    pub(super) end: u32,
    pub(super) len: u32,
}

impl Head {
    pub(super) fn new(generation: u32) -> Self {
        let chunks = Chunks { from_ms: i64::MAX, until_ms: i64::MIN, ..Chunks::default() };
        Head { generation, chunks: RwLock::new(chunks) }
    }

    /// Adds samples that are durable.
    pub(super) fn append(&self, bytes: &[u8], spans: &[Span]) {
        let mut chunks = self.chunks.write().unwrap_or_else(PoisonError::into_inner);
        for span in spans {
            let end = span.end as usize;
            chunks.append(span.series, span.at, &bytes[end - span.len as usize..end]);
        }
    }

    /// How many samples there are.
    pub(super) fn samples(&self) -> u64 {
        self.read().samples
    }

    /// The earliest and the latest time; `None` while there is no sample.
    pub(super) fn bounds(&self) -> Option<(i64, i64)> {
        let chunks = self.read();
        (chunks.samples > 0).then_some((chunks.from_ms, chunks.until_ms))
    }

    /// The ids of the series that have samples, sorted.
    pub(super) fn series(&self) -> Vec<u32> {
        let mut series = self.read().series.clone();
        series.sort_unstable();
        series
    }

    /// Copies the encoded samples of a series into `bytes`, in place of what was there; how many
    /// samples they are.
    pub(super) fn copy(&self, series: u32, bytes: &mut Vec<u8>) -> u32 {
        bytes.clear();
        let chunks = self.read();
        match chunks.slots.get(series as usize) {
            Some(slot) if *slot != NO_SLOT => {
                let chunk = &chunks.chunks[*slot as usize];
                bytes.extend_from_slice(&chunk.bytes);
                chunk.samples
            }
            _ => 0,
        }
    }

    /// The samples of a series by rising time, the later arrival winning where two have the same
    /// time, in place of what is in `out`. `scratch` is only for reuse.
    pub(super) fn read_series(&self, series: u32, scratch: &mut Vec<u8>, out: &mut Samples) {
        out.clear();
        if self.copy(series, scratch) > 0 {
            // Only what `open_chunk::push` wrote gets here.
            open_chunk::decode(scratch, out);
            put_in_order(out);
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Chunks> {
        self.chunks.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Chunks {
    #[inline]
    fn append(&mut self, series: u32, at: i64, sample: &[u8]) {
        let place = series as usize;
        if place >= self.slots.len() {
            self.slots.resize(place + 1, NO_SLOT);
        }
        let mut slot = self.slots[place];
        if slot == NO_SLOT {
            slot = self.chunks.len() as u32;
            self.slots[place] = slot;
            self.chunks.push(OpenChunk::default());
            self.series.push(series);
        }
        let chunk = &mut self.chunks[slot as usize];
        let needed = chunk.bytes.len() + sample.len();
        if needed > chunk.bytes.capacity() {
            // Doubling would waste half of the memory of a million small chunks.
            let more = (chunk.bytes.len() / 4).max(40).max(sample.len());
            chunk.bytes.reserve_exact(more);
        }
        chunk.bytes.extend_from_slice(sample);
        chunk.samples += 1;
        self.samples += 1;
        self.from_ms = self.from_ms.min(at);
        self.until_ms = self.until_ms.max(at);
    }
}

/// Sorts samples by time; of several at one time the last stays.
pub(super) fn put_in_order(samples: &mut Samples) {
    if samples.times.windows(2).all(|pair| pair[0] < pair[1]) {
        return;
    }
    let mut order: Vec<u32> = (0..samples.times.len() as u32).collect();
    // Stable: equal times stay in the order of arrival.
    order.sort_by_key(|place| samples.times[*place as usize]);
    let mut sorted = Samples::default();
    for place in order {
        let place = place as usize;
        let (at, value) = (samples.times[place], samples.values[place]);
        let is_again = sorted.times.last() == Some(&at);
        if samples.histograms.is_empty() {
            if is_again {
                sorted.values.pop();
                sorted.values.push(value);
            } else {
                sorted.push(at, value);
            }
            continue;
        }
        if is_again {
            sorted.truncate(sorted.len() - 1);
        }
        match samples.histogram(place) {
            None => sorted.push(at, value),
            Some(histogram) => sorted.push_histogram(at, Arc::clone(histogram)),
        }
    }
    *samples = sorted;
}

/// The heads that readers look at.
#[derive(Clone, Debug)]
pub(super) struct Heads {
    /// Those on their way into blocks, oldest first.
    pub(super) frozen: Vec<Arc<Head>>,
    /// The one that takes samples.
    pub(super) active: Arc<Head>,
}

impl Heads {
    /// All, oldest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Head>> {
        self.frozen.iter().chain([&self.active])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_arrival_wins_a_time() {
        let mut samples = Samples {
            times: vec![10, 30, 20, 10, 30],
            values: vec![1.0, 2.0, 3.0, 4.0, 5.0],
            histograms: Vec::new(),
        };
        put_in_order(&mut samples);
        assert_eq!(samples.times, [10, 20, 30]);
        assert_eq!(samples.values, [4.0, 3.0, 5.0]);
    }
}
