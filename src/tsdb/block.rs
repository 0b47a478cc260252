//! A block: packed samples of some neighbouring series, compressed together.
//!
//! ```text
//! header   version u8 | level u8 | window start i64 | priority u64 | chunks u32 | unpacked bytes u32
//! zstd of
//!   directory, per chunk: series (difference) | count | first time (difference, zig-zag) | last − first
//!                         | bytes of times, 0: as the chunk before | mode u8 | bytes of values
//!                         | with `WITH_HISTOGRAMS` in the mode: bytes of histograms
//!   times of all chunks | values of all chunks | histograms of all chunks
//! ```
//! Directory numbers are varints. Blocks without histograms are of version 1, with any of version 2.
//! Among the values a mark stands for each histogram; the histograms are those of the marks. The header repeats what the segment says, so that salvage can
//! rebuild the segments from blocks alone.

use std::sync::Arc;

use super::packed_values::ValueEncoder;
use super::segment::Origin;
use super::{packed_histograms, packed_times, packed_values, varint};
use crate::model::{HISTOGRAM_NAN, Histogram, is_histogram_mark};
use crate::promql::Samples;

/// The most samples in a chunk: beyond it size gains nothing and short reads cost more.
pub(super) const CHUNK_SAMPLES_MAX: usize = 480;
/// A packed block with its seal, key and redb's own leaf header fits one 32 KiB page.
pub(super) const BLOCK_BYTES_MAX: usize = 32_640;
/// The most chunks in a block.
const BLOCK_CHUNKS_MAX: usize = 1024;
/// The most unpacked bytes in a block; also what a reader is ready to allocate.
const UNPACKED_BYTES_MAX: usize = 1 << 20;
const HEADER_BYTES: usize = 26;
const VERSION: u8 = 1;
/// The version of blocks in which chunks may have histograms.
const VERSION_HISTOGRAMS: u8 = 2;
/// In a chunk's mode: the length of its histograms follows.
const WITH_HISTOGRAMS: u8 = 0x80;
/// A chunk ends where its histograms have so many buckets together, to stay well below a block.
const CHUNK_BUCKETS_MAX: usize = 32 * 1024;
/// zstd's fastest regular level: higher ones cost several times the CPU for a few percent.
const ZSTD_LEVEL: i32 = 1;

/// A finished block, ready to be stored.
#[derive(Debug)]
pub(super) struct PackedBlock {
    pub(super) first_series: u32,
    pub(super) samples: u64,
    pub(super) payload: Vec<u8>,
}

struct Chunk {
    series: u32,
    count: u32,
    first: i64,
    last: i64,
    times: Vec<u8>,
    mode: u8,
    values: Vec<u8>,
    histograms: Vec<u8>,
}

impl Chunk {
    /// About as many bytes as it takes unpacked.
    fn bytes(&self) -> usize {
        self.times.len() + self.values.len() + self.histograms.len() + 8
    }
}

/// Samples of a series as columns. Times rise strictly.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns<'a> {
    times: &'a [i64],
    values: &'a [f64],
    /// Empty, or as long as the others.
    histograms: &'a [Option<Arc<Histogram>>],
}

impl<'a> Columns<'a> {
    /// Numbers alone.
    pub(super) fn floats(times: &'a [i64], values: &'a [f64]) -> Self {
        Columns { times, values, histograms: &[] }
    }

    /// The samples from `from` up to, not including, `until`.
    pub(super) fn of(samples: &'a Samples, from: usize, until: usize) -> Self {
        Columns {
            times: &samples.times[from..until],
            values: &samples.values[from..until],
            histograms: samples.histograms.get(from..until).unwrap_or_default(),
        }
    }

    /// The first and the last time; `None` where there is no sample.
    pub(super) fn bounds(&self) -> Option<(i64, i64)> {
        self.times.first().copied().zip(self.times.last().copied())
    }

    /// Cuts off what goes into one chunk.
    fn chunk(self) -> (Self, Self) {
        let mut count = self.times.len().min(CHUNK_SAMPLES_MAX);
        let mut buckets = 0;
        for (place, histogram) in self.histograms.iter().take(count).enumerate() {
            buckets +=
                histogram.as_ref().map_or(0, |h| h.positive.counts.len() + h.negative.counts.len());
            if buckets > CHUNK_BUCKETS_MAX && place > 0 {
                count = place;
                break;
            }
        }
        let part = |from: usize, until: usize| Columns {
            times: &self.times[from..until],
            values: &self.values[from..until],
            histograms: self.histograms.get(from..until).unwrap_or_default(),
        };
        (part(0, count), part(count, self.times.len()))
    }
}

