//! Who may do what: modes, roles and tokens as the file holds them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

/// When a token is required.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthMode {
    /// On loopback nothing is required until the first token exists; beyond loopback always.
    #[default]
    Auto,
    /// Always.
    Token,
    /// Never: whoever reaches the port may do everything.
    None,
}

/// What the bearer of a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads metrics and states.
    Viewer,
    /// Sends data, and reads nothing: the role for an agent on another machine.
    Writer,
    /// Reads, sends data, and changes what is watched.
    Operator,
    /// Everything, tokens and backups included.
    Admin,
}

impl Role {
    /// The name in files and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Writer => "writer",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Role::Viewer, Role::Writer, Role::Operator, Role::Admin]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| format!("{text:?} is not a role; use admin, operator, writer or viewer"))
    }
}

/// The SHA-256 of a token. A token is 256 random bits, so that no slow hash is needed: there is
/// nothing to guess.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// The hash of a token as its bearer sends it.
    pub fn of(token: &str) -> Self {
        TokenHash(Sha256::digest(token.as_bytes()).into())
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TokenHash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            "not a token hash; write \"sha256:\" and 64 hexadecimal digits, \
             as `vedette token create` prints it"
                .to_owned()
        };
        let digits = text.strip_prefix("sha256:").ok_or_else(expected)?;
        if digits.len() != 64 || !digits.is_ascii() {
            return Err(expected());
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| expected())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| expected())?;
        }
        Ok(TokenHash(hash))
    }
}

impl Serialize for TokenHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TokenHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// One entry of `auth.tokens`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileToken {
    /// Whose it is; unique.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Its hash; the token itself stands nowhere.
    pub hash: TokenHash,
}

/// `[auth]`: access.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// `auto`, `token` or `none`.
    pub mode: AuthMode,
    /// Tokens besides those that the database holds.
    pub tokens: Vec<FileToken>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_hash_is_sha_256_in_hexadecimal() {
        // From `printf abc | sha256sum`, also FIPS 180-2 appendix B.1.
        let text = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(TokenHash::of("abc").to_string(), text);
        assert_eq!(text.parse(), Ok(TokenHash::of("abc")));
    }

    #[test]
    fn a_malformed_hash_is_refused_with_its_mend() {
        for text in ["", "abc", "sha256:", "sha256:zz", &format!("sha256:{}", "g".repeat(64))] {
            let error = text.parse::<TokenHash>().expect_err(text);
            assert!(error.contains("vedette token create"), "{error}");
        }
    }
}
