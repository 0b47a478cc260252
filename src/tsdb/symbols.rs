//! Label names and values, each kept once.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

/// Texts by number, in one buffer.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    texts: String,
    /// Where each text ends; it begins where the one before ends.
    ends: Vec<u64>,
    by_text: HashTable<u32>,
}

impl Symbols {
    /// The text of a number that was given out.
    #[inline]
    pub(super) fn text(&self, symbol: u32) -> &str {
        let place = symbol as usize;
        let start = if place == 0 { 0 } else { self.ends[place - 1] as usize };
        &self.texts[start..self.ends[place] as usize]
    }

    /// The number of a text, if it has one.
    pub(super) fn find(&self, text: &str) -> Option<u32> {
        self.by_text.find(xxh3_64(text.as_bytes()), |s| self.text(*s) == text).copied()
    }

    /// The number of a text, a new one if need be.
    pub(super) fn intern(&mut self, text: &str) -> u32 {
        let hash = xxh3_64(text.as_bytes());
        let Symbols { texts, ends, by_text } = self;
        let text_of = |symbol: u32| {
            let place = symbol as usize;
            let start = if place == 0 { 0 } else { ends[place - 1] as usize };
            &texts[start..ends[place] as usize]
        };
        if let Some(symbol) = by_text.find(hash, |s| text_of(*s) == text) {
            return *symbol;
        }
        let symbol = ends.len() as u32;
        by_text.insert_unique(hash, symbol, |s| xxh3_64(text_of(*s).as_bytes()));
        texts.push_str(text);
        ends.push(texts.len() as u64);
        symbol
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_has_one_number() {
        let mut symbols = Symbols::default();
        let numbers: Vec<u32> = ["a", "", "bc", "a"].map(|t| symbols.intern(t)).into();
        assert_eq!(numbers, [0, 1, 2, 0]);
        assert_eq!(
            numbers.iter().map(|n| symbols.text(*n)).collect::<Vec<_>>(),
            ["a", "", "bc", "a"]
        );
        assert_eq!(symbols.find("bc"), Some(2));
        assert_eq!(symbols.find("b"), None);
    }
}
