//! A run of bytes, packed by itself where that makes it smaller.
//!
//! ```text
//! form u8: 0 as it is, 1 zstd | length unpacked varint | length packed varint | bytes
//! ```

use crate::model::varint;

const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
/// Below this, zstd's frame costs more than it saves.
const WORTH_IT_BYTES: usize = 64;
/// The fastest level: others pack log lines little better and take a multiple of the time.
const LEVEL: i32 = 1;
/// The longest that is unpacked: a block's text with a line of the greatest length, and to spare.
pub(super) const PIECE_BYTES_MAX: usize = 64 << 20;

/// What packs; reused, as zstd's tables are costly to make.
pub struct Packer {
    zstd: zstd::bulk::Compressor<'static>,
}

impl Packer {
    /// A packer.
    ///
    /// # Errors
    ///
    /// When zstd gets no memory.
    pub fn new() -> Result<Packer, String> {
        let zstd = zstd::bulk::Compressor::new(LEVEL).map_err(|error| error.to_string())?;
        Ok(Packer { zstd })
    }

    /// Adds a piece.
    pub(super) fn put(&mut self, out: &mut Vec<u8>, bytes: &[u8]) {
        if bytes.len() >= WORTH_IT_BYTES
            && let Ok(packed) = self.zstd.compress(bytes)
            && packed.len() < bytes.len()
        {
            out.push(ZSTD);
            varint::put(out, bytes.len() as u64);
            varint::put(out, packed.len() as u64);
            out.extend_from_slice(&packed);
            return;
        }
        out.push(PLAIN);
        varint::put(out, bytes.len() as u64);
        varint::put(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }
}

/// What unpacks; reused likewise.
pub struct Unpacker {
    zstd: zstd::bulk::Decompressor<'static>,
}

impl Unpacker {
    /// An unpacker.
    ///
    /// # Errors
    ///
    /// When zstd gets no memory.
    pub fn new() -> Result<Unpacker, String> {
        let zstd = zstd::bulk::Decompressor::new().map_err(|error| error.to_string())?;
        Ok(Unpacker { zstd })
    }

    /// Takes a piece from the front into `out`, whose contents it replaces. `None` where it is
    /// damaged.
    pub(super) fn take(&mut self, rest: &mut &[u8], out: &mut Vec<u8>) -> Option<()> {
        let piece = Piece::take(rest)?;
        self.unpack(&piece, out)
    }

    pub(super) fn unpack(&mut self, piece: &Piece<'_>, out: &mut Vec<u8>) -> Option<()> {
        out.clear();
        if piece.form == PLAIN {
            out.extend_from_slice(piece.bytes);
            return (piece.bytes.len() == piece.len).then_some(());
        }
        out.reserve(piece.len);
        let len = self.zstd.decompress_to_buffer(piece.bytes, out).ok()?;
        (len == piece.len).then_some(())
    }
}

/// A piece that is still packed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    form: u8,
    len: usize,
    bytes: &'a [u8],
}

impl<'a> Piece<'a> {
    /// Takes a piece from the front.
    pub(super) fn take(rest: &mut &'a [u8]) -> Option<Piece<'a>> {
        let (form, tail) = rest.split_first()?;
        *rest = tail;
        let len = usize::try_from(varint::take(rest)?).ok()?;
        let packed = usize::try_from(varint::take(rest)?).ok()?;
        let bytes = varint::take_bytes(rest, packed)?;
        let is_known = matches!(*form, PLAIN | ZSTD) && len <= PIECE_BYTES_MAX;
        is_known.then_some(Piece { form: *form, len, bytes })
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }
}
