//! Reading of settings: what all kinds have, and errors that name the field.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::model::{ChannelDefinition, Period};
use crate::trust::{Secret, TlsClient};

use super::{TIMEOUT_MAX, TIMEOUT_MIN, kind_word};

/// How fast a channel is told, so that a storm of alerts does not become a storm of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Notifications per minute in the long run.
    pub per_minute: u32,
    /// Notifications at once after a quiet time.
    pub burst: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { per_minute: 60, burst: 20 }
    }
}

/// Settings that every kind has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// How long one attempt may take; 15 s.
    pub timeout: Period,
    /// TLS towards the service.
    pub tls: TlsClient,
    /// How fast it is told.
    pub pace: Pace,
}

impl Shared {
    /// Takes them out of a channel's settings and gives the rest.
    ///
    /// # Errors
    ///
    /// Which field is wrong and why.
    pub fn take(channel: &ChannelDefinition) -> Result<(Shared, Map<String, Value>), String> {
        let mut rest = channel.settings.clone();
        let timeout = take(&mut rest, "timeout")?.unwrap_or(Period::from_secs(15));
        if !(TIMEOUT_MIN..=TIMEOUT_MAX).contains(&timeout) {
            let message =
                format!("settings.timeout: is {timeout}; use {TIMEOUT_MIN} to {TIMEOUT_MAX}");
            return Err(message);
        }
        let tls = take(&mut rest, "tls")?.unwrap_or_default();
        let usual = Pace::default();
        let pace = Pace {
            per_minute: take(&mut rest, "rate_per_minute")?.unwrap_or(usual.per_minute),
            burst: take(&mut rest, "burst")?.unwrap_or(usual.burst),
        };
        if pace.per_minute == 0 || pace.burst == 0 {
            return Err(
                "settings.rate_per_minute and settings.burst: must be at least 1".to_owned()
            );
        }
        Ok((Shared { timeout, tls, pace }, rest))
    }
}

fn take<T: DeserializeOwned>(
    settings: &mut Map<String, Value>,
    name: &str,
) -> Result<Option<T>, String> {
    let Some(value) = settings.remove(name) else { return Ok(None) };
    serde_json::from_value(value).map(Some).map_err(|error| format!("settings.{name}: {error}"))
}

/// Reads the settings of one kind.
pub(super) fn read<T: DeserializeOwned>(
    kind: crate::model::ChannelKind,
    settings: Map<String, Value>,
) -> Result<T, String> {
    let attempt = |map: &Map<String, Value>| {
        serde_json::from_value::<T>(Value::Object(map.clone())).map_err(|error| error.to_string())
    };
    let error = match attempt(&settings) {
        Ok(read) => return Ok(read),
        Err(error) => error,
    };
    if error.starts_with("unknown field") || error.starts_with("missing field") {
        return Err(format!("settings: {error} (of a channel of kind {})", kind_word(kind)));
    }
    // serde does not say which field it is: it is the one without which the error is another.
    let culprit = settings.keys().find(|name| {
        let mut less = settings.clone();
        less.remove(*name);
        attempt(&less).err().as_ref() != Some(&error)
    });
    match culprit {
        Some(name) => Err(format!("settings.{name}: {error}")),
        None => Err(format!("settings: {error}")),
    }
}

/// Refuses what is no URL of a web server. A secret that is elsewhere is checked when it is used.
pub(super) fn check_url(field: &str, url: &Secret) -> Result<(), String> {
    match url {
        Secret::Text(text) => {
            parse_url(text).map(drop).map_err(|e| format!("settings.{field}: {e}"))
        }
        Secret::File(_) | Secret::Env(_) => Ok(()),
    }
}

/// Reads a URL. The error does not repeat it: it may hold a secret.
pub(super) fn parse_url(text: &str) -> Result<reqwest::Url, String> {
    let url = reqwest::Url::parse(text.trim())
        .map_err(|error| format!("is not a URL ({error}); write https://host/path"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(format!("has the scheme {:?}; use http:// or https://", url.scheme()));
    }
    Ok(url)
}