/// Packs chunks, given in the order of series and time, into blocks of about a page.
pub(super) struct BlockPacker {
    origin: Origin,
    values: ValueEncoder,
    compressor: zstd::bulk::Compressor<'static>,
    pending: Vec<Chunk>,
    pending_bytes: usize,
    /// Unpacked bytes that are expected to fill a block, from the blocks before.
    target_bytes: usize,
}

impl BlockPacker {
    pub(super) fn new(origin: Origin) -> std::io::Result<Self> {
        Ok(BlockPacker {
            origin,
            values: ValueEncoder::default(),
            compressor: zstd::bulk::Compressor::new(ZSTD_LEVEL)?,
            pending: Vec::new(),
            pending_bytes: 0,
            target_bytes: 2 * BLOCK_BYTES_MAX,
        })
    }

    /// Adds samples of a series. Finished blocks go to `out`.
    pub(super) fn push(
        &mut self,
        series: u32,
        samples: Columns<'_>,
        out: &mut Vec<PackedBlock>,
    ) -> std::io::Result<()> {
        let mut rest = samples;
        while let Some((first, _)) = rest.bounds() {
            let (part, after) = rest.chunk();
            rest = after;
            let mut chunk = Chunk {
                series,
                count: part.times.len() as u32,
                first,
                last: part.bounds().map_or(first, |(_, last)| last),
                times: Vec::new(),
                mode: 0,
                values: Vec::new(),
                histograms: Vec::new(),
            };
            packed_times::encode(part.times, &mut chunk.times);
            if part.histograms.iter().any(Option::is_some) {
                self.encode_histograms(part, &mut chunk);
            } else {
                chunk.mode = self.values.encode(part.values, &mut chunk.values);
            }
            self.pending_bytes += chunk.bytes();
            self.pending.push(chunk);
            if self.pending_bytes >= self.target_bytes || self.pending.len() >= BLOCK_CHUNKS_MAX {
                self.pack(out)?;
            }
        }
        Ok(())
    }

    /// Encodes values among which there are histograms.
    fn encode_histograms(&mut self, part: Columns<'_>, chunk: &mut Chunk) {
        // A mark stands exactly where a histogram is, whatever the values say.
        let marked = |(value, histogram): (&f64, &Option<Arc<Histogram>>)| match histogram {
            Some(_) => f64::from_bits(HISTOGRAM_NAN),
            None if is_histogram_mark(*value) => f64::NAN,
            None => *value,
        };
        let values: Vec<f64> = part.values.iter().zip(part.histograms).map(marked).collect();
        chunk.mode = self.values.encode(&values, &mut chunk.values) | WITH_HISTOGRAMS;
        let histograms: Vec<Arc<Histogram>> = part.histograms.iter().flatten().cloned().collect();
        packed_histograms::encode(&mut self.values, &histograms, &mut chunk.histograms);
    }

    /// Packs what is left.
    pub(super) fn finish(&mut self, out: &mut Vec<PackedBlock>) -> std::io::Result<()> {
        while !self.pending.is_empty() {
            self.pack(out)?;
        }
        Ok(())
    }

    /// Packs as many of the pending chunks as fit a block.
    fn pack(&mut self, out: &mut Vec<PackedBlock>) -> std::io::Result<()> {
        let mut take = self.pending.len();
        loop {
            let unpacked = unpacked(&self.pending[..take]);
            let packed = self.compressor.compress(&unpacked)?;
            let size = HEADER_BYTES + packed.len();
            if size > BLOCK_BYTES_MAX && take > 1 {
                let fitting = take * BLOCK_BYTES_MAX / size * 15 / 16;
                take = fitting.clamp(1, take - 1);
                continue;
            }
            // Aim a little below the page, by the ratio that this block had.
            let chunks: Vec<Chunk> = self.pending.drain(..take).collect();
            let taken: usize = chunks.iter().map(Chunk::bytes).sum();
            self.pending_bytes -= taken;
            self.target_bytes = (taken * (BLOCK_BYTES_MAX * 31 / 32) / size)
                .clamp(BLOCK_BYTES_MAX / 2, UNPACKED_BYTES_MAX / 2);
            out.push(self.seal(&chunks, &packed, unpacked.len()));
            return Ok(());
        }
    }

