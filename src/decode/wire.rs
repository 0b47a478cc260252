//! The protobuf wire format, read in place.
//!
//! <https://protobuf.dev/programming-guides/encoding/>. Nothing is copied and nothing allocated.
//! What is refused is what prost refuses, so that prost can be the oracle in the tests.

/// Groups inside groups deeper than this are refused (prost's limit).
const GROUP_DEPTH_MAX: u32 = 100;

/// Why bytes are not the message they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed protobuf at byte {offset} of the inflated body: {what}")]
pub struct WireError {
    /// Where, counted from the start of the inflated body.
    pub offset: usize,
    /// What is wrong.
    pub what: &'static str,
}

/// How a field's value is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WireType {
    Varint,
    Fixed64,
    Bytes,
    GroupStart,
    GroupEnd,
    Fixed32,
}

/// A place in a message. `end` is the offset of the end of `rest` in the whole body: the current
/// offset follows from it, so that moving on is one subtraction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    pub(super) rest: &'a [u8],
    end: usize,
}

impl<'a> Cursor<'a> {
    /// Reads `bytes`, which begin `base` bytes into the body.
    pub(super) fn new(bytes: &'a [u8], base: usize) -> Self {
        Cursor { rest: bytes, end: base + bytes.len() }
    }

    #[inline]
    pub(super) fn offset(&self) -> usize {
        self.end - self.rest.len()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[cold]
    pub(super) fn error(&self, what: &'static str) -> WireError {
        WireError { offset: self.offset(), what }
    }

    /// A varint of up to ten bytes; the tenth may only carry the 64th bit.
    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, WireError> {
        if let [first, rest @ ..] = self.rest
            && *first < 0x80
        {
            self.rest = rest;
            return Ok(u64::from(*first));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0_u64;
        for (place, byte) in self.rest.iter().take(10).enumerate() {
            if place == 9 && *byte > 1 {
                return Err(self.error("a varint does not fit 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << (7 * place);
            if *byte < 0x80 {
                self.rest = &self.rest[place + 1..];
                return Ok(value);
            }
        }
        Err(self.error("a varint is cut off"))
    }

    /// The number and layout of the next field.
    #[inline]
    pub(super) fn key(&mut self) -> Result<(u32, WireType), WireError> {
        let start = *self;
        let key = self.varint()?;
        let wire = match key & 7 {
            0 => WireType::Varint,
            1 => WireType::Fixed64,
            2 => WireType::Bytes,
            3 => WireType::GroupStart,
            4 => WireType::GroupEnd,
            5 => WireType::Fixed32,
            _ => return Err(start.error("the wire type does not exist")),
        };
        match u32::try_from(key) {
            Ok(key) if key >> 3 != 0 => Ok((key >> 3, wire)),
            Ok(_) => Err(start.error("field number 0 does not exist")),
            Err(_) => Err(start.error("the field number is too large")),
        }
    }

    /// The bytes of a length-delimited field.
    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        let start = *self;
        let len = self.varint()?;
        match usize::try_from(len).ok().and_then(|len| self.rest.split_at_checked(len)) {
            Some((field, rest)) => {
                self.rest = rest;
                Ok(field)
            }
            None => Err(start.error("a field is longer than what is left")),
        }
    }

    /// A length-delimited field as a message of its own.
    #[inline]
    pub(super) fn message(&mut self) -> Result<Cursor<'a>, WireError> {
        let field = self.bytes()?;
        Ok(Cursor { rest: field, end: self.offset() })
    }

    /// A length-delimited field as text.
    pub(super) fn text(&mut self) -> Result<&'a str, WireError> {
        let field = self.message()?;
        std::str::from_utf8(field.rest).map_err(|error| WireError {
            offset: field.offset() + error.valid_up_to(),
            what: "text is not valid UTF-8",
        })
    }

    /// Eight bytes, little-endian.
    #[inline]
    pub(super) fn fixed64(&mut self) -> Result<u64, WireError> {
        match self.rest.split_first_chunk::<8>() {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(u64::from_le_bytes(*bytes))
            }
            None => Err(self.error("a 64-bit value is cut off")),
        }
    }

    /// Moves past the value of a field that nobody asked for.
    pub(super) fn skip(&mut self, field: u32, wire: WireType) -> Result<(), WireError> {
        self.skip_within(field, wire, GROUP_DEPTH_MAX)
    }

    fn skip_within(&mut self, field: u32, wire: WireType, depth: u32) -> Result<(), WireError> {
        match wire {
            WireType::Varint => self.varint().map(drop),
            WireType::Fixed64 => self.fixed64().map(drop),
            WireType::Bytes => self.bytes().map(drop),
            WireType::Fixed32 => match self.rest.split_first_chunk::<4>() {
                Some((_, rest)) => {
                    self.rest = rest;
                    Ok(())
                }
                None => Err(self.error("a 32-bit value is cut off")),
            },
            WireType::GroupEnd => Err(self.error("a group ends that did not begin")),
            WireType::GroupStart => {
                if depth == 0 {
                    return Err(self.error("groups are nested too deeply"));
                }
                loop {
                    match self.key()? {
                        (inner, WireType::GroupEnd) if inner == field => return Ok(()),
                        (inner, wire) => self.skip_within(inner, wire, depth - 1)?,
                    }
                }
            }
        }
    }

    /// The error for a field of ours with a layout that is not its own.
    #[cold]
    pub(super) fn wrong_layout(&self) -> WireError {
        self.error("a known field has the wrong wire type")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_of_every_length_are_read_and_an_eleventh_byte_is_not() {
        // The encodings of 1, 300 (from the protobuf guide), and u64::MAX.
        for (bytes, value) in [
            (&[0x01][..], 1),
            (&[0xAC, 0x02], 300),
            (&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], u64::MAX),
            (&[0x80, 0x00], 0),
        ] {
            let mut cursor = Cursor::new(bytes, 0);
            assert_eq!(cursor.varint(), Ok(value));
            assert!(cursor.is_empty());
        }
        let too_big = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02];
        assert!(Cursor::new(&too_big, 0).varint().is_err());
        assert!(Cursor::new(&[0x80; 11], 0).varint().is_err());
    }

    #[test]
    fn an_error_tells_its_offset_in_the_whole_body() {
        let mut outer = Cursor::new(&[0x0A, 0x03, 0x12, 0x05, 0x00], 0);
        outer.key().expect("a key");
        let mut inner = outer.message().expect("three bytes");
        inner.key().expect("a key");
        assert_eq!(inner.message().expect_err("five from one").offset, 3);
    }

    #[test]
    fn groups_are_skipped_but_not_without_end() {
        // Field 3: group { field 1: varint 5; field 4: group {} }, then field 1: varint 9.
        let mut cursor = Cursor::new(&[0x1B, 0x08, 0x05, 0x23, 0x24, 0x1C, 0x08, 0x09], 0);
        let (field, wire) = cursor.key().expect("a key");
        cursor.skip(field, wire).expect("a whole group");
        assert_eq!(cursor.rest, [0x08, 0x09]);

        let deep = [0x1B; 10_000];
        let mut cursor = Cursor::new(&deep, 0);
        let (field, wire) = cursor.key().expect("a key");
        let error = cursor.skip(field, wire).expect_err("bottomless");
        assert_eq!(error.what, "groups are nested too deeply");
    }
}
