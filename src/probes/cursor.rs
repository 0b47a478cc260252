//! Reading the fields of a binary message, never beyond its end.

/// What is left of a message. Every step either yields a field or says which one is missing.
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Cursor { rest: message }
    }

    /// All that was not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `length` bytes. `field` names them in the error.
    pub(crate) fn take(&mut self, length: usize, field: &str) -> Result<&'a [u8], String> {
        match self.rest.split_at_checked(length) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(format!(
                "the message ends within its {field}: {length} bytes announced, {} there",
                self.rest.len()
            )),
        }
    }

    fn array<const N: usize>(&mut self, field: &str) -> Result<[u8; N], String> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N, field)?);
        Ok(out)
    }

    pub(crate) fn u8(&mut self, field: &str) -> Result<u8, String> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    pub(crate) fn u16_be(&mut self, field: &str) -> Result<u16, String> {
        self.array(field).map(u16::from_be_bytes)
    }

    pub(crate) fn u32_be(&mut self, field: &str) -> Result<u32, String> {
        self.array(field).map(u32::from_be_bytes)
    }

    pub(crate) fn i32_be(&mut self, field: &str) -> Result<i32, String> {
        self.array(field).map(i32::from_be_bytes)
    }

    pub(crate) fn u16_le(&mut self, field: &str) -> Result<u16, String> {
        self.array(field).map(u16::from_le_bytes)
    }

    pub(crate) fn u32_le(&mut self, field: &str) -> Result<u32, String> {
        self.array(field).map(u32::from_le_bytes)
    }

    /// The bytes up to the next zero, which is skipped.
    pub(crate) fn until_zero(&mut self, field: &str) -> Result<&'a [u8], String> {
        let Some(length) = memchr::memchr(0, self.rest) else {
            return Err(format!("the {field} has no end"));
        };
        let taken = &self.rest[..length];
        self.rest = &self.rest[length + 1..];
        Ok(taken)
    }

    /// As [`Cursor::until_zero`], in readable form.
    pub(crate) fn text(&mut self, field: &str) -> Result<String, String> {
        self.until_zero(field).map(readable)
    }
}

/// What a peer says, fit for an error or metadata: no control characters, and not endless.
pub(crate) fn readable(bytes: &[u8]) -> String {
    const CHARACTERS_MAX: usize = 300;
    let text = String::from_utf8_lossy(bytes);
    let mut out: String =
        text.chars().take(CHARACTERS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(CHARACTERS_MAX).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_beyond_the_end_is_an_error_and_takes_nothing() {
        let mut cursor = Cursor::new(&[1, 2, 3]);
        assert_eq!(cursor.u16_be("length"), Ok(0x0102));
        assert!(cursor.u32_le("flags").is_err());
        assert_eq!(cursor.rest(), &[3]);
        assert!(cursor.until_zero("name").is_err());
    }

    #[test]
    fn what_a_peer_says_is_shown_without_control_characters_and_cut() {
        assert_eq!(readable(b"a\r\n\x1b[2Jb"), "a   [2Jb");
        assert_eq!(readable(&[b'x'; 1000]).chars().count(), 301);
    }
}