    fn seal(&self, chunks: &[Chunk], packed: &[u8], unpacked_len: usize) -> PackedBlock {
        let mut payload = Vec::with_capacity(HEADER_BYTES + packed.len());
        let has_histograms = chunks.iter().any(|chunk| chunk.mode & WITH_HISTOGRAMS != 0);
        let version = if has_histograms { VERSION_HISTOGRAMS } else { VERSION };
        payload.extend_from_slice(&[version, self.origin.level.code()]);
        payload.extend_from_slice(&self.origin.window_start.to_le_bytes());
        payload.extend_from_slice(&self.origin.priority.to_le_bytes());
        payload.extend_from_slice(&(chunks.len() as u32).to_le_bytes());
        payload.extend_from_slice(&(unpacked_len as u32).to_le_bytes());
        payload.extend_from_slice(packed);
        PackedBlock {
            first_series: chunks.first().map_or(0, |c| c.series),
            samples: chunks.iter().map(|c| u64::from(c.count)).sum(),
            payload,
        }
    }
}

fn unpacked(chunks: &[Chunk]) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut series, mut first) = (0, 0i64);
    let mut last_times: Option<&[u8]> = None;
    let repeats: Vec<bool> = chunks
        .iter()
        .enumerate()
        .map(|(place, chunk)| {
            // A chunk of one sample has no bytes of times anyway.
            let same = place > 0
                && last_times == Some(&chunk.times[..])
                && chunks[place - 1].count == chunk.count
                && chunks[place - 1].first == chunk.first;
            last_times = Some(&chunk.times);
            same
        })
        .collect();
    for (chunk, repeats) in chunks.iter().zip(&repeats) {
        varint::put(&mut out, u64::from(chunk.series - series));
        varint::put(&mut out, u64::from(chunk.count));
        varint::put_signed(&mut out, chunk.first.wrapping_sub(first));
        varint::put(&mut out, chunk.last.wrapping_sub(chunk.first) as u64);
        varint::put(&mut out, if *repeats { 0 } else { chunk.times.len() as u64 });
        out.push(chunk.mode);
        varint::put(&mut out, chunk.values.len() as u64);
        if chunk.mode & WITH_HISTOGRAMS != 0 {
            varint::put(&mut out, chunk.histograms.len() as u64);
        }
        (series, first) = (chunk.series, chunk.first);
    }
    for (chunk, _) in chunks.iter().zip(&repeats).filter(|(_, repeats)| !**repeats) {
        out.extend_from_slice(&chunk.times);
    }
    for chunk in chunks {
        out.extend_from_slice(&chunk.values);
    }
    for chunk in chunks {
        out.extend_from_slice(&chunk.histograms);
    }
    out
}

/// What a block says about one of its chunks.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChunkEntry {
    pub(super) series: u32,
    pub(super) count: u32,
    pub(super) first: i64,
    pub(super) last: i64,
    mode: u8,
    times: (u32, u32),
    values: (u32, u32),
    histograms: (u32, u32),
}

/// Unpacks blocks: the state of zstd, which is worth keeping from block to block.
pub(super) struct Unpacker(zstd::bulk::Decompressor<'static>);

impl Unpacker {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Unpacker(zstd::bulk::Decompressor::new()?))
    }
}

/// A block that was unpacked.
#[derive(Debug, Default)]
pub(super) struct OpenBlock {
    unpacked: Vec<u8>,
    pub(super) chunks: Vec<ChunkEntry>,
}

/// Reads the origin that a block's header states.
pub(super) fn origin(payload: &[u8]) -> Option<Origin> {
    let header = payload.get(..HEADER_BYTES)?;
    (VERSION..=VERSION_HISTOGRAMS).contains(&header[0]).then_some(())?;
    Some(Origin {
        level: super::segment::Level::from_code(header[1])?,
        window_start: i64::from_le_bytes(header[2..10].try_into().ok()?),
        priority: u64::from_le_bytes(header[10..18].try_into().ok()?),
    })
}

