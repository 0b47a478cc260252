//! A password, token or key, and where it is kept.

use std::fmt;
use std::io::Read as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize, Serializer};

use super::HIDDEN;

/// A secret in a file is read up to here, in bytes.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// A secret: its text, `{"file": path}` or `{"env": name}`. It is read when it is needed, so a
/// file that is renewed counts at once. Neither `Debug` nor JSON shows a text again.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "expected a text, {\"file\": path} or {\"env\": name}")]
pub enum Secret {
    /// The secret itself.
    Text(String),
    /// In a file.
    File(InFile),
    /// In a variable of our environment.
    Env(InEnv),
}

/// `{"file": path}`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InFile {
    /// Which file. A line break at its end is no part of the secret.
    pub file: PathBuf,
}

/// `{"env": name}`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InEnv {
    /// Which variable.
    pub env: String,
}

impl Secret {
    /// The secret as it is now. Blocks while it reads a file.
    ///
    /// # Errors
    ///
    /// Which file or variable is missing or unreadable; never what is in it.
    pub fn read(&self) -> Result<String, String> {
        match self {
            Secret::Text(text) => Ok(text.clone()),
            Secret::Env(InEnv { env }) => std::env::var(env)
                .map_err(|error| format!("the secret in the variable {env}: {error}")),
            Secret::File(InFile { file }) => {
                let trouble = |error: &dyn fmt::Display| {
                    format!("cannot read the secret in {}: {error}", file.display())
                };
                let opened = std::fs::File::open(file).map_err(|error| trouble(&error))?;
                let mut text = String::new();
                opened
                    .take(SECRET_BYTES_MAX + 1)
                    .read_to_string(&mut text)
                    .map_err(|error| trouble(&error))?;
                if text.len() as u64 > SECRET_BYTES_MAX {
                    return Err(trouble(&format!("it has more than {SECRET_BYTES_MAX} bytes")));
                }
                text.truncate(text.trim_end_matches(['\r', '\n']).len());
                Ok(text)
            }
        }
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Secret::Text(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Secret::Text(_) => f.write_str(HIDDEN),
            Secret::File(place) => place.fmt(f),
            Secret::Env(place) => place.fmt(f),
        }
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Secret::Text(_) => serializer.serialize_str(HIDDEN),
            Secret::File(place) => place.serialize(serializer),
            Secret::Env(place) => place.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_a_text_or_in_a_file_or_in_the_environment() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("token");
        std::fs::write(&file, "s3cret\r\n").expect("written");
        let read = |json: serde_json::Value| -> Result<String, String> {
            serde_json::from_value::<Secret>(json).map_err(|error| error.to_string())?.read()
        };
        assert_eq!(read("plain".into()), Ok("plain".to_owned()));
        assert_eq!(read(serde_json::json!({ "file": file })), Ok("s3cret".to_owned()));
        assert_eq!(
            read(serde_json::json!({ "env": "CARGO_PKG_NAME" })),
            Ok(std::env::var("CARGO_PKG_NAME").expect("cargo sets it"))
        );
        let missing = read(serde_json::json!({ "env": "NOBODY_SETS_THIS" })).expect_err("unset");
        assert!(missing.contains("NOBODY_SETS_THIS"), "{missing}");
        let missing = read(serde_json::json!({ "file": dir.path().join("none") }));
        assert!(missing.expect_err("no file").contains("none"));
        let wrong = read(serde_json::json!({ "fil": "x" })).expect_err("no such place");
        assert!(wrong.contains("{\"file\": path}"), "{wrong}");
        std::fs::write(&file, "x".repeat(70_000)).expect("written");
        let long = read(serde_json::json!({ "file": file })).expect_err("too long");
        assert!(long.contains("more than 65536 bytes"), "{long}");
    }

    #[test]
    fn a_text_is_not_shown_again() {
        let secret = Secret::from("s3cret");
        assert!(!format!("{secret:?}").contains("s3cret"));
        assert_eq!(serde_json::to_value(&secret).expect("JSON"), HIDDEN);
        let kept: Secret = serde_json::from_str(r#"{"env":"TOKEN"}"#).expect("valid");
        assert_eq!(serde_json::to_string(&kept).expect("JSON"), r#"{"env":"TOKEN"}"#);
    }
}
