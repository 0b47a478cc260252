//! Keys whose bytes sort as their parts do.

/// A key under construction: big-endian parts, one after another.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(Vec<u8>);

impl Key {
    /// An empty key.
    pub fn new() -> Self {
        Key(Vec::with_capacity(16))
    }

    /// Adds an unsigned number.
    #[must_use]
    pub fn u32(mut self, part: u32) -> Self {
        self.0.extend_from_slice(&part.to_be_bytes());
        self
    }

    /// Adds an unsigned number.
    #[must_use]
    pub fn u64(mut self, part: u64) -> Self {
        self.0.extend_from_slice(&part.to_be_bytes());
        self
    }

    /// Adds a signed number; negative ones sort first.
    #[must_use]
    pub fn i64(self, part: i64) -> Self {
        self.u64((part as u64) ^ (1 << 63))
    }

    /// Adds a byte.
    #[must_use]
    pub fn u8(mut self, part: u8) -> Self {
        self.0.push(part);
        self
    }

    /// Adds a text. It must be the last part.
    #[must_use]
    pub fn text(mut self, part: &str) -> Self {
        self.0.extend_from_slice(part.as_bytes());
        self
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Reads the parts of a key, or of any fixed big-endian value, back.
#[derive(Clone, Copy, Debug)]
pub struct KeyReader<'a>(&'a [u8]);

impl<'a> KeyReader<'a> {
    /// Starts at the first part.
    pub fn new(bytes: &'a [u8]) -> Self {
        KeyReader(bytes)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    /// The next part, as an unsigned number.
    pub fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    /// The next part, as an unsigned number.
    pub fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    /// The next part, as a signed number.
    pub fn i64(&mut self) -> Option<i64> {
        self.u64().map(|n| (n ^ (1 << 63)) as i64)
    }

    /// The next part, as a byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    /// What is left, as a text.
    pub fn text(self) -> Option<&'a str> {
        std::str::from_utf8(self.0).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_parts_sort_by_value() {
        let keys: Vec<Key> =
            [i64::MIN, -1, 0, 1, i64::MAX].into_iter().map(|n| Key::new().i64(n)).collect();
        assert!(keys.is_sorted());
        assert_eq!(KeyReader::new(keys[1].as_bytes()).i64(), Some(-1));
    }
}