impl OpenBlock {
    /// Unpacks `payload` in place of what was here. The error says what is wrong.
    pub(super) fn open(
        &mut self,
        unpacker: &mut Unpacker,
        payload: &[u8],
    ) -> Result<(), &'static str> {
        self.chunks.clear();
        let header = payload.get(..HEADER_BYTES).ok_or("shorter than its header")?;
        if !(VERSION..=VERSION_HISTOGRAMS).contains(&header[0]) {
            return Err("an unknown version of block; a newer vedette wrote it");
        }
        let number = |at: usize| {
            let mut bytes = [0; 4];
            bytes.copy_from_slice(&header[at..at + 4]);
            u32::from_le_bytes(bytes) as usize
        };
        let (count, unpacked_len) = (number(18), number(22));
        if unpacked_len > UNPACKED_BYTES_MAX * 2 || count > BLOCK_CHUNKS_MAX {
            return Err("larger than any block");
        }
        self.unpacked.clear();
        self.unpacked.resize(unpacked_len, 0);
        let packed = &payload[HEADER_BYTES..];
        let written = unpacker.0.decompress_to_buffer(packed, self.unpacked.as_mut_slice());
        if written.map_err(|_| "cannot be decompressed")? != unpacked_len {
            return Err("of another length than stated");
        }
        self.read_directory(count).ok_or("a directory that does not add up")
    }

    fn read_directory(&mut self, count: usize) -> Option<()> {
        let mut rest = self.unpacked.as_slice();
        let (mut series, mut first) = (0u32, 0i64);
        let (mut times_at, mut values_at, mut histograms_at) = (0u32, 0u32, 0u32);
        for _ in 0..count {
            series = series.checked_add(u32::try_from(varint::take(&mut rest)?).ok()?)?;
            let samples = u32::try_from(varint::take(&mut rest)?).ok()?;
            (1..=CHUNK_SAMPLES_MAX as u32).contains(&samples).then_some(())?;
            first = first.wrapping_add(varint::take_signed(&mut rest)?);
            let last = first.wrapping_add(varint::take(&mut rest)? as i64);
            let times_len = u32::try_from(varint::take(&mut rest)?).ok()?;
            let mode = *varint::take_bytes(&mut rest, 1)?.first()?;
            let values_len = u32::try_from(varint::take(&mut rest)?).ok()?;
            let histograms_len = match mode & WITH_HISTOGRAMS {
                0 => 0,
                _ => u32::try_from(varint::take(&mut rest)?).ok()?,
            };
            let times = match self.chunks.last() {
                Some(before) if times_len == 0 && samples > 1 => before.times,
                _ => (times_at, times_at.checked_add(times_len)?),
            };
            times_at = times_at.checked_add(times_len)?;
            let values = (values_at, values_at.checked_add(values_len)?);
            values_at = values.1;
            let histograms = (histograms_at, histograms_at.checked_add(histograms_len)?);
            histograms_at = histograms.1;
            self.chunks.push(ChunkEntry {
                series,
                count: samples,
                first,
                last,
                mode,
                times,
                values,
                histograms,
            });
        }
        let directory = u32::try_from(self.unpacked.len() - rest.len()).ok()?;
        for chunk in &mut self.chunks {
            chunk.times.0 = chunk.times.0.checked_add(directory)?;
            chunk.times.1 = chunk.times.1.checked_add(directory)?;
            let values = directory.checked_add(times_at)?;
            chunk.values =
                (chunk.values.0.checked_add(values)?, chunk.values.1.checked_add(values)?);
            let histograms = values.checked_add(values_at)?;
            chunk.histograms = (
                chunk.histograms.0.checked_add(histograms)?,
                chunk.histograms.1.checked_add(histograms)?,
            );
        }
        let end =
            directory.checked_add(times_at)?.checked_add(values_at)?.checked_add(histograms_at)?;
        (end as usize == self.unpacked.len()).then_some(())
    }

    /// Decodes one of `chunks` to the end of `out`.
    pub(super) fn decode(&self, chunk: &ChunkEntry, out: &mut Samples) -> Result<(), &'static str> {
        let bytes = |(from, until): (u32, u32)| self.unpacked.get(from as usize..until as usize);
        let count = chunk.count as usize;
        let mode = chunk.mode & !WITH_HISTOGRAMS;
        let decoded = bytes(chunk.times)
            .and_then(|times| packed_times::decode(times, chunk.first, count, &mut out.times))
            .and_then(|()| bytes(chunk.values))
            .and_then(|values| packed_values::decode(mode, values, count, &mut out.values))
            .and_then(|()| match chunk.mode & WITH_HISTOGRAMS {
                0 => {
                    if !out.histograms.is_empty() {
                        out.histograms.resize(out.times.len(), None);
                    }
                    Some(())
                }
                _ => place_histograms(bytes(chunk.histograms)?, count, out),
            });
        decoded.ok_or("a chunk that cannot be decoded")
    }
}

/// Decodes the histograms of the last `count` samples of `out` to where their marks stand.
fn place_histograms(bytes: &[u8], count: usize, out: &mut Samples) -> Option<()> {
    let from = out.values.len().checked_sub(count)?;
    let marks = out.values[from..].iter().filter(|value| is_histogram_mark(**value)).count();
    let mut histograms = Vec::with_capacity(marks);
    packed_histograms::decode(bytes, marks, &mut histograms)?;
    let mut histograms = histograms.into_iter();
    out.histograms.resize(from, None);
    let placed = out.values[from..].iter().map(|value| match is_histogram_mark(*value) {
        true => histograms.next(),
        false => None,
    });
    out.histograms.extend(placed);
    Some(())
}

#[cfg(test)]
mod tests;
