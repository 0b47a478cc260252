//! A block: packed samples of some neighbouring series, compressed together.
//!
//! ```text
//! header   version u8 | level u8 | window start i64 | priority u64 | chunks u32 | unpacked bytes u32
//! zstd of
//!   directory, per chunk: series (difference) | count | first time (difference, zig-zag) | last − first
//!                         | bytes of times, 0: as the chunk before | mode u8 | bytes of values
//!   times of all chunks | values of all chunks
//! ```
//! Directory numbers are varints. The header repeats what the segment says, so that salvage can
//! rebuild the segments from blocks alone.

use super::packed_values::ValueEncoder;
use super::segment::Origin;
use super::{packed_times, packed_values, varint};
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
}

impl Chunk {
    /// About as many bytes as it takes unpacked.
    fn bytes(&self) -> usize {
        self.times.len() + self.values.len() + 8
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

    /// Adds samples of a series: at least one, times strictly rising. Finished blocks go to
    /// `out`.
    pub(super) fn push(
        &mut self,
        series: u32,
        times: &[i64],
        values: &[f64],
        out: &mut Vec<PackedBlock>,
    ) -> std::io::Result<()> {
        for (times, values) in times.chunks(CHUNK_SAMPLES_MAX).zip(values.chunks(CHUNK_SAMPLES_MAX))
        {
            let mut chunk = Chunk {
                series,
                count: times.len() as u32,
                first: times[0],
                last: times[times.len() - 1],
                times: Vec::new(),
                mode: 0,
                values: Vec::new(),
            };
            packed_times::encode(times, &mut chunk.times);
            chunk.mode = self.values.encode(values, &mut chunk.values);
            self.pending_bytes += chunk.bytes();
            self.pending.push(chunk);
            if self.pending_bytes >= self.target_bytes || self.pending.len() >= BLOCK_CHUNKS_MAX {
                self.pack(out)?;
            }
        }
        Ok(())
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
        payload.extend_from_slice(&[VERSION, self.origin.level.code()]);
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
        (series, first) = (chunk.series, chunk.first);
    }
    for (chunk, _) in chunks.iter().zip(&repeats).filter(|(_, repeats)| !**repeats) {
        out.extend_from_slice(&chunk.times);
    }
    for chunk in chunks {
        out.extend_from_slice(&chunk.values);
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
    (header[0] == VERSION).then_some(())?;
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
        if header[0] != VERSION {
            return Err("an unknown version of block");
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
        let (mut times_at, mut values_at) = (0u32, 0u32);
        for _ in 0..count {
            series = series.checked_add(u32::try_from(varint::take(&mut rest)?).ok()?)?;
            let samples = u32::try_from(varint::take(&mut rest)?).ok()?;
            (1..=CHUNK_SAMPLES_MAX as u32).contains(&samples).then_some(())?;
            first = first.wrapping_add(varint::take_signed(&mut rest)?);
            let last = first.wrapping_add(varint::take(&mut rest)? as i64);
            let times_len = u32::try_from(varint::take(&mut rest)?).ok()?;
            let mode = *varint::take_bytes(&mut rest, 1)?.first()?;
            let values_len = u32::try_from(varint::take(&mut rest)?).ok()?;
            let times = match self.chunks.last() {
                Some(before) if times_len == 0 && samples > 1 => before.times,
                _ => (times_at, times_at.checked_add(times_len)?),
            };
            times_at = times_at.checked_add(times_len)?;
            let values = (values_at, values_at.checked_add(values_len)?);
            values_at = values.1;
            self.chunks.push(ChunkEntry {
                series,
                count: samples,
                first,
                last,
                mode,
                times,
                values,
            });
        }
        let directory = u32::try_from(self.unpacked.len() - rest.len()).ok()?;
        for chunk in &mut self.chunks {
            chunk.times.0 = chunk.times.0.checked_add(directory)?;
            chunk.times.1 = chunk.times.1.checked_add(directory)?;
            let values = directory.checked_add(times_at)?;
            chunk.values =
                (chunk.values.0.checked_add(values)?, chunk.values.1.checked_add(values)?);
        }
        let end = directory.checked_add(times_at)?.checked_add(values_at)?;
        (end as usize == self.unpacked.len()).then_some(())
    }

    /// Decodes one of `chunks` to the end of `out`.
    pub(super) fn decode(&self, chunk: &ChunkEntry, out: &mut Samples) -> Result<(), &'static str> {
        let bytes = |(from, until): (u32, u32)| self.unpacked.get(from as usize..until as usize);
        let count = chunk.count as usize;
        let decoded = bytes(chunk.times)
            .and_then(|times| packed_times::decode(times, chunk.first, count, &mut out.times))
            .and_then(|()| bytes(chunk.values))
            .and_then(|values| packed_values::decode(chunk.mode, values, count, &mut out.values));
        decoded.ok_or("a chunk that cannot be decoded")
    }
}

#[cfg(test)]
mod tests {
    use super::super::segment::Level;
    use super::*;

