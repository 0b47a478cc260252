//! Names of things that people define.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The name of a check, rule, channel and the like: 1 to 63 of `a-z`, `0-9` and `-`, beginning
/// with a letter or digit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// Why a text is not a [`Name`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a name; use 1 to 63 of a-z, 0-9 and -, beginning with a letter or digit")]
pub struct NameError(pub String);

impl Name {
    /// Checks a text.
    ///
    /// # Errors
    ///
    /// [`NameError`] when it does not keep to the alphabet or the length.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        let alphabet =
            text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !alphabet || text.is_empty() || text.len() > 63 || text.starts_with('-') {
            return Err(NameError(text));
        }
        Ok(Name(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    /// As a text in quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Name::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_to_their_alphabet() {
        let long = "a".repeat(64);
        for (name, valid) in [
            ("a", true),
            ("0-x", true),
            (&long[..63], true),
            (&long, false),
            ("", false),
            ("-a", false),
            ("A", false),
            ("a b", false),
        ] {
            assert_eq!(Name::new(name).is_ok(), valid, "{name:?}");
        }
    }
}
