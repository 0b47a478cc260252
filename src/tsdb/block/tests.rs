//! Tests of [`super`].

use super::super::segment::Level;
use super::*;
use crate::model::{BucketSpan, Buckets};

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
        packer.push(id, Columns::of(&samples, 0, samples.len()), &mut blocks).expect("packs");
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
        packer
            .push(id, Columns::floats(&[1, 5, 10], &[1.0, 2.0, 3.0]), &mut blocks)
            .expect("packs");
    }
    packer.push(7, Columns::floats(&[10], &[1.0]), &mut blocks).expect("packs");
    packer.push(8, Columns::floats(&[10], &[2.0]), &mut blocks).expect("packs");
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

/// Cut short anywhere it is an error; with any bit flipped it may go unnoticed without the seal's
/// checksum, but not panic.
fn damage(good: &[u8]) {
    let mut open = OpenBlock::default();
    let mut unpacker = Unpacker::new().expect("zstd");
    for len in 0..good.len() {
        assert!(open.open(&mut unpacker, &good[..len]).is_err(), "cut to {len}");
    }
    for bit in 0..good.len() * 8 {
        let mut bad = good.to_vec();
        bad[bit / 8] ^= 1 << (bit % 8);
        if open.open(&mut unpacker, &bad).is_ok() {
            let chunks = open.chunks.clone();
            for chunk in &chunks {
                let _ = open.decode(chunk, &mut Samples::default());
            }
        }
    }
}

#[test]
fn damaged_blocks_are_errors() {
    let mut packer = packer();
    let mut blocks = Vec::new();
    packer.push(3, Columns::floats(&[1, 2], &[1.0, 2.0]), &mut blocks).expect("packs");
    packer.finish(&mut blocks).expect("packs");
    let good = blocks.remove(0).payload;
    damage(&good);
}

#[test]
fn only_blocks_with_histograms_are_of_another_version() {
    let mut packer = packer();
    let mut blocks = Vec::new();
    let floats = series(1, 100);
    packer.push(1, Columns::of(&floats, 0, 100), &mut blocks).expect("packs");
    packer.finish(&mut blocks).expect("packs");
    assert_eq!(blocks[0].payload[0], 1, "an older vedette reads it");

    // More buckets than a chunk takes, with a number among them.
    let wide = |n: u32| {
        let counts: Vec<f64> = (0..1000).map(|i| f64::from(i * n)).collect();
        let spans = vec![BucketSpan { offset: 1, length: 1000 }];
        Arc::new(Histogram { positive: Buckets { spans, counts }, ..Histogram::default() })
    };
    let mut mixed = Samples::default();
    (0..60).for_each(|n| mixed.push_histogram(i64::from(n), wide(n)));
    mixed.push(60, 1.5);
    let mut blocks = Vec::new();
    packer.push(1, Columns::of(&floats, 0, 100), &mut blocks).expect("packs");
    packer.push(2, Columns::of(&mixed, 0, 61), &mut blocks).expect("packs");
    packer.push(3, Columns::of(&floats, 0, 100), &mut blocks).expect("packs");
    packer.finish(&mut blocks).expect("packs");
    let mut back: Vec<Samples> = (0..4).map(|_| Samples::default()).collect();
    let mut open = OpenBlock::default();
    let mut unpacker = Unpacker::new().expect("zstd");
    for block in &blocks {
        open.open(&mut unpacker, &block.payload).expect("opens");
        for chunk in &open.chunks {
            open.decode(chunk, &mut back[chunk.series as usize]).expect("decodes");
        }
    }
    assert!(blocks.iter().any(|block| block.payload[0] == 2));
    for id in [1, 3] {
        assert_eq!((&back[id].times, &back[id].values), (&floats.times, &floats.values));
    }
    assert_eq!((back[2].len(), back[2].values[60]), (61, 1.5));
    assert_eq!(back[2].histograms, mixed.histograms);
}

#[test]
fn damaged_blocks_of_histograms_are_errors_and_never_panic() {
    let mut packer = packer();
    let mut blocks = Vec::new();
    let mut samples = Samples::default();
    for n in 0..4 {
        let counts = vec![f64::from(n), 7.0];
        let spans = vec![BucketSpan { offset: -2, length: 1 }, BucketSpan { offset: 3, length: 1 }];
        let positive = Buckets { spans, counts };
        let sum = f64::from(n) / 3.0;
        let histogram = Histogram { positive, sum, count: 8.0, ..Histogram::default() };
        samples.push_histogram(i64::from(n) * 10, Arc::new(histogram));
        samples.push(i64::from(n) * 10 + 1, sum);
    }
    packer.push(3, Columns::of(&samples, 0, 8), &mut blocks).expect("packs");
    packer.finish(&mut blocks).expect("packs");
    let good = blocks.remove(0).payload;
    damage(&good);
}