    fn packer() -> BlockPacker {
        let origin = Origin { level: Level::Flushed, window_start: -7, priority: 9 };
        BlockPacker::new(origin).expect("zstd")
    }

    fn sample(series: u32, i: i64) -> (i64, f64) {
        let at = 1_700_000_000_000 + i * 15_000;
        match series % 3 {
            0 => (at, (i * 7) as f64),
            1 => (at, (i as f64 / 9.0).sin()),
            _ => (at + i64::from(series), ((i * i) % 100) as f64 / 10.0),
        }
    }

    fn series(id: u32, count: i64) -> Samples {
        let mut out = Samples::default();
        (0..count).map(|i| sample(id, i)).for_each(|(at, value)| out.push(at, value));
        out
    }

    #[test]
    fn blocks_fit_a_page_and_give_everything_back() {
        let mut packer = packer();
        let mut blocks = Vec::new();
        for id in 0..300 {
            let samples = series(id, 1000);
            packer.push(id, &samples.times, &samples.values, &mut blocks).expect("packs");
        }
        packer.finish(&mut blocks).expect("packs");
        assert!(blocks.len() > 3);
        let mut back: Vec<Samples> = (0..300).map(|_| Samples::default()).collect();
        let mut open = OpenBlock::default();
        let mut unpacker = Unpacker::new().expect("zstd");
        for block in &blocks {
            assert!(block.payload.len() <= BLOCK_BYTES_MAX);
            assert_eq!(origin(&block.payload).map(|o| (o.window_start, o.priority)), Some((-7, 9)));
            open.open(&mut unpacker, &block.payload).expect("opens");
            for chunk in &open.chunks {
                let out = &mut back[chunk.series as usize];
                open.decode(chunk, out).expect("decodes");
                assert_eq!(out.times.last(), Some(&chunk.last));
            }
        }
        for (id, samples) in back.iter().enumerate() {
            let expected = series(id as u32, 1000);
            assert_eq!(samples.times, expected.times, "series {id}");
            assert_eq!(samples.values, expected.values, "series {id}");
        }
    }

    #[test]
    fn series_with_common_times_share_them() {
        let mut packer = packer();
        let mut blocks = Vec::new();
        for id in 0..2 {
            packer.push(id, &[1, 5, 10], &[1.0, 2.0, 3.0], &mut blocks).expect("packs");
        }
        packer.push(7, &[10], &[1.0], &mut blocks).expect("packs");
        packer.push(8, &[10], &[2.0], &mut blocks).expect("packs");
        packer.finish(&mut blocks).expect("packs");
        let mut open = OpenBlock::default();
        let mut unpacker = Unpacker::new().expect("zstd");
        open.open(&mut unpacker, &blocks[0].payload).expect("opens");
        assert_eq!(open.chunks[0].times, open.chunks[1].times);
        for (chunk, times) in open.chunks.iter().zip([&[1, 5, 10][..], &[1, 5, 10], &[10], &[10]]) {
            let mut out = Samples::default();
            open.decode(chunk, &mut out).expect("decodes");
            assert_eq!(out.times, times);
        }
    }

    #[test]
    fn damaged_blocks_are_errors() {
        let mut packer = packer();
        let mut blocks = Vec::new();
        packer.push(3, &[1, 2], &[1.0, 2.0], &mut blocks).expect("packs");
        packer.finish(&mut blocks).expect("packs");
        let good = blocks.remove(0).payload;
        let mut open = OpenBlock::default();
        let mut unpacker = Unpacker::new().expect("zstd");
        for len in 0..good.len() {
            assert!(open.open(&mut unpacker, &good[..len]).is_err(), "cut to {len}");
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            // Without the seal's checksum some flips go unnoticed here; none may panic.
            if open.open(&mut unpacker, &bad).is_ok() {
                let chunks = open.chunks.clone();
                for chunk in &chunks {
                    let _ = open.decode(chunk, &mut Samples::default());
                }
            }
        }
    }
}
