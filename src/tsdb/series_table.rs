//! Label sets on disk: blocks of up to 1000 series, each block compressed.
//!
//! ```text
//! count | unpacked bytes | zstd of: per series, id (difference), then its labels as in the journal
//! ```

use roaring::RoaringBitmap;

use super::index::Index;
use super::journal::{put_labels, take_labels};
use super::varint;
use crate::model::Labels;
use crate::store::{Key, Snapshot, StoreError, Table, Txn};

/// Ids per block: block `n` holds those from `n * 1000` on.
const BLOCK_SERIES: u32 = 1000;
const ZSTD_LEVEL: i32 = 3;
const UNPACKED_BYTES_MAX: usize = 1 << 30;

fn damaged(reason: &str) -> StoreError {
    StoreError::Damaged { table: Table::Series.name(), reason: reason.to_owned() }
}

/// The blocks, by their first id, that hold ids from `from` up to `until` (exclusive).
pub(super) fn blocks(from: u32, until: u32) -> impl Iterator<Item = u32> {
    (from / BLOCK_SERIES..until.div_ceil(BLOCK_SERIES)).map(|block| block * BLOCK_SERIES)
}

/// Encodes the block that begins with id `first`; `None` where it would be empty.
pub(super) fn encode(index: &Index, first: u32) -> std::io::Result<Option<Vec<u8>>> {
    let mut texts = Vec::new();
    let mut count = 0u64;
    let mut last = 0;
    let ids: RoaringBitmap = index.all().range(first..first + BLOCK_SERIES).collect();
    for id in ids {
        varint::put(&mut texts, u64::from(id - last));
        put_labels(&mut texts, &index.labels(id));
        last = id;
        count += 1;
    }
    if count == 0 {
        return Ok(None);
    }
    let mut out = Vec::new();
    varint::put(&mut out, count);
    varint::put(&mut out, texts.len() as u64);
    out.extend_from_slice(&zstd::bulk::compress(&texts, ZSTD_LEVEL)?);
    Ok(Some(out))
}

/// Decodes a block and calls `each` with its series.
pub(super) fn decode(bytes: &[u8], mut each: impl FnMut(u32, Labels)) -> Option<()> {
    let mut rest = bytes;
    let count = varint::take(&mut rest)?;
    let unpacked = usize::try_from(varint::take(&mut rest)?).ok()?;
    (unpacked <= UNPACKED_BYTES_MAX).then_some(())?;
    let texts = zstd::bulk::decompress(rest, unpacked).ok()?;
    let mut rest = texts.as_slice();
    let mut id = 0u32;
    for _ in 0..count {
        id = id.checked_add(u32::try_from(varint::take(&mut rest)?).ok()?)?;
        each(id, take_labels(&mut rest)?);
    }
    rest.is_empty().then_some(())
}

/// Puts a block, or removes it where it is empty.
pub(super) fn save(txn: &mut Txn<'_>, first: u32, block: Option<&[u8]>) -> Result<(), StoreError> {
    let key = Key::new().u32(first);
    match block {
        Some(block) => txn.insert(Table::Series, key.as_bytes(), block),
        None => txn.remove(Table::Series, key.as_bytes()).map(|_| ()),
    }
}

/// Loads all series into `index`. Damaged blocks are reported and left out: the samples of
/// their series are unreachable, everything else is not.
pub(super) fn load(
    snapshot: &Snapshot,
    index: &mut Index,
    report: &mut dyn FnMut(StoreError),
) -> Result<(), StoreError> {
    for entry in snapshot.table(Table::Series)?.all()? {
        let loaded = entry?.open().and_then(|value| {
            decode(value.payload(), |id, labels| index.insert(id, &labels))
                .ok_or_else(|| damaged("a block of series that cannot be decoded"))
        });
        if let Err(error) = loaded {
            report(error);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_gives_back_its_series_and_gaps_stay_gaps() {
        let mut index = Index::default();
        let labels = |id: u32| Labels::from_pairs([("__name__", format!("m{id}"))]).expect("valid");
        for id in [3, 999, 1000, 2500] {
            index.insert(id, &labels(id));
        }
        assert_eq!(blocks(0, 2501).collect::<Vec<_>>(), [0, 1000, 2000]);
        assert_eq!(blocks(1001, 1001).collect::<Vec<_>>(), [1000]);
        assert_eq!(encode(&index, 3000).expect("packs"), None);
        let block = encode(&index, 0).expect("packs").expect("not empty");
        let mut back = Vec::new();
        decode(&block, |id, labels| back.push((id, labels))).expect("decodes");
        assert_eq!(back, [(3, labels(3)), (999, labels(999))]);
        assert_eq!(decode(&block[..block.len() - 1], |_, _| ()), None);
    }
}
